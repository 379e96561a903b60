//! The script that sets a Snowflake account up: the files of `infra/snowflake`, and between schemas and grants the tables and
//! views, rendered from the catalog and from `infra/models`. Every statement may be run again.
//!
//! The files parse as they stand: what differs from account to account stands in them as a placeholder inside a literal.

mod values;

use findata_models::{Model, TABLES, hashes};
use findata_models::{literal, tables};
pub use values::{Given, Values};

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../../../infra/snowflake/", $name))
    };
}

/// What is there before the tables are.
const BEFORE: [&str; 5] = [
    file!("01_roles.sql"),
    file!("02_warehouse.sql"),
    file!("03_database.sql"),
    file!("04_integration.sql"),
    file!("05_stage.sql"),
];
/// What the tables are there for.
const AFTER: [&str; 4] =
    [file!("06_clustering.sql"), file!("07_grants.sql"), file!("08_service_user.sql"), file!("09_trust.sql")];

const BUCKET: &str = "s3://findata-bucket/home/";
const ROLE_ARN: &str = "arn:aws:iam::000000000000:role/findata-snowflake";
const PUBLIC_KEY: &str = "PUT-THE-PUBLIC-KEY-HERE";
const CREDITS: &str = "credit_quota = 20";

/// The whole script. Tables that are there stay as they are; `replace_figures` makes those of figures anew, and all figures due.
pub fn setup(values: &Values, replace_figures: bool) -> String {
    let head =
        "-- Sets findata up on Snowflake. Run it whole as a user who may use accountadmin; it may be run again.\n";
    let mut parts = vec![head.to_owned()];
    parts.extend(BEFORE.iter().map(|file| without_placeholders(file, values)));
    parts.push(made_tables(&values.name, replace_figures));
    parts.extend(AFTER.iter().map(|file| without_placeholders(file, values)));
    parts.join("\n")
}

/// The script that gives the service user a second key.
pub fn rotate_key(values: &Values) -> String {
    filled(file!("rotate_key.sql"), values)
}

/// The script that takes everything away.
pub fn teardown(values: &Values) -> String {
    filled(file!("teardown.sql"), values)
}

/// The statements of a script, each with the comments before it and without its semicolon, which ends a line.
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

/// A file with the values in it. What alters an object to a value that is not known is left out, so that the script run again without
/// it leaves a working account as it is.
fn without_placeholders(file: &str, values: &Values) -> String {
    let text = filled(file, values);
    let unknown = placeholders(values);
    let left_out = |statement: &String| {
        let code = statement.lines().find(|line| !line.starts_with("--")).unwrap_or_default();
        code.starts_with("alter ") && unknown.iter().any(|placeholder| statement.contains(placeholder))
    };
    let mut kept = text.clone();
    for statement in statements(&text).iter().filter(|s| left_out(s)) {
        kept = kept.replacen(&format!("\n{statement};\n"), "", 1);
    }
    kept
}

/// Placeholders whose values are not known.
fn placeholders(values: &Values) -> Vec<&'static str> {
    let all = [
        (values.bucket.is_none(), "s3://findata-bucket/"),
        (values.role_arn.is_none(), ROLE_ARN),
        (values.public_key.is_none(), PUBLIC_KEY),
        (values.credits.is_none(), CREDITS),
    ];
    all.into_iter().filter(|(unknown, _)| *unknown).map(|(_, placeholder)| placeholder).collect()
}

fn filled(file: &str, values: &Values) -> String {
    let text = renamed(file, &values.name)
        .replace(CREDITS, &values.credits.map_or(CREDITS.into(), |n| format!("credit_quota = {n}")))
        .replace(BUCKET, &values.location());
    let text = text.replace(ROLE_ARN, values.role_arn.as_deref().unwrap_or(ROLE_ARN));
    text.replace(PUBLIC_KEY, values.public_key.as_deref().unwrap_or(PUBLIC_KEY))
}

/// A text whose objects have another name: every word that is `findata`, or begins with `findata_`. `findata-bucket` is a placeholder.
fn renamed(text: &str, name: &str) -> String {
    const OWN: &str = "findata";
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(OWN) {
        let (before, word) = rest.split_at(at);
        let after = word.strip_prefix(OWN).unwrap_or_default();
        let inside = before.ends_with(|c| part_of_word(c) || c == '_') || after.starts_with(part_of_word);
        out.push_str(before);
        out.push_str(if inside { OWN } else { name });
        rest = after;
    }
    out + rest
}

/// Tables and views, and in `ops.models` of which version they are.
fn made_tables(name: &str, replace_figures: bool) -> String {
    let mut all = vec![
        format!("-- tables and views; run as {name}_deploy\nuse role {name}_deploy"),
        format!("use warehouse {name}_wh"),
        format!("use database {name}"),
    ];
    // The schemas are there already, with their comments.
    all.extend(tables::setup().into_iter().filter(|statement| !statement.starts_with("create schema ")));
    let made = |model: &Model| {
        let sql = model.sql.trim_end().to_owned();
        if replace_figures { sql.replace("create table if not exists", "create or replace table") } else { sql }
    };
    all.extend(TABLES.iter().map(made));
    let hashes = hashes::hashes(TABLES);
    let hashes: Vec<String> = hashes.iter().map(|(f, h)| format!("({}, {})", literal(f), literal(h))).collect();
    // Views were replaced. A table that was there is as it was made, and keeps the hash of the file that made it, by which the functions
    // see that it is not theirs.
    let which = if replace_figures { " or file like 'tables/%'" } else { "" };
    all.push(format!(
        "-- by which files tables and views were made\ndelete from ops.models where file like 'views/%'{which}"
    ));
    all.push(format!(
        "insert into ops.models (file, sha256)\nselect v.file, v.sha256 from (values\n    {}\n) as v(file, sha256)\n\
         where v.file not in (select file from ops.models)",
        hashes.join(",\n    ")
    ));
    if replace_figures {
        all.push(format!("-- the next run computes all figures anew\n{}", hashes::ALL_COMPANIES_ARE_DUE));
    }
    all.into_iter().map(|statement| format!("{statement};\n")).collect()
}
