//! The end-to-end tests: one binary with one module per topic. The library `findata_tests` has the
//! shared helpers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a failing helper fails its test, and reports to its output"
)]

mod architecture;
mod bulk;
mod bundle;
mod call_savings;
mod cli;
mod counts;
mod dataframes;
mod docs;
mod faults;
mod golden;
mod job;
mod properties;
mod rate_limit;
mod recorded;
mod report;
mod rules;
mod setup_sql;
mod sql_lint;
mod stream;
mod telemetry;
mod terminal;
mod upgrade;
mod warehouse;
