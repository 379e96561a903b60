//! Every row records its origin, and the row counts add up.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader},
};

use findata_domain::catalog::CATALOG;
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::{FirstRun, MARKET_WIDE, first_run};

/// The lines of a landing file.
fn landed(key: &str) -> Vec<Value> {
    let file = File::open(first_run().home.stage().join(key)).unwrap_or_else(|e| panic!("{key}: {e}"));
    let lines = BufReader::new(MultiGzDecoder::new(file)).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

#[test]
fn every_raw_row_equals_the_landing_line_it_refers_to() {
    let FirstRun { home, .. } = first_run();
    let mut files: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for dataset in CATALOG {
        let query =
            format!("select symbol, source_file, source_row, payload, row_hash from raw.{}", dataset.name);
        for row in home.rows(&query) {
            let [symbol, file, number, payload, hash] = row.map_all();
            let lines = files.entry(file.clone()).or_insert_with(|| landed(&file));
            let n: usize = number.parse().unwrap();
            let line = lines.get(n - 1).unwrap_or_else(|| panic!("{file} has no row {n}"));
            assert_eq!(line["n"], n);
            assert_eq!(
                (line["payload"].as_str(), line["hash"].as_str()),
                (Some(payload.as_str()), Some(hash.as_str())),
                "{file} {n}"
            );
            assert_eq!(line["symbol"].as_str(), Some(symbol.as_str()));
            assert!(line.get("reject").is_none(), "{file} {n} is both quarantined and in raw");
            assert!(serde_json::from_str::<Value>(&payload).is_ok_and(|p| p.is_object()), "{payload}");
        }
    }
    assert!(files.len() >= 7, "{:?}", files.keys());
}

/// Converts a row without NULLs to an array.
trait MapAll {
    fn map_all<const N: usize>(self) -> [String; N];
}

impl MapAll for Vec<Option<String>> {
    fn map_all<const N: usize>(self) -> [String; N] {
        let all: Vec<String> = self.into_iter().map(|cell| cell.expect("no NULL here")).collect();
        all.try_into().unwrap()
    }
}

#[test]
fn raw_and_staging_hold_the_same_rows() {
    for dataset in CATALOG {
        let side = |a: &str, b: &str| {
            let of = |schema: &str| {
                format!(
                    "select row_hash, source_file, source_row, run_id, observed_at from {schema}.{}",
                    dataset.name
                )
            };
            first_run().home.count(&format!("select count(*) from ({} except all {})", of(a), of(b)))
        };
        assert_eq!((side("raw", "staging"), side("staging", "raw")), (0, 0), "{}", dataset.name);
    }
}

#[test]
fn staged_rows_are_loaded_unchanged_or_quarantined_in_every_file() {
    let FirstRun { home, summary } = first_run();
    assert_eq!(
        home.count(
            "select count(*) from ops.files where staged <> loaded + unchanged + quarantined or staged = 0"
        ),
        0
    );
    for (dataset, rows) in &summary.rows {
        assert_eq!(rows.staged, rows.loaded + rows.unchanged + rows.quarantined, "{dataset}");
        let in_raw = home.count(&format!("select count(*) from raw.{dataset}"));
        assert_eq!(in_raw, rows.loaded as i64, "{dataset}");
        let quarantined = home.count(&format!(
            "select count(*) from ops.quarantine where dataset = '{dataset}' and status = 'rejected'"
        ));
        assert_eq!(quarantined, rows.quarantined as i64, "{dataset}");
        let files = home
            .lines(&format!("select source_file, staged, sha256 from ops.files where dataset = '{dataset}'"));
        let staged: usize = files.iter().map(|line| landed(line.split('|').next().unwrap()).len()).sum();
        assert_eq!(staged as u64, rows.staged, "{dataset}");
    }
    // `ops.files` lists exactly the landing files on the stage.
    let recorded = home.lines("select source_file from ops.files order by source_file");
    assert_eq!(recorded, home.keys("landing/"));
}

#[test]
fn every_quarantined_row_has_a_reason_and_equals_its_landing_line() {
    let FirstRun { home, .. } = first_run();
    let rows = home.rows("select source_file, source_row, reason, payload, dataset from ops.quarantine");
    assert!(!rows.is_empty());
    for row in rows {
        let [file, number, reason, payload, dataset] = row.map_all();
        let line = &landed(&file)[number.parse::<usize>().unwrap() - 1];
        assert_eq!(
            (line["reject"].as_str(), line["payload"].as_str()),
            (Some(reason.as_str()), Some(payload.as_str()))
        );
        assert!(file.starts_with(&format!("landing/{dataset}/")), "{file}");
    }
}

#[test]
fn no_changes_are_pending_and_every_task_is_in_the_ledger() {
    let FirstRun { home, summary } = first_run();
    assert_eq!(home.count("select count(*) from ops.changes"), 0);
    assert_eq!(home.count("select count(*) from ops.tasks"), summary.tasks.done as i64);
    assert_eq!(home.count("select sum(calls) from ops.tasks"), (summary.calls - MARKET_WIDE) as i64);
    let empty = home.lines(
        "select distinct dataset from ops.tasks where outcome = 'empty' and subject like 'SPY%' order by 1",
    );
    assert_eq!(empty, ["balance_sheet", "cash_flow", "income_statement", "splits"]);
}

#[test]
fn staging_and_published_tables_are_unique_by_their_keys() {
    let FirstRun { home, .. } = first_run();
    for table in findata_models::PUBLISHED {
        let key = table.key.join(", ");
        let query = format!(
            "select count(*) from (select {key} from {} group by all having count(*) > 1)",
            table.full_name()
        );
        assert_eq!(home.count(&query), 0, "{}", table.name);
    }
    for dataset in CATALOG {
        let key = dataset.key.join(", ");
        let query = format!(
            "select count(*) from (select {key} from staging.{} group by all having count(*) > 1)",
            dataset.name
        );
        assert_eq!(home.count(&query), 0, "{}", dataset.name);
    }
    // A company key is a function of the symbol and never NULL. A date key corresponds to the date.
    for (table, date) in [
        ("fact_financials", "fiscal_date"),
        ("fact_daily_prices", "price_date"),
        ("fact_market_metrics", "metric_date"),
        ("metric_nulls", "subject_date"),
    ] {
        let query = format!(
            "select count(*) from analytics.{table} where company_key is distinct from md5(symbol) or {date}_key is distinct from strftime({date}, '%Y%m%d')::bigint"
        );
        assert_eq!(home.count(&query), 0, "{table}");
    }
}
