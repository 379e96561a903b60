//! Whole runs that get each recorded error body: the status and text of the body determine what the
//! run does.

use std::fs;

use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Replay, shared_folder};

/// The action of a run after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// The task fails without a retry, and the run continues.
    Reject,
    /// There is no data, which is not a failure. Only a profile without data means that the symbol
    /// is unknown.
    Empty,
    /// The task is left out with a note, without a retry.
    LeftOut,
    /// The run makes no further call.
    Stop,
    /// The run makes no further call, because the call budget is exhausted.
    Budget,
    /// The client retries the call.
    Retry,
}

/// Every recorded file and the expected action.
const BODIES: [(&str, Action); 15] = [
    ("200_bulk_throttle_on_csv_endpoint.RECONSTRUCTED.json", Action::Retry),
    ("200_unknown_symbol.json", Action::Empty),
    ("400_bulk_past_end_part.txt", Action::Reject),
    ("400_missing_symbol__content-type-json.txt", Action::Reject),
    ("400_page_cap.txt", Action::Reject),
    ("401_invalid_key.json", Action::Stop),
    ("402_limit_gt_5.TRUNCATED.txt", Action::LeftOut),
    ("402_restricted_endpoint.txt", Action::LeftOut),
    ("402_special_endpoint_symbol.txt", Action::LeftOut),
    ("403_account_suspended.json", Action::Stop),
    ("403_exclusive_endpoint_legacy.json", Action::Stop),
    ("403_legacy_endpoint.json", Action::Stop),
    ("404_unknown_path.json", Action::Reject),
    ("429_bandwidth_limit_reach.json", Action::Budget),
    ("429_limit_reach.json", Action::Retry),
];

const PROFILE: &str =
    r#"[{"symbol":"AAPL","companyName":"Apple Inc.","price":1,"marketCap":2,"currency":"USD"}]"#;

#[test]
fn every_recorded_error_body_is_covered() {
    let Some(folder) = shared_folder("fmp/recorded/errors") else {
        return;
    };
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    files.retain(|name| name != "PROVENANCE.md");
    files.sort();
    assert_eq!(files, BODIES.map(|(name, _)| name.to_owned()));
}

#[test]
fn every_recorded_error_body_has_the_expected_effect() {
    let Some(folder) = shared_folder("fmp/recorded/errors") else {
        return;
    };
    for (file, action) in BODIES {
        let status: u16 = file[..3].parse().unwrap();
        let body = fs::read_to_string(folder.join(file)).unwrap();
        let home = Home::new();
        // The first call for dividends gets this body. A retry gets data.
        let replay = Replay::new().answer("profile", "AAPL", "", PROFILE);
        let server = match action {
            Action::Retry => replay.fail_first("dividends", 1, status, &body),
            _ => replay.override_endpoint("dividends", status, &body),
        }
        .answer(
            "dividends",
            "AAPL",
            "",
            r#"[{"symbol":"AAPL","date":"2026-09-01","dividend":0.5,"adjDividend":0.5}]"#,
        )
        .start();
        let datasets = vec!["profile".to_owned(), "dividends".to_owned()];
        let job =
            Job::new(server.url(), &["AAPL"]).with(|o| (o.datasets, o.skip_analytics) = (datasets, true));
        let summary = job.run_ok(&home);
        let dividend_calls = server.calls().iter().filter(|call| call.contains("/dividends")).count();
        let tasks = summary.tasks;
        let expected = match action {
            Action::Retry => (Status::Complete, 2, 0),
            Action::Empty => (Status::Complete, 1, 0),
            Action::LeftOut => (Status::Complete, 1, 0),
            Action::Reject => (Status::Partial, 1, 1),
            Action::Stop => (Status::Partial, 1, 1),
            Action::Budget => (Status::Budget, 1, 1),
        };
        // Both calls may be in flight when the first response stops the run. The profile then
        // either arrives or is abandoned too.
        let failed = if matches!(action, Action::Stop | Action::Budget) {
            tasks.failed.min(1)
        } else {
            tasks.failed
        };
        let status = if action == Action::Stop && tasks.failed == 2 {
            Status::Partial
        } else {
            summary.status
        };
        assert_eq!((status, dividend_calls, failed), expected, "{file}: {summary:#?}");
        assert_eq!(tasks.not_in_plan, u64::from(action == Action::LeftOut), "{file}");
        assert_eq!(
            summary.notes.iter().any(|n| n.starts_with("dividends: 1 skipped")),
            action == Action::LeftOut,
            "{file}: {:?}",
            summary.notes
        );
        let rows = home.count("select count(*) from staging.dividends");
        assert_eq!(rows, i64::from(action == Action::Retry), "{file}: an error is never stored as data");
        assert_eq!(home.count("select count(*) from ops.quarantine"), 0, "{file}");
        // The freshness log remembers complete, empty and out-of-plan results for a day. It has no
        // entry for a failure, so the next run repeats the task.
        let fetch_log =
            fs::read_to_string(home.stage().join("state/freshness/dividends.json")).unwrap_or_default();
        let remembered = matches!(action, Action::Retry | Action::Empty | Action::LeftOut);
        assert_eq!(fetch_log.contains("AAPL"), remembered, "{file}: {fetch_log}");
    }
}

#[test]
fn a_run_in_which_everything_is_refused_ends_with_the_right_status() {
    let Some(folder) = shared_folder("fmp/recorded/errors") else {
        return;
    };
    for (file, action) in BODIES {
        // Two actions are not tested: a body that is retried without end, and a plan without any
        // dataset, whose status (complete or failed) is not specified.
        if matches!(action, Action::Retry | Action::LeftOut) {
            continue;
        }
        let status: u16 = file[..3].parse().unwrap();
        let body = fs::read_to_string(folder.join(file)).unwrap();
        let (server, home) = (Replay::new().respond_to_all(None, status, &body).start(), Home::new());
        let summary =
            Job::new(server.url(), &["AAPL", "MSFT"]).with(|o| o.skip_analytics = true).run_ok(&home);
        let expected = if action == Action::Budget { Status::Budget } else { Status::Failed };
        assert_eq!(summary.status, expected, "{file}: {summary:#?}");
        let calls = server.calls().len();
        // Eleven calls per symbol, and one each for the index and the symbol changes. No call is retried.
        assert!(calls <= 2 * 11 + 2, "{file}: {calls} calls");
        assert_eq!(calls as u64, summary.calls, "{file}");
        assert!(home.keys("landing/").is_empty(), "{file}: {:?}", home.keys("landing/"));
    }
}
