//! Checks and reads landing files.

use std::{io::ErrorKind, path::Path};

use findata_domain::{
    Error, Result,
    catalog::{Column, Kind},
    hash,
    sql::literal,
};
use findata_pipeline::landing::StagedFile;

/// Returns why a landing file cannot be loaded: it is missing, or its content has changed since
/// extract wrote it. Returns `None` for an intact file.
pub(crate) fn damage(file: &StagedFile, stage: &Path) -> Result<Option<String>> {
    let fix = "restore it from a backup, or fetch its rows again with --full";
    let path = stage.join(&file.key);
    match std::fs::read(&path) {
        // Early builds recorded no hash.
        Ok(body) if file.sha256.is_empty() || hash::sha256(&body) == file.sha256 => Ok(None),
        Ok(_) => Ok(Some(format!("{} on the stage was changed after it was written; {fix}", file.key))),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            Ok(Some(format!("{} is missing on the stage; {fix}", file.key)))
        }
        Err(e) => Err(Error::Resource(format!("cannot read {}: {e}", path.display()))),
    }
}

/// Returns the query that reads landing files with the columns of `incoming`. Values are canonical
/// text, so the casts cannot fail or round.
pub(crate) fn rows_of(columns: &[Column], files: &[StagedFile], stage: &Path) -> String {
    let root = stage.to_string_lossy();
    let paths: Vec<String> = files.iter().map(|f| literal(&format!("{root}/{}", f.key))).collect();
    let fields: Vec<String> = columns.iter().map(|c| format!("{} varchar", c.name)).collect();
    let columns: Vec<String> = columns.iter().map(|c| format!("{} as {}", cast(c), c.name)).collect();
    format!(
        "select {columns}, hash as row_hash, observed_at, substr(filename, {skip}) as source_file, n as source_row, \
             symbol as subject, reject, findings, payload \
         from read_json([{paths}], format = 'newline_delimited', compression = 'gzip', filename = true, \
             columns = {{n: 'BIGINT', symbol: 'VARCHAR', hash: 'VARCHAR', observed_at: 'TIMESTAMP', reject: 'VARCHAR', findings: 'VARCHAR', \
             \"row\": 'STRUCT({fields})', payload: 'VARCHAR'}})",
        columns = columns.join(", "),
        skip = root.chars().count() + 2,
        paths = paths.join(", "),
        fields = fields.join(", "),
    )
}

/// Returns the expression that casts a value of a landing file to its column's type.
fn cast(column: &Column) -> String {
    let value = format!("\"row\".{}", column.name);
    match column.kind {
        Kind::Text => value,
        // Tries a 64-bit decimal first. DuckDB casts text to it about forty times faster than to a
        // 128-bit decimal, and most amounts fit.
        Kind::Decimal => {
            format!("coalesce(try_cast({value} as decimal(18, 6))::decimal(38, 6), {value}::decimal(38, 6))")
        }
        other => format!("{value}::{}", other.sql()),
    }
}
