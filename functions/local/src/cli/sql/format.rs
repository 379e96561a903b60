//! The formats of rows.

use std::{borrow::Cow, path::Path};

use crate::{
    cli::Failure,
    render::{
        self,
        escape::one_line,
        table::{Cells, Column, NULL, Table},
    },
};

/// A format of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A table for people
    Table,
    /// Comma-separated values with a heading
    Csv,
    /// An array of objects
    Json,
    /// An object per line
    Ndjson,
    /// A table for a Markdown document
    Markdown,
}

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Ndjson => "ndjson",
            Format::Markdown => "markdown",
        }
    }

    /// Returns the format that the name of a file stands for.
    pub(super) fn of_file(path: &Path) -> Result<Self, Failure> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match ending.as_str() {
            "csv" => Ok(Format::Csv),
            "json" => Ok(Format::Json),
            "ndjson" | "jsonl" => Ok(Format::Ndjson),
            "md" | "markdown" => Ok(Format::Markdown),
            "txt" => Ok(Format::Table),
            _ if path == Path::new("-") => Ok(Format::Table),
            _ => Err(Failure::Usage(format!(
                "--output: the name {} does not say the format: end it in .csv, .json, .ndjson, .md or .txt, \
                 or set --format",
                path.display()
            ))),
        }
    }

    /// Whether rows are JSON objects.
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Format::Json | Format::Ndjson)
    }
}

/// Formats the rows of one or more results.
pub(crate) struct Printer {
    format: Format,
    width: usize,
    /// Number of results.
    results: usize,
    /// Number of results that have begun.
    begun: usize,
    /// Rows of the current result.
    rows: u64,
    table: Option<Table>,
}

impl Printer {
    pub(crate) fn new(format: Format, width: usize, results: usize) -> Self {
        Printer { format, width, results, begun: 0, rows: 0, table: None }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Begins a result.
    pub(crate) fn begin(&mut self, columns: &[Column]) -> String {
        let is_first = self.begun == 0;
        self.begun += 1;
        self.rows = 0;
        let space = if is_first { "" } else { "\n" };
        match self.format {
            Format::Table => {
                self.table = Some(Table::new(columns.to_vec(), self.width));
                space.into()
            }
            Format::Csv => {
                let names: Vec<Cow<'_, str>> = columns.iter().map(|column| quoted(&column.name)).collect();
                format!("{space}{}\n", names.join(","))
            }
            Format::Markdown => {
                let names: Vec<String> = columns.iter().map(|column| markdown(&column.name)).collect();
                let lines = columns.iter().map(|c| if c.is_number { " ---: |" } else { " --- |" });
                format!("{space}| {} |\n|{}\n", names.join(" | "), lines.collect::<String>())
            }
            Format::Json if self.results == 1 => "[".into(),
            Format::Json => if is_first { "[[" } else { ",\n[" }.into(),
            Format::Ndjson => String::new(),
        }
    }

    /// Formats rows. In JSON formats, each row has one cell: the object.
    pub(crate) fn rows(&mut self, rows: &[Cells]) -> String {
        let is_first = self.rows == 0;
        self.rows += rows.len() as u64;
        let objects = || rows.iter().flatten().flatten().map(|row| without_non_finite(row));
        match self.format {
            Format::Table => self.table.as_mut().map(|table| table.portion(rows)).unwrap_or_default(),
            Format::Csv => {
                let cell =
                    |cell: &Option<String>| cell.as_deref().map_or(Cow::Borrowed(""), quoted).into_owned();
                let line = |row: &Cells| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\n";
                rows.iter().map(line).collect()
            }
            Format::Markdown => {
                let cell = |cell: &Option<String>| markdown(cell.as_deref().unwrap_or(NULL));
                let line = |row: &Cells| row.iter().map(cell).collect::<Vec<_>>().join(" | ");
                rows.iter().map(|row| format!("| {} |\n", line(row))).collect()
            }
            Format::Json if rows.is_empty() => String::new(),
            Format::Json => {
                let separator = if is_first { "" } else { ",\n" };
                format!("{separator}{}", objects().collect::<Vec<_>>().join(",\n"))
            }
            Format::Ndjson => objects().map(|row| format!("{row}\n")).collect(),
        }
    }

    /// Ends a result. `more` is the number of rows that were not printed.
    pub(crate) fn end_result(&mut self, more: Option<More>) -> String {
        match self.format {
            Format::Table => {
                let mut out = self.table.take().map(Table::end_with_note).unwrap_or_default();
                if let Some(more) = more {
                    let more = format!("… {more}; use --limit 0 or --format csv for all");
                    out.push_str(&textwrap::fill(&more, self.width));
                    out.push('\n');
                }
                out + &render::counted(self.rows, "row") + if more.is_some() { " shown\n" } else { "\n" }
            }
            Format::Json if self.results == 1 => "]\n".into(),
            Format::Json => "]".into(),
            Format::Csv | Format::Markdown | Format::Ndjson => String::new(),
        }
    }

    /// Ends the last result.
    pub(crate) fn end(&self) -> String {
        if self.format == Format::Json && self.results > 1 {
            "]\n".into()
        } else {
            String::new()
        }
    }
}

/// The number of rows that were not printed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum More {
    Exactly(u64),
    MoreThan(u64),
}

impl std::fmt::Display for More {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            More::Exactly(rows) => f.write_str(&render::counted(*rows, "more row")),
            More::MoreThan(rows) => write!(f, "more than {}", render::counted(*rows, "more row")),
        }
    }
}

/// Quotes a CSV field if necessary. An empty text is quoted to differ from NULL.
fn quoted(text: &str) -> Cow<'_, str> {
    if text.is_empty() || text.contains([',', '"', '\n', '\r']) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(text)
    }
}

/// Escapes a cell of a Markdown table.
fn markdown(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('|', "\\|")
}

/// Replaces NaN and Infinity, which DuckDB writes but JSON does not allow, by null.
fn without_non_finite(json: &str) -> Cow<'_, str> {
    if !json.contains("NaN") && !json.contains("Infinity") {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let number = ["NaN", "Infinity", "-NaN", "-Infinity"].into_iter().find(|text| rest.starts_with(text));
        let length = match (number, first) {
            (Some(number), _) => number.len(),
            (None, '"') => string_length(rest),
            (None, _) => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        out.push_str(if number.is_some() { "null" } else { token });
        rest = after;
    }
    Cow::Owned(out)
}

/// Returns the length of the JSON string at the start of a text, including both quotes.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_does_not_have_become_null_and_texts_stay() {
        let row = r#"{"NaN":NaN,"a\"NaN":[-Infinity,Infinity,1.5],"b":"é NaN, -Infinity\\","c":NaN}"#;
        assert_eq!(
            without_non_finite(row),
            r#"{"NaN":null,"a\"NaN":[null,null,1.5],"b":"é NaN, -Infinity\\","c":null}"#
        );
        assert!(matches!(without_non_finite(r#"{"a":1}"#), Cow::Borrowed(_)));
    }

    #[test]
    fn csv_tells_null_from_empty_text() {
        let mut printer = Printer::new(Format::Csv, 80, 1);
        let column = |name: &str| Column { name: name.into(), is_number: false, is_whole: false };
        let heading = printer.begin(&[column("a"), column("b \"c\"")]);
        let rows =
            printer.rows(&[vec![None, Some(String::new())], vec![Some("x,y".into()), Some("1\n2".into())]]);
        assert_eq!(heading + &rows, "a,\"b \"\"c\"\"\"\n,\"\"\n\"x,y\",\"1\n2\"\n");
    }
}
