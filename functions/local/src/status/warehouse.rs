//! The state of the DuckDB file.

use std::path::Path;

use ::duckdb::Connection;
use findata_domain::Result;
use findata_duckdb::{DuckDb, MemoryLimit, Reach};
use findata_explain::rows::{figure, rows};
use serde::Serialize;

use crate::working_copy;

/// The warehouse, as far as it can be read.
#[derive(Debug, Default, Serialize)]
pub struct WarehouseState {
    /// Name for people.
    pub name: String,
    /// Whether a run is in progress. The tables are then those of the run before. `None` on Snowflake, which
    /// other machines change.
    pub has_run: Option<bool>,
    /// Why it was not read.
    pub not_read: Option<String>,
    /// Number of companies.
    pub companies: Option<u64>,
    /// Newest session.
    pub newest_session: Option<String>,
    /// Number of rows in quarantine.
    pub quarantined: Option<u64>,
}

impl WarehouseState {
    /// Reads a DuckDB file.
    pub fn read(path: &Path, memory: MemoryLimit) -> Self {
        let state = WarehouseState {
            name: path.display().to_string(),
            has_run: Some(working_copy::has_run(path)),
            ..WarehouseState::default()
        };
        if !path.exists() {
            return WarehouseState { not_read: Some("the file does not exist".into()), ..state };
        }
        let read =
            DuckDb::open_to_read(path, Reach::Warehouse, memory).and_then(|open| counts(&open, &state.name));
        match read {
            Ok(read) => WarehouseState { has_run: state.has_run, ..read },
            Err(error) => WarehouseState { not_read: Some(error.to_string()), ..state },
        }
    }

    /// A warehouse that is not read, because it is on Snowflake.
    pub fn on_snowflake(name: String) -> Self {
        let not_read = Some("Snowflake is not queried".into());
        WarehouseState { name, not_read, ..WarehouseState::default() }
    }
}

fn counts(connection: &Connection, name: &str) -> Result<WarehouseState> {
    let found = rows(
        connection,
        "select (select count(*) from analytics.dim_company where is_current) as companies, \
             (select max(price_date)::varchar from analytics.fact_daily_prices) as session, \
             (select count(*) from ops.quarantine) as quarantined",
    )?;
    let row = found.into_iter().next().unwrap_or_default();
    let count = |column: &str| figure(&row, column).map(|n| n as u64);
    Ok(WarehouseState {
        name: name.to_owned(),
        companies: count("companies"),
        newest_session: row.get("session").cloned(),
        quarantined: count("quarantined"),
        ..WarehouseState::default()
    })
}
