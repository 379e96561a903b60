//! SQL that differs on Snowflake: escapes in literals, INSERT of rows, COPY of landing files.

use findata_domain::catalog::{Column, Dataset, Kind};
use findata_domain::sql::literal;
use findata_pipeline::landing::StagedFile;

/// Rows per INSERT. Snowflake allows 16,384 in a VALUES list; the text of this many fits in a statement.
const ROWS_PER_INSERT: usize = 1_000;
/// Files that one COPY may name.
const FILES_PER_COPY: usize = 1_000;

/// Translates a statement of standard SQL: doubles every backslash inside a string literal. Snowflake reads a backslash
/// there as an escape character, so a backslash before a quote would change where the literal ends.
pub(super) fn translate(sql: &str) -> String {
    if !sql.contains('\\') {
        return sql.to_owned();
    }
    let mut out = String::with_capacity(sql.len() + 8);
    let mut rest = sql;
    while let Some(start) = rest.find(['\'', '"', '-', '/']) {
        let (before, token) = rest.split_at(start);
        out.push_str(before);
        // A doubled quote is handled as the end of one literal and the start of the next.
        let (end, is_literal) = match token.as_bytes() {
            [b'\'', ..] => (token[1..].find('\'').map(|i| i + 2), true),
            [b'"', ..] => (token[1..].find('"').map(|i| i + 2), false),
            [b'-', b'-', ..] => (token.find('\n'), false),
            [b'/', b'*', ..] => (token.find("*/").map(|i| i + 2), false),
            _ => (Some(1), false),
        };
        let (token, after) = token.split_at(end.unwrap_or(token.len()));
        if is_literal {
            out.push_str(&token.replace('\\', "\\\\"))
        } else {
            out.push_str(token)
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// INSERT statements for rows of text, which Snowflake casts to the columns' types.
pub(super) fn inserts<'a>(
    table: &'a str,
    rows: &'a [Vec<Option<String>>],
) -> impl Iterator<Item = String> + 'a {
    rows.chunks(ROWS_PER_INSERT).map(move |rows| {
        let cell = |cell: &Option<String>| cell.as_deref().map_or("null".into(), literal);
        let row =
            |row: &Vec<Option<String>>| format!("({})", row.iter().map(cell).collect::<Vec<_>>().join(", "));
        format!("insert into {table} values {}", rows.iter().map(row).collect::<Vec<_>>().join(", "))
    })
}

/// The statements that load landing files into `incoming`. `stage` is the external stage over the folder that the file
/// keys are relative to. `prefix` is that folder inside its bucket: Snowflake's file names start at the bucket.
pub(super) fn copies(dataset: &Dataset, files: &[StagedFile], stage: &str, prefix: &str) -> Vec<String> {
    let typed_columns = dataset.columns.iter().map(|c| (c.name, c.kind.sql(), cast(c)));
    let skip = if prefix.is_empty() { 1 } else { prefix.chars().count() + 2 };
    let fixed = [
        ("row_hash", "varchar", "$1:\"hash\"::varchar".to_owned()),
        ("observed_at", "timestamp", "$1:\"observed_at\"::varchar::timestamp".to_owned()),
        ("source_file", "varchar", format!("substr(metadata$filename, {skip})")),
        ("source_row", "bigint", "$1:\"n\"::bigint".to_owned()),
        ("subject", "varchar", "$1:\"symbol\"::varchar".to_owned()),
        ("reject", "varchar", "$1:\"reject\"::varchar".to_owned()),
        ("findings", "varchar", "$1:\"findings\"::varchar".to_owned()),
        ("payload", "varchar", "$1:\"payload\"::varchar".to_owned()),
    ];
    let columns: Vec<_> = typed_columns.chain(fixed).collect();
    let list = |part: &dyn Fn(&(&str, &str, String)) -> String| {
        columns.iter().map(part).collect::<Vec<_>>().join(", ")
    };
    let table = format!(
        "create or replace temporary table incoming ({})",
        list(&|(n, kind, _)| format!("{n} {kind}"))
    );
    let copy = |files: &[StagedFile]| {
        // `force` skips the load metadata: `incoming` is a new table, and the row count of every file is compared
        // with the ledger.
        format!(
            "copy into incoming ({}) from (select {} from @{stage}) files = ({}) \
             file_format = (type = json, compression = gzip) on_error = abort_statement force = true",
            list(&|(name, _, _)| (*name).to_owned()),
            list(&|(_, _, value)| value.clone()),
            files.iter().map(|f| literal(&f.key)).collect::<Vec<_>>().join(", "),
        )
    };
    std::iter::once(table).chain(files.chunks(FILES_PER_COPY).map(copy)).collect()
}

/// A value of the landing row, cast to its column's type. Values are canonical text, so the cast can neither fail nor
/// round. It casts from text instead of JSON, so that no number becomes a float on the way.
fn cast(column: &Column) -> String {
    let text = format!("$1:\"row\".\"{}\"::varchar", column.name);
    match column.kind {
        Kind::Text => text,
        other => format!("{text}::{}", other.sql()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_in_a_literal_is_preserved() {
        for (standard, snowflake) in [
            (r"select 'a'", r"select 'a'"),
            (r"select 'C:\new', 1", r"select 'C:\\new', 1"),
            (r"select '\''; drop table x; --'", r"select '\\''; drop table x; --'"),
            (r"select 'it''s \ here'", r"select 'it''s \\ here'"),
            (r#"select "a\b" from t -- it's \"#, r#"select "a\b" from t -- it's \"#),
            ("select 1 -- it's\n, '\\'", "select 1 -- it's\n, '\\\\'"),
            (r"select 4 / 2 /* it's \ */ - 1, '\'", r"select 4 / 2 /* it's \ */ - 1, '\\'"),
            (r"select 'é\ü", r"select 'é\\ü"),
        ] {
            assert_eq!(translate(standard), snowflake);
        }
    }

    #[test]
    fn rows_are_inserted_in_statements_of_bounded_size() {
        let rows = vec![vec![Some("it's".to_owned()), None]; 2_001];
        let statements: Vec<String> = inserts("ops.tasks", &rows).collect();
        assert_eq!(statements.len(), 3);
        assert_eq!(statements[2], "insert into ops.tasks values ('it''s', null)");
    }
}
