//! The tests of the whole: one binary, a module a theme. `findata_tests` has what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers may fail it as the test itself may")]

mod budget;
mod bulk;
mod bundle;
mod calls;
mod cli;
mod faults;
mod golden;
mod job;
mod properties;
mod recorded;
mod setup_sql;
mod sql_lint;
mod warehouse;
