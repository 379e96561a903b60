//! What a job sends to Snowflake is in the grammar of Snowflake, as far as three parsers know it.

use std::{collections::BTreeSet, fs};

use findata_tests::{Double, misread};
use serde_json::json;
use sqlparser::{dialect::SnowflakeDialect, parser::Parser};

/// What sqlparser does not know; whatever else it cannot read is wrong.
const UNKNOWN_TO_SQLPARSER: &[&str] = &["alter session "];

/// Every statement that the double was sent from the given place in its log on.
pub(super) fn expect_grammar(double: &Double, from: usize) {
    let log = double.log();
    let statements: BTreeSet<&str> =
        log[from..].iter().filter(|entry| entry[0] == "query").filter_map(|entry| entry[2].as_str()).collect();
    assert!(statements.len() > 150, "{} statements", statements.len());
    let unreadable: Vec<String> = statements
        .iter()
        .filter(|statement| !UNKNOWN_TO_SQLPARSER.iter().any(|words| statement.starts_with(words)))
        .filter_map(|statement| {
            Parser::parse_sql(&SnowflakeDialect {}, statement).err().map(|e| format!("{e}: {statement}"))
        })
        .collect();
    assert_eq!(unreadable, Vec::<String>::new());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sent.sql");
    let whole: Vec<String> = statements.iter().map(|statement| format!("{statement};")).collect();
    fs::write(&path, whole.join("\n")).unwrap();
    assert_eq!(misread(&[path]), json!([]));
}
