//! Formats rows as a table while they arrive, so that a result of any size needs little memory.

use ::duckdb::arrow::{
    array::{Array, StructArray},
    datatypes::Schema,
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};
use textwrap::core::display_width;

use super::escape::one_line;

/// A table whose rows arrive in portions.
pub struct Table {
    names: Vec<String>,
    /// The width of each column, determined by its name and the first portion of rows. A longer
    /// cell in a later portion shifts the rest of its line to the right.
    widths: Option<Vec<usize>>,
    rows: u64,
}

impl Table {
    /// A table without rows.
    pub fn new(schema: &Schema) -> Self {
        let names = schema.fields().iter().map(|field| one_line(field.name()).into_owned()).collect();
        Table { names, widths: None, rows: 0 }
    }

    /// Formats the next portion of rows. The text of the first portion begins with the heading.
    ///
    /// # Errors
    /// An error for a type that cannot be shown as text.
    pub fn portion(&mut self, rows: &StructArray) -> Result<String, ArrowError> {
        let cells = cells(rows)?;
        self.rows += cells.len() as u64;
        let mut out = String::new();
        let widths = self.begin(&cells, &mut out);
        for row in &cells {
            line(&mut out, row, widths);
        }
        Ok(out)
    }

    /// Formats the last lines: the border and the number of rows.
    pub fn end(mut self) -> String {
        let mut out = String::new();
        let widths = self.begin(&[], &mut out);
        border(&mut out, widths);
        out.push_str(&format!("{} row{}\n", self.rows, if self.rows == 1 { "" } else { "s" }));
        out
    }

    /// Returns the widths. The first call determines them and writes the heading.
    fn begin(&mut self, cells: &[Vec<String>], out: &mut String) -> &[usize] {
        let names = &self.names;
        self.widths.get_or_insert_with(|| {
            let width = |column: usize| {
                let rows = cells.iter().filter_map(|row| row.get(column));
                rows.chain(names.get(column)).map(|cell| display_width(cell)).max().unwrap_or_default()
            };
            let widths: Vec<usize> = (0..names.len()).map(width).collect();
            border(out, &widths);
            line(out, names, &widths);
            border(out, &widths);
            widths
        })
    }
}

/// The values of each row as text, without active characters; NULL is empty.
fn cells(rows: &StructArray) -> Result<Vec<Vec<String>>, ArrowError> {
    let options = FormatOptions::default();
    let columns: Vec<ArrayFormatter<'_>> = rows
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
        .collect::<Result<_, _>>()?;
    let cell = |column: &ArrayFormatter<'_>, row| one_line(&column.value(row).to_string()).into_owned();
    Ok((0..rows.len())
        .map(|row| columns.iter().map(|column| cell(column, row)).collect())
        .collect())
}

fn border(out: &mut String, widths: &[usize]) {
    for width in widths {
        out.push('+');
        out.push_str(&"-".repeat(width + 2));
    }
    out.push_str("+\n");
}

fn line(out: &mut String, cells: &[String], widths: &[usize]) {
    for (cell, width) in cells.iter().zip(widths) {
        out.push_str("| ");
        out.push_str(cell);
        out.push_str(&" ".repeat(width.saturating_sub(display_width(cell)) + 1));
    }
    out.push_str("|\n");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::duckdb::arrow::{
        array::{ArrayRef, Int64Array, StringArray},
        datatypes::{DataType, Field},
    };

    use super::*;

    fn rows(names: &[Option<&str>]) -> StructArray {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..names.len() as i64));
        let names: ArrayRef = Arc::new(StringArray::from(names.to_vec()));
        StructArray::from(vec![
            (Arc::new(Field::new("n", DataType::Int64, true)), numbers),
            (Arc::new(Field::new("name", DataType::Utf8, true)), names),
        ])
    }

    #[test]
    fn the_first_portion_sets_the_widths_and_longer_cells_still_appear() {
        let first = rows(&[Some("日本"), None, Some("a\u{1b}[1m")]);
        let mut table = Table::new(&Schema::new(first.fields().clone()));
        let text =
            table.portion(&first).unwrap() + &table.portion(&rows(&[Some("far too long to fit")])).unwrap();
        assert_eq!(
            text + &table.end(),
            "+---+------------+\n\
             | n | name       |\n\
             +---+------------+\n\
             | 0 | 日本       |\n\
             | 1 |            |\n\
             | 2 | a\\u{1b}[1m |\n\
             | 0 | far too long to fit |\n\
             +---+------------+\n\
             4 rows\n"
        );
    }

    #[test]
    fn a_table_without_rows_has_a_heading() {
        let table = Table::new(&Schema::new(rows(&[]).fields().clone()));
        assert_eq!(table.end(), "+---+------+\n| n | name |\n+---+------+\n+---+------+\n0 rows\n");
    }
}
