//! Earnings calendars whose pages never end, or that contain impossible dates.

use chrono::Days;
use findata_fmp::{FmpPlan, SourceKind};
use findata_tests::{Home, Job, Replay, ReplayServer, today};

const SYMBOLS: usize = 25;

fn row(symbol: usize, day: &str) -> String {
    format!(r#"{{"symbol":"S{symbol}","date":"{day}","epsActual":1,"revenueActual":2}}"#)
}

/// A server whose calendar of results gives each page these rows.
fn server(page: &[String]) -> ReplayServer {
    Replay::new()
        .override_endpoint("latest-financial-statements", 402, "Restricted Endpoint")
        .override_endpoint("earnings-calendar", 200, &format!("[{}]", page.join(",")))
        .start()
}

/// Runs on two days: the first run begins to follow the symbols, and the second one reads what has changed.
fn run_twice(server: &ReplayServer) {
    let symbols: Vec<String> = (0..SYMBOLS).map(|n| format!("S{n}")).collect();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let home = Home::new();
    let job = Job::new(server.url(), &symbols).with(|options| {
        options.plan_limits = FmpPlan::Premium.plan_limits(SourceKind::Other);
        (options.datasets, options.skip_analytics) = (vec!["income_statement".into()], true);
    });
    // The first run starts to track the symbols. The second run reads the calendar for changes.
    job.run_ok(&home);
    job.clone().on(today() + Days::new(1)).run_ok(&home);
}

#[test]
fn an_endless_calendar_with_impossible_days_is_given_up() {
    let day = |n: usize| ["+262142-12-31", "-262143-01-01", "2026-09-17"][n % 3];
    let page: Vec<String> = (0..4_000).map(|n| row(n % SYMBOLS, day(n))).collect();
    let server = server(&page);
    run_twice(&server);
    let pages = server.calls().iter().filter(|call| call.contains("earnings-calendar")).count();
    assert_eq!(pages, 50);
}

#[test]
fn a_result_on_an_impossible_day_is_ignored() {
    let server = server(&[row(0, "+262142-12-31"), row(1, "-262143-01-01"), row(2, "2026-09-19")]);
    run_twice(&server);
    let calls = server.calls();
    let statements: Vec<_> = calls.iter().filter(|call| call.contains("income-statement")).collect();
    // Years and quarters of each company on the first day, and of one company on the second.
    let again = &statements[SYMBOLS * 2..];
    assert!(again.len() == 2 && again.iter().all(|call| call.contains("symbol=S2&")), "{again:?}");
}
