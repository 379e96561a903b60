//! The rows of a response, and functions that write them as JSON and CSV. The crate does not use a
//! serializer, because some responses contain values that a serializer does not write, such as
//! numbers in exponent notation.

use chrono::{Datelike, NaiveDate};
use std::borrow::Cow;
use std::fmt::Write;

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    /// `null` in JSON, an empty cell in CSV.
    Null,

    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A decimal number `n / 10^places`: `n` and the number of places.
    Dec(i64, u8),
    /// A floating-point number, written with the fewest digits that identify it.
    Float(f64),
    /// A day, `YYYY-MM-DD`.
    Date(NaiveDate),

    Text(Cow<'a, str>),
    /// Raw JSON, for numbers that no other variant can represent.
    Raw(Cow<'static, str>),
}

impl Cell<'_> {
    /// The value as a number; 0 if the cell is not a number.
    pub(super) fn number(&self) -> f64 {
        match self {
            Cell::Int(n) => *n as f64,
            Cell::Dec(n, places) => *n as f64 / 10f64.powi(i32::from(*places)),
            Cell::Float(x) => *x,
            _ => 0.0,
        }
    }

    /// The value as text. Text is returned without quotes and escapes, and other values as in JSON.
    pub(super) fn plain(&self) -> String {
        match self {
            Cell::Text(t) => t.to_string(),
            other => {
                let mut out = String::new();
                json_cell(&mut out, other);
                out
            }
        }
    }
}

/// A text cell, borrowed or owned.
pub(super) fn text<'a>(value: impl Into<Cow<'a, str>>) -> Cell<'a> {
    Cell::Text(value.into())
}

/// A decimal cell rounded to `places`; `null` if the value is not finite.
pub(super) fn dec<'a>(value: f64, places: u8) -> Cell<'a> {
    if !value.is_finite() {
        return Cell::Null;
    }
    Cell::Dec((value * 10f64.powi(i32::from(places))).round() as i64, places)
}

/// A floating-point cell; `null` if the value is not finite.
pub(super) fn float<'a>(value: f64) -> Cell<'a> {
    if value.is_finite() { Cell::Float(value) } else { Cell::Null }
}

/// The rows of one response, stored consecutively in one vector.
#[derive(Debug, Clone, Default)]
pub(super) struct Table<'a> {
    /// Field names, in FMP's order.
    pub(super) fields: Cow<'static, [&'static str]>,
    /// `fields.len()` cells per row.
    pub(super) cells: Vec<Cell<'a>>,
}

impl<'a> Table<'a> {
    /// An empty table with these fields.
    pub(super) fn new(fields: &'static [&'static str]) -> Self {
        Table { fields: Cow::Borrowed(fields), cells: Vec::new() }
    }

    /// Adds a row with one cell per field.
    pub(super) fn push(&mut self, row: impl IntoIterator<Item = Cell<'a>>) {
        self.cells.extend(row);
        debug_assert_eq!(self.cells.len() % self.fields.len().max(1), 0, "row of {:?}", self.fields.first());
    }

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        self.cells.len() / self.fields.len().max(1)
    }

    /// The rows.
    pub(super) fn rows(&self) -> impl DoubleEndedIterator<Item = &[Cell<'a>]> {
        self.cells.chunks_exact(self.fields.len().max(1))
    }

    /// Drops all rows after the first `n`.
    pub(super) fn truncate(&mut self, n: usize) {
        self.cells.truncate(n.saturating_mul(self.fields.len()));
    }

    /// Removes a field from all rows.
    pub(super) fn drop_field(&mut self, field: &str) {
        let Some(column) = self.fields.iter().position(|f| *f == field) else {
            return;
        };
        let width = self.fields.len();
        let mut at = 0;
        self.cells.retain(|_| {
            at += 1;
            (at - 1) % width != column
        });
        self.fields.to_mut().remove(column);
    }

    /// The cell of a field in a row; `None` if there is no such cell.
    pub(super) fn cell(&mut self, row: usize, field: &str) -> Option<&mut Cell<'a>> {
        let column = self.fields.iter().position(|f| *f == field)?;
        self.cells.get_mut(row * self.fields.len() + column)
    }

    /// The value of a field in a row as a number; 0 if it is not a number.
    pub(super) fn number(&self, row: usize, field: &str) -> f64 {
        let column = self.fields.iter().position(|f| *f == field);
        column.and_then(|c| self.cells.get(row * self.fields.len() + c)).map_or(0.0, Cell::number)
    }

    /// The rows as a JSON array of objects.
    pub(super) fn json(&self) -> String {
        let keys: Vec<String> = self.fields.iter().map(|f| format!("\"{f}\":")).collect();
        let row_size: usize = keys.iter().map(|k| k.len() + 12).sum();
        let mut out = String::with_capacity(self.len() * row_size + 2);
        out.push('[');
        for (i, row) in self.rows().enumerate() {
            out.push_str(if i == 0 { "{" } else { ",{" });
            for (j, (key, cell)) in keys.iter().zip(row).enumerate() {
                if j > 0 {
                    out.push(',');
                }
                out.push_str(key);
                json_cell(&mut out, cell);
            }
            out.push('}');
        }
        out.push(']');
        out
    }

    /// The rows as CSV in the format of FMP's bulk files: text in quotes, numbers without quotes,
    /// and LF at line ends. If `header` is set, the first line contains the names of the fields.
    pub(super) fn csv(&self, header: bool) -> String {
        let mut out = String::with_capacity(self.cells.len() * 14 + 64);
        if header {
            for (j, field) in self.fields.iter().enumerate() {
                let comma = if j > 0 { "," } else { "" };
                let _ = write!(out, "{comma}\"{field}\"");
            }
            out.push('\n');
        }
        for row in self.rows() {
            for (j, cell) in row.iter().enumerate() {
                if j > 0 {
                    out.push(',');
                }
                match cell {
                    Cell::Null => {}
                    Cell::Text(t) => {
                        out.push('"');
                        out.push_str(&t.replace('"', "\"\""));
                        out.push('"');
                    }
                    other => json_cell(&mut out, other),
                }
            }
            out.push('\n');
        }
        out
    }
}

fn json_cell(out: &mut String, cell: &Cell<'_>) {
    match cell {
        Cell::Null => out.push_str("null"),
        Cell::Bool(true) => out.push_str("true"),
        Cell::Bool(false) => out.push_str("false"),
        Cell::Int(n) => push_int(out, *n),
        Cell::Dec(n, places) => push_dec(out, *n, *places),
        Cell::Float(x) => {
            let _ = write!(out, "{x}");
        }
        Cell::Date(d) => {
            out.push('"');
            push_date(out, *d);
            out.push('"');
        }
        Cell::Text(t) => push_text(out, t),
        Cell::Raw(r) => out.push_str(r),
    }
}

fn push_text(out: &mut String, text: &str) {
    out.push('"');
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.push_str(text);
    } else {
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                c if u32::from(c) < 0x20 => {
                    let _ = write!(out, "\\u{:04x}", u32::from(c));
                }
                c => out.push(c),
            }
        }
    }
    out.push('"');
}

// Formats digits directly, because `write!` takes three times as long. A five-year price history
// has 12,000 numbers.
fn push_int(out: &mut String, n: i64) {
    if n < 0 {
        out.push('-');
    }
    let mut rest = n.unsigned_abs();
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        if let Some(d) = digits.get_mut(at) {
            *d = b'0' + (rest % 10) as u8;
        }
        rest /= 10;
        if rest == 0 || at == 0 {
            break;
        }
    }
    if let Some(text) = digits.get(at..).and_then(|d| std::str::from_utf8(d).ok()) {
        out.push_str(text);
    }
}

fn push_dec(out: &mut String, n: i64, places: u8) {
    let scale = 10u64.pow(u32::from(places.min(18)));
    if n < 0 {
        out.push('-');
    }
    let (whole, mut rest) = (n.unsigned_abs() / scale, n.unsigned_abs() % scale);
    push_int(out, whole as i64);
    if rest > 0 {
        out.push('.');
        let mut unit = scale / 10;
        while rest > 0 && unit > 0 {
            out.push(char::from(b'0' + (rest / unit) as u8));
            rest %= unit;
            unit /= 10;
        }
    }
}

fn push_date(out: &mut String, day: NaiveDate) {
    push_int(out, i64::from(day.year()));
    for part in [day.month(), day.day()] {
        out.push('-');
        out.push(char::from(b'0' + (part / 10) as u8));
        out.push(char::from(b'0' + (part % 10) as u8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_cells_as_json_and_as_csv() {
        let mut table = Table::new(&["a", "b", "c", "d"]);
        table.push([Cell::Dec(-10_050, 2), Cell::Int(i64::MIN), text("x\"\n\\\u{1}"), Cell::Null]);
        table.push([dec(0.05, 2), Cell::Int(0), Cell::Raw("1.5e3".into()), float(f64::NAN)]);
        let json = table.json();
        assert_eq!(
            json,
            "[{\"a\":-100.5,\"b\":-9223372036854775808,\"c\":\"x\\\"\\n\\\\\\u0001\",\"d\":null},\
             {\"a\":0.05,\"b\":0,\"c\":1.5e3,\"d\":null}]"
        );
        let parsed: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(parsed[0]["c"], "x\"\n\\\u{1}");
        assert_eq!(table.csv(true).lines().next(), Some("\"a\",\"b\",\"c\",\"d\""));
        assert!(table.csv(false).ends_with("0.05,0,1.5e3,\n"));
    }
}
