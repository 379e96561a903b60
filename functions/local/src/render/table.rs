//! Formats rows as a table that fits a width, while the rows arrive, so that a result of any size needs
//! little memory.

mod layout;

use std::borrow::Cow;

use textwrap::{WordSplitter, core::display_width};

use super::escape::one_line;
use layout::Layout;

/// Marks text that was cut, and columns that are not shown.
const CUT: char = '…';
/// The text of NULL.
pub const NULL: &str = "NULL";

/// The values of a row as text; `None` is NULL.
pub type Cells = Vec<Option<String>>;

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    /// The heading.
    pub name: String,
    /// Whether the values are numbers, which are aligned to the right.
    pub is_number: bool,
    /// Whether the values are shown whole or not at all: numbers, dates and times. Longer text is cut.
    pub is_whole: bool,
}

/// A table whose rows arrive in portions.
pub struct Table {
    columns: Vec<Column>,
    width: usize,
    /// Widths of the columns, from the headings and the first portion of rows. Later cells may be wider.
    layout: Option<Layout>,
}

impl Table {
    /// Creates a table without rows. No line is longer than `width`.
    pub fn new(columns: Vec<Column>, width: usize) -> Self {
        Table { columns, width, layout: None }
    }

    /// Formats the next portion of rows. The text of the first portion begins with the heading.
    pub fn portion(&mut self, rows: &[Cells]) -> String {
        let rows: Vec<Vec<Cow<'_, str>>> = rows.iter().map(|row| row.iter().map(shown).collect()).collect();
        let mut out = String::new();
        let layout = begin(&mut self.layout, &self.columns, self.width, &rows, &mut out);
        for row in &rows {
            line(&mut out, row, &self.columns, layout, self.width);
        }
        out
    }

    /// Formats the last border.
    pub fn end(self) -> String {
        self.ended().0
    }

    /// Formats the last border, and a note if columns are missing.
    pub fn end_with_note(self) -> String {
        let (all, width) = (self.columns.len(), self.width);
        let (mut out, shown) = self.ended();
        if shown < all {
            let note = format!("{shown} of {all} columns fit: select fewer, or use --format csv");
            out.push_str(&fill(&note, width));
            out.push('\n');
        }
        out
    }

    /// Formats the last border. Returns it with the number of columns.
    fn ended(mut self) -> (String, usize) {
        let mut out = String::new();
        let layout = begin(&mut self.layout, &self.columns, self.width, &[], &mut out);
        border(&mut out, layout);
        let shown = layout.widths.len();
        (out, shown)
    }
}

/// Returns the layout. The first call determines it and writes the heading.
fn begin<'a>(
    layout: &'a mut Option<Layout>,
    columns: &[Column],
    width: usize,
    rows: &[Vec<Cow<'_, str>>],
    out: &mut String,
) -> &'a Layout {
    layout.get_or_insert_with(|| {
        let layout = Layout::of(columns, rows, width);
        let names: Vec<Cow<'_, str>> = columns.iter().map(|column| one_line(&column.name)).collect();
        border(out, &layout);
        line(out, &names, columns, &layout, layout.total());
        border(out, &layout);
        layout
    })
}

/// The text of a value in a table, without active characters.
fn shown(value: &Option<String>) -> Cow<'_, str> {
    value.as_deref().map_or(Cow::Borrowed(NULL), one_line)
}

fn border(out: &mut String, layout: &Layout) {
    for width in &layout.widths {
        out.push('+');
        out.push_str(&"-".repeat(width + 2));
    }
    out.push_str(if layout.has_more { "+---+\n" } else { "+\n" });
}

/// Formats a row. A cell that is wider than the cells of the first rows shifts the rest of its line to the
/// right, as far as the width allows. Then it is cut.
fn line(out: &mut String, cells: &[Cow<'_, str>], columns: &[Column], layout: &Layout, width: usize) {
    let mut room = width.saturating_sub(layout.total());
    for ((cell, column), width) in cells.iter().zip(columns).zip(&layout.widths) {
        let longest = if layout.is_cut { *width } else { width + room };
        let cell = cut(cell, longest);
        let used = display_width(&cell);
        room -= used.saturating_sub(*width).min(room);
        let space = " ".repeat(width.saturating_sub(used));
        out.push_str("| ");
        if column.is_number {
            out.push_str(&space);
            out.push_str(&cell);
        } else {
            out.push_str(&cell);
            out.push_str(&space);
        }
        out.push(' ');
    }
    if layout.has_more {
        out.push_str("| ");
        out.push(CUT);
        out.push(' ');
    }
    out.push_str("|\n");
}

/// Options that do not break lines at hyphens, so that paths, dates and options stay whole. A word that is longer than
/// a line is broken.
fn at_spaces<'a>(width: usize) -> textwrap::Options<'a> {
    textwrap::Options::new(width).word_splitter(WordSplitter::NoHyphenation)
}

/// Wraps a text at spaces.
pub fn fill(text: &str, width: usize) -> String {
    textwrap::fill(text, at_spaces(width))
}

/// Wraps a text at spaces, and indents its first line and all others.
pub fn fill_indented(text: &str, width: usize, first: usize, others: usize) -> String {
    let (first, others) = (" ".repeat(first), " ".repeat(others));
    textwrap::fill(text, at_spaces(width).initial_indent(&first).subsequent_indent(&others))
}

/// Cuts a text to a width, and marks the cut.
pub fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if display_width(text) <= width {
        return Cow::Borrowed(text);
    }
    let (mut short, mut used) = (String::new(), 1);
    for c in text.chars() {
        used += display_width(c.encode_utf8(&mut [0; 4]));
        if used > width {
            break;
        }
        short.push(c);
    }
    short.push(CUT);
    Cow::Owned(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[(&str, bool)]) -> Vec<Column> {
        let column = |(name, is_number): &(&str, bool)| Column {
            name: (*name).into(),
            is_number: *is_number,
            is_whole: *is_number,
        };
        names.iter().map(column).collect()
    }

    fn row(cells: &[&str]) -> Cells {
        cells.iter().map(|cell| (*cell != "NULL").then(|| (*cell).to_owned())).collect()
    }

    #[test]
    fn the_first_portion_sets_the_widths_and_a_longer_cell_shifts_its_line() {
        let mut table = Table::new(columns(&[("n", true), ("name", false)]), 22);
        let first = [row(&["0", "日本"]), row(&["-10", "NULL"]), row(&["2", "a\u{1b}[1m"])];
        let text = table.portion(&first) + &table.portion(&[row(&["7", "far too long to fit"])]);
        assert_eq!(
            text + &table.end(),
            "+-----+------------+\n\
             |   n | name       |\n\
             +-----+------------+\n\
             |   0 | 日本       |\n\
             | -10 | NULL       |\n\
             |   2 | a\\u{1b}[1m |\n\
             |   7 | far too lon… |\n\
             +-----+------------+\n"
        );
    }

    #[test]
    fn a_table_without_rows_has_a_heading() {
        let table = Table::new(columns(&[("n", true), ("name", false)]), 80);
        assert_eq!(table.end(), "+---+------+\n| n | name |\n+---+------+\n+---+------+\n");
    }

    #[test]
    fn no_line_is_longer_than_the_width() {
        let names: Vec<String> = (0..12).map(|n| format!("column_number_{n}")).collect();
        for width in 20..=260 {
            let all: Vec<(&str, bool)> =
                names.iter().enumerate().map(|(n, name)| (name.as_str(), n % 3 == 0)).collect();
            let cells: Vec<String> = (0..12)
                .map(|n| {
                    if n % 3 == 0 {
                        "1234567.5".into()
                    } else {
                        "株式会社 word ".repeat(n)
                    }
                })
                .collect();
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            let mut table = Table::new(columns(&all), width);
            let text = table.portion(&[row(&cells)]) + &table.end_with_note();
            for line in text.lines() {
                assert!(display_width(line) <= width, "{width}: {line}");
            }
            assert!(text.contains("1234567.5"), "{text}");
            assert_eq!(text.contains(" of 12 columns fit"), text.contains("| … |"), "{text}");
        }
    }
}
