//! Converts FMP's answers to typed, checked rows.
//!
//! A value is canonical text or NULL. An unreadable or impossible field is NULL, and its text is kept as a [`Finding`]. A
//! row that cannot be right keeps its payload, gets a reason and is quarantined; it never affects other rows.

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

/// What was requested and when the answer came. Rows that do not belong to it are quarantined.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The company, if one was named.
    pub symbol: Option<&'a Symbol>,
    /// The first and the last day, of a dataset that is requested by days.
    pub days: Option<(NaiveDate, NaiveDate)>,
    /// Day of receipt (UTC): no period can end after it.
    pub received_on: NaiveDate,
}

/// One row of an answer.
#[derive(Debug)]
pub struct Row<'a> {
    /// The symbol that was requested or, in a list, the symbol in the row.
    pub symbol: String,
    /// Typed values as canonical text, in the order of the dataset's columns.
    pub values: Vec<Option<String>>,
    /// Hash of the typed values and the findings: rows with equal hashes have equal content.
    pub hash: String,
    /// The reason if the row is quarantined.
    pub reject: Option<String>,
    /// The fields that are not used; of a quarantined row, the one that it is quarantined for, if it is one.
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

/// Rejects a row that lacks a value or a field without which it says nothing.
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

/// A field as a reader sees it: a text without its quotes.
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
        // A NULL and an empty text must not hash alike.
        match value {
            Some(text) => {
                digest.update(b"\x01");
                digest.update(text.as_bytes());
            }
            // Stored rows were hashed before the column existed.
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
