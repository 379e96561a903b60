//! Tests of the history of market caps: one call per symbol, and later days from profiles and quotes.

use chrono::Days;

use super::*;

const FIRST: &str = "2026-11-19T22:00:00Z";
const LATER: &str = "2027-03-19T22:00:00Z";

fn options() -> Options {
    Options { index: None, ..Options::default() }
}

fn due(options: &Options, fetch_log: &FetchLog, when: &str) -> Vec<Task> {
    let tasks = tasks_due(options, fetch_log, when).into_iter();
    tasks.filter(|task| task.dataset.name == "market_caps").collect()
}

#[test]
fn the_history_is_fetched_once() {
    let mut fetch_log = FetchLog::default();
    let first = due(&options(), &fetch_log, FIRST);
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].window, Window::Days { from: day("2021-11-18"), to: day("2026-11-19") });
    note(&mut fetch_log, &first, FIRST, |_| Outcome::Rows {
        rows: 1,
        newest: Some(day("2026-11-19")),
    });
    assert!(due(&options(), &fetch_log, "2026-11-20T22:00:00Z").is_empty());
    assert!(due(&options(), &fetch_log, LATER).is_empty(), "later days come from profiles and quotes");
    let more = Options { prices_from: Some(day("2016-01-04")), ..options() };
    let older = due(&more, &fetch_log, LATER);
    assert_eq!(older[0].window, Window::Days { from: day("2016-01-04"), to: day("2021-11-17") });
    assert_eq!(due(&Options { full: true, ..options() }, &fetch_log, LATER).len(), 1);
    assert_eq!(due(&only("market_caps"), &fetch_log, LATER).len(), 1, "requested by name");
}

#[test]
fn forty_years_of_prices_need_one_call() {
    let options = Options { prices_from: Some(day("1986-01-02")), ..options() };
    let tasks = due(&options, &FetchLog::default(), FIRST);
    assert_eq!(tasks.len(), 1);
    let to = day("2026-11-19");
    assert_eq!(tasks[0].window, Window::Days { from: to - Days::new(15 * 365), to });
}

#[test]
fn a_plan_without_them_makes_no_call() {
    let plan_limits = PlanLimits { market_cap_history: false, ..PlanLimits::default() };
    assert!(due(&Options { plan_limits, ..options() }, &FetchLog::default(), FIRST).is_empty());
    let mut fetch_log = FetchLog::default();
    let first = due(&options(), &fetch_log, FIRST);
    note(&mut fetch_log, &first, FIRST, |_| Outcome::NotInPlan { reason: "x".into() });
    assert!(due(&options(), &fetch_log, "2026-12-10T22:00:00Z").is_empty(), "refused");
    note(&mut fetch_log, &first, FIRST, |_| Outcome::Empty);
    assert!(due(&options(), &fetch_log, LATER).is_empty(), "FMP has none");
}
