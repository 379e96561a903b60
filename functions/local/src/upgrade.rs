//! A warehouse made by another version of the models: what they build is made anew out of `staging`, which keeps everything.
//!
//! `ops.models` holds a hash of every file that made the figures. Where a table's own file changed, the table is dropped and filled
//! again; where only a model changed, the next publish writes the rows that differ. Either way all companies are due for computing.

use std::collections::BTreeMap;

use ::duckdb::{Connection, Result};
use findata_analytics::models::{MODELS, Model, TABLES};
use findata_shared::{
    hash,
    warehouse::{literal, tables},
};

use crate::duckdb::texts;

/// Makes every company due for computing, on every day.
pub(crate) const ALL_DUE: &str = "insert into ops.changes (run_id, dataset, symbol, first_date) \
     select distinct 'models', 'models', symbol, null::date from ( \
     select symbol from staging.profile union select symbol from staging.income_statement union select symbol from staging.prices)";

/// Creates what is missing, and replaces what other models made.
pub(crate) fn prepare(connection: &Connection) -> Result<()> {
    for statement in tables::setup() {
        connection.execute_batch(&statement)?;
    }
    let pairs = |rows: Vec<Vec<Option<String>>>| -> BTreeMap<String, String> {
        rows.into_iter().filter_map(|row| Some((row.first()?.clone()?, row.get(1)?.clone()?))).collect()
    };
    let known = pairs(texts(connection, "select file, sha256 from ops.models")?);
    let own = |m: &Model| (m.file.to_owned(), hash::sha256(m.sql.as_bytes()));
    let wanted: BTreeMap<String, String> = TABLES.iter().chain(MODELS).map(own).collect();
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
        connection.execute_batch(ALL_DUE)?;
    }
    let rows: Vec<String> = wanted.iter().map(|(f, h)| format!("({}, {})", literal(f), literal(h))).collect();
    connection.execute_batch(&format!("delete from ops.models; insert into ops.models values {}", rows.join(", ")))
}

fn names(connection: &Connection, query: &str) -> Result<Vec<String>> {
    Ok(texts(connection, query)?.into_iter().filter_map(|row| row.into_iter().next()?).collect())
}
