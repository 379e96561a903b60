use std::collections::BTreeMap;

use chrono::Days;
use findata_domain::{catalog, nyse_calendar};
use findata_pipeline::{
    ledger::{Outcome, TaskRecord},
    plan::FetchMode,
    run::PlanLimits,
};

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn symbols() -> Vec<Symbol> {
    vec!["AAPL".parse().unwrap()]
}

fn only(dataset: &str) -> Options {
    Options {
        datasets: vec![dataset.into()],
        index: None,
        ..Options::default()
    }
}

fn note(fetch_log: &mut FetchLog, tasks: &[Task], when: &str, outcome: impl Fn(&Task) -> Outcome) {
    for task in tasks {
        let record = TaskRecord {
            task: task.clone(),
            outcome: outcome(task),
            calls: 1,
            bytes: 1,
            fetched_at: at(when),
            fetch_mode: FetchMode::PerSymbol,
        };
        fetch_log.record(&"run".parse().unwrap(), &record);
    }
}

fn tasks_due(options: &Options, fetch_log: &FetchLog, when: &str) -> Vec<Task> {
    plan(&symbols(), options, fetch_log, &Market::default(), at(when)).unwrap().tasks
}

#[test]
fn a_first_run_plans_ten_calls_per_symbol_and_a_second_one_none() {
    let mut fetch_log = FetchLog::default();
    let options = Options::default();
    let first = tasks_due(&options, &fetch_log, "2026-11-20T22:00:00Z");
    assert_eq!(first.len(), 10 + 1, "ten for the symbol, one for the index");
    note(&mut fetch_log, &first, "2026-11-20T22:00:00Z", |task| Outcome::Rows {
        rows: 1,
        newest: matches!(task.window, Window::Days { .. }).then(|| day("2026-11-20")),
    });
    let second =
        plan(&symbols(), &options, &fetch_log, &Market::default(), at("2026-11-20T22:00:01Z")).unwrap();
    assert!(second.tasks.is_empty());
    assert_eq!(second.datasets.iter().flat_map(|(_, d)| d.skipped.values()).sum::<u64>(), 11);
}

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
fn deeper_history_and_full_override_freshness() {
    let mut fetch_log = FetchLog::default();
    let options = only("cash_flow");
    let first = tasks_due(&options, &fetch_log, "2026-11-20T22:00:00Z");
    note(&mut fetch_log, &first, "2026-11-20T22:00:00Z", |_| Outcome::Rows {
        rows: 8,
        newest: None,
    });
    assert!(
        tasks_due(&Options { quarters: 4, ..options.clone() }, &fetch_log, "2026-11-20T23:00:00Z").is_empty()
    );
    assert_eq!(
        tasks_due(&Options { quarters: 40, ..options.clone() }, &fetch_log, "2026-11-20T23:00:00Z").len(),
        1
    );
    assert_eq!(
        tasks_due(&Options { full: true, ..options.clone() }, &fetch_log, "2026-11-20T23:00:00Z").len(),
        2
    );
    assert_eq!(tasks_due(&options, &fetch_log, "2026-11-21T04:00:00Z").len(), 2, "six hours later");
}

#[test]
fn failed_tasks_are_due_at_once_and_empty_ones_after_a_day() {
    let mut fetch_log = FetchLog::default();
    let options = only("dividends");
    let first = tasks_due(&options, &fetch_log, "2026-11-20T22:00:00Z");
    note(&mut fetch_log, &first, "2026-11-20T22:00:00Z", |_| Outcome::Failed {
        reason: "x".into(),
        budget: false,
    });
    assert_eq!(tasks_due(&options, &fetch_log, "2026-11-20T22:00:01Z").len(), 1);
    note(&mut fetch_log, &first, "2026-11-20T22:00:00Z", |_| Outcome::Empty);
    assert!(tasks_due(&options, &fetch_log, "2026-11-21T21:00:00Z").is_empty());
    assert_eq!(tasks_due(&options, &fetch_log, "2026-11-21T22:00:00Z").len(), 1);
}

#[test]
fn all_tasks_of_a_symbol_share_a_batch() {
    let symbols: Vec<Symbol> = (0..120).map(|i| format!("S{i}").parse().unwrap()).collect();
    let tasks = plan(
        &symbols,
        &Options::default(),
        &FetchLog::default(),
        &Market::default(),
        at("2026-11-20T22:00:00Z"),
    )
    .unwrap()
    .tasks;
    let packed = batches_by_symbol(&symbols, tasks);
    assert_eq!(packed.iter().map(|b| b.tasks.len()).collect::<Vec<_>>(), [501, 500, 200]);
}

#[test]
fn invalid_requests_are_rejected() {
    let error = plan(
        &symbols(),
        &only("ratios"),
        &FetchLog::default(),
        &Market::default(),
        at("2026-11-20T22:00:00Z"),
    )
    .unwrap_err();
    assert!(error.to_string().contains("income_statement"));
    assert!(
        plan(
            &symbols(),
            &only("sp500_constituents"),
            &FetchLog::default(),
            &Market::default(),
            at("2026-11-20T22:00:00Z")
        )
        .is_err()
    );
    let nothing = Options { years: 0, quarters: 0, ..only("cash_flow") };
    assert!(
        plan(&symbols(), &nothing, &FetchLog::default(), &Market::default(), at("2026-11-20T22:00:00Z"))
            .is_err()
    );
    let backwards = Options {
        prices_from: Some(day("2026-02-01")),
        prices_to: Some(day("2026-01-01")),
        ..only("prices")
    };
    assert!(
        plan(
            &symbols(),
            &backwards,
            &FetchLog::default(),
            &Market::default(),
            at("2026-11-20T22:00:00Z")
        )
        .is_err()
    );
    let weekend = Options { prices_from: Some(day("2026-11-21")), ..only("prices") };
    assert!(
        tasks_due(&weekend, &FetchLog::default(), "2026-11-22T22:00:00Z").is_empty(),
        "no session has closed since"
    );
}

#[test]
fn a_refused_dataset_is_requested_again_after_a_day() {
    let mut fetch_log = FetchLog::default();
    for dataset in ["cash_flow", "prices"] {
        let options = only(dataset);
        let first = tasks_due(&options, &fetch_log, "2026-11-20T22:00:00Z");
        note(&mut fetch_log, &first, "2026-11-20T22:00:00Z", |_| Outcome::NotInPlan {
            reason: "x".into(),
        });
        assert!(tasks_due(&options, &fetch_log, "2026-11-21T21:00:00Z").is_empty(), "{dataset}");
        assert_eq!(tasks_due(&options, &fetch_log, "2026-11-21T22:00:00Z").len(), first.len(), "{dataset}");
    }
}

#[test]
fn statements_are_limited_to_the_fmp_plan() {
    let plan_limits = PlanLimits {
        most_statements: Some(5),
        quarterly: false,
        ..PlanLimits::default()
    };
    let tasks = tasks_due(
        &Options { plan_limits, ..only("cash_flow") },
        &FetchLog::default(),
        "2026-11-20T22:00:00Z",
    );
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0].window, Window::Newest { cadence: Cadence::Annual, limit: 5 });
}

#[test]
fn an_index_that_is_a_member_is_fetched_once() {
    let options = Options { index: Some("AAPL".parse().unwrap()), ..only("prices") };
    assert_eq!(tasks_due(&options, &FetchLog::default(), "2026-11-20T22:00:00Z").len(), 1);
}

/// The reasons why tasks are not part of a run.
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
    assert_eq!((first.len(), reconciliations(&first)), (many.len() * 10 + 1, 0));
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
    assert_eq!((first.len(), reconciliations(&first)), (13, 2));
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
    assert_eq!(due(&options), 13, "one call per dataset and cadence, and the index");
    let saving = Options {
        plan_limits: PlanLimits { minimize_calls: true, ..PlanLimits::default() },
        ttl: "profile=7d,income_statement=7d".parse().unwrap(),
        ..options.clone()
    };
    assert_eq!(due(&saving), 13, "neither a feed nor a longer time to live suppresses them");
    // Empty and refused answers are requested again too.
    for outcome in [Outcome::Empty, Outcome::NotInPlan { reason: "402".into() }] {
        let mut fetch_log = FetchLog::default();
        note(&mut fetch_log, &first, ahead, |_| outcome.clone());
        let corrected = fetch_log.corrected(at(right));
        assert_eq!(tasks_due(&options, &corrected, right).len(), 13, "{outcome:?}");
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
    assert_eq!(again.len(), 8, "six statements, the prices and the index");
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
