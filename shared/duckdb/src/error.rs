//! Classifies DuckDB's errors by the caller's next step. DuckDB's C interface reports no error
//! codes for statements, so this module matches on the error text. No other module does.

use std::path::Path;

use findata_domain::Error;

use crate::lock;

/// Error texts of DuckDB 1.5 for a truncated or overwritten file, a file of another format, and a
/// write-ahead log that does not match its file.
const DAMAGE: [&str; 4] = [
    "not a valid DuckDB database file",
    "Could not read enough bytes from file",
    "Corrupt database file",
    "Failure while replaying WAL",
];

/// Classifies an error of the DuckDB file at `path`.
pub(crate) fn failure(path: &Path, error: &::duckdb::Error) -> Error {
    let text = error.to_string();
    let file = path.display();
    if let Some(error) = resource_failure(path, error) {
        return error;
    }
    if text.contains("Permission denied")
        || text.contains("Cannot open file")
        || text.contains("Read-only file system")
    {
        Error::Config(format!(
            "cannot open {file}: {}; choose another data directory with --home",
            line(&text)
        ))
    } else if DAMAGE.iter().any(|part| text.contains(part)) {
        Error::Damaged(format!(
            "{file} is damaged or not a DuckDB file (DuckDB: {}); rebuild it with `findata replay --rebuild`",
            line(&text)
        ))
    } else {
        Error::Stop(format!("{file}: {}", line(&text)))
    }
}

/// Returns a `Resource` error if this machine lacks memory or disk space, or if another process has
/// locked the file.
pub fn resource_failure(path: &Path, error: &::duckdb::Error) -> Option<Error> {
    let text = error.to_string();
    let file = path.display();
    if text.contains("Could not set lock") || text.contains("Conflicting lock") {
        let (holder, cause) = match lock::holder(path) {
            Some(pid) => (format!("another process holds the file (pid {pid})"), String::new()),
            None => ("another process holds the file".to_owned(), format!(" (DuckDB: {})", line(&text))),
        };
        return Some(Error::Resource(format!(
            "cannot open {file}: {holder}; wait until that process ends, or end it, then run again{cause}"
        )));
    }
    let folder = std::env::temp_dir();
    let space = format!(
        "free some space on it, or use another disk: set TMPDIR for queries (now {}) or --home for runs",
        folder.display()
    );
    // If the disk is full while DuckDB spills to it, DuckDB reports "out of memory" with one of
    // these texts.
    if text.contains("failed to offload") || text.contains("max_temp_directory_size") {
        Some(Error::Resource(format!(
            "no space left on the disk for the temporary files of {file}: {space}"
        )))
    } else if is_file_too_large(error) {
        Some(Error::Resource(format!(
            "{file} or a temporary file is larger than the limit of file sizes: raise it (ulimit -f), then run again"
        )))
    } else if is_disk_full(error) {
        Some(Error::Resource(format!(
            "no space left on the disk for {file} or its temporary files: {space}"
        )))
    } else if is_out_of_memory(error) {
        Some(Error::Resource(format!(
            "not enough memory for {file}: raise the limit with --memory, or end other programs (DuckDB: {})",
            line(&text)
        )))
    } else {
        None
    }
}

/// Returns whether the disk of a file that DuckDB writes is full.
pub fn is_disk_full(error: &::duckdb::Error) -> bool {
    let text = error.to_string();
    text.contains("No space left") || text.contains("Disk quota exceeded")
}

/// Returns whether a file would exceed the limit of this process (`ulimit -f`) or of the file system.
pub fn is_file_too_large(error: &::duckdb::Error) -> bool {
    error.to_string().contains("File too large")
}

/// Returns whether a statement needs more memory than the limit. Returns false for a full disk,
/// which DuckDB also reports as an out-of-memory error.
pub(crate) fn is_out_of_memory(error: &::duckdb::Error) -> bool {
    let text = error.to_string();
    let lacks_space = ["failed to offload", "max_temp_directory_size"].iter().any(|part| text.contains(part));
    text.starts_with("Out of Memory Error") && !lacks_space
}

fn line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim()
}
