//! The scripts follow Snowflake's grammar as three parsers know it.

use std::{collections::BTreeSet, fs, path::PathBuf};

use findata_local::setup_sql;
use findata_tests::{FakeSnowflake, models_with, parse_errors};
use serde_json::json;
use sqlparser::{dialect::SnowflakeDialect, parser::Parser};

use super::{code, scripts};

/// The beginnings of statements that sqlparser does not know: statements about accounts, comments
/// on schemas, and statements that add a column if it is missing. Any other statement that it
/// cannot parse is an error.
const UNKNOWN_TO_SQLPARSER: &[&str] = &[
    "alter database ",
    "alter resource monitor ",
    "alter stage ",
    "alter storage integration ",
    "alter table ",
    "alter warehouse ",
    "create resource monitor ",
    "create role ",
    "create schema ",
    "create storage integration ",
    "desc integration ",
    "drop integration ",
    "drop resource monitor ",
    "grant create table on schema ",
    "grant usage on file format ",
    "grant usage on stage ",
];

#[test]
fn sqlparser_parses_all_but_the_account_level_statements() {
    let mut unknown = BTreeSet::new();
    for (name, script) in scripts() {
        let statements = setup_sql::statements(&script);
        assert!(statements.len() > 1, "{name}");
        for statement in statements.iter().map(|statement| code(statement)) {
            match Parser::parse_sql(&SnowflakeDialect {}, &statement) {
                Ok(parsed) => assert_eq!(parsed.len(), 1, "{name}: {statement}"),
                Err(_) => {
                    let known = UNKNOWN_TO_SQLPARSER.iter().find(|words| statement.starts_with(**words));
                    unknown.insert(known.map_or(statement.as_str(), |words| words).to_owned());
                }
            }
        }
    }
    let listed: BTreeSet<String> = UNKNOWN_TO_SQLPARSER.iter().map(|words| (*words).to_owned()).collect();
    assert_eq!(unknown, listed);
}

fn sql_files(folder: &str) -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../infra").join(folder);
    fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect()
}

#[test]
fn sqlglot_and_sqlfluff_parse_the_scripts_and_their_source_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = sql_files("snowflake");
    for (name, script) in scripts() {
        let path = folder.path().join(format!("{name}.sql"));
        fs::write(&path, script).unwrap();
        files.push(path);
    }
    assert_eq!(parse_errors(&files), json!([]));
}

#[test]
fn sqlglot_and_sqlfluff_parse_every_model_table_and_view() {
    let folder = tempfile::tempdir().unwrap();
    let models = models_with(include_str!("../../metrics.example.toml"));
    let rendered = models.models.iter().chain(&models.tables).map(|model| {
        let path = folder.path().join(model.file.replace('/', "_"));
        fs::write(&path, &model.sql).unwrap();
        path
    });
    let files: Vec<PathBuf> = rendered.collect();
    assert!(files.len() > 50, "{}", files.len());
    assert_eq!(parse_errors(&files), json!([]));
}

#[test]
fn the_parsers_reject_invalid_sql() {
    if FakeSnowflake::python().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bad: Vec<PathBuf> = [
        "create table if not exists a.b (x varchar,, y date);",
        "create role;",
        "use role x; creat table y (a date);",
        "select a from b where;",
    ]
    .iter()
    .enumerate()
    .map(|(i, text)| {
        let path = folder.path().join(format!("{i}.sql"));
        fs::write(&path, text).unwrap();
        path
    })
    .collect();
    let errors = parse_errors(&bad).to_string();
    for path in &bad {
        assert!(errors.contains(path.to_str().unwrap()), "{} is accepted: {errors}", path.display());
    }
}
