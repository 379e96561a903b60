//! `findata sql`: one query against the DuckDB warehouse.

use std::borrow::Cow;

use ::duckdb::{
    Statement,
    arrow::{array::StructArray, error::ArrowError, util::display},
};
use findata_domain::Error;
use findata_domain::sql::literal;
use findata_duckdb::{Reach, resource_failure};

use super::{
    Failure,
    global::{Global, ResolvedConfig},
    last_home::DefaultHome,
    output::{self, Reader},
};
use crate::render::Table;

/// Approximate size in bytes of the pieces in which JSON is written.
const PIECE: usize = 64 << 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One SELECT statement; the schemas are analytics, staging, raw and ops
    ///
    /// Rows are printed as they arrive. The widths of a table's columns come from the first 2,048
    /// rows; a longer cell in a later row shifts the rest of its line to the right.
    query: String,
    /// Let the query read other files, such as `from read_csv('prices.csv')`
    #[arg(long)]
    allow_external: bool,
}

pub(crate) fn sql(global: &Global, args: &Args) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::LastRun)?;
    let query = args.query.trim();
    if query.trim_end_matches(';').is_empty() {
        return Err(Failure::Usage("the query is empty: write one SELECT".into()));
    }
    let reach = if args.allow_external { Reach::Files } else { Reach::Warehouse };
    let connection = config.open_read_only(reach)?;
    // DuckDB's `query` accepts exactly one SELECT.
    let values = if config.json { "to_json(q)" } else { "columns(*)" };
    let select = format!("select {values}::varchar from query({}) q", literal(query));
    let failed = |error: ::duckdb::Error| query_failure(&config, &error);
    let mut statement = connection.prepare(&select).map_err(failed)?;
    // This call only starts the query. The returned iterator is dropped, because it panics on an
    // error, whereas `step` returns the error.
    drop(statement.stream_arrow([]).map_err(failed)?);
    if config.json {
        print_json(&statement, failed)?
    } else {
        print_table(&statement, failed)?
    }
    Ok(0)
}

fn print_table(
    statement: &Statement<'_>,
    failed: impl Fn(::duckdb::Error) -> Failure,
) -> Result<(), Failure> {
    let mut table = Table::new(&statement.schema());
    while let Some(rows) = statement.step().map_err(&failed)? {
        if output::print(&table.portion(&rows).map_err(|e| unreadable(&e))?)? == Reader::Gone {
            return Ok(());
        }
    }
    output::print(&table.end()).map(|_| ())
}

/// Prints an array with one row on each line. If the query fails midway, the array is not closed,
/// so that no program can mistake it for the whole result.
fn print_json(statement: &Statement<'_>, failed: impl Fn(::duckdb::Error) -> Failure) -> Result<(), Failure> {
    let mut piece = String::from("[");
    let mut separator = "";
    while let Some(rows) = statement.step().map_err(&failed)? {
        for row in texts(&rows).map_err(|e| unreadable(&e))? {
            piece.push_str(separator);
            piece.push_str(&without_non_finite(&row));
            separator = ",\n";
            if piece.len() >= PIECE && output::print_json_text(&std::mem::take(&mut piece))? == Reader::Gone {
                return Ok(());
            }
        }
    }
    piece.push_str("]\n");
    output::print_json_text(&piece).map(|_| ())
}

/// Returns the values of the result's only column.
fn texts(rows: &StructArray) -> Result<Vec<String>, ArrowError> {
    let column = rows.column(0);
    (0..column.len()).map(|row| display::array_value_to_string(column, row)).collect()
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

fn query_failure(config: &ResolvedConfig, error: &::duckdb::Error) -> Failure {
    if let Some(error) = resource_failure(&config.data_dir.warehouse, error) {
        return error.into();
    }
    // The first paragraph is the message. The rest quotes the statement around the query, which the
    // user did not write.
    let text = error.to_string();
    Failure::Usage(text.split("\n\n").next().unwrap_or_default().trim().to_owned())
}

fn unreadable(error: &ArrowError) -> Error {
    Error::Stop(format!("cannot show the result: {error}"))
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
}
