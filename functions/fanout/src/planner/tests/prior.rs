//! Tests of tasks that depend on the fetch log: entries recorded while a clock was ahead, empty
//! answers, and the state that a task carries.

use findata_domain::catalog;

use super::*;

#[test]
fn everything_fetched_while_a_clock_was_ahead_is_due_again() {
    let options = Options { reconcile: true, ..Options::default() };
    let (ahead, right) = ("2099-01-04T23:00:00Z", "2026-11-20T22:00:00Z");
    let mut fetch_log = FetchLog::default();
    let first = tasks_due(&options, &fetch_log, ahead);
    note(&mut fetch_log, &first, ahead, |task| Outcome::Rows {
        rows: 1,
        newest: (task.window != Window::All).then(|| day("2026-11-20")),
    });
    assert!(tasks_due(&options, &fetch_log, ahead).is_empty(), "fresh by its own clock");
    let corrected = fetch_log.clone().corrected(at(right));
    let due = |options: &Options| tasks_due(options, &corrected, right).len();
    assert_eq!(due(&options), 14, "one call per dataset and cadence, and the index");
    let saving = Options {
        plan_limits: PlanLimits { minimize_calls: true, ..PlanLimits::default() },
        ttl: "profile=7d,income_statement=7d".parse().unwrap(),
        ..options.clone()
    };
    assert_eq!(due(&saving), 14, "neither a feed nor a longer time to live suppresses them");
    // Empty and refused answers are requested again too.
    for outcome in [Outcome::Empty, Outcome::NotInPlan { reason: "402".into() }] {
        let mut fetch_log = FetchLog::default();
        note(&mut fetch_log, &first, ahead, |_| outcome.clone());
        let corrected = fetch_log.corrected(at(right));
        assert_eq!(tasks_due(&options, &corrected, right).len(), 14, "{outcome:?}");
    }
}

#[test]
fn an_unexpectedly_empty_answer_is_requested_again_at_once() {
    let options = Options::default();
    let mut fetch_log = FetchLog::default();
    let now = "2026-11-20T22:00:00Z";
    let first = tasks_due(&options, &fetch_log, now);
    note(&mut fetch_log, &first, now, |task| Outcome::Rows {
        rows: 1,
        newest: (task.window != Window::All).then(|| day("2026-11-20")),
    });
    let unconfirmed: Vec<Task> = first.iter().filter(|task| task.window != Window::All).cloned().collect();
    note(&mut fetch_log, &unconfirmed, now, |_| Outcome::UnexpectedlyEmpty {
        reason: "empty".into(),
    });
    let again = tasks_due(&options, &fetch_log, now);
    assert_eq!(again.len(), 9, "six statements, the market caps, the prices and the index");
    assert!(again.iter().all(|task| task.prior.rows && task.prior.unconfirmed == 1), "{again:?}");
}

#[test]
fn a_task_carries_the_prior_state_of_the_fetch_log() {
    let now = "2026-11-20T22:00:00Z";
    let mut fetch_log = FetchLog::default();
    let options = Options { index: None, ..Options::default() };
    let first = tasks_due(&options, &fetch_log, now);
    assert!(first.iter().all(|task| task.prior == findata_pipeline::plan::Prior::default()));
    let is_income = |task: &&Task| task.dataset == catalog::INCOME_STATEMENT;
    let income: Vec<Task> = first.iter().filter(is_income).cloned().collect();
    note(&mut fetch_log, &income, now, |_| Outcome::Rows {
        rows: 1,
        newest: Some(day("2026-09-30")),
    });
    let next = tasks_due(&options, &fetch_log, "2026-11-21T22:00:00Z");
    for task in &next {
        let is_statement = matches!(task.window, Window::Newest { .. });
        assert_eq!(task.prior.rows, task.dataset == catalog::INCOME_STATEMENT, "{task}");
        assert_eq!(task.prior.related, is_statement && task.dataset != catalog::INCOME_STATEMENT, "{task}");
    }
    // A range of days before the newest known bar may be empty; a range that includes it may not.
    let prices = only("prices");
    let bars = tasks_due(&prices, &fetch_log, now);
    note(&mut fetch_log, &bars, now, |_| Outcome::Rows { rows: 1, newest: Some(day("2026-11-20")) });
    let earlier = Options { prices_from: Some(day("1960-01-01")), ..prices };
    let tasks = tasks_due(&earlier, &fetch_log, "2026-11-23T22:00:00Z");
    let newest = tasks.last().unwrap();
    assert!(newest.prior.rows && !newest.prior.related);
    assert!(tasks.len() > 1 && tasks[..tasks.len() - 1].iter().all(|t| !t.prior.rows && t.prior.related));
}
