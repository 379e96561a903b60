//! Builds the script that sets up a Snowflake account. The script consists of the files in
//! `infra/snowflake` and, between schemas and grants, the tables and views rendered from the
//! catalog and `infra/models`. Every statement can be repeated.
//!
//! The files are valid SQL on their own: account-specific values are placeholders inside literals.

mod comments;
mod values;

use findata_domain::{schema_version, sql::literal};
use findata_explain::dictionary;
use findata_models::tables;
use findata_models::{Model, Models, hashes};
use findata_snowflake::Settings;
pub use values::{Given, Values};

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../../../infra/snowflake/", $name))
    };
}

/// SQL files that run before the tables are created.
const BEFORE_TABLES: [&str; 5] = [
    file!("01_roles.sql"),
    file!("02_warehouse.sql"),
    file!("03_database.sql"),
    file!("04_integration.sql"),
    file!("05_stage.sql"),
];
/// SQL files that run after the tables are created.
const AFTER_TABLES: [&str; 4] = [
    file!("06_clustering.sql"),
    file!("07_grants.sql"),
    file!("08_service_user.sql"),
    file!("09_trust.sql"),
];

const BUCKET: &str = "s3://findata-bucket/home/";
const ROLE_ARN: &str = "arn:aws:iam::000000000000:role/findata-snowflake";
const PUBLIC_KEY: &str = "PUT-THE-PUBLIC-KEY-HERE";
const CREDITS: &str = "credit_quota = 20";

/// Returns the whole setup script. Existing tables stay as they are, except that `replace_figures`
/// recreates the tables of computed figures and marks all companies for recomputation.
pub fn setup(values: &Values, replace_figures: bool, models: &Models) -> String {
    let head = "-- Sets findata up on Snowflake. Run the whole script as a user with accountadmin; it can be run again.\n";
    let mut parts = vec![head.to_owned()];
    parts.extend(BEFORE_TABLES.iter().map(|file| without_placeholders(file, values)));
    parts.push(create_tables(&values.name, replace_figures, models));
    parts.extend(AFTER_TABLES.iter().map(|file| without_placeholders(file, values)));
    parts.join("\n")
}

/// Returns the script that adds a second key to the service user.
pub fn rotate_key(values: &Values) -> String {
    filled(file!("rotate_key.sql"), values)
}

/// Returns the script that drops everything.
pub fn teardown(values: &Values) -> String {
    filled(file!("teardown.sql"), values)
}

/// Returns the script that upgrades the tables, for their owner. Without a known owner, the name follows that of
/// the functions' role.
pub fn upgrade_script(settings: &Settings, owner: Option<&str>, statements: &[String]) -> String {
    let prefix = settings.role.strip_suffix("_loader").unwrap_or("findata");
    let owner = owner.map_or_else(|| format!("{prefix}_deploy"), str::to_owned);
    let head = [
        format!(
            "-- Upgrades the tables of findata. Run it as the role that owns them; it can be run again.\nuse role {owner}"
        ),
        format!("use warehouse {}", settings.warehouse),
        format!("use database {}", settings.database),
    ];
    head.iter().chain(statements).map(|statement| format!("{statement};\n")).collect()
}

/// Splits a script into statements, each with the comments before it and without its semicolon. A
/// statement ends at a semicolon at the end of a line.
pub fn statements(script: &str) -> Vec<String> {
    let (mut all, mut lines, mut has_code) = (Vec::new(), Vec::new(), false);
    for line in script.lines() {
        let is_comment = line.trim_start().starts_with("--");
        has_code |= !is_comment && !line.trim().is_empty();
        match line.trim_end().strip_suffix(';').filter(|_| !is_comment) {
            Some(last) => {
                lines.push(last);
                all.push(lines.join("\n").trim().to_owned());
                lines.clear();
                has_code = false;
            }
            None => lines.push(line),
        }
    }
    if has_code {
        all.push(lines.join("\n").trim().to_owned());
    }
    all
}

/// Fills in the values of a file, and leaves out `alter` statements with unknown values. Otherwise,
/// a script that was created without these values would overwrite working values with placeholders.
fn without_placeholders(file: &str, values: &Values) -> String {
    let text = filled(file, values);
    let unknown = placeholders(values);
    let omit = |statement: &String| {
        let code = statement.lines().find(|line| !line.starts_with("--")).unwrap_or_default();
        code.starts_with("alter ") && unknown.iter().any(|placeholder| statement.contains(placeholder))
    };
    let mut kept = text.clone();
    for statement in statements(&text).iter().filter(|s| omit(s)) {
        kept = kept.replacen(&format!("\n{statement};\n"), "\n", 1);
    }
    kept
}

/// Returns the placeholders whose values the user has not given.
fn placeholders(values: &Values) -> Vec<&'static str> {
    let all = [
        (values.bucket.is_none(), "s3://findata-bucket/"),
        (values.role_arn.is_none(), ROLE_ARN),
        (values.public_key.is_none(), PUBLIC_KEY),
        (values.credits.is_none(), CREDITS),
    ];
    all.into_iter()
        .filter(|(unknown, _)| *unknown)
        .map(|(_, placeholder)| placeholder)
        .collect()
}

fn filled(file: &str, values: &Values) -> String {
    let text = renamed(file, &values.name)
        .replace(CREDITS, &values.credits.map_or(CREDITS.into(), |n| format!("credit_quota = {n}")))
        .replace(BUCKET, &values.location());
    let text = text.replace(ROLE_ARN, values.role_arn.as_deref().unwrap_or(ROLE_ARN));
    text.replace(PUBLIC_KEY, values.public_key.as_deref().unwrap_or(PUBLIC_KEY))
}

/// Renames objects: every word that is `findata` or starts with `findata_`. `findata-bucket` stays
/// unchanged, because it is a placeholder.
fn renamed(text: &str, name: &str) -> String {
    const DEFAULT_NAME: &str = "findata";
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(DEFAULT_NAME) {
        let (before, word) = rest.split_at(at);
        let after = word.strip_prefix(DEFAULT_NAME).unwrap_or_default();
        let inside = before.ends_with(|c| part_of_word(c) || c == '_') || after.starts_with(part_of_word);
        out.push_str(before);
        out.push_str(if inside { DEFAULT_NAME } else { name });
        rest = after;
    }
    out + rest
}

/// Makes the tables of `raw` and `analytics` transient: Snowflake keeps no copy of their deleted data beyond Time
/// Travel.
fn transient(statement: &str) -> String {
    ["raw", "analytics"].iter().fold(statement.to_owned(), |sql, schema| {
        sql.replacen(
            &format!("create table if not exists {schema}."),
            &format!("create transient table if not exists {schema}."),
            1,
        )
    })
}

/// Returns a function that gives the statement of a file of `tables` or `views` for Snowflake.
pub fn creates(models: &Models) -> impl Fn(&Model) -> String {
    let comments = dictionary::comments(models);
    move |file| transient(&comments::with_comments(file, models, &comments))
}

/// Returns the statements that create tables and views and record their versions in `ops.models`.
fn create_tables(name: &str, replace_figures: bool, models: &Models) -> String {
    let mut all = vec![
        format!("-- tables and views; run as {name}_deploy\nuse role {name}_deploy"),
        format!("use warehouse {name}_wh"),
        format!("use database {name}"),
        // The person's session may have other defaults than the functions' sessions.
        "alter session set timestamp_type_mapping = 'TIMESTAMP_NTZ'".to_owned(),
        "alter session set timezone = 'UTC'".to_owned(),
    ];
    // The schemas and their comments are created by an earlier file.
    let tables = tables::setup().into_iter().filter(|statement| !statement.starts_with("create schema "));
    all.extend(tables.map(|statement| transient(&statement)));
    let creates = creates(models);
    let create = |model: &Model| {
        let sql = creates(model);
        if replace_figures {
            sql.replace("create transient table if not exists", "create or replace transient table")
                .replace("create table if not exists", "create or replace table")
        } else {
            sql
        }
    };
    all.extend(models.tables.iter().map(create));
    // The tables of an existing account have the version with which they were created.
    let new = schema_version::record_version_if_new();
    all.push(format!("-- the version of new tables\n{new}"));
    if replace_figures {
        all.extend(schema_version::record_version());
    }
    let hashes = hashes::hashes(&models.tables);
    let hashes: Vec<String> =
        hashes.iter().map(|(f, h)| format!("({}, {})", literal(f), literal(h))).collect();
    // The script replaces views but not existing tables. An existing table keeps the hash of the
    // file that created it, so that the functions can detect a table of another version.
    let and_tables = if replace_figures { " or file like 'tables/%'" } else { "" };
    all.push(format!(
        "-- the files that created the tables and views\ndelete from ops.models where file like 'views/%'{and_tables}"
    ));
    all.push(format!(
        "insert into ops.models (file, sha256)\nselect v.file, v.sha256 from (values\n    {}\n) as v(file, sha256)\n\
         where v.file not in (select file from ops.models)",
        hashes.join(",\n    ")
    ));
    if replace_figures {
        all.push(format!("-- the next run recomputes all figures\n{}", hashes::ALL_COMPANIES_ARE_DUE));
    }
    all.into_iter().map(|statement| format!("{statement};\n")).collect()
}
