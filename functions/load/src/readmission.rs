//! Loads rows that an earlier build quarantined and this build accepts.
//!
//! Earlier builds rejected a whole row because of one unreadable field. Such rows have no status in
//! `ops.quarantine`. This module types and checks their payloads again. It loads the rows that pass
//! as if they had passed when they were received, and sets the status of the other rows.

use chrono::NaiveDate;
use findata_domain::{
    Result, Symbol,
    catalog::{self, CATALOG, Dataset, History, Requests},
    rows::{self, Asked, Finding, Row},
    sql::literal,
};
use findata_pipeline::{ports::warehouse::Warehouse, run::RunId, write_fence::WriteFence};

use crate::{quarantine, restatements, sql, sql::FILES};

/// Maximum number of rows in a round. All payloads of a round are in memory at the same time.
const ROWS: usize = 500;
/// Maximum number of rows in an INSERT. A row of a financial statement has about 2 KB of payload
/// and 2 KB of values, and Snowflake limits the text of an SQL statement to 1 MB.
const ROWS_PER_INSERT: usize = 100;

/// A row that an earlier build quarantined.
struct Quarantined {
    run: RunId,
    dataset: &'static Dataset,
    subject: String,
    payload: String,
    source_file: String,
    source_row: String,
    observed_at: String,
}

/// Types and checks the quarantined rows of earlier builds again, in rounds, until all have a
/// status.
pub(crate) async fn readmit(fence: &mut WriteFence, warehouse: &mut impl Warehouse) -> Result<()> {
    loop {
        let mut found = quarantined(warehouse).await?;
        let Some(first) = found.first() else {
            return Ok(());
        };
        let (run, dataset) = (first.run.clone(), first.dataset);
        found.retain(|row| row.run == run && row.dataset == dataset);
        tracing::info!(run_id = %run, dataset = dataset.name, rows = found.len(), "typing quarantined rows of an earlier build again");
        fill_incoming(dataset, &found, warehouse).await?;
        warehouse.execute(&sql::new_rows(dataset)).await?;
        let restated = restatements::restated_rows(dataset);
        if let Some(statement) = &restated {
            warehouse.execute(statement).await?;
        }
        let mut statements = vec![
            "delete from ops.quarantine q using incoming i where q.status is null \
             and q.source_file = i.source_file and q.source_row = i.source_row"
                .to_owned(),
        ];
        statements.extend(sql::row_statements(dataset, &run, true));
        statements.extend(quarantine::insert(dataset, &run, &[]));
        statements.extend(recount_files());
        warehouse.execute(RECOUNTED_FILES).await?;
        fence.write(warehouse, &statements).await?;
        warehouse.release(&["incoming", "new_rows", "recounted_files"]).await?;
        if restated.is_some() {
            warehouse.release(&["restated_rows"]).await?;
        }
    }
}

/// Returns the first quarantined rows without a status. Skips rows that cannot be typed again, such
/// as rows without a payload and rows of a dataset that this build does not have.
async fn quarantined(warehouse: &mut impl Warehouse) -> Result<Vec<Quarantined>> {
    let names: Vec<String> = CATALOG.iter().map(|dataset| literal(dataset.name)).collect();
    let query = format!(
        "select run_id, dataset, symbol, payload, source_file, source_row::varchar, observed_at::varchar from ops.quarantine \
         where status is null and payload is not null and symbol is not null and source_file is not null and dataset in ({}) \
         order by run_id, dataset, source_file, source_row limit {ROWS}",
        names.join(", ")
    );
    let read = |row: Vec<Option<String>>| {
        let mut cells = row.into_iter();
        let mut next = || cells.next().flatten();
        Some(Quarantined {
            run: next()?.parse().ok()?,
            dataset: catalog::dataset(&next()?)?,
            subject: next()?,
            payload: next()?,
            source_file: next()?,
            source_row: next()?,
            observed_at: next()?,
        })
    };
    Ok(warehouse.query(&query).await?.into_iter().filter_map(read).collect())
}

/// Builds `incoming` from quarantined rows, as if they had just been copied in from a landing file.
/// A row stays quarantined if the warehouse has newer data for its key.
async fn fill_incoming(
    dataset: &'static Dataset,
    rows: &[Quarantined],
    warehouse: &mut impl Warehouse,
) -> Result<()> {
    let names: Vec<&str> = dataset.columns.iter().map(|c| c.name).chain(sql::INCOMING).collect();
    let columns: Vec<String> = names.iter().map(|name| format!("{name} varchar")).collect();
    warehouse
        .execute(&format!("create or replace temporary table typed_again ({})", columns.join(", ")))
        .await?;
    for rows in rows.chunks(ROWS_PER_INSERT) {
        let values: Vec<String> = rows.iter().map(|row| values(dataset, row)).collect();
        warehouse
            .execute(&format!("insert into typed_again values {}", values.join(", ")))
            .await?;
    }
    warehouse.execute(&incoming(dataset)).await?;
    warehouse.release(&["typed_again"]).await
}

/// Types a quarantined row again. Returns it as SQL values for `typed_again`.
fn values(dataset: &'static Dataset, from: &Quarantined) -> String {
    let symbol: Option<Symbol> = match dataset.requests {
        Requests::Market | Requests::Symbols => None,
        Requests::Symbol | Requests::Statement | Requests::Days => from.subject.parse().ok(),
    };
    let received_on = from.observed_at.get(..10).and_then(|day| day.parse().ok()).unwrap_or(NaiveDate::MIN);
    let asked = Asked { symbol: symbol.as_ref(), days: None, received_on };
    let body = format!("[{}]", from.payload);
    let typed = rows::typed(dataset, &asked, 1, body.as_bytes());
    let row = typed.ok().and_then(|(mut rows, _)| rows.pop());
    let unreadable = || Row {
        symbol: from.subject.clone(),
        values: vec![None; dataset.columns.len()],
        hash: String::new(),
        reject: Some("unreadable_row: the payload is not a JSON object".into()),
        findings: Vec::new(),
        payload: &from.payload,
    };
    let row = row.unwrap_or_else(unreadable);
    let findings: Vec<String> = row.findings.iter().map(Finding::line).collect();
    let findings = (!findings.is_empty()).then(|| findings.join("\n"));
    let lineage = [
        Some(row.hash),
        Some(from.observed_at.clone()),
        Some(from.source_file.clone()),
        Some(from.source_row.clone()),
        Some(from.subject.clone()),
        row.reject,
        findings,
        Some(from.payload.clone()),
    ];
    let cell = |value: Option<String>| value.map_or("null".to_owned(), |value| literal(&value));
    let cells: Vec<String> = row.values.into_iter().chain(lineage).map(cell).collect();
    format!("({})", cells.join(", "))
}

/// Returns the statement that builds `incoming` from `typed_again`.
fn incoming(dataset: &Dataset) -> String {
    let typed: Vec<String> = dataset
        .columns
        .iter()
        .map(|c| format!("t.{0}::{1} as {0}", c.name, c.kind.sql()))
        .collect();
    let table = dataset.name;
    let same_key: Vec<String> = dataset
        .columns
        .iter()
        .filter(|c| dataset.key.contains(&c.name))
        .map(|c| format!("s.{0} = t.{0}::{1}", c.name, c.kind.sql()))
        .collect();
    let same_key = same_key.join(" and ");
    let stored = match dataset.history {
        History::Current => format!(
            "exists (select 1 from staging.{table} s where {same_key} and s.observed_at >= t.observed_at::timestamp)"
        ),
        History::Versions => {
            format!("exists (select 1 from staging.{table} s where {same_key} and s.row_hash = t.row_hash)")
        }
    };
    // A complete answer withdraws the rows that it does not contain. A row of an older answer is
    // therefore superseded.
    let withdrawn = match (dataset.complete_answer, dataset.requests) {
        (false, _) => String::new(),
        (true, Requests::Market) => format!(
            " or exists (select 1 from ops.tasks a where a.dataset = '{table}' and a.outcome in ('rows', 'empty') \
             and a.fetched_at > t.observed_at::timestamp)"
        ),
        (true, _) => format!(
            " or exists (select 1 from ops.tasks a where a.dataset = '{table}' and a.subject = t.subject \
             and a.outcome in ('rows', 'empty') and a.fetched_at > t.observed_at::timestamp)"
        ),
    };
    format!(
        "create or replace temporary table incoming as select {typed}, t.row_hash, t.observed_at::timestamp as observed_at, \
         t.source_file, t.source_row::bigint as source_row, t.subject, \
         case when t.reject is not null then t.reject when {stored}{withdrawn} \
             then 'superseded: a newer answer, or a row with the same content, is stored' end as reject, \
         t.findings, t.payload from typed_again t",
        typed = typed.join(", ")
    )
}

/// Builds `recounted_files`: new entries for `ops.files`, one for each file with quarantined rows
/// that this build accepts. The row counts are corrected for these rows.
const RECOUNTED_FILES: &str = "create or replace temporary table recounted_files as \
     with accepted as (select source_file, count(*) as n from incoming where reject is null group by source_file), \
     loaded as (select source_file, count(*) as n from new_rows group by source_file) \
     select f.run_id, f.dataset, f.source_file, f.sha256, f.bytes, f.staged, f.loaded + coalesce(l.n, 0) as loaded, \
     f.unchanged + a.n - coalesce(l.n, 0) as unchanged, f.quarantined - a.n as quarantined, f.loaded_at \
     from ops.files f join accepted a on a.source_file = f.source_file left join loaded l on l.source_file = f.source_file";

/// Returns the statements that replace entries of `ops.files` with those of `recounted_files`.
fn recount_files() -> [String; 2] {
    [
        "delete from ops.files f using recounted_files r where f.source_file = r.source_file".to_owned(),
        format!("insert into ops.files ({FILES}) select {FILES} from recounted_files"),
    ]
}
