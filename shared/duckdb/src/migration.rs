//! A warehouse made by another version of the models: what they build is made anew out of `staging`, which keeps everything.
//!
//! `ops.models` holds a hash of every file that made the figures. Where a table's own file changed, the table is dropped and filled
//! again; where only a model changed, the next publish writes the rows that differ. Either way all companies are due for computing.

use std::collections::BTreeMap;

use ::duckdb::{Connection, Result};
use findata_models::tables;
use findata_models::{MODELS, TABLES, hashes};

use crate::texts;

/// Creates what is missing, and replaces what other models made.
pub(crate) fn prepare(connection: &Connection) -> Result<()> {
    for statement in tables::setup() {
        connection.execute_batch(&statement)?;
    }
    let known = hashes::known(texts(connection, "select file, sha256 from ops.models")?);
    let wanted = hashes::hashes(TABLES.iter().chain(MODELS));
    if known == wanted {
        return Ok(());
    }
    connection.execute_batch("begin transaction")?;
    let done = rebuild(connection, &known, &wanted);
    connection.execute_batch(if done.is_ok() { "commit" } else { "rollback" })?;
    done
}

fn rebuild(connection: &Connection, known: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> Result<()> {
    let own_views = "select schema_name || '.' || view_name from duckdb_views() where not internal";
    for view in names(connection, own_views)? {
        connection.execute_batch(&format!("drop view {view}"))?;
    }
    let existing = names(connection, "select table_name from duckdb_tables() where schema_name = 'analytics'")?;
    for table in &existing {
        let file = format!("tables/{table}.sql");
        if known.get(&file).is_none_or(|hash| wanted.get(&file) != Some(hash)) {
            connection.execute_batch(&format!("drop table analytics.{table}"))?;
        }
    }
    for table in TABLES {
        connection.execute_batch(table.sql)?;
    }
    if !existing.is_empty() {
        tracing::warn!("the figures were made by another version of findata: this run computes all of them anew");
        connection.execute_batch(hashes::ALL_COMPANIES_ARE_DUE)?;
    }
    // Files that are no more go too.
    connection.execute_batch("delete from ops.models")?;
    hashes::note(wanted).iter().try_for_each(|statement| connection.execute_batch(statement))
}

fn names(connection: &Connection, query: &str) -> Result<Vec<String>> {
    Ok(texts(connection, query)?.into_iter().filter_map(|row| row.into_iter().next()?).collect())
}
