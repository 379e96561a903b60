//! The Python programs that check Snowflake's SQL.

use std::{
    ffi::OsStr,
    iter,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use super::{command, fake_snowflake::FakeSnowflake};

/// Returns the parse errors of sqlglot and sqlfluff in these files as a list of `[file, error]`.
/// The list is also empty if the Python environment is missing.
pub fn parse_errors(files: &[PathBuf]) -> Value {
    let accepted = command::build_folder().join("parsed-statements");
    let arguments: Vec<&Path> = iter::once(&accepted).chain(files).map(PathBuf::as_path).collect();
    problems("parse_sql.py", &arguments).unwrap_or(json!([]))
}

/// Runs a program in `tests/snowflake` that prints problems as JSON. Returns `None` if the Python
/// environment is missing.
pub fn problems(script: &str, arguments: &[impl AsRef<OsStr>]) -> Option<Value> {
    let python = FakeSnowflake::python()?;
    let done = Command::new(python)
        .arg(format!("{}/snowflake/{script}", env!("CARGO_MANIFEST_DIR")))
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("Python starts");
    let stdout = String::from_utf8_lossy(&done.stdout);
    let problems = serde_json::from_str(&stdout);
    Some(problems.unwrap_or_else(|e| panic!("{e}: {stdout} {}", String::from_utf8_lossy(&done.stderr))))
}
