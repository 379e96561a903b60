//! What the tests share: a home in a temporary folder, servers that speak FMP's API, the job in process and as
//! the real binary, and a look into the warehouse.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot do its part fails the test that called it"
)]

mod support;

pub use support::{
    bundle::{Bundle, DATABASE},
    command::{Command, Ended, Running, ended_json, findata},
    content::{Content, Differences},
    home::{Home, today},
    job::{Job, Quiet, client, host, request, run_id},
    parsers::misread,
    python::{Program, prepared},
    replay::{Replay, ReplayServer},
    server::Server,
    shared_folder,
    snowflake::Double,
    wait, wait_until,
};
