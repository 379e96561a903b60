//! Generates SQL that is specific to Snowflake: escapes in literals, INSERT statements for rows, and COPY statements
//! for landing files.

use findata_domain::catalog::{Column, Kind};
use findata_domain::sql::literal;
use findata_pipeline::{landing::StagedFile, ports::warehouse::Statement};

use crate::statement::StatementKind;

/// Rows per INSERT statement. Snowflake allows 16,384 rows in a VALUES list. With fewer rows, the text does not exceed
/// the largest size of a statement.
const ROWS_PER_INSERT: usize = 1_000;
/// Maximum number of files in one COPY statement.
const FILES_PER_COPY: usize = 1_000;
/// Maximum size of the text of several statements in bytes. Snowflake limits a text to 1 MB.
const BYTES_PER_REQUEST: usize = 400_000;

/// Divides statements into those that fit into one request. A transaction that does not fit is sent statement by
/// statement, because Snowflake rolls back a transaction that a request of several statements leaves open (Snowflake's
/// documentation, "Transactions", on scoped transactions).
pub(super) fn requests<'a, 'b>(statements: &'a [Statement<'b>]) -> impl Iterator<Item = &'a [Statement<'b>]> {
    let mut rest = statements;
    let size: usize = statements.iter().map(|statement| statement.sql.len()).sum();
    let begins = |statement: &Statement<'_>| {
        matches!(StatementKind::of(statement.sql), StatementKind::BeginTransaction)
    };
    let is_split_transaction = size > BYTES_PER_REQUEST && statements.iter().any(begins);
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |statement: &&Statement<'_>| {
            bytes += statement.sql.len();
            bytes <= BYTES_PER_REQUEST && !is_split_transaction
        };
        let number = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let (request, later) = rest.split_at(number);
        rest = later;
        (!request.is_empty()).then_some(request)
    })
}

/// The text of several statements of standard SQL, in Snowflake's dialect. A statement may end with a comment.
pub(super) fn join<'a>(statements: impl Iterator<Item = &'a str>) -> String {
    statements.map(translate).collect::<Vec<_>>().join("\n;\n")
}

/// Translates a statement of standard SQL to Snowflake's dialect: doubles every backslash in string literals. Snowflake
/// treats such a backslash as an escape character, so a backslash before a quote would change where the literal ends.
fn translate(sql: &str) -> String {
    if !sql.contains('\\') {
        return sql.to_owned();
    }
    let mut out = String::with_capacity(sql.len() + 8);
    let mut rest = sql;
    while let Some(start) = rest.find(['\'', '"', '-', '/']) {
        let (before, token) = rest.split_at(start);
        out.push_str(before);
        // A doubled quote needs no special case: it ends one literal and starts the next.
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

/// The INSERT statements for rows. The values are text, and Snowflake casts them to the types of the columns.
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

/// The query that finds the failed statement of a batch, which has this query id. It returns the statement's query id,
/// code and message. Snowflake lists each statement of a batch as a query of the session, with its code as a number.
pub(super) fn failure_within(batch: &str) -> String {
    let history = "table(information_schema.query_history_by_session(result_limit => 200))";
    let batch = literal(batch);
    format!(
        "select h.query_id, lpad(h.error_code::varchar, 6, '0'), h.error_message from {history} h \
         join (select start_time from {history} where query_id = {batch}) b on h.start_time >= b.start_time \
         where h.error_code is not null and h.query_id <> {batch} order by h.start_time desc limit 1"
    )
}

/// The statements that load landing files into the temporary table `incoming`. `stage` is the external stage that
/// points to the folder to which the file keys are relative. `prefix` is the path of this folder in its bucket.
/// Snowflake's file names are relative to the bucket, so the statements remove `prefix` from them.
pub(super) fn copies(columns: &[Column], files: &[StagedFile], stage: &str, prefix: &str) -> Vec<String> {
    let typed_columns = columns.iter().map(|c| (c.name, c.kind.sql(), cast(c)));
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
        // `force` loads a file even if Snowflake's load metadata says that it was loaded before. This is safe because
        // `incoming` is a new table, and the row count of every file is compared with the ledger.
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

/// The expression that casts a value of a landing row to the type of its column. Values are canonical text, so the cast
/// neither fails nor rounds. The JSON value is cast to text first, because a JSON number might become a float.
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
    fn requests_have_texts_of_bounded_size() {
        let long = "x".repeat(BYTES_PER_REQUEST + 1);
        let half = "y".repeat(BYTES_PER_REQUEST / 2);
        let texts = ["a", &long, "b", &half, "c", &half, "d"];
        let statements: Vec<_> = texts.iter().map(|sql| Statement { step: "", sql }).collect();
        let lengths: Vec<usize> = requests(&statements).map(<[_]>::len).collect();
        assert_eq!(lengths, [1, 1, 3, 2]);
        let transaction = ["begin transaction", "a", &long, "b", "commit"];
        let transaction: Vec<_> = transaction.iter().map(|sql| Statement { step: "", sql }).collect();
        assert_eq!(requests(&transaction).map(<[_]>::len).collect::<Vec<_>>(), [1; 5]);
        assert_eq!(requests(&[]).count(), 0);
    }

    #[test]
    fn rows_are_inserted_in_statements_of_bounded_size() {
        let rows = vec![vec![Some("it's".to_owned()), None]; 2_001];
        let statements: Vec<String> = inserts("ops.tasks", &rows).collect();
        assert_eq!(statements.len(), 3);
        assert_eq!(statements[2], "insert into ops.tasks values ('it''s', null)");
    }
}
