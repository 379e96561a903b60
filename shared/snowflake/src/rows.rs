//! The rows of a query response.

use findata_domain::{Error, Result};
use serde_json::Value;

/// The rows of a response, with all values as text.
#[derive(Default)]
pub(super) struct Rows {
    columns: Vec<String>,
    pub(super) values: Vec<Vec<Option<String>>>,
}

impl Rows {
    /// Converts the rows from the client's JSON.
    ///
    /// # Errors
    /// `Stop` if the JSON has an unexpected structure.
    pub(super) fn new(columns: Vec<String>, json: Value) -> Result<Self> {
        Ok(Rows { columns, values: texts(json)? })
    }

    /// The number of rows that a DML statement inserted, updated or deleted. The response to such a statement has one
    /// row with these counts.
    pub(super) fn changed(&self) -> u64 {
        let counts = |name: &str| {
            ["inserted", "updated", "deleted"]
                .iter()
                .any(|change| name.eq_ignore_ascii_case(&format!("number of rows {change}")))
        };
        let number =
            |cell: &Option<String>| cell.as_deref().and_then(|n| n.parse::<u64>().ok()).unwrap_or_default();
        let row = self.values.first().map(Vec::as_slice).unwrap_or_default();
        self.columns
            .iter()
            .zip(row)
            .filter(|(name, _)| counts(name))
            .map(|(_, cell)| number(cell))
            .sum()
    }
}

fn texts(rows: Value) -> Result<Vec<Vec<Option<String>>>> {
    let invalid = || Error::Stop("Snowflake returned rows in an unexpected format".into());
    let cell = |cell: Value| match cell {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(_) | Value::Bool(_) => Ok(Some(cell.to_string())),
        Value::Array(_) | Value::Object(_) => Err(invalid()),
    };
    let row = |row: Value| match row {
        Value::Array(cells) => cells.into_iter().map(cell).collect(),
        _ => Err(invalid()),
    };
    match rows {
        Value::Array(rows) => rows.into_iter().map(row).collect(),
        _ => Err(invalid()),
    }
}
