//! The types that Snowflake gives the columns of models and views, inferred from its documented rules.

use findata_models::{PUBLISHED, tables};
use findata_tests::problems;
use serde_json::{Value, json};

use super::models;

/// The tables that a run creates before the models, with the differences that ranks read.
fn before_models() -> Vec<String> {
    let mut all = tables::setup();
    all.extend(models().tables.iter().filter(|t| t.file.starts_with("tables/")).map(|t| t.sql.clone()));
    all.extend(models().tables.iter().filter(|t| t.file.starts_with("views/")).map(|t| t.sql.clone()));
    all.extend(
        [
            "run_params as select date '2026-11-27' as as_of, null::varchar as index_symbol",
            "pending as select * from ops.changes",
            "last_published as select as_of, as_of as until_day, index_symbol from ops.published",
            "company_slice as select 1::bigint as first_company, 9::bigint as last_company",
        ]
        .map(|table| format!("create table {table}")),
    );
    for table in PUBLISHED {
        all.extend(["added", "removed"].map(|prefix| {
            format!(
                "create table {prefix}_{} as select * exclude (run_id, computed_at) from {}",
                table.name,
                table.full_name()
            )
        }));
    }
    all
}

/// A view as a table, so that its columns are inferred too.
fn as_table(sql: &str) -> String {
    let (_, statement) = sql.split_once("create or replace view ").expect("a view");
    // A view may list its columns.
    let query = statement.split_once("\n) as\n").or_else(|| statement.split_once(" as\n"));
    let (head, query) = query.expect("a query");
    let name = head.split([' ', '\n']).next().expect("a name").replace('.', "_");
    format!("create or replace temporary table view_{name} as\n{query}")
}

#[test]
fn columns_have_the_same_types_on_snowflake_as_on_duckdb() {
    let views = models().tables.iter().filter(|t| t.file.starts_with("views/"));
    let all = models().models.iter().map(|m| json!([m.file, m.sql]));
    let all = all.chain(views.map(|view| json!([view.file, as_table(&view.sql)])));
    let wrong = [
        ("text", "select s.symbol from staging.prices as s where s.price_date > s.symbol"),
        (
            "case",
            "select case when s.price_date is null then 'none' else s.price_date end as day from staging.prices as s",
        ),
        ("scale", "select s.open_price * s.close_price as product from staging.prices as s"),
        (
            "quotient",
            "select s.open_price / nullif(s.close_price, 0) as quotient from staging.prices as s",
        ),
        ("union", "select s.open_price as x from staging.prices as s union all select 1.5"),
        ("cast", "select try_cast(s.open_price as double) as x from staging.prices as s"),
    ];
    let all =
        all.chain(wrong.map(|(name, query)| {
            json!([name, format!("create or replace temporary table wrong as {query}")])
        }));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("models.json");
    let given = json!({"setup": before_models(), "models": all.collect::<Vec<_>>()});
    std::fs::write(&file, given.to_string()).unwrap();
    let Some(Value::Array(found)) = problems("infer_types.py", &[file]) else {
        return;
    };
    let is_wrong = |problem: &&Value| wrong.iter().any(|(name, _)| problem[0] == *name);
    let (expected, unexpected): (Vec<_>, Vec<_>) = found.iter().partition(is_wrong);
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    for (name, _) in wrong {
        assert!(expected.iter().any(|problem| problem[0] == name), "{name} is not reported: {expected:#?}");
    }
}
