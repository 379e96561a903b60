//! How many calls a run makes where they are limited, and that it misses nothing for it.

mod completeness;
mod daily_calls;

use chrono::NaiveDate;
use findata_local::fmp_server::{Options, Plan};
use findata_shared::{
    fmp::{FmpPlan, SourceKind},
    run::Summary,
};
use findata_tests::{Home, Job, Simulator};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A world on a day, for a key of a plan.
fn server(symbols: usize, today: &str, plan: Plan) -> Simulator {
    let anchor = Some(day("2026-08-01"));
    Simulator::start(Options { symbols, today: day(today), anchor, plan, ..Options::default() })
}

/// A month of prices of all the server's symbols.
fn job(server: &Simulator, today: &str) -> Job {
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    Job::new(server.url(), &symbols).on(day(today)).days(30)
}

/// A run as a key of that plan would have it, and the calls that the server saw.
fn run(job: &Job, server: &Simulator, home: &Home, plan: FmpPlan) -> (Summary, u64) {
    let before = server.calls();
    let summary = job.clone().with(|options| options.reach = plan.reach(SourceKind::Other)).run_ok(home);
    let calls = server.calls() - before;
    assert_eq!(summary.calls, calls, "all calls are counted");
    (summary, calls)
}
