//! Tests of the planner.

mod market_caps;
mod prices;
mod prior;
mod rotation;

use findata_fmp::{FmpPlan, SourceKind};
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
fn a_first_run_plans_eleven_calls_per_symbol_and_a_second_one_none() {
    let mut fetch_log = FetchLog::default();
    let options = Options::default();
    let first = tasks_due(&options, &fetch_log, "2026-11-20T22:00:00Z");
    assert_eq!(first.len(), 11 + 1, "eleven for the symbol, one for the index");
    note(&mut fetch_log, &first, "2026-11-20T22:00:00Z", |task| Outcome::Rows {
        rows: 1,
        newest: matches!(task.window, Window::Days { .. }).then(|| day("2026-11-20")),
    });
    let second =
        plan(&symbols(), &options, &fetch_log, &Market::default(), at("2026-11-20T22:00:01Z")).unwrap();
    assert!(second.tasks.is_empty());
    assert_eq!(second.datasets.iter().flat_map(|(_, d)| d.skipped.values()).sum::<u64>(), 12);
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
    note(&mut fetch_log, &first, "2026-11-20T22:00:00Z", |_| Outcome::failed("x"));
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
    assert_eq!(packed.iter().map(|b| b.tasks.len()).collect::<Vec<_>>(), [551, 550, 220]);
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
fn a_limit_of_the_fmp_plan_is_explained() {
    let limits = |plan: FmpPlan, quarters, years| {
        let plan_limits = plan.plan_limits(SourceKind::Fmp);
        limits(&Options { plan_limits, quarters, years, ..Options::default() })
    };
    let default = Options::default();
    let free = limits(FmpPlan::Free, default.quarters, default.years);
    assert_eq!(free.len(), 2, "{free:?}");
    assert!(free[0].contains("0 instead of 24 quarters"), "{free:?}");
    assert!(
        free[1].contains("at most 5 statements per request: 5 instead of 11 fiscal years"),
        "{free:?}"
    );
    assert_eq!(limits(FmpPlan::Free, 0, 5), [""; 0]);
    assert_eq!(limits(FmpPlan::Starter, default.quarters, default.years).len(), 1);
    assert_eq!(limits(FmpPlan::Premium, default.quarters, default.years), [""; 0]);
}

#[test]
fn an_index_that_is_a_member_is_fetched_once() {
    let options = Options { index: Some("AAPL".parse().unwrap()), ..only("prices") };
    assert_eq!(tasks_due(&options, &FetchLog::default(), "2026-11-20T22:00:00Z").len(), 1);
}
