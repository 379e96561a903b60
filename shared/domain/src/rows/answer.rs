//! Types the rows of an answer, and checks them against each other: for duplicate keys, repeated
//! bars, and fields that are missing or unusable in every row.

use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;

use crate::{
    Result,
    catalog::{Column, Dataset, History, Need, RowChecks},
};

use super::{Asked, Row, bars, bounded, key, typed_row};

/// Number of rows that an answer needs before [`reject_other_format`] concludes that the format of
/// a field has changed. With fewer rows, the cause may be errors in single rows.
const ROWS_OF_A_FORMAT: usize = 4;

/// Fields of the catalog that were missing from every row of an answer.
pub type Drift = Vec<&'static str>;

/// Returns the rows of an answer, and the catalog fields missing from all of them. Rows are counted
/// before they are typed, so `max_rows` limits the memory for an answer.
///
/// # Errors
/// `Retry` if the body is not a JSON array of objects, for example after a broken transfer;
/// `Reject` if it has more than `max_rows` rows.
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

/// Rejects all rows if a field of [`Need::Field`] is unreadable or out of range in every row. FMP
/// has probably changed the format or the unit of the field, and a NULL would replace the correct
/// stored values.
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

/// Converts the rows of an FMP response to typed rows, one at a time, in the order in which they
/// arrive.
#[derive(Debug)]
pub struct OneByOne {
    dataset: &'static Dataset,
    /// Keys of the rows so far that passed every check, each with the hashes of its rows, to detect
    /// duplicates.
    keys: HashMap<String, HashSet<String>>,
    seen: Vec<bool>,
    rows: u64,
}

impl OneByOne {
    /// Starts an answer; it has no rows yet.
    pub fn new(dataset: &'static Dataset) -> Self {
        OneByOne {
            dataset,
            keys: HashMap::new(),
            seen: vec![false; dataset.columns.len()],
            rows: 0,
        }
    }

    /// Converts the JSON of the next row to a typed row. Accepts a row that repeats an earlier row,
    /// because load stores it only once. A row with the key of an earlier row and other content is
    /// a further version if the dataset keeps versions; otherwise it is rejected.
    ///
    /// # Errors
    /// `Retry` if the row is not a JSON object.
    pub fn row<'a>(&mut self, asked: &Asked<'_>, payload: &'a str) -> Result<Row<'a>> {
        let mut row = typed_row(self.dataset, asked, payload, &mut self.seen).map_err(bounded::broken)?;
        if row.reject.is_none() {
            let hashes = self.keys.entry(key(self.dataset, &row)).or_default();
            let is_other = hashes.insert(row.hash.clone()) && hashes.len() > 1;
            if is_other && self.dataset.history == History::Current {
                row.reject =
                    Some("duplicate_key: the answer contains this key twice with different values".into());
                row.findings.clear();
            }
        }
        self.rows += 1;
        Ok(row)
    }

    /// Returns the number of rows so far.
    pub fn count(&self) -> u64 {
        self.rows
    }

    /// Returns the catalog fields missing from all rows so far.
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
