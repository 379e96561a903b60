//! Faults that last: classified, bounded, said, and never stored as data.

use std::thread;

use findata_shared::run::{Status, Summary};
use findata_tests::{Home, Job, Simulator};

/// Tries of one call.
const TRIES: u64 = 5;
/// Calls of a task that hears nothing but that the call limit is reached.
const LIMITED: u64 = 9;

/// What a fault on the income statements of AAPL must come to.
struct Case {
    fault: &'static str,
    status: Status,
    /// Calls of the faulty task.
    calls: u64,
    /// Words of the reason; empty where nothing fails.
    reason: &'static str,
    /// Rows set aside.
    quarantined: bool,
}

const fn case(fault: &'static str, status: Status, calls: u64, reason: &'static str) -> Case {
    Case { fault, status, calls, reason, quarantined: false }
}

const CASES: [Case; 18] = [
    case("rate-limit", Status::Partial, LIMITED, "call limit"),
    case("limit-on-200", Status::Partial, LIMITED, "call limit"),
    case("server-error", Status::Partial, TRIES, "500"),
    case("unavailable", Status::Partial, TRIES, "503"),
    case("html", Status::Partial, TRIES, "no JSON list"),
    case("plain-text", Status::Partial, TRIES, "no JSON list"),
    case("truncated", Status::Partial, TRIES, "breaks off"),
    case("reset", Status::Partial, TRIES, "broke off"),
    case("endless", Status::Partial, TRIES, "does not end"),
    case("gzip-bomb", Status::Partial, TRIES, " MB"),
    case("not-found", Status::Partial, 1, "404"),
    case("payment", Status::Complete, 1, ""),
    case("empty", Status::Complete, 1, ""),
    case("forbidden", Status::Partial, 1, "Account suspended"),
    case("legacy", Status::Partial, 1, "Legacy Endpoint"),
    case("bandwidth", Status::Budget, 1, "bandwidth"),
    Case { quarantined: true, ..case("missing-field", Status::Partial, 1, "missing_field: revenue") },
    Case { quarantined: true, ..case("retyped-field", Status::Partial, 1, "retyped_field: revenue") },
];

/// Profile and six years of income statements of two companies; only one task meets the fault.
fn run(case: &Case) -> (Home, Simulator, Summary) {
    let (server, home) = (Simulator::with_faults(12, &[&format!("{}=income-statement,AAPL", case.fault)]), Home::new());
    let job = Job::new(server.url(), &["AAPL", "KO"]).with(|o| {
        (o.quarters, o.skip_analytics, o.datasets) = (0, true, vec!["profile".into(), "income_statement".into()]);
    });
    let summary = job.run_ok(&home);
    (home, server, summary)
}

fn check(case: &Case) {
    let (home, server, summary) = run(case);
    let fault = case.fault;
    // What stops the run may come before the other calls are made; else exactly one task is hit.
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
    assert_eq!(home.count("select count(*) from staging.income_statement where symbol = 'AAPL'"), 0, "{fault}");
    let aside = home.count("select count(*) from ops.quarantine where symbol = 'AAPL'");
    assert_eq!(aside, if case.quarantined { 6 } else { 0 }, "{fault}");
    // The failure leaves no trace of freshness: the next run asks again.
    let good = Simulator::with_symbols(12);
    let again = Job::new(good.url(), &["AAPL", "KO"]).with(|o| {
        (o.quarters, o.skip_analytics, o.datasets) = (0, true, vec!["profile".into(), "income_statement".into()]);
    });
    let again = again.run_ok(&home);
    assert_eq!(again.status, Status::Complete, "{fault}: {:?}", again.failures);
    let years = home.count("select count(*) from staging.income_statement where symbol = 'AAPL'");
    let remembered = ["empty", "payment"].contains(&fault);
    assert_eq!(
        years,
        if remembered { 0 } else { 6 },
        "{fault}: what is empty or refused is asked for again after a day"
    );
}

#[test]
fn a_fault_that_lasts_is_classified_bounded_and_never_stored() {
    // At once: between their tries they only wait.
    thread::scope(|scope| {
        for case in &CASES {
            scope.spawn(move || check(case));
        }
    });
}

#[test]
fn every_kind_of_fault_that_the_server_knows_is_tried() {
    let elsewhere = ["unauthorized", "error-object", "stall", "slow", "extra-field"];
    let kinds = kinds();
    assert!(kinds.len() > 20, "{kinds:?}");
    for kind in kinds {
        assert!(CASES.iter().any(|c| c.fault == kind) || elsewhere.contains(&kind.as_str()), "{kind}");
    }
}

/// The names of all kinds, as the server lists them to one who asks for another.
fn kinds() -> Vec<String> {
    let Err(text) = "no-such-kind".parse::<findata_local::fmp_server::Fault>() else { return Vec::new() };
    text.split("there are ").nth(1).unwrap_or_default().split(", ").map(str::to_owned).collect()
}

#[test]
fn an_object_with_an_error_is_no_data_and_no_row() {
    let (server, home) = (Simulator::with_faults(12, &["error-object=dividends"]), Home::new());
    let summary = Job::new(server.url(), &["AAPL"])
        .with(|o| (o.skip_analytics, o.datasets) = (true, vec!["profile".into(), "dividends".into()]))
        .run_ok(&home);
    assert_eq!((summary.status, server.calls()), (Status::Complete, 2), "{summary:#?}");
    assert_eq!(home.count("select count(*) from staging.dividends"), 0);
}

#[test]
fn a_missing_field_of_all_rows_is_reported_as_drift() {
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
