//! Every statement that a run sends to Snowflake follows Snowflake's grammar as three parsers know
//! it.

use std::{collections::BTreeSet, fs, path::PathBuf};

use findata_tests::{FakeSnowflake, parse_errors};
use serde_json::json;
use sqlparser::{dialect::SnowflakeDialect, parser::Parser};

/// The beginnings of statements that sqlparser does not know. Any other statement that it cannot
/// parse is an error.
const UNKNOWN_TO_SQLPARSER: &[&str] = &["alter session "];

/// The part of a statement that sqlparser can parse. For a COPY, that is its query.
fn parseable_part(statement: &str) -> &str {
    let query = statement
        .strip_prefix("copy into ")
        .and_then(|rest| rest.split_once(" from (")?.1.rsplit_once(") files = ("));
    query.map_or(statement, |(query, _)| query)
}

/// Parses every statement in the fake's log, starting at the position `from`.
pub(super) fn assert_parses(fake: &FakeSnowflake, from: usize) {
    let log = fake.log();
    let statements: BTreeSet<&str> = log[from..]
        .iter()
        .filter(|entry| entry[0] == "query")
        .filter_map(|entry| entry[2].as_str())
        .collect();
    assert!(statements.len() > 150, "{} statements", statements.len());
    let unparseable: Vec<String> = statements
        .iter()
        .filter(|statement| !UNKNOWN_TO_SQLPARSER.iter().any(|words| statement.starts_with(words)))
        .filter_map(|statement| {
            Parser::parse_sql(&SnowflakeDialect {}, parseable_part(statement))
                .err()
                .map(|e| format!("{e}: {statement}"))
        })
        .collect();
    assert_eq!(unparseable, Vec::<String>::new());
    let folder = tempfile::tempdir().unwrap();
    // sqlfluff limits the size of its input, so the statements are split over files. The models are
    // left out, because another test parses their files.
    let models: BTreeSet<&str> =
        findata_tests::models().models.iter().map(|model| model.sql.as_str()).collect();
    let others = statements.iter().filter(|statement| !models.contains(*statement));
    let terminated: Vec<String> = others.map(|statement| format!("{statement};\n")).collect();
    let write = |(i, some): (usize, &[String])| {
        let path = folder.path().join(format!("{i}.sql"));
        fs::write(&path, some.concat()).unwrap();
        path
    };
    let files: Vec<PathBuf> = terminated.chunks(10).enumerate().map(write).collect();
    assert_eq!(parse_errors(&files), json!([]));
}
