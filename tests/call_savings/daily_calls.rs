//! The number of calls of a first load, of the following days, and of a second run on each day.

use findata_fmp::FmpPlan;
use findata_fmp_simulator::Plan;
use findata_pipeline::run::Status;
use findata_tests::{Home, Simulator};

use super::{job, run, server};

/// The target universe: the S&P 500 including second share classes.
const SYMBOLS: usize = 505;

/// Calls for the whole market or the index rather than for one symbol.
const MARKET_WIDE: u64 = 6;

/// Calls on up to three days: a first load on Monday, a Tuesday on which ten companies (2 %)
/// reported, and a Wednesday.
fn days(number: usize, offered: Plan, plan: FmpPlan) -> Vec<u64> {
    let home = Home::new();
    let of_day = |today: &str| {
        let server: Simulator = server(SYMBOLS, today, offered);
        let job = job(&server, today).with(|options| options.skip_analytics = true);
        let (summary, calls) = run(&job, &server, &home, plan);
        println!("{plan} {today}: {calls} calls, {:?}", server.calls_by_endpoint());
        assert_eq!(summary.status, Status::Complete, "{:?} {:?}", summary.failures, summary.notes);
        let (_, again) = run(&job, &server, &home, plan);
        assert!(again <= 3, "{again} calls in a run right after");
        calls
    };
    ["2026-08-10", "2026-08-11", "2026-08-12"].into_iter().take(number).map(of_day).collect()
}

/// Whether this many calls is at most `a_symbol` per symbol.
fn at_most(calls: u64, per_symbol: f64) -> bool {
    calls as f64 <= per_symbol * SYMBOLS as f64
}

#[test]
fn premium_makes_ten_calls_per_symbol_once_and_then_only_fetches_news() {
    let calls = days(3, Plan::Premium, FmpPlan::Premium);
    assert!(at_most(calls[0] - MARKET_WIDE, 10.0), "{calls:?}");
    assert!(calls[1..].iter().all(|calls| at_most(*calls, 0.2)), "{calls:?}");
}

#[test]
fn the_filings_feed_saves_as_many_calls_as_the_earnings_calendar() {
    let calls = days(2, Plan::Ultimate, FmpPlan::Premium);
    assert!(at_most(calls[0] - MARKET_WIDE, 10.0), "{calls:?}");
    assert!(calls[1..].iter().all(|calls| at_most(*calls, 0.2)), "{calls:?}");
}

#[test]
fn starter_has_no_batch_quotes_and_fetches_bars_per_symbol() {
    let calls = days(2, Plan::Starter, FmpPlan::Starter);
    assert!(at_most(calls[0] - MARKET_WIDE, 7.0), "fiscal years alone: {calls:?}");
    assert!(calls[1..].iter().all(|calls| at_most(*calls, 1.2)), "{calls:?}");
}

#[test]
fn the_call_limit_includes_calls_to_change_feeds() {
    let (home, today) = (Home::new(), "2026-08-10");
    let server = server(30, today, Plan::Premium);
    for most in [1, 2, 7] {
        let job = job(&server, today).with(|options| options.max_calls = Some(most));
        let (summary, calls) = run(&job, &server, &home, FmpPlan::Premium);
        assert_eq!((summary.status, calls), (Status::Budget, most));
    }
}
