//! Migrates a warehouse that another version of the models built.
//!
//! `ops.models` contains a hash of every model file and table file. If the file of a table changed,
//! the table is dropped and rebuilt from `staging`, which keeps all source rows. If only a model
//! changed, the next run writes the rows that differ. In both cases all companies are marked for
//! recomputation.

use std::collections::BTreeMap;

use ::duckdb::{Connection, Result};
use findata_models::tables;
use findata_models::{Models, hashes};

use crate::{main_views, texts};

/// The column of FMP's rows in `create table` statements.
const PAYLOAD: &str = "payload varchar";
/// The column with FSST, the compression that DuckDB also chooses itself. When DuckDB compares methods,
/// it keeps all distinct texts of a row group in memory, outside the memory limit: a checkpoint of
/// balance sheets took 280 MB, and takes 65 MB with a fixed method.
const COMPRESSED_PAYLOAD: &str = "payload varchar using compression fsst";

/// Creates missing tables, and replaces tables that another version of the models built.
pub(crate) fn prepare(connection: &Connection, models: &Models) -> Result<()> {
    for statement in tables::setup() {
        connection.execute_batch(&statement.replace(PAYLOAD, COMPRESSED_PAYLOAD))?;
    }
    let known = hashes::known(texts(connection, "select file, sha256 from ops.models")?);
    let current = hashes::hashes(models.tables.iter().chain(&models.models));
    if known == current {
        return main_views::write(connection, models);
    }
    connection.execute_batch("begin transaction")?;
    let result = rebuild(connection, models, &known, &current);
    connection.execute_batch(if result.is_ok() { "commit" } else { "rollback" })?;
    result
}

fn rebuild(
    connection: &Connection,
    models: &Models,
    known: &BTreeMap<String, String>,
    current: &BTreeMap<String, String>,
) -> Result<()> {
    // The user's views in other schemas stay.
    let views = format!(
        "select schema_name || '.' || view_name from duckdb_views() where not internal and schema_name in ('{}')",
        tables::SCHEMAS.join("', '")
    );
    for view in names(connection, &views)? {
        connection.execute_batch(&format!("drop view {view}"))?;
    }
    main_views::drop_all(connection)?;
    let existing =
        names(connection, "select table_name from duckdb_tables() where schema_name = 'analytics'")?;
    for table in &existing {
        let file = format!("tables/{table}.sql");
        if known.get(&file).is_none_or(|hash| current.get(&file) != Some(hash)) {
            connection.execute_batch(&format!("drop table analytics.{table}"))?;
        }
    }
    for table in &models.tables {
        connection.execute_batch(&table.sql)?;
    }
    main_views::write(connection, models)?;
    if !existing.is_empty() {
        tracing::warn!("the models or the metrics file have changed: this run recomputes all figures");
        connection.execute_batch(hashes::ALL_COMPANIES_ARE_DUE)?;
    }
    // Delete all hashes first, because some may be of files that no longer exist.
    connection.execute_batch("delete from ops.models")?;
    hashes::record(current)
        .iter()
        .try_for_each(|statement| connection.execute_batch(statement))
}

fn names(connection: &Connection, query: &str) -> Result<Vec<String>> {
    Ok(texts(connection, query)?.into_iter().filter_map(|row| row.into_iter().next()?).collect())
}
