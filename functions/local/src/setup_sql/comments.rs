//! Comments on tables, views and columns in Snowflake's syntax.
//!
//! They are part of the statements that create the objects: a view's columns cannot be commented later, and hundreds of
//! `comment on column` statements would take minutes. A table that exists keeps its comments until
//! `setup-sql --replace-figures`; views are replaced by every script.

use findata_domain::sql::literal;
use findata_models::{Model, Models, comments::TableComments};

/// Returns the statement of a file of `tables` or `views`, with comments if it creates an object of `analytics`.
pub(super) fn with_comments(file: &Model, models: &Models, comments: &[TableComments]) -> String {
    let sql = file.sql.trim_end();
    let described = comments.iter().find(|table| file.creates(table.schema) == Some(table.name.as_str()));
    let Some(table) = described.filter(|table| !table.columns.is_empty()) else {
        return sql.to_owned();
    };
    let (name, about) = (table.full_name(), literal(&table.about));
    if table.is_view {
        let columns =
            table.columns.iter().map(|(column, text)| format!("{column} comment {}", literal(text)));
        let columns = list(columns);
        let create = format!("create or replace view {name}");
        let Some((before, rest)) = sql.split_once(&create) else {
            return sql.to_owned();
        };
        // The names of the columns may be part of the statement.
        let query =
            rest.strip_prefix(" as\n").or_else(|| rest.split_once("\n) as\n").map(|(_, query)| query));
        return query.map_or_else(
            || sql.to_owned(),
            |query| format!("{before}{create} ({columns})\ncomment = {about}\nas\n{query}"),
        );
    }
    let columns = models.columns(&table.name).iter().zip(&table.columns);
    let columns = columns
        .map(|(column, (_, text))| format!("{} {} comment {}", column.name, column.kind, literal(text)));
    format!("create table if not exists {name} ({})\ncomment = {about}", list(columns))
}

fn list(columns: impl Iterator<Item = String>) -> String {
    format!("\n    {}\n", columns.collect::<Vec<_>>().join(",\n    "))
}
