//! Permanent faults: classified, limited in calls, reported, and never stored as data.

use std::thread;

use findata_pipeline::{run::Status, summary::Summary};
use findata_tests::{Home, Job, Simulator};

/// Attempts per call.
const TRIES: u64 = 5;
/// The number of calls of a task that gets nothing but "limit reached" responses.
const LIMITED: u64 = 9;

/// A fault on AAPL's income statements, and its expected effect.
struct Case {
    fault: &'static str,
    status: Status,
    /// Calls of the affected task.
    calls: u64,
    /// Part of the failure's reason; empty if no task fails.
    reason: &'static str,
    /// Whether rows are quarantined.
    quarantined: bool,
}

const fn case(fault: &'static str, status: Status, calls: u64, reason: &'static str) -> Case {
    Case { fault, status, calls, reason, quarantined: false }
}

const CASES: [Case; 18] = [
    case("rate-limit", Status::Budget, LIMITED, "call limit"),
    case("limit-on-200", Status::Budget, LIMITED, "call limit"),
    case("server-error", Status::Partial, TRIES, "500"),
    case("unavailable", Status::Partial, TRIES, "503"),
    case("html", Status::Partial, TRIES, "not a JSON list"),
    case("plain-text", Status::Partial, TRIES, "not a JSON list"),
    case("truncated", Status::Partial, TRIES, "is truncated"),
    case("reset", Status::Partial, TRIES, "interrupted"),
    case("endless", Status::Partial, TRIES, "exceeds"),
    case("gzip-bomb", Status::Partial, TRIES, " MB"),
    case("not-found", Status::Partial, 1, "404"),
    case("payment", Status::Complete, 1, ""),
    case("empty", Status::Complete, 1, ""),
    case("forbidden", Status::Partial, 1, "Account suspended"),
    case("legacy", Status::Partial, 1, "Legacy Endpoint"),
    case("bandwidth", Status::Budget, 1, "bandwidth"),
    Case {
        quarantined: true,
        ..case("missing-field", Status::Partial, 1, "missing_field: revenue")
    },
    Case {
        quarantined: true,
        ..case("retyped-field", Status::Partial, 1, "unreadable_field: revenue")
    },
];

/// Fetches the profiles and six years of income statements of two companies. The fault affects one
/// task.
fn run(case: &Case) -> (Home, Simulator, Summary) {
    let (server, home) = (
        Simulator::with_faults(12, &[&format!("{}=income-statement,AAPL", case.fault)]),
        Home::new(),
    );
    let job = Job::new(server.url(), &["AAPL", "KO"]).with(|o| {
        (o.quarters, o.skip_analytics, o.datasets) =
            (0, true, vec!["profile".into(), "income_statement".into()]);
    });
    let summary = job.run_ok(&home);
    (home, server, summary)
}

fn check(case: &Case) {
    let (home, server, summary) = run(case);
    let fault = case.fault;
    // A fault that stops the run may do so before the other calls are made. Any other fault affects
    // exactly one task.
    let stops = ["forbidden", "legacy", "bandwidth"].contains(&fault);
    assert_eq!(server.faults_injected(), case.calls, "{fault}");
    if stops {
        assert!(server.calls() <= 4 && summary.tasks.failed >= 1, "{fault}: {summary:#?}");
        assert!([case.status, Status::Failed].contains(&summary.status), "{fault}: {summary:#?}");
    } else {
        assert_eq!(server.calls(), 3 + case.calls, "{fault}: {summary:#?}");
        assert_eq!(summary.status, case.status, "{fault}: {summary:#?}");
        assert_eq!(summary.tasks.failed, u64::from(!case.reason.is_empty()), "{fault}: {summary:#?}");
        assert_eq!(home.lines("select distinct symbol from staging.income_statement"), ["KO"], "{fault}");
        assert_eq!(home.count("select count(*) from staging.profile"), 2, "{fault}");
    }
    let of_task = summary.failures.iter().filter(|f| f.symbol == "AAPL" && f.dataset == "income_statement");
    let reasons: Vec<_> = of_task.map(|f| f.reason.as_str()).collect();
    assert_eq!(reasons.len(), usize::from(!case.reason.is_empty()), "{fault}: {:?}", summary.failures);
    assert!(
        reasons.iter().all(|r| r.contains(case.reason) && !r.contains('\n') && r.len() < 300),
        "{fault}: {reasons:?}"
    );
    assert_eq!(
        home.count("select count(*) from staging.income_statement where symbol = 'AAPL'"),
        0,
        "{fault}"
    );
    let quarantined = home.count("select count(*) from ops.quarantine where symbol = 'AAPL'");
    assert_eq!(quarantined, if case.quarantined { 6 } else { 0 }, "{fault}");
    // A failed task has no entry in the freshness log, so the next run repeats it.
    let good = Simulator::with_symbols(12);
    let next_run = Job::new(good.url(), &["AAPL", "KO"]).with(|o| {
        (o.quarters, o.skip_analytics, o.datasets) =
            (0, true, vec!["profile".into(), "income_statement".into()]);
    });
    let next_run = next_run.run_ok(&home);
    assert_eq!(next_run.status, Status::Complete, "{fault}: {:?}", next_run.failures);
    let years = home.count("select count(*) from staging.income_statement where symbol = 'AAPL'");
    let remembered = ["empty", "payment"].contains(&fault);
    assert_eq!(
        years,
        if remembered { 0 } else { 6 },
        "{fault}: empty and refused results are refetched after a day"
    );
}

#[test]
fn a_permanent_fault_is_classified_bounded_and_never_stored() {
    // In parallel, because each case spends most of its time waiting between attempts.
    thread::scope(|scope| {
        for case in &CASES {
            scope.spawn(move || check(case));
        }
    });
}

#[test]
fn every_kind_of_fault_is_covered_by_a_test() {
    let elsewhere = ["unauthorized", "error-object", "stall", "slow", "extra-field"];
    let kinds = kinds();
    assert!(kinds.len() > 20, "{kinds:?}");
    for kind in kinds {
        assert!(CASES.iter().any(|c| c.fault == kind) || elsewhere.contains(&kind.as_str()), "{kind}");
    }
}

/// All kinds of faults, taken from the error message for an unknown kind.
fn kinds() -> Vec<String> {
    let Err(text) = "no-such-kind".parse::<findata_fmp_simulator::Fault>() else {
        return Vec::new();
    };
    text.split("use one of ")
        .nth(1)
        .unwrap_or_default()
        .split(", ")
        .map(str::to_owned)
        .collect()
}

#[test]
fn an_error_object_is_treated_as_no_data_and_never_as_a_row() {
    let (server, home) = (Simulator::with_faults(12, &["error-object=dividends"]), Home::new());
    let summary = Job::new(server.url(), &["AAPL"])
        .with(|o| (o.skip_analytics, o.datasets) = (true, vec!["profile".into(), "dividends".into()]))
        .run_ok(&home);
    assert_eq!((summary.status, server.calls()), (Status::Complete, 2), "{summary:#?}");
    assert_eq!(home.count("select count(*) from staging.dividends"), 0);
}

#[test]
fn a_field_missing_from_all_rows_is_reported_as_schema_drift() {
    let (server, home) = (Simulator::with_faults(12, &["missing-field=prices"]), Home::new());
    let summary = Job::new(server.url(), &["AAPL"])
        .with(|o| (o.skip_analytics, o.datasets) = (true, vec!["prices".into(), "profile".into()]))
        .run_ok(&home);
    assert_eq!(summary.status, Status::Partial);
    assert!(
        summary.notes.iter().any(|note| note.starts_with("prices:") && note.contains("close")),
        "{:?}",
        summary.notes
    );
    assert_eq!(home.lines("select distinct reason from ops.quarantine"), ["missing_field: close"]);
}
