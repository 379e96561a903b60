//! Migrates a warehouse that another version of the models built.
//!
//! `ops.models` contains a hash of every model file and table file. If the file of a table changed,
//! the table is dropped and rebuilt from `staging`, which keeps all source rows. If only a model
//! changed, the next run writes the rows that differ. In both cases all companies are marked for
//! recomputation. Tables and views of users are kept.

use std::{collections::BTreeMap, path::Path};

use ::duckdb::{Connection, Result};
use findata_domain::schema_version;
use findata_models::{
    Models, hashes,
    schema::{self, Stored},
    tables,
};

use crate::{main_views, texts};

/// The column of FMP's rows in `create table` statements.
const PAYLOAD: &str = "payload varchar";
/// The column with FSST, the compression that DuckDB also chooses itself. When DuckDB compares methods,
/// it keeps all distinct texts of a row group in memory, outside the memory limit: a checkpoint of
/// balance sheets took 280 MB, and takes 65 MB with a fixed method.
const COMPRESSED_PAYLOAD: &str = "payload varchar using compression fsst";

/// What to do with a file that a newer build has upgraded.
const FIX: &str = "; `findata upgrade --rollback` goes back to the file from before the upgrade";

/// Returns the version of the tables; `None` if the file has none of findata.
pub(crate) fn version(connection: &Connection) -> Result<Option<u32>> {
    let tables = "select table_name from duckdb_tables() \
                  where database_name = current_database() and schema_name = 'ops' and table_name = 'models'";
    if texts(connection, tables)?.is_empty() {
        return Ok(None);
    }
    texts(connection, schema_version::RECORDED).map(|rows| Some(schema_version::version(&rows)))
}

/// Refuses a file that a newer build has upgraded.
pub(crate) fn refuse_newer(path: &Path, version: Option<u32>) -> findata_domain::Result<()> {
    schema_version::refuse_newer(&path.display().to_string(), version.unwrap_or_default(), FIX)
}

/// Reads what a file has.
pub(crate) fn stored(connection: &Connection) -> Result<Stored> {
    let columns = format!("{} and table_catalog = current_database()", schema::COLUMNS);
    let stored = Stored::new(texts(connection, &columns)?);
    if !stored.is_set_up() {
        return Ok(stored);
    }
    Ok(stored.with_recorded(texts(connection, schema_version::RECORDED)?))
}

/// Creates missing tables, and replaces tables that another version of the models built.
pub(crate) fn prepare(connection: &Connection, models: &Models) -> Result<()> {
    for statement in tables::setup() {
        connection.execute_batch(&statement.replace(PAYLOAD, COMPRESSED_PAYLOAD))?;
    }
    let recorded = texts(connection, schema_version::RECORDED)?;
    let is_marked = schema_version::version(&recorded) == schema_version::SCHEMA_VERSION;
    let known = hashes::known(recorded);
    let current = hashes::hashes(models.tables.iter().chain(&models.models));
    if known == current && is_marked {
        return main_views::write(connection, models);
    }
    connection.execute_batch("begin transaction")?;
    let rebuilt = if known == current {
        Ok(())
    } else {
        rebuild(connection, models, &known, &current)
    };
    let mark = || schema_version::record_version().iter().try_for_each(|sql| connection.execute_batch(sql));
    let result = rebuilt.and_then(|()| mark());
    connection.execute_batch(if result.is_ok() { "commit" } else { "rollback" })?;
    result
}

fn rebuild(
    connection: &Connection,
    models: &Models,
    known: &BTreeMap<String, String>,
    current: &BTreeMap<String, String>,
) -> Result<()> {
    // Users may have tables and views in the same schemas: only those of findata are recorded or current.
    let is_own = |file: &String| known.contains_key(file) || current.contains_key(file);
    let views = "select view_name, schema_name || '.' || view_name from duckdb_views() \
                 where not internal and schema_name in ('raw', 'staging', 'analytics', 'ops')";
    for (view, full_name) in pairs(connection, views)? {
        if is_own(&format!("views/{view}.sql")) {
            connection.execute_batch(&format!("drop view {full_name}"))?;
        }
    }
    main_views::drop_all(connection)?;
    let tables = "select table_name, schema_name || '.' || table_name from duckdb_tables() \
                  where schema_name in ('analytics', 'ops')";
    let mut has_figures = false;
    for (table, full_name) in pairs(connection, tables)? {
        let file = format!("tables/{table}.sql");
        if !is_own(&file) {
            continue;
        }
        has_figures = true;
        if known.get(&file) != current.get(&file) {
            connection.execute_batch(&format!("drop table {full_name}"))?;
        }
    }
    for table in &models.tables {
        connection.execute_batch(&table.sql)?;
    }
    main_views::write(connection, models)?;
    if has_figures {
        tracing::warn!("the models or the metrics file have changed: this run recomputes all figures");
        connection.execute_batch(hashes::ALL_COMPANIES_ARE_DUE)?;
    }
    // Delete all hashes first, because some may be of files that no longer exist.
    connection.execute_batch("delete from ops.models")?;
    hashes::record(current)
        .iter()
        .try_for_each(|statement| connection.execute_batch(statement))
}

fn pairs(connection: &Connection, query: &str) -> Result<Vec<(String, String)>> {
    let pair = |row: Vec<Option<String>>| <[Option<String>; 2]>::try_from(row).ok();
    Ok(texts(connection, query)?
        .into_iter()
        .filter_map(|row| match pair(row)? {
            [Some(first), Some(second)] => Some((first, second)),
            _ => None,
        })
        .collect())
}
