use super::{merge::joined, *};
use crate::{ledger::Outcome, plan::FetchMode};

fn days(from: &str, to: &str) -> Days {
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    Days { from, to, newest: Some(to), since: None, own: None }
}

#[test]
fn a_gap_left_by_a_failed_part_does_not_count_as_fetched() {
    let (old, new) = (days("2000-01-01", "2004-12-31"), days("2010-01-01", "2026-11-20"));
    assert_eq!(joined(Some(old), new), new);
    assert_eq!(joined(Some(new), old), new);
    let between = days("2005-01-01", "2009-12-31");
    assert_eq!(joined(Some(joined(Some(old), between)), new), days("2000-01-01", "2026-11-20"));
}

#[test]
fn a_refetch_is_done_once_it_covers_the_whole_series() {
    let whole = days("1995-01-01", "2026-11-20");
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let due = Refetch { on: day("2026-11-20"), done: None };
    let first = due.after(day("1995-01-01"), day("2009-12-31"), whole).unwrap();
    assert_eq!(first.after(day("2010-01-01"), day("2026-11-20"), whole), None);
    assert_eq!(due.after(day("1994-01-01"), day("2026-11-23"), whole), None);
    // If the part between them failed, the first and the last part do not complete the series.
    assert!(first.after(day("2020-01-01"), day("2026-11-20"), whole).is_some());
}

#[test]
fn the_age_of_a_series_is_that_of_its_oldest_part() {
    let at = |text: &str| text.parse::<DateTime<Utc>>().ok();
    let old = Days {
        since: at("2026-01-05T22:00:00Z"),
        ..days("2021-01-01", "2026-01-05")
    };
    let new = Days {
        since: at("2026-01-06T22:00:00Z"),
        ..days("2026-01-01", "2026-01-06")
    };
    assert_eq!(joined(Some(old), new).since, old.since);
    let whole = Days { since: new.since, ..days("2021-01-01", "2026-01-06") };
    assert_eq!(joined(Some(old), whole).since, new.since);
}

#[test]
fn days_from_quotes_stay_marked_until_the_series_endpoint_covers_them() {
    let whole = days("2026-01-01", "2026-11-16");
    let quoted = |day: &str, own: &str| Days { own: own.parse().ok(), ..days(day, day) };
    let two = joined(
        Some(joined(Some(whole), quoted("2026-11-17", "2026-11-16"))),
        quoted("2026-11-18", "2026-11-16"),
    );
    assert_eq!(
        (two.last_own().to_string(), two.to.to_string()),
        ("2026-11-16".into(), "2026-11-18".into())
    );
    // A later bar of the series endpoint keeps the mark. A range that begins before the quotes
    // removes it.
    let behind = joined(Some(two), days("2026-11-19", "2026-11-19"));
    assert_eq!(behind.last_own().to_string(), "2026-11-16");
    assert_eq!(joined(Some(behind), days("2026-11-13", "2026-11-19")).own, None);
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn answer(dataset: &str, window: Window, when: &str, outcome: Outcome) -> TaskRecord {
    let dataset = findata_domain::catalog::dataset(dataset).unwrap();
    TaskRecord {
        task: crate::plan::Task::new(dataset, "AAPL".parse().ok(), window),
        outcome,
        calls: 1,
        bytes: 1,
        fetched_at: at(when),
        fetch_mode: FetchMode::PerSymbol,
    }
}

fn merged(records: &[(&str, TaskRecord)], latest: &str) -> Entry {
    let mut subjects = Subjects::new();
    for (run, record) in records {
        merge(&mut subjects, &run.parse().unwrap(), record, at(latest));
    }
    subjects.into_values().next().unwrap()
}

#[test]
fn an_answer_replaces_one_from_a_clock_that_was_ahead() {
    let rows = || Outcome::Rows { rows: 1, newest: None };
    let profile = |when| answer("profile", Window::All, when, rows());
    let ahead = ("a", profile("2099-01-04T23:00:00Z"));
    let entry = merged(&[ahead.clone(), ("b", profile("2026-11-20T23:00:00Z"))], "2026-11-20T23:00:00Z");
    assert_eq!(entry.fetched_at, at("2026-11-20T23:00:00Z"));
    // A run of an earlier day that is loaded late does not make an entry look older.
    let late = [("a", profile("2026-11-20T23:00:00Z")), ("b", profile("2026-11-19T23:00:00Z"))];
    assert_eq!(merged(&late, "2026-11-20T23:30:00Z").fetched_at, at("2026-11-20T23:00:00Z"));
}

#[test]
fn an_entry_from_a_clock_that_was_ahead_counts_as_never_fetched() {
    let window = Window::Days {
        from: "2026-01-02".parse().unwrap(),
        to: "2099-01-02".parse().unwrap(),
    };
    let bars = Outcome::Rows { rows: 1, newest: "2026-11-20".parse().ok() };
    let mut entry =
        merged(&[("a", answer("prices", window, "2099-01-04T23:00:00Z", bars))], "2099-01-04T23:00:00Z");
    entry.refetch = Some(Refetch { on: "2099-01-05".parse().unwrap(), done: None });
    let stored = entry.clone();
    entry.correct(at("2099-01-04T23:00:00Z"));
    assert_eq!(entry, stored, "an entry is not corrected by the clock that wrote it");
    entry.correct(at("2026-11-23T22:00:00Z"));
    assert!(entry.is_undated());
    let days = entry.days.unwrap();
    assert_eq!((days.to.to_string(), days.since), ("2026-11-23".into(), Some(UNDATED)));
    assert_eq!(days.newest, "2026-11-20".parse().ok());
    assert_eq!(entry.refetch.map(|refetch| refetch.on.to_string()), Some("2026-11-23".into()));
}

#[test]
fn unconfirmed_answers_count_once_per_run_and_an_accepted_answer_resets_them() {
    let years = Window::Newest { cadence: crate::plan::Cadence::Annual, limit: 6 };
    let unconfirmed = || {
        let reason = "empty".into();
        answer("cash_flow", years, "2026-11-20T23:00:00Z", Outcome::UnexpectedlyEmpty { reason })
    };
    let entry = merged(
        &[("a", unconfirmed()), ("a", unconfirmed()), ("b", unconfirmed())],
        "2026-11-20T23:00:00Z",
    );
    assert!(entry.is_undated() && entry.unconfirmed_in.len() == 2, "{entry:?}");
    let not_offered = || Outcome::NotOffered { reason: "empty".into() };
    let third = answer("cash_flow", years, "2026-11-20T23:00:00Z", not_offered());
    let entry = merged(&[("a", unconfirmed()), ("b", unconfirmed()), ("c", third)], "2026-11-20T23:00:00Z");
    assert!(entry.not_offered && entry.empty && entry.unconfirmed_in.is_empty() && !entry.is_undated());
    let rows = Outcome::Rows { rows: 1, newest: "2025-12-31".parse().ok() };
    let good = answer("cash_flow", years, "2026-11-19T23:00:00Z", rows);
    let entry = merged(&[("a", good), ("b", unconfirmed())], "2026-11-20T23:00:00Z");
    assert_eq!(entry.newest, "2025-12-31".parse().ok(), "a failed fetch keeps the known rows");
    assert_eq!(entry.fetched_at, at("2026-11-19T23:00:00Z"));
}

#[test]
fn an_entry_of_the_previous_build_is_read() {
    let stored = r#"{"fetched_at":"2026-11-20T22:00:00Z","limit":8,"newest":"2026-09-30"}"#;
    let entry: Entry = serde_json::from_str(stored).unwrap();
    assert!(entry.unconfirmed_in.is_empty() && !entry.not_offered);
    assert_eq!(serde_json::to_string(&entry).unwrap(), stored);
}
