//! Whole runs over responses recorded from FMP. The recordings are in `../shared` and are not part
//! of the repository. Without them, these tests print that they are skipped.

mod errors;

use std::{fs, path::Path, sync::OnceLock};

use chrono::NaiveDate;
use findata_domain::catalog::{CATALOG, Kind};
use findata_pipeline::{run::Status, summary::Summary};
use findata_tests::{Home, Job, Replay, shared_folder};
use serde_json::{Value, value::RawValue};

/// File, endpoint and period. The file name of a statement tells annual from quarterly.
type Recording = (&'static str, &'static str, &'static str);

/// Recordings of August 2025.
const FMP4J: [Recording; 9] = [
    ("profile__AAPL.json", "profile", ""),
    (
        "historical-price-eod-full__AAPL_2024-02-22_2024-02-28.json",
        "historical-price-eod/full",
        "",
    ),
    ("dividends__AAPL.json", "dividends", ""),
    ("income-statement__AAPL.json", "income-statement", "annual"),
    ("income-statement__AAPL_quarter_limit3.json", "income-statement", "quarter"),
    ("balance-sheet-statement__AAPL.json", "balance-sheet-statement", "annual"),
    ("balance-sheet-statement__AAPL_quarter_limit3.json", "balance-sheet-statement", "quarter"),
    ("cash-flow-statement__AAPL.json", "cash-flow-statement", "annual"),
    ("cash-flow-statement__AAPL_quarter_limit3.json", "cash-flow-statement", "quarter"),
];

/// Recordings of August 2026. They include a share count but no profile.
const FMPDOTNET: [Recording; 5] = [
    ("historical-price-eod-full__AAPL_2020-split.json", "historical-price-eod/full", ""),
    ("income-statement__AAPL_annual.json", "income-statement", "annual"),
    ("balance-sheet-statement__AAPL_annual.json", "balance-sheet-statement", "annual"),
    ("cash-flow-statement__AAPL_annual.json", "cash-flow-statement", "annual"),
    ("shares-float__AAPL.json", "shares-float", ""),
];

struct RecordedRun {
    home: Home,
    summary: Summary,
    recordings: Vec<(Recording, String)>,
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Makes a run over the recordings of a folder.
fn run(
    folder: &str,
    recordings: &[Recording],
    extra: Option<(&str, &str)>,
    today: &str,
    from: &str,
) -> Option<RecordedRun> {
    let folder = shared_folder(&format!("fmp/recorded/{folder}"))?;
    let read = |file: &str| {
        fs::read_to_string(Path::new(&folder).join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    };
    let recordings: Vec<_> = recordings.iter().map(|r| (*r, read(r.0))).collect();
    let mut replay = Replay::new();
    for ((_, endpoint, period), body) in &recordings {
        replay = replay.answer(endpoint, "AAPL", period, body.clone());
    }
    if let Some((endpoint, body)) = extra {
        replay = replay.answer(endpoint, "AAPL", "", body);
    }
    let (server, home) = (replay.start(), Home::new());
    let summary = Job::new(server.url(), &["AAPL"])
        .on(day(today))
        .with(|o| o.prices_from = Some(day(from)))
        .run_ok(&home);
    Some(RecordedRun { home, summary, recordings })
}

fn fmp4j() -> Option<&'static RecordedRun> {
    static RECORDED: OnceLock<Option<RecordedRun>> = OnceLock::new();
    RECORDED.get_or_init(|| run("fmp4j", &FMP4J, None, "2025-08-22", "2024-02-01")).as_ref()
}

fn fmpdotnet() -> Option<&'static RecordedRun> {
    static RECORDED: OnceLock<Option<RecordedRun>> = OnceLock::new();
    // The profile has no market cap, so the run fetches the share count.
    let profile = r#"[{"symbol":"AAPL","companyName":"Apple Inc.","currency":"USD","sector":"Technology","price":null,"marketCap":null}]"#;
    RECORDED
        .get_or_init(|| run("fmpdotnet", &FMPDOTNET, Some(("profile", profile)), "2026-08-28", "2020-08-01"))
        .as_ref()
}

#[test]
fn the_responses_of_2025_give_a_complete_run() {
    let Some(recorded) = fmp4j() else { return };
    assert_eq!(recorded.summary.status, Status::Complete, "{:?}", recorded.summary.failures);
    let loaded = |dataset: &str| recorded.summary.rows.get(dataset).map(|r| (r.loaded, r.quarantined));
    assert_eq!(loaded("income_statement"), Some((8, 0)));
    assert_eq!((loaded("balance_sheet"), loaded("cash_flow")), (Some((8, 0)), Some((8, 0))));
    assert_eq!(
        (loaded("prices"), loaded("dividends"), loaded("profile")),
        (Some((5, 0)), Some((4, 0)), Some((1, 0)))
    );
    assert_eq!(
        recorded
            .home
            .count("select count(*) from analytics.fact_financials where has_income and has_balance and has_cash_flow"),
        8
    );
    // Every response has all fields of the catalog.
    assert!(
        recorded.summary.notes.iter().all(|note| !note.contains("lacked")),
        "{:?}",
        recorded.summary.notes
    );
    // There is no response for the index, so beta is NULL and nothing fails.
    assert_eq!(recorded.home.count("select count(beta_252d) from analytics.fact_market_metrics"), 0);
}

#[test]
fn the_responses_of_2026_give_a_complete_run() {
    let Some(recorded) = fmpdotnet() else { return };
    assert_eq!(recorded.summary.status, Status::Complete, "{:?}", recorded.summary.failures);
    let loaded = |dataset: &str| recorded.summary.rows.get(dataset).map(|r| (r.loaded, r.quarantined));
    assert_eq!(
        (loaded("income_statement"), loaded("prices"), loaded("shares_float")),
        (Some((1, 0)), Some((5, 0)), Some((1, 0)))
    );
    let year = "select revenue, period_type, fiscal_year from analytics.fact_financials";
    assert_eq!(recorded.home.lines(year).len(), 1);
}

#[test]
fn every_amount_equals_the_recorded_one_digit_for_digit() {
    for recorded in [fmp4j(), fmpdotnet()].into_iter().flatten() {
        let mut compared = 0;
        for dataset in CATALOG {
            let bodies =
                recorded.recordings.iter().filter(|((_, endpoint, _), _)| *endpoint == dataset.endpoint);
            for (_, body) in bodies {
                compared += compare(&recorded.home, dataset, body);
            }
        }
        assert!(compared > 50, "{compared}");
    }
}

/// Compares every amount of a response, as text, with `staging`. Returns the number of amounts
/// compared.
fn compare(home: &Home, dataset: &findata_domain::catalog::Dataset, body: &str) -> usize {
    let rows: Vec<Box<RawValue>> = serde_json::from_str(body).unwrap();
    // The free-float percentage is left out, because it is not an amount.
    let amounts: Vec<_> = dataset
        .columns
        .iter()
        .filter(|c| c.kind == Kind::Decimal && c.name != "free_float")
        .collect();
    let names: Vec<&str> = amounts.iter().map(|c| c.name).collect();
    let mut compared = 0;
    for row in rows {
        let fields: std::collections::BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(row.get()).unwrap();
        let plain: Value = serde_json::from_str(row.get()).unwrap();
        let place: Vec<String> = dataset
            .key
            .iter()
            .map(|key| {
                let field = dataset.columns.iter().find(|c| c.name == *key).unwrap().field;
                format!("{key} = '{}'", plain[field].as_str().unwrap())
            })
            .collect();
        let found = home.rows(&format!(
            "select {} from staging.{} where {}",
            names.join(", "),
            dataset.name,
            place.join(" and ")
        ));
        assert_eq!(found.len(), 1, "{} {place:?}", dataset.name);
        for (column, ours) in amounts.iter().zip(&found[0]) {
            let theirs = fields.get(column.field).map(|raw| raw.get()).filter(|raw| *raw != "null");
            assert_eq!(ours.clone(), theirs.map(six_decimals), "{} {} {place:?}", dataset.name, column.field);
            compared += usize::from(theirs.is_some());
        }
    }
    compared
}

/// A recorded number with six decimal places. Recorded amounts have no exponent and at most six
/// decimal places.
fn six_decimals(number: &str) -> String {
    assert!(!number.contains(['e', 'E', '"']), "{number}");
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    assert!(fraction.len() <= 6, "{number}");
    format!("{whole}.{fraction:0<6}")
}

#[test]
fn the_recorded_statements_satisfy_every_accounting_identity() {
    for (recorded, checked) in [(fmp4j(), 45), (fmpdotnet(), 4)] {
        let Some(recorded) = recorded else { return };
        let flagged =
            "select check_name, basis, fiscal_date, ours, theirs from ops.quality where status = 'flag'";
        assert_eq!(recorded.home.lines(flagged), Vec::<String>::new());
        let passed = recorded.home.count("select count(*) from ops.quality where status = 'pass'");
        assert!(passed >= checked, "{passed}");
    }
}

#[test]
fn texts_and_dates_equal_the_recorded_ones() {
    let Some(recorded) = fmp4j() else { return };
    let profile = "select company_name || '|' || cik || '|' || exchange || '|' || sector || '|' || ipo_date || '|' || is_etf || '|' || full_time_employees from staging.profile";
    assert_eq!(
        recorded.home.text(profile),
        "Apple Inc.|0000320193|NASDAQ|Technology|1980-12-12|false|164000"
    );
    // One filing was accepted in New York at 06:01:36 (daylight saving time), so it is known on
    // that day. The other was accepted at 18:08:27, after the close, so it is known on the next
    // day.
    let known = "select accepted_at || ' ' || known_on from staging.income_statement where period_type = 'FY' and fiscal_date in ('2024-09-28', '2023-09-30') order by fiscal_date desc";
    assert_eq!(
        recorded.home.lines(known),
        ["2024-11-01 10:01:36 2024-11-01", "2023-11-02 22:08:27 2023-11-03"]
    );
    assert_eq!(recorded.home.lines("select ex_date || ' ' || adjusted_dividend || ' ' || frequency from staging.dividends order by ex_date desc limit 1"), ["2025-08-11 0.260000 Quarterly"]);
}

#[test]
fn a_second_run_over_the_same_responses_changes_nothing() {
    let Some(recorded) = fmp4j() else { return };
    let home = Home::copy_of(&recorded.home);
    let mut replay = Replay::new();
    for ((_, endpoint, period), body) in &recorded.recordings {
        replay = replay.answer(endpoint, "AAPL", period, body.clone());
    }
    let server = replay.start();
    let job = Job::new(server.url(), &["AAPL"])
        .on(day("2025-08-22"))
        .with(|o| o.prices_from = Some(day("2024-02-01")));
    assert_eq!(job.clone().run_ok(&home).calls, 0);
    let full = job.with(|o| o.full = true).run_ok(&home);
    assert!(full.calls > 0 && full.rows.values().all(|r| r.loaded == 0), "{:?}", full.rows);
    assert_eq!(home.content(), recorded.home.content());
}
