//! The Python parsers of Snowflake's SQL.

use std::{path::PathBuf, process::Command};

use serde_json::{Value, json};

use super::fake_snowflake::FakeSnowflake;

/// Returns the parse errors of sqlglot and sqlfluff in these files as a list of `[file, error]`.
/// The list is also empty if the Python environment is missing.
pub fn parse_errors(files: &[PathBuf]) -> Value {
    let Some(python) = FakeSnowflake::python() else {
        return json!([]);
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/snowflake/parse_sql.py");
    let done = Command::new(python)
        .arg(script)
        .args(files)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("Python starts");
    let stdout = String::from_utf8_lossy(&done.stdout);
    serde_json::from_str(&stdout)
        .unwrap_or_else(|e| panic!("{e}: {stdout} {}", String::from_utf8_lossy(&done.stderr)))
}
