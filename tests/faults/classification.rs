//! Every recorded error body and every fault of the simulator, sent to the client alone: each leads
//! to the right next action of the caller, after the right number of calls.

use std::{fs, thread};

use findata_domain::Error;
use findata_fmp::Answer;
use findata_tests::{Replay, Simulator, client, shared_folder, wait};

/// The next action of the client's caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// Use the rows.
    Rows,
    /// There are no rows: remember that, but delete nothing.
    Empty,
    /// All attempts failed, but a later run may succeed: record a failure.
    Retry,
    /// Every attempt hit the call limit: record the task as abandoned because of the limit.
    Limited,
    /// The endpoint does not exist: use another endpoint.
    NotOffered,
    /// The plan does not include the endpoint: leave the task out.
    NotInPlan,
    /// FMP will always reject this request: record a failure.
    Reject,
    /// Make no more calls in this run.
    Stop,
    /// Make no more calls until the call budget is renewed.
    Budget,
    /// Report a configuration error. No response of FMP leads to this action.
    Config,
}

use Action::{Budget, Config, Empty, Limited, NotInPlan, NotOffered, Reject, Retry, Rows, Stop};

fn classify(answer: &Answer) -> Action {
    match &answer.body {
        Ok(Some(_)) => Rows,
        Ok(None) => Empty,
        Err(Error::Retry { .. }) => Retry,
        Err(Error::NotOffered(_)) => NotOffered,
        Err(Error::CallLimit(_)) => Limited,
        Err(Error::Reject(_)) => Reject,
        Err(Error::NotInPlan(_)) => NotInPlan,
        Err(Error::Stop(_) | Error::Unreachable(_)) => Stop,
        Err(Error::Budget(_)) => Budget,
        Err(Error::Config(_)) => Config,
        Err(
            error @ (Error::Resource(_) | Error::Damaged(_) | Error::Interrupted(_) | Error::OutOfTime(_)),
        ) => {
            panic!("no call fails like this: {error}")
        }
    }
}

/// The attempts per call, and the number of "limit reached" responses after which the client gives
/// up.
const TRIES: u32 = 5;
const LIMITED: u32 = 9;

/// Every kind of fault, the resulting action, and the number of calls.
const FAULTS: [(&str, Action, u32); 23] = [
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
    // The first response stalls for thirty seconds. The client times out earlier and retries.
    ("stall=x1", Rows, 2),
    ("slow", Rows, 1),
    // The client returns these rows unchecked; the decoder checks each row later.
    ("missing-field", Rows, 1),
    ("retyped-field", Rows, 1),
    ("extra-field", Rows, 1),
];

/// Every recorded body and the resulting action. The file name begins with the HTTP status.
const RECORDED: [(&str, Action); 15] = [
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
fn every_fault_leads_to_the_expected_action() {
    thread::scope(|scope| {
        for (fault, expected, calls) in FAULTS {
            scope.spawn(move || {
                let server = Simulator::with_faults(12, &[fault]);
                let answer = dividends(&server.url());
                assert_eq!(
                    (classify(&answer), answer.calls),
                    (expected, calls),
                    "{fault}: {:?}",
                    answer.body
                );
                assert_eq!(server.calls(), u64::from(calls), "{fault}");
            });
        }
    });
}

#[test]
fn every_kind_of_fault_is_covered() {
    let Err(text) = "no-such-kind".parse::<findata_fmp_simulator::Fault>() else {
        panic!("there is such a kind")
    };
    let mut kinds: Vec<&str> = text.split("use one of ").nth(1).unwrap().split(", ").collect();
    let mut known = FAULTS.map(|(fault, ..)| fault.split('=').next().unwrap());
    kinds.sort_unstable();
    known.sort_unstable();
    assert_eq!(kinds, known);
}

#[test]
fn every_recorded_body_leads_to_the_expected_action() {
    let Some(folder) = shared_folder("fmp/recorded/errors") else {
        return;
    };
    let names = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "PROVENANCE.md").collect();
    names.sort();
    assert_eq!(names, RECORDED.map(|(name, _)| name), "every file is in the table");
    for (file, expected) in RECORDED {
        let body = fs::read_to_string(folder.join(file)).unwrap();
        let server = Replay::new().override_endpoint("dividends", file[..3].parse().unwrap(), &body).start();
        let answer = dividends(server.url());
        let calls = if expected == Limited { LIMITED } else { 1 };
        assert_eq!((classify(&answer), answer.calls), (expected, calls), "{file}: {:?}", answer.body);
    }
}
