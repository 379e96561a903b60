//! Copies landing files into the table `incoming` of each warehouse.

use chrono::{TimeZone, Utc};
use findata_domain::{
    catalog::{CATALOG, Column, Dataset, Kind},
    rows::{Finding, Row},
};
use findata_local::stage::DirectoryStage;
use findata_pipeline::{
    landing::{Landing, StagedFile},
    ports::warehouse::Warehouse,
};
use findata_tests::run_id;

use super::{Files, on_every_warehouse};

on_every_warehouse!(landing_files_are_copied_in_typed_and_counted);

/// A value of the column's type that a float could not hold, or that careless quoting would break.
fn value(column: &Column) -> &'static str {
    match column.kind {
        Kind::Text => "it's \\ \"quoted\" · 株式会社",
        Kind::Date => "2024-02-29",
        Kind::Instant => "2024-02-29 21:30:15",
        Kind::Decimal => "-98765432109876543210.123456",
        Kind::Double => "0.1",
        Kind::Integer => "9007199254740993",
        Kind::Boolean => "true",
    }
}

fn finding() -> Finding {
    Finding {
        column: "symbol",
        reason: "unreadable_field: it's \\ odd".into(),
        text: "株\t'x'".into(),
    }
}

fn row(dataset: &Dataset, n: usize, reject: Option<&str>) -> Row<'static> {
    let values = dataset.columns.iter().map(|c| reject.is_none().then(|| value(c).to_owned())).collect();
    let payload = r#"{"symbol": "A", "text": "it's \\ \"quoted\"", "n": 1e-7, "more": {"of": [null, 1.50]}}"#;
    Row {
        symbol: "BRK-B".into(),
        values,
        hash: format!("hash {n}"),
        reject: reject.map(Into::into),
        findings: if n == 2 { vec![finding()] } else { Vec::new() },
        payload,
    }
}

async fn land(dataset: &'static Dataset, stage: &DirectoryStage) -> Vec<StagedFile> {
    let run = run_id();
    let mut files = Vec::new();
    for (batch, rejects) in [("b1", vec![None, Some("no date: \\ 'x'"), None]), ("b2", vec![None, None])] {
        let mut landing = Landing::new(dataset, Utc.timestamp_millis_opt(1_758_236_400_123).unwrap());
        let rows: Vec<_> =
            rejects.into_iter().enumerate().map(|(n, reject)| row(dataset, n, reject)).collect();
        landing.add(&rows).unwrap();
        files.push(landing.land(stage, &run, batch).await.unwrap());
    }
    files
}

async fn landing_files_are_copied_in_typed_and_counted(warehouse: &mut impl Warehouse, place: &Files) {
    let folder = tempfile::tempdir().unwrap();
    let stage = DirectoryStage::open(folder.path()).unwrap();
    for dataset in CATALOG {
        let files = land(dataset, &stage).await;
        if !place.copy_files(&stage, &files).await {
            println!("skipped: the tests cannot write to the account's stage");
            return;
        }
        for copy in warehouse.copies(dataset.columns, &files) {
            warehouse.execute(&copy).await.unwrap_or_else(|e| panic!("{}: {e}", dataset.name));
        }
        let counts = "select source_file, count(*)::varchar, count(reject)::varchar from incoming group by source_file order by source_file";
        let some = |text: &str| Some(text.to_owned());
        let wanted = files
            .iter()
            .map(|f| vec![some(&f.key), some(&f.rows.to_string()), some(&f.quarantined.to_string())]);
        assert_eq!(warehouse.query(counts).await.unwrap(), wanted.collect::<Vec<_>>(), "{}", dataset.name);

        // Values are compared inside the warehouse, because engines print timestamps and doubles
        // differently.
        let same = |c: &Column| match c.kind {
            Kind::Text => format!("{} = 'it''s \\ \"quoted\" · 株式会社'", c.name),
            kind => format!("{} = cast('{}' as {})", c.name, value(c), kind.sql()),
        };
        let all = dataset.columns.iter().map(same).collect::<Vec<_>>().join(" and ");
        let good = format!("select count(*)::varchar from incoming where {all}");
        assert_eq!(warehouse.query(&good).await.unwrap(), [[some("4")]], "{}", dataset.name);

        let lineage = "select source_row::varchar, row_hash, subject, reject, findings, payload from incoming \
                       where source_file like '%b1.ndjson.gz' and observed_at = cast('2025-09-18 23:00:00.123' as timestamp) order by source_row";
        let payload = row(dataset, 0, None).payload;
        let line = |n: usize, reject: Option<&str>| {
            vec![
                some(&(n + 1).to_string()),
                some(&format!("hash {n}")),
                some("BRK-B"),
                reject.map(Into::into),
                (n == 2).then(|| finding().line()),
                some(payload),
            ]
        };
        let wanted = [line(0, None), line(1, Some("no date: \\ 'x'")), line(2, None)];
        assert_eq!(warehouse.query(lineage).await.unwrap(), wanted, "{}", dataset.name);
    }
}
