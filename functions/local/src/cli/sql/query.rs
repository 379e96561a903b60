//! Checks and runs one statement.

use ::duckdb::{
    Connection, Statement,
    arrow::{
        array::{Array, StructArray},
        error::ArrowError,
        util::display::{ArrayFormatter, FormatOptions},
    },
};
use findata_domain::{Error, sql::literal};
use findata_duckdb::resource_failure;

use super::{Destination, MOST_COUNTED, Printer, format::More};
use crate::{
    cli::{Failure, global::ResolvedConfig, output::Reader},
    render::table::{Cells, Column},
};

/// Approximate size in bytes of the pieces in which rows are written.
const PIECE: usize = 64 << 10;

/// A statement that DuckDB accepts.
pub(super) struct Query<'a> {
    connection: &'a Connection,
    config: &'a ResolvedConfig,
    text: &'a str,
    columns: Vec<Column>,
}

impl<'a> Query<'a> {
    /// Checks a statement and determines its columns.
    pub(super) fn check(
        connection: &'a Connection,
        config: &'a ResolvedConfig,
        text: &'a str,
    ) -> Result<Self, Failure> {
        // DuckDB's `query` accepts exactly one SELECT.
        let describe =
            format!("select column_name, column_type from (describe from query({}))", literal(text));
        let read = || -> ::duckdb::Result<Vec<Column>> {
            let mut statement = connection.prepare(&describe)?;
            let column = |row: &::duckdb::Row<'_>| Ok(column(row.get(0)?, &row.get::<_, String>(1)?));
            statement.query_map([], column)?.collect()
        };
        let columns = read().map_err(|error| failure(config, &error))?;
        Ok(Query { connection, config, text, columns })
    }

    /// Runs the statement and prints its rows. Returns their number, or `None` if nobody reads them.
    pub(super) fn print(
        &self,
        printer: &mut Printer,
        to: &mut Destination,
        limit: Option<u64>,
    ) -> Result<Option<u64>, Failure> {
        let values = if printer.format().is_json() { "to_json(q)" } else { "columns(*)" };
        let select = format!("select {values}::varchar from query({}) q", literal(self.text));
        let failed = |error: ::duckdb::Error| failure(self.config, &error);
        let mut statement = self.connection.prepare(&select).map_err(failed)?;
        // This call only starts the query. The returned iterator is dropped, because it panics on an
        // error, whereas `step` returns the error.
        drop(statement.stream_arrow([]).map_err(failed)?);
        let (format, mut printed) = (printer.format(), 0);
        let mut text = printer.begin(&self.columns);
        let mut more = None;
        while let Some(rows) = statement.step().map_err(failed)? {
            let room = limit.map_or(u64::MAX, |limit| limit - printed);
            let shown = usize::try_from(room).unwrap_or(usize::MAX).min(rows.len());
            let part = rows.slice(0, shown);
            text.push_str(&printer.rows(&cells(&part).map_err(|e| unreadable(&e))?));
            if text.len() >= PIECE && to.write(&std::mem::take(&mut text), format)? == Reader::Gone {
                return Ok(None);
            }
            printed += shown as u64;
            if shown < rows.len() {
                // The rows appear before the others are counted.
                if to.write(&std::mem::take(&mut text), format)? == Reader::Gone {
                    return Ok(None);
                }
                more = Some((rows.len() - shown) as u64);
                break;
            }
        }
        let more = match more {
            Some(more) if format == super::Format::Table => Some(count(&statement, more).map_err(failed)?),
            _ => None,
        };
        text.push_str(&printer.end_result(more));
        Ok((to.write(&text, format)? == Reader::Present).then_some(printed))
    }
}

/// Counts the remaining rows, up to a maximum.
fn count(statement: &Statement<'_>, mut more: u64) -> ::duckdb::Result<More> {
    while let Some(rows) = statement.step()? {
        more += rows.len() as u64;
        if more >= MOST_COUNTED {
            return Ok(More::MoreThan(MOST_COUNTED));
        }
    }
    Ok(More::Exactly(more))
}

/// Creates a column from its name and DuckDB type.
fn column(name: String, kind: &str) -> Column {
    const NUMBERS: [&str; 13] = [
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "UHUGEINT",
        "FLOAT",
        "DOUBLE",
        "BIGNUM",
    ];
    let is_number = NUMBERS.contains(&kind) || (kind.starts_with("DECIMAL(") && kind.ends_with(')'));
    let is_time =
        ["DATE", "TIME", "TIMESTAMP"].iter().any(|time| kind.starts_with(time)) && !kind.ends_with(']');
    Column {
        name,
        is_number,
        is_whole: is_number || is_time || kind == "BOOLEAN",
    }
}

/// Returns the values of each row as text.
fn cells(rows: &StructArray) -> Result<Vec<Cells>, ArrowError> {
    let options = FormatOptions::default();
    let columns = rows
        .columns()
        .iter()
        .map(|column| Ok((column, ArrayFormatter::try_new(column.as_ref(), &options)?)))
        .collect::<Result<Vec<_>, ArrowError>>()?;
    let row = |row: usize| {
        let cell = |(column, text): &(_, ArrayFormatter<'_>)| {
            let column: &dyn Array = column;
            column.is_valid(row).then(|| text.value(row).to_string())
        };
        columns.iter().map(cell).collect()
    };
    Ok((0..rows.len()).map(row).collect())
}

fn failure(config: &ResolvedConfig, error: &::duckdb::Error) -> Failure {
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
