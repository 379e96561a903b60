//! Transient faults: retries recover from them, and the tables equal those of a fault-free run.

use std::thread;

use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Simulator};

use super::{SYMBOLS, assert_fault_free_tables, fault_free};

/// The faults of each run, each on its own endpoint, with the expected numbers of injected faults
/// and of retries. The numbers are for two companies with two periods of each statement, the
/// index's prices, and one share count. A 0 marks a fault that affects a random share of the calls.
const RUNS: [(&[&str], u64, u64); 5] = [
    (
        &[
            "rate-limit=x1,profile",
            "limit-on-200=x1,prices",
            "server-error=x2,income-statement",
            "html=x1,balance-sheet",
            "plain-text=x1,cash-flow",
            "truncated=x1,dividends",
            "reset=x1,splits",
            "unavailable=x1,shares-float",
        ],
        2 + 3 + 8 + 4 + 4 + 2 + 2 + 1,
        2 + 3 + 8 + 4 + 4 + 2 + 2 + 1,
    ),
    (
        &[
            "truncated=x1,profile",
            "reset=x1,prices",
            "plain-text=x1,income-statement",
            "rate-limit=x1,balance-sheet",
            "server-error=x2,cash-flow",
            "html=x1,dividends",
            "limit-on-200=x1,splits",
            "rate-limit=x1,shares-float",
        ],
        2 + 3 + 4 + 4 + 8 + 2 + 2 + 1,
        2 + 3 + 4 + 4 + 8 + 2 + 2 + 1,
    ),
    (
        &[
            "endless=x1,dividends,AAPL",
            "gzip-bomb=x1,splits,AAPL",
            "reset=x1,statements",
            "html=x1,profile",
            "truncated=x1,prices",
        ],
        1 + 1 + 12 + 2 + 3,
        1 + 1 + 12 + 2 + 3,
    ),
    // Slow responses and extra fields need no retry.
    (&["stall=0.2s,prices", "slow=0.2s,profile", "extra-field"], 25, 0),
    (&["server-error=0.1", "truncated=0.1", "rate-limit=0.1"], 0, 0),
];

#[test]
fn transient_faults_leave_the_tables_of_a_fault_free_run() {
    fault_free();
    thread::scope(|scope| {
        for (faults, expected_faults, retries) in RUNS {
            scope.spawn(move || {
                let (server, home) = (Simulator::with_faults(12, faults), Home::new());
                let summary = Job::new(server.url(), &SYMBOLS).run_ok(&home);
                assert_eq!(summary.status, Status::Complete, "{faults:?}: {:?}", summary.failures);
                let injected = server.faults_injected();
                assert!(
                    injected == expected_faults || (expected_faults == 0 && injected > 0),
                    "{faults:?} struck {:?}",
                    server.faults()
                );
                let retries = if expected_faults == 0 { injected } else { retries };
                assert_eq!(server.calls(), 25 + retries, "{faults:?}: one more call per failed call");
                assert_eq!(summary.calls, server.calls(), "{faults:?}");
                assert_fault_free_tables(&home, &format!("{faults:?}"));
            });
        }
    });
}

#[test]
fn an_unknown_field_is_kept_in_raw() {
    let (server, home) = (Simulator::with_faults(12, &["extra-field=profile"]), Home::new());
    Job::new(server.url(), &["AAPL"])
        .with(|o| (o.datasets, o.skip_analytics) = (vec!["profile".into()], true))
        .run_ok(&home);
    assert!(home.text("select payload from raw.profile").contains("\"addedByTheSource\":\"new\""));
}

#[test]
fn an_empty_response_never_deletes_data() {
    let home = Home::copy_of(&fault_free().0);
    let server = Simulator::with_faults(12, &["empty"]);
    let summary = Job::new(server.url(), &SYMBOLS).with(|o| o.full = true).run_ok(&home);
    assert_ne!(
        summary.status,
        Status::Complete,
        "a run that finds no profile for a known company is not complete"
    );
    assert_fault_free_tables(&home, "empty answers");
}

#[test]
fn the_next_run_refetches_only_the_company_that_failed() {
    let home = Home::new();
    let faulty = Simulator::with_faults(12, &["not-found=NOCAP"]);
    let partial = Job::new(faulty.url(), &SYMBOLS).run_ok(&home);
    assert_eq!(partial.status, Status::Partial);
    let good = Simulator::with_symbols(12);
    let healed = Job::new(good.url(), &SYMBOLS).run_ok(&home);
    assert_eq!((healed.status, good.calls()), (Status::Complete, 12));
    assert_fault_free_tables(&home, "healed");
}
