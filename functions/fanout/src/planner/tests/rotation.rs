//! Tests of the datasets that are fetched in rotation.

use std::collections::BTreeMap;

use super::*;
use crate::planner::rotation;

/// Returns the reasons for which a run does not request tasks.
fn not_requested(options: &Options, fetch_log: &FetchLog, when: &str) -> Vec<String> {
    let planned = plan(&symbols(), options, fetch_log, &Market::default(), at(when)).unwrap();
    planned.datasets.iter().flat_map(|(_, d)| d.not_requested.keys().cloned()).collect()
}

fn reconciliations(tasks: &[Task]) -> usize {
    tasks.iter().filter(|task| rotation::period_days(task.dataset).is_some()).count()
}

#[test]
fn fmps_ratios_are_fetched_in_rotation_and_never_on_the_day_of_a_first_load() {
    let many: Vec<Symbol> = (0..600).map(|i| format!("S{i}").parse().unwrap()).collect();
    let mut fetch_log = FetchLog::default();
    let options = Options::default();
    let evening = |day: i64| (at("2026-01-01T22:00:00Z") + Duration::days(day)).to_rfc3339();
    let due_of_many = |fetch_log: &FetchLog, when: &str| {
        plan(&many, &options, fetch_log, &Market::default(), at(when)).unwrap().tasks
    };
    let first = due_of_many(&fetch_log, &evening(0));
    assert_eq!((first.len(), reconciliations(&first)), (many.len() * 11 + 1, 0));
    note(&mut fetch_log, &first, &evening(0), |_| Outcome::Rows { rows: 1, newest: None });
    assert_eq!(reconciliations(&due_of_many(&fetch_log, "2026-01-01T23:00:00Z")), 0, "a run right after");
    let mut fetched: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for day in 1..=190 {
        let when = evening(day);
        let due: Vec<Task> = due_of_many(&fetch_log, &when)
            .into_iter()
            .filter(|t| rotation::period_days(t.dataset).is_some())
            .collect();
        assert!(due.len() as f64 / (many.len() as f64) < 0.2, "{} calls on day {day}", due.len());
        for task in &due {
            fetched.entry(format!("{task}")).or_default().push(day);
        }
        note(&mut fetch_log, &due, &when, |_| Outcome::Rows { rows: 1, newest: None });
        assert_eq!(reconciliations(&due_of_many(&fetch_log, &when)), 0, "a second run of day {day}");
    }
    assert_eq!(fetched.len(), many.len() * 2, "every symbol was due");
    assert!(fetched.values().all(|days| days.windows(2).all(|w| w[1] - w[0] == 90)), "{fetched:?}");
}

#[test]
fn fmps_ratios_are_fetched_at_once_with_reconcile_or_by_name() {
    let mut fetch_log = FetchLog::default();
    let flag = Options { reconcile: true, ..Options::default() };
    let first = tasks_due(&flag, &fetch_log, "2026-11-20T22:00:00Z");
    assert_eq!((first.len(), reconciliations(&first)), (14, 2));
    note(&mut fetch_log, &first, "2026-11-20T22:00:00Z", |_| Outcome::Rows {
        rows: 1,
        newest: Some(day("2026-11-20")),
    });
    for options in [&flag, &Options::default(), &only("ratios-ttm")] {
        assert!(tasks_due(options, &fetch_log, "2026-11-20T22:00:01Z").is_empty(), "{options:?}");
    }
    assert_eq!(reconciliations(&tasks_due(&flag, &fetch_log, "2026-11-21T22:00:00Z")), 2, "a day later");
    assert_eq!(tasks_due(&only("key_metrics_ttm"), &fetch_log, "2026-11-21T22:00:00Z").len(), 1);
    assert_eq!(
        reconciliations(&tasks_due(
            &Options { full: true, ..Options::default() },
            &fetch_log,
            "2026-11-21T22:00:00Z"
        )),
        0
    );
    let with_prices = Options { reconcile: true, ..only("prices") };
    assert_eq!(reconciliations(&tasks_due(&with_prices, &FetchLog::default(), "2026-11-20T22:00:00Z")), 2);
    assert_eq!(
        not_requested(&Options::default(), &fetch_log, "2026-11-21T22:00:00Z"),
        ["compared within the last 90 days; --reconcile fetches it now"; 2]
    );
    // After a refusal, a request by name asks again after a day, and the rotation after ninety
    // days.
    let again = tasks_due(&only("ratios_ttm"), &fetch_log, "2026-11-21T22:00:00Z");
    note(&mut fetch_log, &again, "2026-11-21T22:00:00Z", |_| Outcome::NotInPlan {
        reason: "x".into(),
    });
    assert!(tasks_due(&only("ratios_ttm"), &fetch_log, "2026-11-22T21:00:00Z").is_empty());
    assert_eq!(tasks_due(&only("ratios_ttm"), &fetch_log, "2026-11-22T22:00:00Z").len(), 1);
    assert!(
        not_requested(&Options::default(), &fetch_log, "2026-11-22T22:00:00Z")[0]
            .starts_with("not in the FMP plan")
    );
}
