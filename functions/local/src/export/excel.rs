//! Writes Excel workbooks: one sheet for each source, with typed cells.

use std::{
    any::Any,
    panic::{self, AssertUnwindSafe},
    path::Path,
};

use ::duckdb::{
    Connection,
    arrow::{
        array::{Array, ArrayRef, AsArray},
        datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType},
        util::display::array_value_to_string,
    },
};
use findata_domain::{Error, Result};
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};
use tokio_util::sync::CancellationToken;

use super::{Source, Target, failure, target::unwritable};

/// Maximum number of rows of a sheet, without the header.
const MAX_ROWS: u32 = 1_048_575;
/// Maximum number of columns of a sheet.
const MAX_COLUMNS: usize = 16_384;
/// Maximum length of the name of a sheet.
const MAX_NAME: usize = 31;
/// Excel's number of 1970-01-01, which is day 1 of 1900 plus 25,568 days.
const EPOCH: f64 = 25_569.0;
/// The first day with the same number in Excel and in the calendar: Excel has a 29 February 1900.
const FIRST_DAY: f64 = 61.0;
/// Integers up to this one are exact in Excel, which has only floating-point numbers.
const MAX_EXACT: u128 = 1 << 53;
/// Microseconds of a day.
const DAY_MICROS: f64 = 86_400_000_000.0;

/// Writes the sources to one workbook and returns the number of rows.
pub(super) fn write(
    connection: &Connection,
    sources: &[Source],
    target: &Target,
    part: &Path,
    stop: &CancellationToken,
) -> Result<u64> {
    // rust_xlsxwriter panics if it cannot write to its temporary file, for example because the disk is full. Its
    // message is a part of the error, so it is not printed as well.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result =
        panic::catch_unwind(AssertUnwindSafe(|| write_book(connection, sources, target, part, stop)));
    panic::set_hook(hook);
    result.unwrap_or_else(|panic| Err(aborted(&target.path, panic.as_ref())))
}

/// The error for a panic of rust_xlsxwriter. Its cause is known only from the message.
fn aborted(path: &Path, panic: &(dyn Any + Send)) -> Error {
    let message = match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text,
        (None, Some(text)) => *text,
        (None, None) => "no message",
    };
    Error::Stop(format!(
        "the writer of Excel files failed ({}); nothing was written to {}: if the message names a full disk or a limit of \
         file sizes, free some space or raise the limit, otherwise use --format parquet or csv",
        message.lines().next().unwrap_or_default(),
        path.display()
    ))
}

fn write_book(
    connection: &Connection,
    sources: &[Source],
    target: &Target,
    part: &Path,
    stop: &CancellationToken,
) -> Result<u64> {
    let failed = |error: XlsxError| workbook_failure(target, error);
    let mut workbook = Workbook::new();
    // The rows of a sheet go to a temporary file beside the workbook.
    workbook.set_tempdir(part.parent().unwrap_or(Path::new("."))).map_err(failed)?;
    let formats = Formats {
        header: Format::new().set_bold(),
        date: Format::new().set_num_format("yyyy-mm-dd"),
        time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
    };
    let mut rows = 0;
    let mut names: Vec<String> = Vec::new();
    for source in sources {
        let sheet = workbook.add_worksheet_with_low_memory().map_err(failed)?;
        names.push(sheet_name(&source.name, &names));
        sheet.set_name(names.last().map_or("", String::as_str)).map_err(failed)?;
        rows += u64::from(write_sheet(connection, source, sheet, &formats, target, stop)?);
    }
    workbook.save(part).map_err(failed)?;
    Ok(rows)
}

struct Formats {
    header: Format,
    date: Format,
    time: Format,
}

fn write_sheet(
    connection: &Connection,
    source: &Source,
    sheet: &mut Worksheet,
    formats: &Formats,
    target: &Target,
    stop: &CancellationToken,
) -> Result<u32> {
    let query_failed = |error: ::duckdb::Error| failure(target, &error);
    let failed = |error: XlsxError| workbook_failure(target, error);
    let mut statement = connection.prepare(&source.query).map_err(query_failed)?;
    // The returned iterator panics on an error, whereas `step` returns it.
    drop(statement.stream_arrow([]).map_err(query_failed)?);
    let schema = statement.schema();
    if schema.fields().len() > MAX_COLUMNS {
        return Err(Error::Reject(format!(
            "{}: an Excel sheet has at most {MAX_COLUMNS} columns",
            source.name
        )));
    }
    for (column, field) in (0u16..).zip(schema.fields()) {
        let width = (field.name().chars().count() + 2).clamp(10, 40) as f64;
        sheet.set_column_width(column, width).map_err(failed)?;
        sheet.write_string_with_format(0, column, field.name(), &formats.header).map_err(failed)?;
    }
    sheet.set_freeze_panes(1, 0).map_err(failed)?;
    let mut row = 0;
    while let Some(rows) = statement.step().map_err(query_failed)? {
        if stop.is_cancelled() {
            return Err(Error::Interrupted("the export was stopped".into()));
        }
        if row as usize + rows.len() > MAX_ROWS as usize {
            return Err(Error::Reject(format!(
                "{} has more than {MAX_ROWS} rows, the limit of an Excel sheet: use --format parquet or csv, or select \
                 fewer rows with --query",
                source.name
            )));
        }
        for index in 0..rows.len() {
            row += 1;
            for (column, values) in (0u16..).zip(rows.columns()) {
                write_cell(sheet, row, column, values, index, formats).map_err(|e| match e {
                    CellError::Workbook(XlsxError::MaxStringLengthExceeded) => Error::Reject(format!(
                        "{}: a text in row {row} is longer than the 32,767 characters of an Excel cell: use --format \
                         parquet or csv",
                        source.name
                    )),
                    CellError::Workbook(error) => workbook_failure(target, error),
                    CellError::Value(text) => Error::Stop(format!("cannot read a value of {}: {text}", source.name)),
                })?;
            }
        }
    }
    Ok(row)
}

enum CellError {
    Workbook(XlsxError),
    Value(String),
}

impl From<XlsxError> for CellError {
    fn from(error: XlsxError) -> Self {
        CellError::Workbook(error)
    }
}

/// Writes a value as a number, date, boolean or text. NULL is an empty cell. A text that begins with `=`
/// stays a text.
fn write_cell(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    values: &ArrayRef,
    index: usize,
    formats: &Formats,
) -> std::result::Result<(), CellError> {
    if values.is_null(index) {
        return Ok(());
    }
    let serial = match values.data_type() {
        DataType::Date32 => {
            Some((f64::from(values.as_primitive::<Date32Type>().value(index)), &formats.date))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = values.as_primitive::<TimestampMicrosecondType>().value(index);
            Some((micros as f64 / DAY_MICROS, &formats.time))
        }
        _ => None,
    };
    if let Some((days, format)) = serial
        && days + EPOCH >= FIRST_DAY
    {
        sheet.write_number_with_format(row, column, days + EPOCH, format)?;
        return Ok(());
    }
    if values.data_type() == &DataType::Boolean {
        sheet.write_boolean(row, column, values.as_boolean().value(index))?;
        return Ok(());
    }
    let text = array_value_to_string(values, index).map_err(|e| CellError::Value(e.to_string()))?;
    match exact(values.data_type(), &text) {
        Some(number) => sheet.write_number(row, column, number)?,
        None => sheet.write_string(row, column, &text)?,
    };
    Ok(())
}

/// Returns the number that a cell can hold. Integers that Excel would round stay texts, and so do NaN
/// and infinity. Excel shows 15 digits of a decimal.
fn exact(kind: &DataType, text: &str) -> Option<f64> {
    match kind {
        kind if kind.is_integer() || matches!(kind, DataType::Decimal128(_, 0)) => {
            let number: i128 = text.parse().ok()?;
            (number.unsigned_abs() <= MAX_EXACT).then_some(number as f64)
        }
        DataType::Decimal128(..) | DataType::Decimal256(..) | DataType::Float64 | DataType::Float32 => {
            text.parse().ok().filter(|number: &f64| number.is_finite())
        }
        _ => None,
    }
}

/// Shortens the name of a sheet to the length that Excel allows, and keeps it unique.
fn sheet_name(name: &str, taken: &[String]) -> String {
    let is_allowed = |c: &char| !matches!(c, '[' | ']' | ':' | '*' | '?' | '/' | '\\');
    let cut = |length: usize| name.chars().filter(is_allowed).take(length).collect::<String>();
    let is_free = |name: &String| !taken.iter().any(|other| other.eq_ignore_ascii_case(name));
    let numbered = (2..).map(|n| format!("{}~{n}", cut(MAX_NAME - 4)));
    std::iter::once(cut(MAX_NAME)).chain(numbered).find(is_free).unwrap_or_default()
}

fn workbook_failure(target: &Target, error: XlsxError) -> Error {
    match error {
        XlsxError::IoError(error) => unwritable(&target.path, &error),
        other => Error::Stop(format!("cannot write an Excel file: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_writer_is_reported_with_its_message() {
        let reported = |panic: Box<dyn Any + Send>| aborted(Path::new("x.xlsx"), panic.as_ref());
        for (panic, expected) in [
            (panic::catch_unwind(|| panic!("row {} is missing", 7)), "failed (row 7 is missing)"),
            (panic::catch_unwind(|| panic!("no sheet")), "failed (no sheet)"),
            (panic::catch_unwind(|| panic::panic_any(7)), "failed (no message)"),
        ] {
            let error = reported(panic.unwrap_err());
            assert!(matches!(&error, Error::Stop(text) if text.contains(expected)), "{error:?}");
        }
    }

    #[test]
    fn names_of_sheets_are_short_and_unique() {
        let long = "a_table_with_a_name_of_more_than_31_characters";
        let first = sheet_name(long, &[]);
        let second = sheet_name(long, std::slice::from_ref(&first));
        assert_eq!((first.len(), second.as_str()), (31, "a_table_with_a_name_of_more~2"));
    }

    #[test]
    fn numbers_that_excel_would_change_stay_texts() {
        assert_eq!(exact(&DataType::Int64, "9007199254740993"), None);
        assert_eq!(exact(&DataType::Int64, "-42"), Some(-42.0));
        assert_eq!(exact(&DataType::Decimal128(38, 6), "123.450000"), Some(123.45));
        assert_eq!(exact(&DataType::Float64, "NaN"), None);
        assert_eq!(exact(&DataType::Utf8, "42"), None);
    }
}
