//! Every error body that was recorded at FMP and every fault of its double through the client alone: what the caller is told
//! to do next, and how many calls it took to know.

use std::{fs, thread};

use findata_domain::Error;
use findata_fmp::Answer;
use findata_tests::{Replay, Server, client, shared_folder, wait};

/// What an answer tells its caller to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    /// Take the rows.
    Rows,
    /// There are none: remember it, take nothing away.
    Empty,
    /// It failed in all tries; it may pass later.
    Retry,
    /// The limit of calls, which is everybody's, outlasted all patience.
    Limited,
    /// The endpoint is not there: take another way.
    NotOffered,
    /// The plan lacks it: leave it out.
    NotInPlan,
    /// It will never work as asked.
    Reject,
    /// Call no more.
    Stop,
    /// Call no more until the budget is filled again.
    Budget,
    /// Of the set-up; FMP's answers never are.
    Config,
}

use Move::{Budget, Config, Empty, Limited, NotInPlan, NotOffered, Reject, Retry, Rows, Stop};

fn of(answer: &Answer) -> Move {
    match &answer.body {
        Ok(Some(_)) => Rows,
        Ok(None) => Empty,
        Err(Error::Retry { .. }) => Retry,
        Err(Error::NotOffered(_)) => NotOffered,
        Err(Error::Reject(reason)) if reason.starts_with("FMP's call limit") => Limited,
        Err(Error::Reject(_)) => Reject,
        Err(Error::NotInPlan(_)) => NotInPlan,
        Err(Error::Stop(_)) => Stop,
        Err(Error::Budget(_)) => Budget,
        Err(Error::Config(_)) => Config,
    }
}

/// Tries of one call, and answers that the limit is reached after which it gives up.
const TRIES: u32 = 5;
const LIMITED: u32 = 9;

/// Every kind of fault, its move, and its calls.
const FAULTS: [(&str, Move, u32); 23] = [
    ("rate-limit", Limited, LIMITED),
    ("limit-on-200", Limited, LIMITED),
    ("bandwidth", Budget, 1),
    ("unauthorized", Stop, 1),
    ("forbidden", Stop, 1),
    ("legacy", Stop, 1),
    ("payment", NotInPlan, 1),
    ("not-found", NotOffered, 1),
    ("error-object", Empty, 1),
    ("empty", Empty, 1),
    ("server-error", Retry, TRIES),
    ("unavailable", Retry, TRIES),
    ("html", Retry, TRIES),
    ("plain-text", Retry, TRIES),
    ("truncated", Retry, TRIES),
    ("reset", Retry, TRIES),
    ("endless", Retry, TRIES),
    ("gzip-bomb", Retry, TRIES),
    // Thirty seconds of silence are not waited for.
    ("stall=x1", Rows, 2),
    ("slow", Rows, 1),
    // Their rows are looked at one by one, later.
    ("missing-field", Rows, 1),
    ("retyped-field", Rows, 1),
    ("extra-field", Rows, 1),
];

/// Every recorded body by its file, whose name begins with its status.
const RECORDED: [(&str, Move); 15] = [
    ("200_bulk_throttle_on_csv_endpoint.RECONSTRUCTED.json", Limited),
    ("200_unknown_symbol.json", Empty),
    ("400_bulk_past_end_part.txt", Reject),
    ("400_missing_symbol__content-type-json.txt", Reject),
    ("400_page_cap.txt", Reject),
    ("401_invalid_key.json", Stop),
    ("402_limit_gt_5.TRUNCATED.txt", NotInPlan),
    ("402_restricted_endpoint.txt", NotInPlan),
    ("402_special_endpoint_symbol.txt", NotInPlan),
    ("403_account_suspended.json", Stop),
    ("403_exclusive_endpoint_legacy.json", Stop),
    ("403_legacy_endpoint.json", Stop),
    ("404_unknown_path.json", NotOffered),
    ("429_bandwidth_limit_reach.json", Budget),
    ("429_limit_reach.json", Limited),
];

fn dividends(url: &str) -> Answer {
    wait(client(url, "test-key").get("dividends", &[("symbol", "AAPL".into())]))
}

#[test]
fn every_fault_tells_its_move() {
    thread::scope(|scope| {
        for (fault, next, calls) in FAULTS {
            scope.spawn(move || {
                let server = Server::with(12, &[fault]);
                let answer = dividends(&server.url());
                assert_eq!((of(&answer), answer.calls), (next, calls), "{fault}: {:?}", answer.body);
                assert_eq!(server.calls(), u64::from(calls), "{fault}");
            });
        }
    });
}

#[test]
fn every_kind_of_fault_is_in_the_table() {
    let Err(text) = "no-such-kind".parse::<findata_fmp_simulator::Fault>() else { panic!("a kind of that name") };
    let mut kinds: Vec<&str> = text.split("there are ").nth(1).unwrap().split(", ").collect();
    let mut known = FAULTS.map(|(fault, ..)| fault.split('=').next().unwrap());
    kinds.sort_unstable();
    known.sort_unstable();
    assert_eq!(kinds, known);
}

#[test]
fn every_recorded_body_tells_its_move() {
    let Some(folder) = shared_folder("fmp/recorded/errors") else { return };
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "PROVENANCE.md").collect();
    names.sort();
    assert_eq!(names, RECORDED.map(|(name, _)| name), "each file has its line in the table");
    for (file, next) in RECORDED {
        let body = fs::read_to_string(folder.join(file)).unwrap();
        let server = Replay::new().always("dividends", file[..3].parse().unwrap(), &body).start();
        let answer = dividends(server.url());
        let calls = if next == Limited { LIMITED } else { 1 };
        assert_eq!((of(&answer), answer.calls), (next, calls), "{file}: {:?}", answer.body);
    }
}
