//! Converts a record of a bulk file (CSV) to JSON, so that the same code types these records and
//! the rows of other answers.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::catalog::{Dataset, Kind};

use super::fields::positions;

/// Writes the record as a JSON object with all its cells, including cells that the catalog does not
/// know. An empty cell becomes `null`. Numbers, `true` and `false` are written without quotes,
/// unless the catalog declares the column as text.
pub fn json<'a>(
    dataset: &'static Dataset,
    cells: impl Iterator<Item = (&'a str, Cow<'a, str>)>,
    out: &mut String,
) {
    let positions = positions(dataset);
    out.clear();
    out.push('{');
    for (name, cell) in cells {
        if out.len() > 1 {
            out.push(',');
        }
        quoted(name, out);
        out.push(':');
        let text = positions.get(name).is_some_and(|i| matches!(dataset.columns[*i].kind, Kind::Text));
        match cell.as_ref() {
            "" => out.push_str("null"),
            bare if !text && is_bare(bare) => out.push_str(bare),
            text => quoted(text, out),
        }
    }
    out.push('}');
}

/// Returns whether the cell is a JSON number, `true` or `false`. Text such as `0000320193`, `NaN`
/// or `1,000` is not.
fn is_bare(cell: &str) -> bool {
    matches!(cell, "true" | "false")
        || (cell.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            && serde_json::from_str::<&RawValue>(cell).is_ok())
}

fn quoted(text: &str, out: &mut String) {
    // This conversion cannot fail: JSON can represent every text.
    out.push_str(&serde_json::Value::from(text).to_string());
}
