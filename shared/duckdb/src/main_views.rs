//! Views in the schema `main` with the names of the tables and views of `analytics`.
//!
//! A DuckDB file stores no search path: a client looks for names without a schema in `main`. With these views,
//! `show tables` lists the published tables, and queries need no schema. A table or view of the user with the same
//! name stays, and findata never reads from `main`.

use std::collections::BTreeMap;

use ::duckdb::{Connection, Result};
use findata_models::Models;

use crate::texts;

/// The tables and views of the user and of findata in `main`, in lower case, with the definition of a view.
const STORED: &str = "select lower(view_name), sql from duckdb_views() \
     where database_name = current_database() and schema_name = 'main' and not internal \
     union all select lower(table_name), '' from duckdb_tables() \
     where database_name = current_database() and schema_name = 'main' and not internal";

/// Creates the views that are missing, and drops those of tables that no longer exist.
pub(crate) fn write(connection: &Connection, models: &Models) -> Result<()> {
    let stored = stored(connection)?;
    let names: Vec<&str> = models.names("analytics").collect();
    for name in names.iter().filter(|name| !stored.contains_key(**name)) {
        connection.execute_batch(&format!("create view main.{name} as select * from analytics.{name}"))?;
    }
    let is_old = |name: &str, sql: &str| is_ours(name, sql) && !names.contains(&name);
    for (name, _) in stored.iter().filter(|(name, sql)| is_old(name, sql)) {
        connection.execute_batch(&format!("drop view main.{name}"))?;
    }
    Ok(())
}

/// Drops the views, so that they are created again with the present columns.
pub(crate) fn drop_all(connection: &Connection) -> Result<()> {
    for (name, _) in stored(connection)?.iter().filter(|(name, sql)| is_ours(name, sql)) {
        connection.execute_batch(&format!("drop view main.{name}"))?;
    }
    Ok(())
}

/// Lets queries find the tables of `analytics` without a schema in a file that lacks the views, because no run has
/// opened it since they exist. With the views, such a search path would list every table twice.
pub(crate) fn stand_in(connection: &Connection) -> Result<()> {
    let has_views = stored(connection)?.iter().any(|(name, sql)| is_ours(name, sql));
    // DuckDB refuses a search path with a schema that does not exist, as in a file that is not findata's.
    let schema = "select schema_name from duckdb_schemas() \
                  where database_name = current_database() and schema_name = 'analytics'";
    if has_views || texts(connection, schema)?.is_empty() {
        return Ok(());
    }
    set_search_path(connection)
}

/// Lets queries find the tables of `analytics` without a schema. The user's tables in `main` come first.
pub(crate) fn set_search_path(connection: &Connection) -> Result<()> {
    connection.execute_batch("set search_path = 'main,analytics'")
}

fn stored(connection: &Connection) -> Result<BTreeMap<String, String>> {
    let rows = texts(connection, STORED)?;
    Ok(rows
        .into_iter()
        .filter_map(|row| match <[Option<String>; 2]>::try_from(row) {
            Ok([name, sql]) => Some((name?, sql.unwrap_or_default())),
            Err(_) => None,
        })
        .collect())
}

/// Whether a view only repeats the table of the same name.
fn is_ours(name: &str, sql: &str) -> bool {
    sql.trim_end_matches(';')
        .to_lowercase()
        .ends_with(&format!(" as select * from analytics.{name}"))
}
