//! Converts FMP's answers to typed, checked rows.
//!
//! A typed value is canonical text or NULL. An unreadable or impossible field becomes NULL, and a
//! [`Finding`] keeps its text. An implausible row is quarantined with a reason and its payload, and
//! does not affect other rows.

mod answer;
mod bars;
mod bounded;
mod checks;
mod fields;
mod finding;
pub mod record;
mod statement;
mod text;
mod value;

use std::borrow::Cow;

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use fields::{Fields, positions};

pub use answer::{Drift, OneByOne, typed};
pub use bounded::{MAX_LIST, MAX_SERIES, list};
pub use finding::Finding;
pub use statement::IMPOSSIBLE_DATE;
pub use value::is_plausible;

use crate::{
    Symbol,
    catalog::{Column, Dataset, FLAGS, Need},
    hash::hex,
};

/// The request for an answer, and the day of receipt. Rows that do not match the request are
/// quarantined.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The requested symbol, if the request was for a single symbol.
    pub symbol: Option<&'a Symbol>,
    /// The first and the last requested day, if the request was for a range of days.
    pub days: Option<(NaiveDate, NaiveDate)>,
    /// Day of receipt (UTC). A statement of a period that ends later is quarantined.
    pub received_on: NaiveDate,
}

/// One row of an answer.
#[derive(Debug)]
pub struct Row<'a> {
    /// The symbol that was requested or, in a list, the symbol in the row.
    pub symbol: String,
    /// Typed values as canonical text, in the order of the dataset's columns.
    pub values: Vec<Option<String>>,
    /// Hash of the typed values and the findings. Rows with the same hash have the same content.
    pub hash: String,
    /// The reason if the row is quarantined.
    pub reject: Option<String>,
    /// The fields whose values are not used. For a quarantined row: the field that caused the
    /// rejection, if a single field did.
    pub findings: Vec<Finding>,
    /// The row as FMP sent it.
    pub payload: &'a str,
}

impl Row<'_> {
    /// Returns the value of a column.
    pub fn get(&self, dataset: &Dataset, column: &str) -> Option<&str> {
        let position = dataset.columns.iter().position(|c| c.name == column)?;
        self.values.get(position)?.as_deref()
    }
}

fn typed_row<'a>(
    dataset: &'static Dataset,
    asked: &Asked<'_>,
    payload: &'a str,
    seen: &mut [bool],
) -> Result<Row<'a>, serde_json::Error> {
    let Fields(fields) = serde_json::from_str(payload)?;
    let positions = positions(dataset);
    let mut values: Vec<Option<String>> = vec![None; dataset.columns.len()];
    let mut present = vec![false; dataset.columns.len()];
    let mut findings = Vec::new();
    for (name, raw) in fields {
        let Some(&position) = positions.get(name.as_ref()) else {
            continue;
        };
        (seen[position], present[position]) = (true, true);
        let column = &dataset.columns[position];
        match value::canonical(column.kind, dataset.key.contains(&column.name), raw.get()) {
            Ok(value) => values[position] = value,
            Err(why) => {
                let reason = format!("unreadable_field: {}: {why}", column.field);
                findings.push(Finding::new(column.name, reason, &shown(raw.get())));
            }
        }
    }
    checks::drop_out_of_range(dataset, &mut values, &mut findings);
    statement::derive(dataset, &mut values, &mut findings);
    let own = dataset.columns.iter().position(|c| c.name == "symbol").and_then(|i| values[i].clone());
    let mut row = Row {
        symbol: own.unwrap_or_default(),
        hash: hash(dataset, &values, &findings),
        values,
        reject: None,
        findings,
        payload,
    };
    reject_incomplete(dataset, &present, &mut row);
    if row.reject.is_none() {
        row.reject = checks::impossible(dataset, &row, asked);
        if row.reject.is_some() {
            row.findings.clear();
        }
    }
    if let Some(symbol) = asked.symbol
        && row.symbol != symbol.as_str()
    {
        row.symbol = symbol.to_string();
    }
    Ok(row)
}

/// Rejects a row that lacks a value or a field that the catalog requires (see [`Need`]).
fn reject_incomplete(dataset: &'static Dataset, present: &[bool], row: &mut Row<'_>) {
    let is_missing = |(i, column): &(usize, &Column)| match column.need {
        Need::Optional => false,
        Need::Field => !present[*i],
        Need::Value => row.values[*i].is_none(),
    };
    if let Some((_, column)) = dataset.columns.iter().enumerate().find(is_missing) {
        row.findings.retain(|finding| finding.column == column.name);
        row.findings.truncate(1);
        let reason = row.findings.first().map(|finding| finding.reason.clone());
        row.reject = Some(reason.unwrap_or_else(|| format!("missing_field: {}", column.field)));
    }
}

/// Returns the text of a JSON value for people: a string without quotes, other values unchanged.
fn shown(json: &str) -> Cow<'_, str> {
    match json.starts_with('"').then(|| text::decode(json)) {
        Some(Ok(text)) => Cow::Owned(text),
        _ => Cow::Borrowed(json),
    }
}

fn key(dataset: &Dataset, row: &Row<'_>) -> String {
    dataset
        .key
        .iter()
        .map(|column| row.get(dataset, column).unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\u{1f}")
}

fn hash(dataset: &Dataset, values: &[Option<String>], findings: &[Finding]) -> String {
    let mut digest = Sha256::new();
    for (column, value) in dataset.columns.iter().zip(values) {
        // A NULL and an empty text must have different hashes.
        match value {
            Some(text) => {
                digest.update(b"\x01");
                digest.update(text.as_bytes());
            }
            // Earlier builds hashed rows without this column. A NULL must not change their hashes.
            None if column.name == FLAGS => continue,
            None => digest.update(b"\x00"),
        }
        digest.update(b"\x1f");
    }
    for finding in findings {
        digest.update(b"\x02");
        digest.update(finding.line().as_bytes());
    }
    hex(&digest.finalize()[..16])
}

#[cfg(test)]
mod bar_tests;
#[cfg(test)]
mod tests;
