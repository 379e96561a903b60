//! Converts FMP's answers to typed, checked rows.
//!
//! A typed value is canonical text or NULL. An implausible row is quarantined with a reason and its
//! payload, and does not affect other rows.

mod bounded;
mod checks;
pub mod record;
mod statement;
mod value;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fmt,
    sync::OnceLock,
};

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

pub use bounded::{MAX_LIST, MAX_SERIES, list};
pub use value::is_plausible;

use crate::{
    Result, Symbol,
    catalog::{CATALOG, Dataset},
    hash::hex,
};

/// One row of an answer.
#[derive(Debug)]
pub struct Row<'a> {
    /// The symbol that was requested or, in a list, the symbol in the row.
    pub symbol: String,
    /// Typed values as canonical text, in the order of the dataset's columns.
    pub values: Vec<Option<String>>,
    /// Hash of the typed values. Rows with the same hash have the same content.
    pub hash: String,
    /// The reason if the row is quarantined.
    pub reject: Option<String>,
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
    symbol: Option<&Symbol>,
    max_rows: usize,
    body: &'a [u8],
) -> Result<(Vec<Row<'a>>, Drift)> {
    let raw: Vec<&RawValue> = bounded::list(body, max_rows)?;
    let mut rows = Vec::with_capacity(raw.len());
    let mut answer = OneByOne::new(dataset);
    for payload in raw {
        rows.push(answer.row(symbol, payload.get())?);
    }
    Ok((rows, answer.drift()))
}

/// Converts the rows of an FMP response to typed rows, one at a time, in the order in which they arrive.
#[derive(Debug)]
pub struct OneByOne {
    dataset: &'static Dataset,
    /// Keys of the rows so far that passed every check, to detect duplicates.
    keys: HashSet<String>,
    seen: Vec<bool>,
    rows: u64,
}

impl OneByOne {
    /// Starts an answer; it has no rows yet.
    pub fn new(dataset: &'static Dataset) -> Self {
        OneByOne {
            dataset,
            keys: HashSet::new(),
            seen: vec![false; dataset.columns.len()],
            rows: 0,
        }
    }

    /// Converts the JSON of the next row to a typed row.
    ///
    /// # Errors
    /// `Retry` if the row is not a JSON object.
    pub fn row<'a>(&mut self, symbol: Option<&Symbol>, payload: &'a str) -> Result<Row<'a>> {
        let mut row = typed_row(self.dataset, symbol, payload, &mut self.seen).map_err(bounded::broken)?;
        if row.reject.is_none() && !self.keys.insert(key(self.dataset, &row)) {
            row.reject = Some("duplicate_key: the answer holds this key twice".into());
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
        let missing = |(column, seen): (&crate::catalog::Column, &bool)| {
            (!seen && !column.field.is_empty()).then_some(column.field)
        };
        if self.rows == 0 {
            Vec::new()
        } else {
            self.dataset.columns.iter().zip(&self.seen).filter_map(missing).collect()
        }
    }
}

fn typed_row<'a>(
    dataset: &'static Dataset,
    symbol: Option<&Symbol>,
    payload: &'a str,
    seen: &mut [bool],
) -> Result<Row<'a>, serde_json::Error> {
    let Fields(fields) = serde_json::from_str(payload)?;
    let positions = positions(dataset);
    let mut values: Vec<Option<String>> = vec![None; dataset.columns.len()];
    let mut reject = None;
    for (name, raw) in fields {
        let Some(&position) = positions.get(name.as_ref()) else {
            continue;
        };
        seen[position] = true;
        let column = &dataset.columns[position];
        match value::canonical(column.kind, raw.get()) {
            Ok(value) => values[position] = value,
            Err(why) => {
                reject.get_or_insert_with(|| format!("retyped_field: {}: {why}", column.field));
            }
        }
    }
    if reject.is_none() {
        statement::derive(dataset, &mut values);
        let absent = dataset.columns.iter().zip(&values).find(|(c, v)| c.required && v.is_none());
        reject = absent.map(|(c, _)| format!("missing_field: {}", c.field));
    }
    let asked = symbol.map(Symbol::as_str);
    let own = dataset.columns.iter().position(|c| c.name == "symbol").and_then(|i| values[i].clone());
    let mut row = Row {
        symbol: own.unwrap_or_default(),
        hash: hash(&values),
        values,
        reject,
        payload,
    };
    if row.reject.is_none() {
        row.reject = checks::impossible(dataset, &row, asked);
    }
    if let Some(asked) = asked
        && row.symbol != asked
    {
        row.symbol = asked.to_owned();
    }
    Ok(row)
}

fn key(dataset: &Dataset, row: &Row<'_>) -> String {
    dataset
        .key
        .iter()
        .map(|column| row.get(dataset, column).unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\u{1f}")
}

fn hash(values: &[Option<String>]) -> String {
    let mut digest = Sha256::new();
    for value in values {
        // A NULL and an empty text must have different hashes.
        match value {
            Some(text) => {
                digest.update(b"\x01");
                digest.update(text.as_bytes());
            }
            None => digest.update(b"\x00"),
        }
        digest.update(b"\x1f");
    }
    hex(&digest.finalize()[..16])
}

/// Returns the position of each FMP field in the dataset's columns.
fn positions(dataset: &'static Dataset) -> &'static HashMap<&'static str, usize> {
    static ALL: OnceLock<HashMap<&'static str, HashMap<&'static str, usize>>> = OnceLock::new();
    static NONE: OnceLock<HashMap<&'static str, usize>> = OnceLock::new();
    let of = |d: &'static Dataset| {
        d.columns
            .iter()
            .enumerate()
            .filter(|(_, c)| !c.field.is_empty())
            .map(|(i, c)| (c.field, i))
            .collect()
    };
    ALL.get_or_init(|| CATALOG.iter().map(|d| (d.name, of(d))).collect())
        .get(dataset.name)
        .unwrap_or_else(|| NONE.get_or_init(HashMap::new))
}

/// The fields of a JSON object in order. Values are unparsed JSON, so a number keeps all its
/// digits.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::with_capacity(64);
                while let Some(name) = map.next_key::<Name<'de>>()? {
                    fields.push((name.0, map.next_value::<&RawValue>()?));
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Visitor)
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests;
