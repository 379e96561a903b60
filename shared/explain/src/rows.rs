//! Reads rows of the warehouse as text, by column name.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use duckdb::Connection;
use findata_domain::{Error, Result};
use serde_json::value::RawValue;

/// A row: the values of the columns that are not NULL, as text by column name.
pub type Row = BTreeMap<String, String>;

/// A period, identified by its end and basis.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The period's end.
    pub date: NaiveDate,
    /// Q1 to Q4, FY or TTM.
    pub basis: String,
}

fn failure(error: &duckdb::Error) -> Error {
    Error::Stop(format!(
        "cannot read the warehouse: {}",
        error.to_string().lines().next().unwrap_or_default()
    ))
}

/// Runs a statement that creates a temporary table.
///
/// # Errors
/// `Stop` if the statement fails.
pub fn execute(connection: &Connection, sql: &str) -> Result<()> {
    connection.execute_batch(sql).map_err(|e| failure(&e))
}

/// Runs a query and returns its rows.
///
/// # Errors
/// `Stop` if the query fails.
pub fn rows(connection: &Connection, sql: &str) -> Result<Vec<Row>> {
    let failed = |e: duckdb::Error| failure(&e);
    let mut statement = connection
        .prepare(&format!("select to_json(q)::varchar from ({sql}) q"))
        .map_err(failed)?;
    let texts = statement.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
    texts.map(|text| Ok(fields(&text.map_err(failed)?))).collect()
}

/// Returns the fields of a JSON object, without nulls. Strings are unquoted; numbers stay as
/// written.
pub fn fields(json: &str) -> Row {
    let raw: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).unwrap_or_default();
    let text = |value: &RawValue| match serde_json::from_str::<String>(value.get()) {
        Ok(text) => Some(text),
        Err(_) => (value.get() != "null").then(|| value.get().to_owned()),
    };
    raw.into_iter().filter_map(|(name, value)| Some((name, text(&value)?))).collect()
}

/// Parses a date column of a row.
pub fn date(row: &Row, column: &str) -> Option<NaiveDate> {
    row.get(column).and_then(|text| text.get(..10)).and_then(|text| text.parse().ok())
}

/// Parses a numeric column of a row.
pub fn figure(row: &Row, column: &str) -> Option<f64> {
    row.get(column).and_then(|text| text.parse().ok())
}
