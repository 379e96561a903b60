//! Damaged or empty objects below `state/`: each affects only the data that it describes.

use std::fs;

use chrono::NaiveDate;
use findata_domain::Error;
use findata_fmp::{FmpPlan, SourceKind};
use findata_fmp_simulator::Options;
use findata_pipeline::{run::Status, summary::Summary};
use findata_tests::{Home, Job, Simulator};

const SYMBOLS: usize = 30;

fn run(home: &Home, server: &Simulator) -> Result<Summary, Error> {
    let today: NaiveDate = "2026-11-20".parse().unwrap();
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let job = Job::new(server.url(), &symbols).on(today).days(10);
    job.with(|o| (o.plan_limits, o.skip_analytics) = (FmpPlan::Premium.plan_limits(SourceKind::Other), true))
        .run(home)
}

fn server() -> Simulator {
    let today = "2026-11-20".parse().unwrap();
    Simulator::start(Options { symbols: SYMBOLS, today, ..Options::default() })
}

#[test]
fn a_damaged_object_that_can_be_rebuilt_costs_only_calls() {
    let (server, whole) = (server(), Home::new());
    assert_eq!(run(&whole, &server).unwrap().status, Status::Complete);
    let keys = whole.keys("state/");
    let refused = |key: &str| key.ends_with("source.json") || key.ends_with("warehouse.json");
    let rebuilt: Vec<_> = keys.iter().filter(|key| !refused(key)).collect();
    assert!(rebuilt.len() > 8, "{rebuilt:?}");
    for damage in ["", "{\"AAPL\":", "[1]"] {
        let home = Home::copy_of(&whole);
        for key in &rebuilt {
            fs::write(home.stage().join(key), damage).unwrap();
        }
        let summary = run(&home, &server).unwrap();
        assert_eq!(summary.status, Status::Complete, "{damage:?}: {:?}", summary.failures);
        for part in ["state/freshness/prices.json", "state/market/offers.json"] {
            let noted = summary.notes.iter().any(|note| note.starts_with(part) && note.contains("damaged"));
            assert!(noted, "{part}: {:?}", summary.notes);
        }
        let differences = home.differences(&whole);
        assert!(differences.is_empty(), "{damage:?}: {differences:?}");
        let again = run(&home, &server).unwrap();
        assert!(
            again.calls <= 3 && again.notes.is_empty(),
            "{damage:?}: {} {:?}",
            again.calls,
            again.notes
        );
    }
    // A damaged freshness log affects only its own dataset.
    let home = Home::copy_of(&whole);
    fs::write(home.stage().join("state/freshness/dividends.json"), "").unwrap();
    let summary = run(&home, &server).unwrap();
    assert_eq!(summary.tasks.planned, SYMBOLS as u64, "{summary:#?}");
}

#[test]
fn a_damaged_object_that_protects_data_is_refused_with_the_fix() {
    let (server, home) = (server(), Home::new());
    run(&home, &server).unwrap();
    fs::write(home.stage().join("state/source.json"), "").unwrap();
    let error = run(&home, &server).unwrap_err().to_string();
    assert!(error.contains("state/source.json") && error.contains("delete it"), "{error}");
    fs::remove_file(home.stage().join("state/source.json")).unwrap();
    assert_eq!(run(&home, &server).unwrap().status, Status::Complete);
}
