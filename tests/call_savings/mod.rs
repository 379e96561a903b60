//! Runs with a limited number of calls: they make few calls and miss no data.

mod completeness;
mod daily_calls;
mod endless_calendar;

use chrono::NaiveDate;
use findata_fmp::{FmpPlan, SourceKind};
use findata_fmp_simulator::{Options, Plan};
use findata_pipeline::summary::Summary;
use findata_tests::{Home, Job, Simulator};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A simulator of this many symbols on a day, whose API key has this FMP plan.
fn server(symbols: usize, today: &str, plan: Plan) -> Simulator {
    let anchor = Some(day("2026-08-01"));
    Simulator::start(Options {
        symbols,
        today: day(today),
        anchor,
        plan,
        ..Options::default()
    })
}

/// A run of all symbols of the server with a month of prices.
fn job(server: &Simulator, today: &str) -> Job {
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    Job::new(server.url(), &symbols).on(day(today)).days(30)
}

/// Runs a job with the limits of an FMP plan. Returns the summary and the number of calls that the
/// server received.
fn run(job: &Job, server: &Simulator, home: &Home, plan: FmpPlan) -> (Summary, u64) {
    let before = server.calls();
    let summary = job
        .clone()
        .with(|options| options.plan_limits = plan.plan_limits(SourceKind::Other))
        .run_ok(home);
    let calls = server.calls() - before;
    assert_eq!(summary.calls, calls, "the summary counts every call");
    (summary, calls)
}
