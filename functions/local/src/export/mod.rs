//! Writes tables and results of queries as Parquet, CSV and Excel files.
//!
//! Files are written to a temporary folder beside their target and renamed when all are complete, so
//! a reader never sees a part of a file, and a failure leaves nothing behind.

mod excel;
mod target;

use std::path::{Path, PathBuf};

use ::duckdb::Connection;
use findata_domain::{Error, Result, sql::literal};
use findata_duckdb::{is_disk_full, is_file_too_large, resource_failure};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use target::unwritable;
pub use target::{Format, Layout, Target};

/// A table or a query.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name of its file, without the extension.
    pub name: String,
    /// A SELECT.
    pub query: String,
}

/// A file that was written, or the folder of a partitioned table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// The path, as the user gave it.
    pub path: String,
    /// Number of rows.
    pub rows: u64,
    /// Number of bytes.
    pub bytes: u64,
}

/// Writes the sources to a target. `connection` must reach the files in the target's temporary folder.
///
/// # Errors
/// `Reject` if a query fails, a column is missing or a sheet would be too long; `Resource` if a file
/// cannot be written; `Interrupted` if `stop` is cancelled.
pub fn write(
    connection: &Connection,
    sources: &[Source],
    partition_by: Option<&str>,
    target: &Target,
    stop: &CancellationToken,
) -> Result<Vec<Written>> {
    let mut written = Vec::new();
    let interrupted = |error| {
        if stop.is_cancelled() {
            Error::Interrupted("the export was stopped".into())
        } else {
            error
        }
    };
    // One transaction, so that all files show the same state of the warehouse.
    connection.execute_batch("begin").map_err(|e| interrupted(failure(target, &e)))?;
    if target.format == Format::Xlsx {
        let sheets = if target.is_file {
            vec![sources]
        } else {
            sources.chunks(1).collect()
        };
        for sources in sheets {
            let name = &sources.first().map_or("", |source| source.name.as_str());
            let (part, path) = target.part(name);
            let rows = excel::write(connection, sources, target, &part, stop).map_err(interrupted)?;
            written.push((part, path, rows));
        }
    } else {
        for source in sources {
            let (part, path) = target.part(&source.name);
            let rows = copy(connection, source, partition_by, target, &part).map_err(interrupted)?;
            written.push((part, path, rows));
        }
    }
    target.publish(written)
}

/// Writes one source with DuckDB's COPY and returns the number of rows.
fn copy(
    connection: &Connection,
    source: &Source,
    partition_by: Option<&str>,
    target: &Target,
    part: &Path,
) -> Result<u64> {
    let format = match target.format {
        Format::Csv => "format csv, header true",
        _ => "format parquet, compression zstd",
    };
    let partition = match partition_by {
        None => String::new(),
        Some(column) => format!(", partition_by ({})", column_of(connection, source, column, target)?),
    };
    let file = literal(&part.to_string_lossy());
    let statement = format!("copy ({}) to {file} ({format}{partition})", source.query);
    let rows = connection.execute(&statement, []).map_err(|e| failure(target, &e))?;
    if partition_by.is_some() && !part.exists() {
        // Without rows, DuckDB creates no folder.
        std::fs::create_dir(part).map_err(|e| target.unwritable(&e))?;
    }
    Ok(rows as u64)
}

/// Returns the column of a source as an identifier.
fn column_of(connection: &Connection, source: &Source, column: &str, target: &Target) -> Result<String> {
    let described = format!("select column_name from (describe {})", source.query);
    let names = texts(connection, &described).map_err(|e| failure(target, &e))?;
    match names.iter().find(|name| name.eq_ignore_ascii_case(column)) {
        Some(name) if names.len() > 1 => Ok(format!("\"{}\"", name.replace('"', "\"\""))),
        Some(_) => Err(Error::Reject(format!(
            "{}: a file needs a column besides {column}, whose values are the names of folders",
            source.name
        ))),
        None => Err(Error::Reject(format!(
            "{} has no column {column} to partition by; its columns are {}",
            source.name,
            names.join(", ")
        ))),
    }
}

/// Returns the first column of a query as text, without NULLs.
pub(crate) fn texts(connection: &Connection, query: &str) -> ::duckdb::Result<Vec<String>> {
    let mut statement = connection.prepare(query)?;
    let rows = statement.query_map([], |row| row.get::<_, Option<String>>(0))?;
    rows.filter_map(Result::transpose).collect()
}

/// Classifies an error of DuckDB.
fn failure(target: &Target, error: &::duckdb::Error) -> Error {
    if is_file_too_large(error) {
        return unwritable(&target.path, &std::io::ErrorKind::FileTooLarge.into());
    }
    if is_disk_full(error) {
        return Error::Resource(format!(
            "no space left on the disk for {} or for temporary files in {}; nothing was written: free some space, \
             choose another --output, or set TMPDIR",
            target.path.display(),
            std::env::temp_dir().display()
        ));
    }
    if let Some(error) = resource_failure(&target.path, error) {
        return error;
    }
    let text = error.to_string();
    Error::Reject(text.split("\n\n").next().unwrap_or_default().trim().to_owned())
}

/// The number of bytes of a file, or of all files in a folder.
fn size(path: &Path) -> u64 {
    let mut bytes = 0;
    let mut open = vec![PathBuf::from(path)];
    while let Some(path) = open.pop() {
        match std::fs::read_dir(&path) {
            Ok(entries) => open.extend(entries.flatten().map(|entry| entry.path())),
            Err(_) => bytes += std::fs::metadata(&path).map_or(0, |file| file.len()),
        }
    }
    bytes
}
