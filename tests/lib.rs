//! Shared test helpers: temporary findata homes, servers that speak FMP's API, runs in this process
//! and through the real binary, and queries against the warehouse.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a helper that fails also fails the test that called it, and reports to its output"
)]

mod support;

pub use support::{
    bundle::{Bundle, DATABASE},
    collector,
    command::{Command, Output, Running, binary, findata},
    content::{Content, Differences},
    fake_snowflake::FakeSnowflake,
    home::{Home, lines_of, today},
    job::{Job, NoProgress, analyze, client, host, models, models_with, request, run_id, with_warehouse},
    parsers::{parse_errors, problems},
    python::{Program, prepared_python},
    replay::{Replay, ReplayServer},
    shared_folder,
    simulator::Simulator,
    wait, wait_until,
};
