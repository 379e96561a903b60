//! Load and analytics on both engines from the same stage: every table of `analytics` has the same
//! rows.

use std::collections::{BTreeMap, BTreeSet};

use findata_analytics::HostMetrics;
use findata_domain::clock::DayClock;
use findata_local::{bus::LocalBus, stage::DirectoryStage};
use findata_models::{Models, PUBLISHED};
use findata_pipeline::{
    corrections::STAGE_KEY,
    landing::StagedFile,
    ledger,
    ports::{stage, warehouse::Warehouse},
    run::RunId,
    summary::RowCounts,
    usage::{Statement, Usage},
};
use findata_snowflake::Snowflake;
use findata_tests::{FakeSnowflake, Home, Job, Simulator, models_with, today, wait};

use super::{Files, ONE_SECTOR, contract::set_up};

/// The largest relative difference between two doubles that count as equal.
const TOLERANCE: f64 = 1e-9;
/// Columns that say when or by which run a row was written.
const RUN_METADATA: [&str; 5] = ["run_id", "computed_at", "loaded_at", "observed_at", "updated_at"];

/// An entry of every kind.
const CORRECTIONS: &str = "
[[correction]]
symbol = 'AAPL'
kind = 'value'
date = 2026-06-27
period = 'Q3'
column = 'revenue'
value = 91_000_000_000.25
reason = 'as filed'
decided_on = 2026-09-01

[[correction]]
symbol = 'AAPL'
kind = 'value'
column = 'industry'
value = 'Banks - Regional'
reason = 'as filed'
decided_on = 2026-09-01

[[correction]]
symbol = 'AAPL'
kind = 'period_label'
date = 2026-03-28
value = 'Q4'
fiscal_year = 2025
reason = 'as filed'
decided_on = 2026-09-01

[[correction]]
symbol = 'AAPL'
kind = 'split'
date = 2020-08-31
value = 'spin_off'
reason = 'as filed'
decided_on = 2026-09-01

[[correction]]
symbol = 'MSFT'
kind = 'share_count'
date = 2026-09-10
value = 7_000_000_000
reason = 'as filed'
decided_on = 2026-09-01

[[correction]]
symbol = 'MSFT'
kind = 'share_ratio'
value = 2.5
reason = 'as filed'
decided_on = 2026-09-01
";

type Rows = Vec<Vec<Option<String>>>;

#[test]
fn both_engines_compute_the_same_tables() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let server = Simulator::with_symbols(41);
    let symbols = ONE_SECTOR;
    let home = Home::new();
    let corrections = home.stage().join(STAGE_KEY);
    std::fs::create_dir_all(corrections.parent().unwrap()).unwrap();
    std::fs::write(corrections, CORRECTIONS).unwrap();
    let models = models_with(include_str!("../../metrics.example.toml"));
    let mut job = Job::new(server.url(), &symbols);
    job.models = models;
    let on_duckdb = job.run_ok(&home);

    let other = Home::copy_of(&home);
    let run = on_duckdb.run_id.clone();
    for key in [ledger::loaded_key(&run), ledger::summary_key(&run)] {
        std::fs::remove_file(other.stage().join(key)).unwrap();
    }
    let files = DirectoryStage::open(&other.stage()).unwrap();
    let mut setting_up = fake.warehouse("full_run");
    wait(set_up(&mut setting_up));
    wait(setting_up.close()).unwrap();
    let mut warehouse = Snowflake::new(fake.settings("full_run")).unwrap();
    let (rows, used) = wait(compute(&run, &files, fake, &mut warehouse, models));
    assert_eq!(rows, on_duckdb.rows);
    every_statement_is_accounted_for(&run, &other, &used);
    assert!(home.count("select count(*) from ops.quality where status = 'corrected'") >= 5);
    for table in PUBLISHED {
        compare(&table.full_name(), &home, &mut warehouse);
    }
    for view in [
        "fact_financials",
        "fact_financials_ttm",
        "fact_financial_ratios",
        "fact_growth_rates",
        "fact_market_metrics",
        "metric_nulls",
    ] {
        compare(&format!("analytics.{view}"), &home, &mut warehouse);
    }
    wait(warehouse.close()).unwrap();
}

async fn compute(
    run: &RunId,
    files: &DirectoryStage,
    fake: &'static FakeSnowflake,
    warehouse: &mut Snowflake,
    models: &Models,
) -> (BTreeMap<String, RowCounts>, Usage) {
    let staged: ledger::Staged = stage::read_json(files, &ledger::staged_key(run)).await.unwrap().unwrap();
    let staged: Vec<StagedFile> = staged.files;
    assert!(Files::Fake(fake).copy_files(files, &staged).await);
    let clock = DayClock(today());
    let loaded = findata_load::handle(run, files, warehouse, &clock).await.unwrap();
    let bus = LocalBus::default();
    let metrics = HostMetrics::default();
    let summary = findata_analytics::handle(run, files, warehouse, models, &bus, &clock, &metrics)
        .await
        .unwrap();
    assert!(
        summary.cost.snowflake_credits > 0.0 && summary.cost.snowflake_credits < 0.3,
        "{:?}",
        summary.cost
    );
    (loaded.rows, summary.warehouse)
}

/// Asserts that the ledger has the id and the step of every statement, and that the run resumed the
/// warehouse once.
fn every_statement_is_accounted_for(run: &RunId, home: &Home, used: &Usage) {
    assert_eq!(used.resumes, 1);
    let mut statements: Vec<Statement> = Vec::new();
    for file in std::fs::read_dir(home.stage().join(format!("runs/{run}/statements"))).unwrap() {
        statements
            .extend(serde_json::from_slice::<Vec<_>>(&std::fs::read(file.unwrap().path()).unwrap()).unwrap());
    }
    assert_eq!(statements.len() as u64, used.statements);
    let ids: BTreeSet<&str> = statements.iter().map(|s| s.query_id.as_str()).collect();
    assert_eq!(ids.len(), statements.len());
    let steps: BTreeSet<&str> = statements.iter().map(|s| s.step.as_str()).collect();
    for step in [
        "ledger",
        "income_statement",
        "scope",
        "new_fact_financials_ttm_history",
        "publish",
        "summary",
    ] {
        assert!(steps.contains(step), "{step} in {steps:?}");
    }
    println!("{} statements", used.statements);
}

fn compare(table: &str, home: &Home, warehouse: &mut Snowflake) {
    let (schema, name) = table.split_once('.').unwrap();
    let columns = home.rows(&format!(
        "select column_name, data_type from duckdb_columns() where schema_name = '{schema}' and table_name = '{name}' order by column_index"
    ));
    let columns: Vec<(String, String)> = columns
        .into_iter()
        .map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap()))
        .filter(|(name, _)| !RUN_METADATA.contains(&name.as_str()))
        .collect();
    let texts =
        |of: &dyn Fn(&str) -> String| columns.iter().map(|(name, _)| of(name)).collect::<Vec<_>>().join(", ");
    let mine = home.rows(&format!("select {} from {table}", texts(&str::to_owned)));
    let theirs =
        wait(warehouse.query(&format!("select {} from {table}", texts(&|c| format!("{c}::varchar")))))
            .unwrap();
    let (mine, theirs) = (sorted(mine, &columns), sorted(theirs, &columns));
    assert!(!mine.is_empty() || table.contains("dim_date"), "{table} is empty");
    assert_eq!(mine.len(), theirs.len(), "rows of {table}");
    for (mine, theirs) in mine.iter().zip(&theirs) {
        for (((name, kind), mine_cell), their_cell) in columns.iter().zip(mine).zip(theirs) {
            assert!(
                same(kind, mine_cell, their_cell),
                "{table}.{name}: {mine_cell:?} and {their_cell:?}\n{mine:?}\n{theirs:?}"
            );
        }
    }
}

/// The rows in the order of their exact columns; doubles may differ in the last digits.
fn sorted(mut rows: Rows, columns: &[(String, String)]) -> Rows {
    let key = |row: &Vec<Option<String>>| {
        let exact = row.iter().zip(columns).filter(|(_, (_, kind))| kind != "DOUBLE");
        exact.map(|(cell, (_, kind))| text(kind, cell)).collect::<Vec<_>>()
    };
    rows.sort_by_cached_key(key);
    rows
}

/// The text of a cell. Snowflake pads the fraction of a second with zeros, so trailing zeros are
/// removed.
fn text(kind: &str, cell: &Option<String>) -> Option<String> {
    let trimmed = |text: &str| match text.split_once('.') {
        Some(_) if kind == "TIMESTAMP" => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => text.to_owned(),
    };
    cell.as_deref().map(trimmed)
}

fn same(kind: &str, mine: &Option<String>, theirs: &Option<String>) -> bool {
    match (kind, mine, theirs) {
        ("DOUBLE", Some(mine), Some(theirs)) => {
            let (mine, theirs): (f64, f64) = (mine.parse().unwrap(), theirs.parse().unwrap());
            mine == theirs || (mine - theirs).abs() <= TOLERANCE * mine.abs().max(theirs.abs())
        }
        _ => text(kind, mine) == text(kind, theirs),
    }
}
