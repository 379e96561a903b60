//! The number of calls of a first load, of the days after it, and of a second run on the same day.

use findata_fmp::FmpPlan;
use findata_fmp_simulator::{Options, Plan};
use findata_pipeline::run::Status;
use findata_tests::{Home, Simulator};

use super::{day, job, run, server};

/// The target universe: the S&P 500 including second share classes.
const SYMBOLS: usize = 505;

/// Calls for the whole market or for the index rather than for one symbol.
const MARKET_WIDE: u64 = 7;

/// Returns the calls of up to three days: the first load on a Monday, a Tuesday on which ten
/// companies (2 %) reported, and a Wednesday.
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

/// Whether `calls` is at most `per_symbol` times the number of symbols.
fn at_most(calls: u64, per_symbol: f64) -> bool {
    calls as f64 <= per_symbol * SYMBOLS as f64
}

#[test]
fn premium_makes_eleven_calls_per_symbol_once_and_then_only_fetches_news() {
    let calls = days(3, Plan::Premium, FmpPlan::Premium);
    assert!(at_most(calls[0] - MARKET_WIDE, 11.0), "{calls:?}");
    assert!(calls[1..].iter().all(|calls| at_most(*calls, 0.2)), "{calls:?}");
}

#[test]
fn the_filings_feed_saves_as_many_calls_as_the_earnings_calendar() {
    let calls = days(2, Plan::Ultimate, FmpPlan::Premium);
    assert!(at_most(calls[0] - MARKET_WIDE, 11.0), "{calls:?}");
    assert!(calls[1..].iter().all(|calls| at_most(*calls, 0.2)), "{calls:?}");
}

#[test]
fn starter_has_no_batch_quotes_and_fetches_bars_per_symbol() {
    let calls = days(2, Plan::Starter, FmpPlan::Starter);
    assert!(at_most(calls[0] - MARKET_WIDE, 7.0), "fiscal years alone: {calls:?}");
    assert!(calls[1..].iter().all(|calls| at_most(*calls, 1.2)), "{calls:?}");
}

#[test]
fn a_first_load_without_a_limit_makes_the_next_day_as_cheap() {
    let (home, symbols) = (Home::new(), 120);
    let calls: Vec<u64> = [("2026-08-10", FmpPlan::Unlimited), ("2026-08-11", FmpPlan::Premium)]
        .into_iter()
        .map(|(today, plan)| {
            let server = server(symbols, today, Plan::Premium);
            let job = job(&server, today).with(|options| options.skip_analytics = true);
            run(&job, &server, &home, plan).1
        })
        .collect();
    assert!(calls[0] > 9 * symbols as u64 && calls[1] <= symbols as u64 / 5 + MARKET_WIDE, "{calls:?}");
}

#[test]
fn the_summary_says_why_quotes_did_not_supply_the_bars() {
    let home = Home::new();
    let first = server(12, "2026-08-10", Plan::Premium);
    run(&job(&first, "2026-08-10"), &first, &home, FmpPlan::Premium);
    let second = Simulator::start(Options {
        symbols: 12,
        today: day("2026-08-11"),
        anchor: Some(day("2026-08-01")),
        plan: Plan::Premium,
        faults: vec!["empty=batch-quote".parse().unwrap()],
        ..Options::default()
    });
    let (summary, calls) = run(&job(&second, "2026-08-11"), &second, &home, FmpPlan::Premium);
    let note = "bars needed a call each because no quote supplied them: batch-quote left the symbol out";
    assert!(calls > 12 && summary.notes.iter().any(|text| text.contains(note)), "{:?}", summary.notes);
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
