//! Opens the warehouse as it was on a past day, with the same table names.
//!
//! Views with the names of the versioned tables show only the rows known at 23:00 UTC of that day;
//! `--today` uses the same time. The views of current data are created again on top of them, from
//! the same SQL. Queries therefore need no change.

use std::path::Path;

use ::duckdb::Connection;
use chrono::NaiveDate;
use findata_domain::Result;
use findata_domain::sql::literal;
use findata_models::tables::SCHEMAS;
use findata_models::{Models, PUBLISHED, Versions};

use crate::{DuckDb, MemoryLimit, Reach, config::read_config, error::failure, main_views, texts};

/// Opens the warehouse at `path` with the data known on `day`.
///
/// # Errors
/// The errors of [`DuckDb::open_to_read`].
pub fn open(
    path: &Path,
    day: NaiveDate,
    reach: Reach<'_>,
    memory: MemoryLimit,
    models: &Models,
) -> Result<Connection> {
    // Report a missing, locked or damaged file with the same errors as for any reader.
    drop(DuckDb::open_to_read(path, reach, memory)?);
    build(path, day, reach, memory, models).map_err(|e| failure(path, &e))
}

fn build(
    path: &Path,
    day: NaiveDate,
    reach: Reach<'_>,
    memory: MemoryLimit,
    models: &Models,
) -> ::duckdb::Result<Connection> {
    let connection = Connection::open_in_memory_with_flags(read_config(memory)?)?;
    connection.execute_batch(&format!("attach {} as home (read_only)", literal(&path.to_string_lossy())))?;
    for schema in SCHEMAS {
        connection.execute_batch(&format!("create schema {schema}"))?;
    }
    let stored = "select schema_name, table_name from duckdb_tables() where database_name = 'home'";
    for row in texts(&connection, stored)? {
        if let [Some(schema), Some(table)] = row.as_slice() {
            connection.execute_batch(&format!(
                "create view {schema}.{table} as {}",
                rows_as_of(schema, table, day)
            ))?;
        }
    }
    for view in models.tables.iter().filter(|t| t.file.starts_with("views/")) {
        connection.execute_batch(&view.sql)?;
    }
    main_views::set_search_path(&connection)?;
    reach.restrict(&connection)?;
    Ok(connection)
}

/// Returns the query for the rows that a table contained on a day.
fn rows_as_of(schema: &str, table: &str, day: NaiveDate) -> String {
    let versioned = |t: &&findata_models::PublishedTable| t.name == table && t.versions != Versions::None;
    let moment = format!("timestamp '{day} 23:00:00'");
    match (schema, table) {
        ("analytics", "dim_company") => format!(
            "select * replace (valid_to is null or valid_to > date '{day}' as is_current, \
             case when valid_to <= date '{day}' then valid_to end as valid_to) \
             from home.analytics.dim_company where valid_from <= date '{day}' \
             or valid_from = (select min(d.valid_from) from home.analytics.dim_company d \
             where d.company_key = dim_company.company_key)"
        ),
        ("analytics", "fact_daily_prices" | "fact_intraday_prices") => {
            format!("select * from home.analytics.{table} where price_date <= date '{day}'")
        }
        ("analytics", "fact_splits") => {
            format!("select * from home.analytics.{table} where split_date <= date '{day}'")
        }
        ("analytics", "fact_dividends") => format!(
            "select * from home.analytics.{table} where ex_date <= date '{day}' or declaration_date <= date '{day}'"
        ),
        ("analytics", _) if PUBLISHED.iter().any(|t| versioned(&t)) => format!(
            "select * replace (case when known_to <= {moment} then known_to end as known_to) \
             from home.{schema}.{table} where known_from <= {moment}"
        ),
        ("staging", "corrections") => format!(
            "select * replace (case when known_to <= {moment} then known_to end as known_to) \
             from home.staging.corrections where known_from <= {moment}"
        ),
        _ => format!("select * from home.{schema}.{table}"),
    }
}
