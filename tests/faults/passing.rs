//! Faults that pass: a retry heals them, and the tables are those of a run without.

use std::thread;

use findata_shared::run::Status;
use findata_tests::{Home, Job, Server};

use super::{SYMBOLS, assert_whole, whole};

/// A fault, and how often it is to strike: two companies with ten calls each, the index, one share count.
const FAULTS: [(&str, u64); 14] = [
    ("rate-limit=x1", 22),
    ("limit-on-200=x1", 22),
    ("server-error=x2", 44),
    ("unavailable=x1", 22),
    ("html=x1", 22),
    ("plain-text=x1", 22),
    ("truncated=x1", 22),
    ("reset=x1", 22),
    ("stall=0.2s", 22),
    ("slow=0.2s,profile", 2),
    ("endless=x1,dividends,AAPL", 1),
    ("gzip-bomb=x1,splits,AAPL", 1),
    ("extra-field", 22),
    ("server-error=0.3", 0),
];

#[test]
fn a_fault_that_passes_leaves_the_tables_of_a_run_without_it() {
    whole();
    for faults in FAULTS.chunks(4) {
        thread::scope(|scope| {
            for (fault, strikes) in faults {
                scope.spawn(move || {
                    let (server, home) = (Server::with(12, &[fault]), Home::new());
                    let summary = Job::new(server.url(), &SYMBOLS).done(&home);
                    assert_eq!(summary.status, Status::Complete, "{fault}: {:?}", summary.failures);
                    let struck = server.struck();
                    // Of a share of the calls nobody knows the number beforehand, but there are some.
                    assert!(struck == *strikes || (*strikes == 0 && struck > 0), "{fault} struck {struck} times");
                    let retried = !["stall", "slow", "extra"].iter().any(|kind| fault.starts_with(kind));
                    assert_eq!(server.calls(), if retried { 22 + struck } else { 22 }, "{fault}: one more call for each strike");
                    assert_eq!(summary.calls, server.calls(), "{fault}");
                    assert_whole(&home, fault);
                });
            }
        });
    }
}

#[test]
fn a_field_that_nobody_knows_is_kept_in_raw() {
    let (server, home) = (Server::with(12, &["extra-field=profile"]), Home::new());
    Job::new(server.url(), &["AAPL"]).with(|o| (o.datasets, o.skip_analytics) = (vec!["profile".into()], true)).done(&home);
    assert!(home.text("select payload from raw.profile").contains("\"addedByTheSource\":\"new\""));
}

#[test]
fn an_empty_answer_never_takes_away_what_is_there() {
    let home = Home::copy_of(&whole().0);
    let server = Server::with(12, &["empty"]);
    let summary = Job::new(server.url(), &SYMBOLS).with(|o| o.full = true).done(&home);
    assert_ne!(summary.status, Status::Complete, "a known company without a profile is no complete run");
    assert_whole(&home, "empty answers");
}

#[test]
fn a_fault_of_one_company_is_healed_by_the_next_run_alone() {
    let home = Home::new();
    let faulty = Server::with(12, &["not-found=NOCAP"]);
    let partial = Job::new(faulty.url(), &SYMBOLS).done(&home);
    assert_eq!(partial.status, Status::Partial);
    let good = Server::of(12);
    let healed = Job::new(good.url(), &SYMBOLS).done(&home);
    assert_eq!((healed.status, good.calls()), (Status::Complete, 11));
    assert_whole(&home, "healed");
}
