//! Rows that were received while a clock was ahead.
//!
//! `observed_at` determines which version of a statement is the newest, since when it was known,
//! and the split basis of a bar. A row with an `observed_at` in the future would take precedence
//! over all rows received until that time. The first load with a correct clock therefore sets
//! `observed_at` of such rows to a time just before its own rows were received, and marks their
//! companies for recomputation.

use chrono::{DateTime, Duration, Utc};
use findata_domain::sql::{ONE_ROW, literal};
use findata_domain::{
    Result,
    catalog::{self, CATALOG, Dataset, LINEAGE, Requests},
    clock,
};
use findata_pipeline::{
    ledger::BatchEntry, ports::warehouse::Warehouse, run::RunId, write_fence::WriteFence,
};

/// Corrects the rows of `staging` whose `observed_at` is later than `latest`: sets it to just
/// before the receipt of `entries`, the run's batches.
pub(crate) async fn correct(
    run: &RunId,
    entries: &[BatchEntry],
    latest: DateTime<Utc>,
    fence: &mut WriteFence,
    warehouse: &mut impl Warehouse,
) -> Result<()> {
    let is_ahead = format!("observed_at > {}", timestamp(latest));
    correct_rows(run, entries, latest, &is_ahead, fence, warehouse).await
}

/// Like [`correct`], for a run that is loaded again. The time of the run's newest answer replaces
/// the clock, and only rows of earlier runs are corrected.
pub(crate) async fn correct_again(
    run: &RunId,
    entries: &[BatchEntry],
    fence: &mut WriteFence,
    warehouse: &mut impl Warehouse,
) -> Result<()> {
    let records = entries.iter().flat_map(|entry| &entry.tasks);
    let Some(latest) = records.map(|record| record.fetched_at).max() else {
        return Ok(());
    };
    let is_ahead = format!("observed_at > {} and run_id < {}", timestamp(latest), literal(run.as_str()));
    correct_rows(run, entries, latest, &is_ahead, fence, warehouse).await
}

/// Corrects `observed_at` of the rows that the SQL condition `is_ahead` selects.
async fn correct_rows(
    run: &RunId,
    entries: &[BatchEntry],
    latest: DateTime<Utc>,
    is_ahead: &str,
    fence: &mut WriteFence,
    warehouse: &mut impl Warehouse,
) -> Result<()> {
    let affected = affected(is_ahead, warehouse).await?;
    if affected.is_empty() {
        return Ok(());
    }
    let records = entries.iter().flat_map(|entry| &entry.tasks);
    let received = records.map(|record| record.fetched_at).filter(|at| !clock::is_ahead(*at, latest)).min();
    let before = received.unwrap_or(latest).min(latest) - Duration::milliseconds(1);
    let before = timestamp(before);
    for dataset in affected {
        tracing::warn!(
            dataset = dataset.name,
            "correcting the receipt time of rows received while a clock was ahead"
        );
        let table = dataset.name;
        let temporary = format!(
            "create or replace temporary table rows_ahead as select * from staging.{table} where {is_ahead}"
        );
        warehouse.execute(&temporary).await?;
        let columns = dataset.columns.iter().map(|column| column.name);
        let columns: Vec<&str> = columns.chain(LINEAGE.iter().map(|(name, _)| *name)).collect();
        let dated: Vec<&str> = columns
            .iter()
            .map(|name| if *name == "observed_at" { before.as_str() } else { name })
            .collect();
        let mut statements = vec![
            format!("delete from staging.{table} where {is_ahead}"),
            format!(
                "insert into staging.{table} ({}) select {} from rows_ahead",
                columns.join(", "),
                dated.join(", ")
            ),
        ];
        // No figure depends on the members of an index.
        if dataset.requests != Requests::Market {
            statements.push(format!(
                "insert into ops.changes (run_id, dataset, symbol, first_date) \
                 select distinct {}, '{table}', symbol, date '1900-01-01' from rows_ahead",
                literal(run.as_str())
            ));
        }
        fence.write(warehouse, &statements).await?;
        warehouse.release(&["rows_ahead"]).await?;
        if dataset == catalog::PROFILE {
            correct_profile_changes(latest, &before, fence, warehouse).await?;
        }
    }
    Ok(())
}

/// Corrects the time of changes that profiles received while the clock was ahead made.
async fn correct_profile_changes(
    latest: DateTime<Utc>,
    before: &str,
    fence: &mut WriteFence,
    warehouse: &mut impl Warehouse,
) -> Result<()> {
    let is_ahead = format!("changed_at > {}", timestamp(latest));
    let temporary = format!(
        "create or replace temporary table changes_ahead as select * from staging.profile_changes where {is_ahead}"
    );
    warehouse.execute(&temporary).await?;
    let columns = "symbol, sector, industry, currency, run_id, source_file, source_row";
    let statements = [
        format!("delete from staging.profile_changes where {is_ahead}"),
        format!(
            "insert into staging.profile_changes ({columns}, changed_at) select {columns}, {before} from changes_ahead"
        ),
    ];
    fence.write(warehouse, &statements).await?;
    warehouse.release(&["changes_ahead"]).await
}

/// Returns the datasets that have rows for which the SQL condition `is_ahead` holds.
async fn affected(is_ahead: &str, warehouse: &mut impl Warehouse) -> Result<Vec<&'static Dataset>> {
    let one = |dataset: &Dataset| {
        let name = dataset.name;
        format!("select '{name}' from {ONE_ROW} where exists (select 1 from staging.{name} where {is_ahead})")
    };
    let query = CATALOG.iter().map(one).collect::<Vec<_>>().join(" union all ");
    let found = warehouse.query(&query).await?;
    let names: Vec<String> = found.into_iter().filter_map(|row| row.into_iter().next()?).collect();
    Ok(CATALOG.iter().filter(|dataset| names.iter().any(|name| name == dataset.name)).collect())
}

fn timestamp(at: DateTime<Utc>) -> String {
    format!("timestamp '{}'", at.format("%Y-%m-%d %H:%M:%S%.3f"))
}
