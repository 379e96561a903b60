//! What a job sends to Snowflake is in the grammar of Snowflake, as far as three parsers know it.

use std::{collections::BTreeSet, fs, path::PathBuf};

use findata_analytics::models::MODELS;
use findata_tests::{FakeSnowflake, parse_errors};
use serde_json::json;
use sqlparser::{dialect::SnowflakeDialect, parser::Parser};

/// What sqlparser does not know; whatever else it cannot read is wrong.
const UNKNOWN_TO_SQLPARSER: &[&str] = &["alter session "];

/// A statement as sqlparser can read it: of a COPY it reads the query alone.
fn readable(statement: &str) -> &str {
    let query =
        statement.strip_prefix("copy into ").and_then(|rest| rest.split_once(" from (")?.1.rsplit_once(") files = ("));
    query.map_or(statement, |(query, _)| query)
}

/// Every statement that the double was sent from the given place in its log on.
pub(super) fn assert_parses(fake: &FakeSnowflake, from: usize) {
    let log = fake.log();
    let statements: BTreeSet<&str> =
        log[from..].iter().filter(|entry| entry[0] == "query").filter_map(|entry| entry[2].as_str()).collect();
    assert!(statements.len() > 150, "{} statements", statements.len());
    let unreadable: Vec<String> = statements
        .iter()
        .filter(|statement| !UNKNOWN_TO_SQLPARSER.iter().any(|words| statement.starts_with(words)))
        .filter_map(|statement| {
            Parser::parse_sql(&SnowflakeDialect {}, readable(statement)).err().map(|e| format!("{e}: {statement}"))
        })
        .collect();
    assert_eq!(unreadable, Vec::<String>::new());
    let folder = tempfile::tempdir().unwrap();
    // sqlfluff bounds the size of what it reads at once.
    // The models are read as the files that they are, by another test.
    let models: BTreeSet<&str> = MODELS.iter().map(|model| model.sql).collect();
    let others = statements.iter().filter(|statement| !models.contains(*statement));
    let whole: Vec<String> = others.map(|statement| format!("{statement};\n")).collect();
    let write = |(i, some): (usize, &[String])| {
        let path = folder.path().join(format!("{i}.sql"));
        fs::write(&path, some.concat()).unwrap();
        path
    };
    let files: Vec<PathBuf> = whole.chunks(10).enumerate().map(write).collect();
    assert_eq!(parse_errors(&files), json!([]));
}
