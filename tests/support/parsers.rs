//! The parsers of Snowflake's SQL that are written in Python.

use std::{path::PathBuf, process::Command};

use serde_json::{Value, json};

use super::snowflake::Double;

/// What sqlglot and sqlfluff say of these files, as a list of `[file, what is wrong]`; nothing where there is no Python for them.
pub fn misread(files: &[PathBuf]) -> Value {
    let Some(python) = Double::python() else { return json!([]) };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/snowflake/parse_sql.py");
    let done = Command::new(python)
        .arg(script)
        .args(files)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("Python starts");
    let told = String::from_utf8_lossy(&done.stdout);
    serde_json::from_str(&told).unwrap_or_else(|e| panic!("{e}: {told} {}", String::from_utf8_lossy(&done.stderr)))
}
