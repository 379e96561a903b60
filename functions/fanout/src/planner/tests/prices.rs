//! Tests of which days of a price series are fetched.

use std::collections::BTreeMap;

use chrono::Days;
use findata_domain::{catalog, nyse_calendar};

use super::*;

#[test]
fn prices_are_fetched_from_the_newest_bar_on_and_only_after_a_close() {
    let mut fetch_log = FetchLog::default();
    let options = only("prices");
    let first = tasks_due(&options, &fetch_log, "2026-11-19T22:00:00Z");
    let Window::Days { from, to } = first[0].window else {
        panic!("days")
    };
    assert_eq!((from, to), (day("2021-11-18"), day("2026-11-19")));
    note(&mut fetch_log, &first, "2026-11-19T22:00:00Z", |_| Outcome::Rows {
        rows: 1,
        newest: Some(day("2026-11-19")),
    });
    assert!(
        tasks_due(&options, &fetch_log, "2026-11-20T20:59:00Z").is_empty(),
        "the market is still open"
    );
    let next = tasks_due(&options, &fetch_log, "2026-11-20T21:00:00Z");
    assert_eq!(next[0].window, Window::Days { from: day("2026-11-15"), to: day("2026-11-20") });
    let earlier = Options { prices_from: Some(day("2020-01-01")), ..options };
    let more = tasks_due(&earlier, &fetch_log, "2026-11-19T22:00:00Z");
    assert_eq!(more[0].window, Window::Days { from: day("2020-01-01"), to: day("2021-11-17") });
}

#[test]
fn a_late_bar_is_requested_again_until_six_hours_after_the_close() {
    let mut fetch_log = FetchLog::default();
    let options = only("prices");
    let first = tasks_due(&options, &fetch_log, "2026-11-20T21:01:00Z");
    note(&mut fetch_log, &first, "2026-11-20T21:01:00Z", |_| Outcome::Rows {
        rows: 1,
        newest: Some(day("2026-11-19")),
    });
    assert!(
        tasks_due(&options, &fetch_log, "2026-11-20T21:10:00Z").is_empty(),
        "requested within the last 15 minutes"
    );
    let again = tasks_due(&options, &fetch_log, "2026-11-20T21:30:00Z");
    assert_eq!(again.len(), 1);
    note(&mut fetch_log, &again, "2026-11-21T04:00:00Z", |_| Outcome::Empty);
    assert!(
        tasks_due(&options, &fetch_log, "2026-11-22T04:00:00Z").is_empty(),
        "given up six hours after the close"
    );
}

#[test]
fn forty_years_are_split_into_windows_that_fmp_cannot_truncate() {
    let options = Options { prices_from: Some(day("1986-01-01")), ..only("prices") };
    let tasks = tasks_due(&options, &FetchLog::default(), "2026-11-20T22:00:00Z");
    let mut expected = day("1986-01-01");
    for task in &tasks {
        let Window::Days { from, to } = task.window else { panic!("days") };
        assert_eq!(from, expected);
        assert!(
            from.iter_days()
                .take_while(|d| *d <= to)
                .filter(|d| nyse_calendar::is_trading_day(*d))
                .count()
                < 5_000
        );
        expected = to + Days::new(1);
    }
    assert_eq!(expected, day("2026-11-21"));
}

#[test]
fn after_a_split_or_dividend_a_price_history_is_fetched_again_once_with_the_next_bars() {
    let mut fetch_log = FetchLog::default();
    let options = Options { prices_from: Some(day("1995-01-01")), ..only("prices") };
    let rows = |when: &'static str| move |_: &Task| Outcome::Rows { rows: 1, newest: Some(day(when)) };
    let first = tasks_due(&options, &fetch_log, "2026-11-19T22:00:00Z");
    assert_eq!(first.len(), 3, "three windows");
    note(&mut fetch_log, &first, "2026-11-19T22:00:00Z", rows("2026-11-19"));
    let prices = catalog::dataset("prices").unwrap();
    fetch_log.refetch(prices, &BTreeMap::from([("AAPL".into(), day("2026-11-20"))]));
    let daily = only("prices");
    assert!(tasks_due(&daily, &fetch_log, "2026-11-19T22:00:01Z").is_empty(), "a run right after");
    let again = tasks_due(&daily, &fetch_log, "2026-11-20T22:00:00Z");
    let range = |task: &Task| {
        if let Window::Days { from, to } = task.window {
            (from, to)
        } else {
            panic!("days")
        }
    };
    assert_eq!((range(&again[0]).0, range(&again[2]).1), (day("1995-01-01"), day("2026-11-20")));
    // Two of three windows arrived: all are fetched again, since the content of the third is
    // unknown.
    note(&mut fetch_log, &again[..2], "2026-11-20T22:00:00Z", rows("2026-11-20"));
    assert_eq!(tasks_due(&daily, &fetch_log, "2026-11-20T22:05:00Z").len(), 3);
    note(&mut fetch_log, &again, "2026-11-20T22:05:00Z", rows("2026-11-20"));
    assert!(tasks_due(&daily, &fetch_log, "2026-11-20T22:06:00Z").is_empty());
    let next = tasks_due(&daily, &fetch_log, "2026-11-23T22:00:00Z");
    assert_eq!((next.len(), range(&next[0])), (1, (day("2026-11-16"), day("2026-11-23"))));
}
