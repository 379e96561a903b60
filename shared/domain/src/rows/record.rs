//! Converts a record of a bulk file to a JSON row, so that the same code types both.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::catalog::{Dataset, Kind};

use super::positions;

/// Writes the record as a JSON object with all its cells, including those unknown to the catalog. An empty cell becomes
/// `null`. Numbers, `true` and `false` stay bare, unless the catalog declares the column as text.
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

/// Whether the cell is a valid JSON value unchanged: not `0000320193`, `NaN` or `1,000`.
fn is_bare(cell: &str) -> bool {
    matches!(cell, "true" | "false")
        || (cell.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            && serde_json::from_str::<&RawValue>(cell).is_ok())
}

fn quoted(text: &str, out: &mut String) {
    // Text always has a JSON form.
    out.push_str(&serde_json::Value::from(text).to_string());
}
