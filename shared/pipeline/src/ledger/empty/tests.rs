use chrono::{DateTime, Utc};
use findata_domain::catalog;

use super::*;
use crate::plan::{Prior, Task};

fn window(cadence: Cadence) -> Window {
    Window::Newest { cadence, limit: 8 }
}

fn days(from: &str, to: &str) -> Window {
    Window::Days { from: from.parse().unwrap(), to: to.parse().unwrap() }
}

fn record(dataset: &str, symbol: &str, window: Window, prior: Prior, outcome: Outcome) -> TaskRecord {
    let dataset = catalog::dataset(dataset).unwrap();
    TaskRecord {
        task: Task { prior, ..Task::new(dataset, symbol.parse().ok(), window) },
        outcome,
        calls: 1,
        bytes: 2,
        fetched_at: DateTime::<Utc>::UNIX_EPOCH,
        fetch_mode: FetchMode::PerSymbol,
    }
}

fn rows() -> Outcome {
    Outcome::Rows { rows: 1, newest: None }
}

/// Returns the outcomes after [`judge`] of a run with these records: `empty`, `unconfirmed`,
/// `not_offered`, `unknown` or `other`.
fn judged(records: Vec<TaskRecord>) -> Vec<&'static str> {
    let mut entries = [BatchEntry { tasks: records, ..BatchEntry::new("b") }];
    judge(&mut entries);
    let name = |record: &TaskRecord| match &record.outcome {
        Outcome::Empty => "empty",
        Outcome::UnexpectedlyEmpty { .. } => "unconfirmed",
        Outcome::NotOffered { .. } => "not_offered",
        Outcome::UnknownSymbol => "unknown",
        _ => "other",
    };
    entries[0].tasks.iter().map(name).collect()
}

fn known() -> Prior {
    Prior { rows: true, ..Prior::default() }
}

fn unconfirmed(times: u8) -> Prior {
    Prior { unconfirmed: times, ..Prior::default() }
}

#[test]
fn an_empty_answer_is_not_accepted_if_rows_were_known() {
    for (dataset, window) in [
        ("income_statement", window(Cadence::Annual)),
        ("prices", days("2026-11-16", "2026-11-20")),
    ] {
        for unconfirmed in 0..5 {
            let prior = Prior { unconfirmed, ..known() };
            assert_eq!(judged(vec![record(dataset, "AAPL", window, prior, Outcome::Empty)]), ["unconfirmed"]);
        }
        let new = record(dataset, "AAPL", window, Prior::default(), Outcome::Empty);
        assert_eq!(judged(vec![new]), ["empty"], "{dataset}");
    }
    let profile = |prior| record("profile", "AAPL", Window::All, prior, Outcome::UnknownSymbol);
    assert_eq!(judged(vec![profile(known()), profile(unconfirmed(0))]), ["unconfirmed", "unknown"]);
    // A dividend list may become empty: the only dividend may have been cancelled.
    let dividends = |times| {
        let prior = Prior { unconfirmed: times, ..known() };
        record("dividends", "AAPL", Window::All, prior, Outcome::Empty)
    };
    assert_eq!(
        judged(vec![dividends(0), dividends(1), dividends(2)]),
        ["unconfirmed", "unconfirmed", "empty"]
    );
    assert_eq!(
        judged(vec![record("splits", "AAPL", Window::All, unconfirmed(0), Outcome::Empty)]),
        ["empty"]
    );
}

#[test]
fn a_third_empty_statement_is_not_offered_if_the_company_has_another_statement() {
    let run = |prior: Prior, cadence| {
        judged(vec![
            record("income_statement", "AAPL", window(Cadence::Annual), Prior::default(), rows()),
            record("cash_flow", "AAPL", window(cadence), prior, Outcome::Empty),
            record("cash_flow", "SPY", window(cadence), prior, Outcome::Empty),
        ])
    };
    assert_eq!(run(unconfirmed(0), Cadence::Annual), ["other", "unconfirmed", "empty"]);
    assert_eq!(run(unconfirmed(1), Cadence::Annual), ["other", "unconfirmed", "empty"]);
    assert_eq!(run(unconfirmed(2), Cadence::Annual), ["other", "not_offered", "empty"]);
    assert_eq!(run(unconfirmed(0), Cadence::Quarter), ["other", "empty", "empty"], "no quarter is known");
    // Once recorded as not offered, the statement stays so. An earlier run may have received the
    // other statement.
    let later = Prior { not_offered: true, related: true, ..Prior::default() };
    let alone =
        |prior| judged(vec![record("cash_flow", "AAPL", window(Cadence::Annual), prior, Outcome::Empty)]);
    assert_eq!(alone(later), ["not_offered"]);
    assert_eq!(alone(Prior { related: true, ..Prior::default() }), ["unconfirmed"]);
}

#[test]
fn a_profile_is_unconfirmed_if_fmp_has_other_data_of_the_symbol() {
    let run = |times, bars: Outcome| {
        judged(vec![
            record("profile", "AAPL", Window::All, unconfirmed(times), Outcome::UnknownSymbol),
            record("prices", "AAPL", days("2026-11-16", "2026-11-20"), Prior::default(), bars),
        ])
    };
    assert_eq!(run(0, rows()), ["unconfirmed", "other"]);
    assert_eq!(run(1, rows()), ["unconfirmed", "other"]);
    assert_eq!(run(2, rows()), ["unknown", "other"]);
    assert_eq!(run(0, Outcome::Empty), ["unknown", "empty"]);
}

#[test]
fn prices_of_new_symbols_are_unconfirmed_only_if_no_symbol_has_any() {
    let profile = || record("profile", "AAPL", Window::All, Prior::default(), rows());
    let bars = |symbol: &str, window, outcome| record("prices", symbol, window, Prior::default(), outcome);
    let week = days("2026-11-16", "2026-11-20");
    let empty = |symbol: &str| bars(symbol, week, Outcome::Empty);
    assert_eq!(
        judged(vec![profile(), empty("AAPL"), empty("^GSPC")]),
        ["other", "unconfirmed", "unconfirmed"]
    );
    assert_eq!(
        judged(vec![profile(), empty("AAPL"), bars("^GSPC", week, rows())]),
        ["other", "empty", "other"]
    );
    assert_eq!(judged(vec![profile(), empty("AAPL")]), ["other", "empty"], "one symbol shows nothing");
    let weekend = days("2026-11-21", "2026-11-22");
    let on_weekend = |symbol: &str| bars(symbol, weekend, Outcome::Empty);
    assert_eq!(
        judged(vec![profile(), on_weekend("AAPL"), on_weekend("^GSPC")]),
        ["other", "empty", "empty"]
    );
    let older = Prior { related: true, ..Prior::default() };
    let older =
        |symbol: &str| record("prices", symbol, days("1960-01-01", "1974-12-31"), older, Outcome::Empty);
    assert_eq!(judged(vec![profile(), older("AAPL"), older("MSFT")]), ["other", "empty", "empty"]);
}

#[test]
fn an_unknown_symbol_that_was_not_requested_is_not_judged() {
    let mut unknown = record("profile", "AAPL", Window::All, known(), Outcome::UnknownSymbol);
    unknown.calls = 0;
    assert_eq!(judged(vec![unknown]), ["unknown"]);
}
