//! The calls of a first load, of the next days, and of a second run on each.

use findata_local::fmp_server::Plan;
use findata_shared::{fmp::FmpPlan, run::Status};
use findata_tests::{Home, Simulator};

use super::{job, run, server};

/// The universe of the design: the S&P 500 with its second share classes.
const SYMBOLS: usize = 505;

/// Calls that are for the whole market or the index, not for a symbol.
const FOR_ALL: u64 = 6;

/// The calls of a Monday's first load, of a Tuesday on which ten companies (2 %) reported, of a Wednesday; or of some of them.
fn days(number: usize, offered: Plan, plan: FmpPlan) -> Vec<u64> {
    let home = Home::new();
    let of_day = |today: &str| {
        let server: Simulator = server(SYMBOLS, today, offered);
        let job = job(&server, today).with(|options| options.skip_analytics = true);
        let (summary, calls) = run(&job, &server, &home, plan);
        println!("{plan} {today}: {calls} calls, {:?}", server.calls_by_endpoint());
        assert_eq!(summary.status, Status::Complete, "{:?} {:?}", summary.failures, summary.notes);
        let (_, again) = run(&job, &server, &home, plan);
        assert!(again <= 3, "{again} calls right after");
        calls
    };
    ["2026-08-10", "2026-08-11", "2026-08-12"].into_iter().take(number).map(of_day).collect()
}

/// Whether so many calls are at most so many a symbol.
fn at_most(calls: u64, a_symbol: f64) -> bool {
    calls as f64 <= a_symbol * SYMBOLS as f64
}

#[test]
fn premium_asks_ten_times_a_symbol_once_and_then_what_is_new() {
    let calls = days(3, Plan::Premium, FmpPlan::Premium);
    assert!(at_most(calls[0] - FOR_ALL, 10.0), "{calls:?}");
    assert!(calls[1..].iter().all(|calls| at_most(*calls, 0.2)), "{calls:?}");
}

#[test]
fn the_feed_of_filings_does_as_well_as_the_calendar_of_results() {
    let calls = days(2, Plan::Ultimate, FmpPlan::Premium);
    assert!(at_most(calls[0] - FOR_ALL, 10.0), "{calls:?}");
    assert!(calls[1..].iter().all(|calls| at_most(*calls, 0.2)), "{calls:?}");
}

#[test]
fn starter_has_no_quotes_and_asks_for_each_bar() {
    let calls = days(2, Plan::Starter, FmpPlan::Starter);
    assert!(at_most(calls[0] - FOR_ALL, 7.0), "fiscal years alone: {calls:?}");
    assert!(calls[1..].iter().all(|calls| at_most(*calls, 1.2)), "{calls:?}");
}

#[test]
fn a_limit_of_calls_holds_for_the_feeds_too() {
    let (home, today) = (Home::new(), "2026-08-10");
    let server = server(30, today, Plan::Premium);
    for most in [1, 2, 7] {
        let job = job(&server, today).with(|options| options.max_calls = Some(most));
        let (summary, calls) = run(&job, &server, &home, FmpPlan::Premium);
        assert_eq!((summary.status, calls), (Status::Budget, most));
    }
}
