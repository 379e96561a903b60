//! The tests of the whole: one binary, a module a theme. `findata_tests` has what they share.

mod cli;
mod faults;
mod golden;
mod job;
mod properties;
mod recorded;
mod sql_lint;
