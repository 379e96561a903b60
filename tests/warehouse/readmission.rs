//! Quarantined fields, several versions in one answer, and rows that an earlier build rejected, on
//! every warehouse.

use chrono::{NaiveDate, TimeZone, Utc};
use findata_domain::{
    Symbol, catalog,
    clock::DayClock,
    rows::{self, Asked},
};
use findata_local::stage::DirectoryStage;
use findata_pipeline::{
    landing::Landing,
    ledger::{self, Staged},
    ports::{stage, warehouse::Warehouse},
};
use findata_tests::{run_id, today};

use super::{Files, contract::set_up, on_every_warehouse};

on_every_warehouse!(rejected_rows_of_an_earlier_build_are_loaded);

fn quarter(end: &str, label: &str, accepted: &str, revenue: &str, eps: &str) -> String {
    format!(
        r#"{{"symbol":"KWR","date":"{end}","period":"{label}","fiscalYear":"2026","cik":"0000054681","reportedCurrency":"USD",
        "filingDate":"2026-08-31","acceptedDate":"{accepted}","revenue":{revenue},"netIncome":7,"eps":{eps}}}"#
    )
}

async fn rejected_rows_of_an_earlier_build_are_loaded(warehouse: &mut impl Warehouse, place: &Files) {
    set_up(warehouse).await;
    let folder = tempfile::tempdir().unwrap();
    let stage = DirectoryStage::open(folder.path()).unwrap();
    let run = run_id();
    let body = format!(
        "[{}]",
        [
            quarter("2026-06-30", "Q2", "2026-08-05 07:00:00", "310", r#""it's \\ n.m.""#),
            quarter("2026-03-31", "Q1", "2026-05-06 07:00:00", "290", "0.4"),
            quarter("2026-03-31", "Q1", "2026-07-01 07:00:00", "295", "0.4"),
            quarter("2025-12-31", "Q4", "2026-02-06 07:00:00", "280", r#""\tn/m 1""#),
            quarter("2025-09-30", "Q3", "0000-00-00", "270", "0.3"),
            quarter("2025-09-31", "Q3", "2025-11-06 07:00:00", "270", "0.3"),
        ]
        .join(",")
    );
    let symbol: Symbol = "KWR".parse().unwrap();
    let received_on = NaiveDate::from_ymd_opt(2026, 9, 1).unwrap();
    let asked = Asked { symbol: Some(&symbol), days: None, received_on };
    let (mut typed, _) =
        rows::typed(catalog::INCOME_STATEMENT, &asked, rows::MAX_SERIES, body.as_bytes()).unwrap();
    // An earlier build rejected the last three rows because of one field.
    for row in &mut typed[3..] {
        row.findings.clear();
        row.reject = Some("retyped_field: a field".into());
    }
    let mut landing = Landing::new(catalog::INCOME_STATEMENT, Utc.timestamp_opt(1_788_300_000, 0).unwrap());
    landing.add(&typed).unwrap();
    let mut file = landing.land(&stage, &run, "b1").await.unwrap();
    assert_eq!((file.rows, file.quarantined, file.fields), (6, 3, Some(1)));
    if !place.copy_files(&stage, std::slice::from_ref(&file)).await {
        println!("skipped: the tests cannot write to the account's stage");
        return;
    }
    file.fields = None;
    let staged = Staged {
        run_id: run.clone(),
        batches: Vec::new(),
        files: vec![file],
        traceparent: None,
    };
    stage::write_json_once(&stage, &ledger::staged_key(&run), &staged).await.unwrap();

    findata_load::handle(&run, &stage, warehouse, &DayClock(today())).await.unwrap();

    let mut lines = async |query: &str| -> Vec<String> {
        let text = |row: Vec<Option<String>>| {
            row.into_iter().map(|cell| cell.unwrap_or("NULL".into())).collect::<Vec<_>>().join("|")
        };
        warehouse.query(query).await.unwrap().into_iter().map(text).collect()
    };
    assert_eq!(
        lines("select fiscal_date::varchar, cast(revenue as bigint)::varchar, accepted_at_source, flags from staging.income_statement order by 1, 2").await,
        [
            "2025-09-30|270|filing|NULL",
            "2025-12-31|280|accepted|NULL",
            "2026-03-31|290|accepted|NULL",
            "2026-03-31|295|accepted|NULL",
            "2026-06-30|310|accepted|NULL"
        ]
    );
    assert_eq!(
        lines("select status, column_name, column_text, split_part(reason, ':', 1) from ops.quarantine order by source_row").await,
        [
            r"field|eps|it's \ n.m.|unreadable_field",
            "field|eps| n/m 1|unreadable_field",
            "rejected|fiscal_date|2025-09-31|unreadable_field"
        ]
    );
    assert_eq!(
        lines(
            "select staged::varchar, loaded::varchar, unchanged::varchar, quarantined::varchar from ops.files"
        )
        .await,
        ["6|5|0|1"]
    );
    assert_eq!(
        lines("select fiscal_date::varchar, item, old_value, new_value from ops.restatements order by item")
            .await,
        [
            "2026-03-31|accepted_at|2026-05-06 11:00:00|2026-07-01 11:00:00",
            "2026-03-31|revenue|290.000000|295.000000"
        ]
    );
    assert_eq!(
        lines("select version_no::varchar, known_to is null from staging.statement_versions where fiscal_date = date '2026-03-31' order by 1").await.len(),
        2
    );
}
