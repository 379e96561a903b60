//! From FMP's answer to typed, checked rows. A value is canonical text or nothing; a row that cannot be true
//! keeps its payload and gets a reason, and never stops the others.

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

use crate::{
    Error, Result, Symbol,
    catalog::{CATALOG, Dataset},
    hash::hex,
};

/// One row of an answer.
#[derive(Debug)]
pub struct Row<'a> {
    /// Whose.
    pub symbol: String,
    /// Typed values in the order of the dataset's columns, as canonical text.
    pub values: Vec<Option<String>>,
    /// Content hash of the typed values: two rows with one hash say the same.
    pub hash: String,
    /// Why it is set aside, where it is.
    pub reject: Option<String>,
    /// The row as FMP sent it.
    pub payload: &'a str,
}

impl Row<'_> {
    /// The value of a column.
    pub fn get(&self, dataset: &Dataset, column: &str) -> Option<&str> {
        let position = dataset.columns.iter().position(|c| c.name == column)?;
        self.values.get(position)?.as_deref()
    }
}

/// Fields of an answer that the catalog asks for and no row had.
pub type Drift = Vec<&'static str>;

/// The rows of an answer, and the fields that were missing in all of them.
///
/// # Errors
/// `Retry` when the body is no JSON array of objects, which is what a broken transfer looks like.
pub fn typed<'a>(dataset: &'static Dataset, symbol: Option<&Symbol>, body: &'a [u8]) -> Result<(Vec<Row<'a>>, Drift)> {
    let broken = |e: serde_json::Error| Error::retry(format!("the answer is no JSON array of rows: {e}"));
    let raw: Vec<&RawValue> = serde_json::from_slice(body).map_err(broken)?;
    let mut rows = Vec::with_capacity(raw.len());
    let mut answer = OneByOne::new(dataset);
    for payload in raw {
        rows.push(answer.row(symbol, payload.get())?);
    }
    Ok((rows, answer.drift()))
}

/// The rows of an answer that comes one by one.
#[derive(Debug)]
pub struct OneByOne {
    dataset: &'static Dataset,
    /// Keys of the good rows so far.
    keys: HashSet<String>,
    seen: Vec<bool>,
    rows: u64,
}

impl OneByOne {
    /// An answer of which nothing came yet.
    pub fn new(dataset: &'static Dataset) -> Self {
        OneByOne { dataset, keys: HashSet::new(), seen: vec![false; dataset.columns.len()], rows: 0 }
    }

    /// The next row, from its JSON.
    ///
    /// # Errors
    /// As for [`typed`].
    pub fn row<'a>(&mut self, symbol: Option<&Symbol>, payload: &'a str) -> Result<Row<'a>> {
        let broken = |e: serde_json::Error| Error::retry(format!("the answer is no JSON array of rows: {e}"));
        let mut row = typed_row(self.dataset, symbol, payload, &mut self.seen).map_err(broken)?;
        if row.reject.is_none() && !self.keys.insert(key(self.dataset, &row)) {
            row.reject = Some("duplicate_key: the answer holds this key twice".into());
        }
        self.rows += 1;
        Ok(row)
    }

    /// The fields that were missing in all rows.
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
        let Some(&position) = positions.get(name.as_ref()) else { continue };
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
    let mut row = Row { symbol: own.unwrap_or_default(), hash: hash(&values), values, reject, payload };
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
    dataset.key.iter().map(|column| row.get(dataset, column).unwrap_or_default()).collect::<Vec<_>>().join("\u{1f}")
}

fn hash(values: &[Option<String>]) -> String {
    let mut digest = Sha256::new();
    for value in values {
        // A NULL and an empty text must not hash alike.
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

/// Where each of FMP's fields stands among a dataset's columns.
fn positions(dataset: &'static Dataset) -> &'static HashMap<&'static str, usize> {
    static ALL: OnceLock<HashMap<&'static str, HashMap<&'static str, usize>>> = OnceLock::new();
    static NONE: OnceLock<HashMap<&'static str, usize>> = OnceLock::new();
    let of = |d: &'static Dataset| {
        d.columns.iter().enumerate().filter(|(_, c)| !c.field.is_empty()).map(|(i, c)| (c.field, i)).collect()
    };
    ALL.get_or_init(|| CATALOG.iter().map(|d| (d.name, of(d))).collect())
        .get(dataset.name)
        .unwrap_or_else(|| NONE.get_or_init(HashMap::new))
}

/// An object's fields in their order, values as written: a number keeps its digits.
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
mod tests {
    use super::*;
    use crate::catalog::dataset;

    fn one(name: &str, symbol: &str, json: &str) -> (Option<String>, Vec<Option<String>>, String) {
        let (rows, _) = typed(dataset(name).unwrap(), Some(&symbol.parse().unwrap()), json.as_bytes()).unwrap();
        let row = &rows[0];
        (row.reject.clone(), row.values.clone(), row.hash.clone())
    }

    #[test]
    fn a_bar_keeps_its_digits_and_hashes_by_what_it_says() {
        let bar = r#"[{"symbol":"AAPL","date":"2026-11-20","open":1.10,"high":2e0,"low":1,"close":1.5,"volume":"10.5","extra":1}]"#;
        let (reject, values, hash) = one("prices", "AAPL", bar);
        assert_eq!(reject, None);
        assert_eq!(values[2].as_deref(), Some("1.1"));
        assert_eq!(values[3].as_deref(), Some("2"));
        assert_eq!(values[6].as_deref(), Some("10.5"));
        let same = bar.replace("1.10", "1.1").replace(r#","extra":1"#, "");
        assert_eq!(one("prices", "AAPL", &same).2, hash);
        assert_ne!(one("prices", "AAPL", &bar.replace("1.10", "1.11")).2, hash);
    }

    #[test]
    fn what_cannot_be_true_is_set_aside_with_its_reason() {
        let bar = |fields: &str| {
            format!(r#"[{{"symbol":"AAPL","date":"2026-11-20","open":1,"high":2,"low":1,"close":1.5{fields}}}]"#)
        };
        for (json, reason) in [
            (bar("").replace("\"AAPL\"", "\"MSFT\""), "other_symbol"),
            (bar("").replace("2026-11-20", "soon"), "retyped_field"),
            (bar("").replace("\"high\":2", "\"high\":0.5"), "high_below_low"),
            (bar("").replace("\"close\":1.5", "\"close\":0"), "price_not_positive"),
            (bar("").replace("\"close\":1.5", "\"close\":null"), "missing_field"),
            (bar("").replace("\"close\":1.5", "\"close\":\"abc\""), "retyped_field"),
            (bar(",\"volume\":{}"), "retyped_field"),
        ] {
            let (reject, ..) = one("prices", "AAPL", &json);
            assert!(reject.as_deref().is_some_and(|r| r.starts_with(reason)), "{json}: {reject:?}");
        }
        let twice = r#"[{"symbol":"A","date":"2026-11-20","close":1},{"symbol":"A","date":"2026-11-20","close":2}]"#;
        let (rows, drift) = typed(dataset("prices").unwrap(), Some(&"A".parse().unwrap()), twice.as_bytes()).unwrap();
        assert!(rows[0].reject.is_none() && rows[1].reject.is_some());
        assert!(drift.contains(&"open"));
    }

    #[test]
    fn a_broken_body_is_no_data() {
        for body in ["", "{", "[{\"symbol\":\"A\"", "{\"Error Message\":\"x\"}", "[1]", "<html>"] {
            assert!(typed(dataset("prices").unwrap(), None, body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_filing_after_the_close_counts_from_the_next_day() {
        let statement = |accepted: &str, filed: &str| {
            format!(
                r#"[{{"symbol":"A","date":"2026-06-30","period":"Q2","fiscalYear":"2026","filingDate":{filed},"acceptedDate":{accepted},"revenue":1,"netIncome":1}}]"#
            )
        };
        let known = |json: &str| {
            let (reject, values, _) = one("income_statement", "A", json);
            assert_eq!(reject, None);
            (values[7].clone().unwrap(), values[8].clone().unwrap(), values[9].clone().unwrap())
        };
        let triple = |a: &str, b: &str, c: &str| (a.to_string(), b.to_string(), c.to_string());
        assert_eq!(
            known(&statement("\"2026-08-01 06:00:42\"", "\"2026-08-01\"")),
            triple("2026-08-01 10:00:42", "accepted", "2026-08-01")
        );
        assert_eq!(
            known(&statement("\"2026-08-01 16:00:01\"", "\"2026-08-01\"")),
            triple("2026-08-01 20:00:01", "accepted", "2026-08-02")
        );
        assert_eq!(
            known(&statement("\"2026-12-01 16:00:01\"", "\"2026-12-01\"")),
            triple("2026-12-01 21:00:01", "accepted", "2026-12-02")
        );
        assert_eq!(known(&statement("null", "\"2026-08-01\"")), triple("2026-08-01 22:00:00", "filing", "2026-08-02"));
        assert_eq!(known(&statement("null", "null")), triple("2026-09-28 22:00:00", "estimated", "2026-09-29"));
        assert!(
            one("income_statement", "A", &statement("null", "null").replace("Q2", "H1"))
                .0
                .unwrap()
                .starts_with("unknown_period")
        );
    }
}
