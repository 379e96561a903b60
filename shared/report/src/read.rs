//! Reads rows of the warehouse by company.

use std::collections::BTreeMap;

use duckdb::Connection;
use findata_domain::Result;
use findata_explain::rows::{Row, figure, rows};

/// Rows by symbol.
pub type BySymbol = BTreeMap<String, Row>;

/// Runs a query with one row per company.
pub fn by_symbol(connection: &Connection, sql: &str) -> Result<BySymbol> {
    let keyed = rows(connection, sql)?
        .into_iter()
        .filter_map(|row| Some((row.get("symbol")?.clone(), row)));
    Ok(keyed.collect())
}

/// Returns a text column.
pub fn text(row: &Row, column: &str) -> Option<String> {
    row.get(column).cloned()
}

/// Returns an integer column; 0 for NULL.
pub fn count(row: &Row, column: &str) -> u64 {
    figure(row, column).map_or(0, |value| value as u64)
}

/// Returns the codes of a row's `suspect_reason`.
pub fn suspicions(row: &Row) -> Vec<String> {
    let codes = row.get("suspect_reason").map(|codes| codes.split(", ").map(str::to_owned).collect());
    codes.unwrap_or_default()
}
