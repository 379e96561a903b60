//! Every recorded error body through the whole job: classified by status and first words, with the right next move.

use std::fs;

use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Replay, shared_folder};

/// What a body must lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    /// The task failed, the run goes on, no second try.
    Reject,
    /// No data, which is no failure; a profile without data is an unknown symbol.
    Empty,
    /// Left out with a note, no second try.
    LeftOut,
    /// No further call.
    Stop,
    /// No further call; the budget is used up.
    Budget,
    /// Tried again.
    Retry,
}

/// Every recorded file with its move.
const BODIES: [(&str, Move); 15] = [
    ("200_bulk_throttle_on_csv_endpoint.RECONSTRUCTED.json", Move::Retry),
    ("200_unknown_symbol.json", Move::Empty),
    ("400_bulk_past_end_part.txt", Move::Reject),
    ("400_missing_symbol__content-type-json.txt", Move::Reject),
    ("400_page_cap.txt", Move::Reject),
    ("401_invalid_key.json", Move::Stop),
    ("402_limit_gt_5.TRUNCATED.txt", Move::LeftOut),
    ("402_restricted_endpoint.txt", Move::LeftOut),
    ("402_special_endpoint_symbol.txt", Move::LeftOut),
    ("403_account_suspended.json", Move::Stop),
    ("403_exclusive_endpoint_legacy.json", Move::Stop),
    ("403_legacy_endpoint.json", Move::Stop),
    ("404_unknown_path.json", Move::Reject),
    ("429_bandwidth_limit_reach.json", Move::Budget),
    ("429_limit_reach.json", Move::Retry),
];

const PROFILE: &str = r#"[{"symbol":"AAPL","companyName":"Apple Inc.","price":1,"marketCap":2,"currency":"USD"}]"#;

#[test]
fn every_recorded_error_body_is_in_the_list() {
    let Some(folder) = shared_folder("fmp/recorded/errors") else { return };
    let mut files: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    files.retain(|name| name != "PROVENANCE.md");
    files.sort();
    assert_eq!(files, BODIES.map(|(name, _)| name.to_owned()));
}

#[test]
fn every_recorded_error_body_leads_to_its_move() {
    let Some(folder) = shared_folder("fmp/recorded/errors") else { return };
    for (file, next) in BODIES {
        let status: u16 = file[..3].parse().unwrap();
        let body = fs::read_to_string(folder.join(file)).unwrap();
        let home = Home::new();
        // The first try of the dividends is answered with it; where it is to be tried again, the second has an answer.
        let replay = Replay::new().answer("profile", "AAPL", "", PROFILE);
        let server = match next {
            Move::Retry => replay.instead_of("dividends", 1, status, &body),
            _ => replay.always("dividends", status, &body),
        }
        .answer("dividends", "AAPL", "", r#"[{"symbol":"AAPL","date":"2026-09-01","dividend":0.5,"adjDividend":0.5}]"#)
        .start();
        let datasets = vec!["profile".to_owned(), "dividends".to_owned()];
        let job = Job::new(server.url(), &["AAPL"]).with(|o| (o.datasets, o.skip_analytics) = (datasets, true));
        let summary = job.done(&home);
        let asked = server.calls().iter().filter(|call| call.contains("/dividends")).count();
        let tasks = summary.tasks;
        let expected = match next {
            Move::Retry => (Status::Complete, 2, 0),
            Move::Empty => (Status::Complete, 1, 0),
            Move::LeftOut => (Status::Complete, 1, 0),
            Move::Reject => (Status::Partial, 1, 1),
            Move::Stop => (Status::Partial, 1, 1),
            Move::Budget => (Status::Budget, 1, 1),
        };
        // Both calls may be in flight when the first says stop: then the profile is there, else it is given up too.
        let failed = if matches!(next, Move::Stop | Move::Budget) { tasks.failed.min(1) } else { tasks.failed };
        let status = if next == Move::Stop && tasks.failed == 2 { Status::Partial } else { summary.status };
        assert_eq!((status, asked, failed), expected, "{file}: {summary:#?}");
        assert_eq!(tasks.not_in_plan, u64::from(next == Move::LeftOut), "{file}");
        assert_eq!(
            summary.notes.iter().any(|n| n.starts_with("dividends: 1 skipped")),
            next == Move::LeftOut,
            "{file}: {:?}",
            summary.notes
        );
        let rows = home.count("select count(*) from staging.dividends");
        assert_eq!(rows, i64::from(next == Move::Retry), "{file}: an error is never stored as data");
        assert_eq!(home.count("select count(*) from ops.quarantine"), 0, "{file}");
        // What failed is asked for again by the next run; what is empty or outside the plan is remembered for a day.
        let fetch_log = fs::read_to_string(home.stage().join("state/freshness/dividends.json")).unwrap_or_default();
        let remembered = matches!(next, Move::Retry | Move::Empty | Move::LeftOut);
        assert_eq!(fetch_log.contains("AAPL"), remembered, "{file}: {fetch_log}");
    }
}

#[test]
fn a_refusal_of_everything_ends_the_run_as_it_should() {
    let Some(folder) = shared_folder("fmp/recorded/errors") else { return };
    for (file, next) in BODIES {
        // Of a plan that has nothing at all the statuses leave open whether nothing is done or all that can be.
        if matches!(next, Move::Retry | Move::LeftOut) {
            continue;
        }
        let status: u16 = file[..3].parse().unwrap();
        let body = fs::read_to_string(folder.join(file)).unwrap();
        let (server, home) = (Replay::new().instead(None, status, &body).start(), Home::new());
        let summary = Job::new(server.url(), &["AAPL", "MSFT"]).with(|o| o.skip_analytics = true).done(&home);
        let expected = if next == Move::Budget { Status::Budget } else { Status::Failed };
        assert_eq!(summary.status, expected, "{file}: {summary:#?}");
        let calls = server.calls().len();
        assert!(calls <= 21, "{file}: {calls} calls");
        assert_eq!(calls as u64, summary.calls, "{file}");
        assert!(home.keys("landing/").is_empty(), "{file}: {:?}", home.keys("landing/"));
    }
}
