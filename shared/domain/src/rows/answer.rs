//! The rows of one answer together: the same row twice, repeated bars, fields that no row has.

use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;

use crate::{
    Result,
    catalog::{Column, Dataset, History, Need, RowChecks},
};

use super::{Asked, Row, bars, bounded, key, typed_row};

/// An answer of at least this many rows without a usable value in the same needed field has another format.
const ROWS_OF_A_FORMAT: usize = 4;

/// Catalog fields that no row of an answer had.
pub type Drift = Vec<&'static str>;

/// The rows of an answer, and the fields missing from all of them. `max_rows` bounds the memory that an answer can take:
/// rows are counted before they are typed.
///
/// # Errors
/// `Retry` if the body is not a JSON array of objects, which is what a broken transfer looks like; `Reject` if it has
/// more than `max_rows` rows.
pub fn typed<'a>(
    dataset: &'static Dataset,
    asked: &Asked<'_>,
    max_rows: usize,
    body: &'a [u8],
) -> Result<(Vec<Row<'a>>, Drift)> {
    let raw: Vec<&RawValue> = bounded::list(body, max_rows)?;
    let mut rows = Vec::with_capacity(raw.len());
    let mut answer = OneByOne::new(dataset);
    for payload in raw {
        rows.push(answer.row(asked, payload.get())?);
    }
    if dataset.checks == RowChecks::Bars {
        bars::reject_repeats(dataset, &mut rows);
    }
    reject_other_format(dataset, &mut rows);
    Ok((rows, answer.drift()))
}

/// Rejects all rows if a needed field is unreadable or out of range in each: its format or unit has changed, and NULL would
/// replace good values.
fn reject_other_format(dataset: &'static Dataset, rows: &mut [Row<'_>]) {
    if rows.len() < ROWS_OF_A_FORMAT {
        return;
    }
    let is_unusable = |row: &Row<'_>, column: &Column| row.findings.iter().any(|f| f.column == column.name);
    let needed = dataset.columns.iter().filter(|column| column.need == Need::Field);
    for column in needed {
        if rows.iter().all(|row| is_unusable(row, column)) {
            for row in &mut *rows {
                row.findings.retain(|finding| finding.column == column.name);
                row.reject = row.findings.first().map(|finding| finding.reason.clone());
            }
            return;
        }
    }
}

/// Types the rows of one answer as they arrive.
#[derive(Debug)]
pub struct OneByOne {
    dataset: &'static Dataset,
    /// Keys of the good rows so far, each with the hashes of its rows.
    keys: HashMap<String, HashSet<String>>,
    seen: Vec<bool>,
    rows: u64,
}

impl OneByOne {
    /// An answer before its first row.
    pub fn new(dataset: &'static Dataset) -> Self {
        OneByOne {
            dataset,
            keys: HashMap::new(),
            seen: vec![false; dataset.columns.len()],
            rows: 0,
        }
    }

    /// The next row, from its JSON. A row that repeats an earlier one is accepted, and load counts it once. Rows of one
    /// key that differ are versions, if the dataset keeps versions; otherwise the first counts.
    ///
    /// # Errors
    /// As for [`typed`].
    pub fn row<'a>(&mut self, asked: &Asked<'_>, payload: &'a str) -> Result<Row<'a>> {
        let mut row = typed_row(self.dataset, asked, payload, &mut self.seen).map_err(bounded::broken)?;
        if row.reject.is_none() {
            let hashes = self.keys.entry(key(self.dataset, &row)).or_default();
            let is_other = hashes.insert(row.hash.clone()) && hashes.len() > 1;
            if is_other && self.dataset.history == History::Current {
                row.reject = Some("duplicate_key: the answer holds this key twice, with other values".into());
                row.findings.clear();
            }
        }
        self.rows += 1;
        Ok(row)
    }

    /// The number of rows so far.
    pub fn count(&self) -> u64 {
        self.rows
    }

    /// The fields missing from all rows so far.
    pub fn drift(&self) -> Drift {
        let missing =
            |(column, seen): (&Column, &bool)| (!seen && !column.field.is_empty()).then_some(column.field);
        if self.rows == 0 {
            Vec::new()
        } else {
            self.dataset.columns.iter().zip(&self.seen).filter_map(missing).collect()
        }
    }
}
