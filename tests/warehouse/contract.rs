//! The contract of a warehouse: statements, values, transactions, row counts and errors.

use findata_domain::{Error, catalog::CATALOG, schema_version, sql::literal};
use findata_models::tables;
use findata_models::{PUBLISHED, hashes};
use findata_pipeline::{
    ports::warehouse::{Warehouse, in_transaction},
    write_fence::WriteFence,
};

use super::{Files, on_every_warehouse};

on_every_warehouse!(
    the_setup_can_be_repeated,
    values_survive_a_round_trip,
    transactions_are_atomic,
    changed_rows_are_counted,
    a_write_fence_refuses_the_second_of_two_writers,
    rows_are_appended,
    no_value_can_inject_sql,
    errors_are_classified_and_fit_on_one_line,
);

pub(crate) async fn set_up(warehouse: &mut impl Warehouse) {
    for statement in tables::setup()
        .iter()
        .map(String::as_str)
        .chain(findata_tests::models().tables.iter().map(|t| t.sql.as_str()))
    {
        warehouse.execute(statement).await.unwrap_or_else(|e| panic!("{e}\n{statement}"));
    }
    let files = hashes::record(&hashes::hashes(&findata_tests::models().tables));
    for statement in files.into_iter().chain(schema_version::record_version()) {
        warehouse.execute(&statement).await.unwrap();
    }
}

/// Creates an empty table in `ops`. On an account the table remains until the next test run.
async fn table(warehouse: &mut impl Warehouse, name: &str, columns: &str) {
    warehouse.execute("create schema if not exists ops").await.unwrap();
    warehouse.execute(&format!("drop table if exists ops.{name}")).await.unwrap();
    warehouse.execute(&format!("create table ops.{name} ({columns})")).await.unwrap();
}

async fn count(warehouse: &mut impl Warehouse, table: &str) -> String {
    let rows = warehouse.query(&format!("select count(*)::varchar from {table}")).await.unwrap();
    rows[0][0].clone().unwrap()
}

async fn the_setup_can_be_repeated(warehouse: &mut impl Warehouse, _: &Files) {
    set_up(warehouse).await;
    set_up(warehouse).await;
    for dataset in CATALOG {
        count(warehouse, &format!("raw.{}", dataset.name)).await;
        count(warehouse, &format!("staging.{}", dataset.name)).await;
    }
    for published in PUBLISHED {
        count(warehouse, &published.full_name()).await;
    }
    for view in ["fact_financials", "fact_financials_ttm", "fact_market_metrics", "metric_nulls"] {
        assert_eq!(count(warehouse, &format!("analytics.{view}")).await, "0");
    }
}

async fn values_survive_a_round_trip(warehouse: &mut impl Warehouse, _: &Files) {
    table(warehouse, "contract_values", "kind varchar, value varchar").await;
    let cases = [
        ("decimal(38, 6)", "99999999999999999999999999999999.999999"),
        ("decimal(38, 6)", "-12345678901234567890123456789012.345678"),
        ("decimal(38, 6)", "0.000001"),
        ("bigint", "9223372036854775807"),
        ("boolean", "true"),
        ("date", "2024-02-29"),
        ("timestamp", "2026-09-18 23:00:00.123"),
        ("varchar", ""),
        ("varchar", "it's \"quoted\", `so`, $$and$$ ? :1 %s {}"),
        ("varchar", "back\\slash, \\n as two characters, \\' and \\\\"),
        ("varchar", "two\nlines\tand a tab\r\n"),
        ("varchar", "Ærø Ørsted A/S · 株式会社 · 🦀"),
        ("varchar", "-- no comment /* nor this */;"),
    ];
    for (kind, text) in cases {
        let cast = format!("select cast({} as {kind})::varchar, null::{kind}::varchar", literal(text));
        let rows = warehouse.query(&cast).await.unwrap_or_else(|e| panic!("{text}: {e}"));
        // Snowflake pads the fraction of a second with zeros.
        let got = rows[0][0].clone().unwrap();
        let got = if kind == "timestamp" {
            got.trim_end_matches('0').to_owned()
        } else {
            got
        };
        assert_eq!((got.as_str(), rows[0][1].as_deref()), (text, None), "{kind}");
        let insert = format!("insert into ops.contract_values values ('{kind}', {})", literal(text));
        warehouse.execute(&insert).await.unwrap();
        let found = format!("select value from ops.contract_values where value = {}", literal(text));
        assert_eq!(warehouse.query(&found).await.unwrap(), [[Some(text.to_owned())]], "{kind}");
    }
    let sum = "select sum(d)::varchar from (values (cast('0.1' as decimal(38, 6))), (cast('0.2' as decimal(38, 6)))) v(d)";
    assert_eq!(warehouse.query(sum).await.unwrap(), [[Some("0.300000".to_owned())]]);
}

async fn transactions_are_atomic(warehouse: &mut impl Warehouse, _: &Files) {
    table(warehouse, "contract_ledger", "n bigint").await;
    let insert = |n: u32| format!("insert into ops.contract_ledger values ({n})");
    in_transaction(warehouse, &[insert(1), insert(2)]).await.unwrap();
    let broken =
        in_transaction(warehouse, &[insert(3), "delete from ops.contract_ledger".into(), "no sql".into()])
            .await;
    assert!(matches!(broken, Err(Error::Stop(_))), "{broken:?}");
    assert_eq!(count(warehouse, "ops.contract_ledger").await, "2");
    warehouse.execute("begin transaction").await.unwrap();
    warehouse.append("ops.contract_ledger", vec![vec![Some("4".into())]]).await.unwrap();
    assert_eq!(count(warehouse, "ops.contract_ledger").await, "3");
    warehouse.execute("rollback").await.unwrap();
    assert_eq!(count(warehouse, "ops.contract_ledger").await, "2");
    in_transaction(warehouse, &[insert(5)]).await.unwrap();
    assert_eq!(count(warehouse, "ops.contract_ledger").await, "3");
}

async fn a_write_fence_refuses_the_second_of_two_writers(warehouse: &mut impl Warehouse, _: &Files) {
    set_up(warehouse).await;
    table(warehouse, "contract_fence", "n bigint").await;
    let insert = |n: u32| [format!("insert into ops.contract_fence values ({n})")];
    let mut first = WriteFence::read("load", warehouse).await.unwrap();
    let mut second = WriteFence::read("load", warehouse).await.unwrap();
    first.write(warehouse, &insert(1)).await.unwrap();
    first.write(warehouse, &insert(2)).await.unwrap();
    let refused = second.write(warehouse, &insert(3)).await;
    assert!(matches!(refused, Err(Error::Retry { after: Some(_), .. })), "{refused:?}");
    assert_eq!(count(warehouse, "ops.contract_fence").await, "2");

    // The other fence has not changed, but the rows on which its transaction depends have.
    let mut analytics = WriteFence::read("analytics", warehouse).await.unwrap();
    let found = analytics.write_unless("select 1 from ops.contract_fence", warehouse, &insert(4)).await;
    assert!(
        matches!(&found, Err(Error::Retry { reason, .. }) if reason.contains("the rows that it read")),
        "{found:?}"
    );
    let none = "select 1 from ops.contract_fence where n > 9";
    analytics.write_unless(none, warehouse, &insert(5)).await.unwrap();

    // A statement that fails for another reason is not a conflict, and leaves the counter unchanged.
    let failed = analytics.write(warehouse, &["no sql".into()]).await;
    assert!(matches!(failed, Err(Error::Stop(_))), "{failed:?}");
    analytics.begin(warehouse).await.unwrap();
    warehouse.execute("delete from ops.contract_fence where n = 5").await.unwrap();
    warehouse.execute("commit").await.unwrap();
    let refused = WriteFence::begin(&mut second, warehouse).await;
    assert!(matches!(refused, Err(Error::Retry { after: Some(_), .. })), "{refused:?}");
    assert_eq!(count(warehouse, "ops.contract_fence").await, "2");
}

async fn changed_rows_are_counted(warehouse: &mut impl Warehouse, _: &Files) {
    table(warehouse, "contract_counts", "n bigint, text varchar").await;
    for (statement, changed) in [
        ("insert into ops.contract_counts values (1, 'a'), (2, 'b'), (3, null)", 3),
        ("insert into ops.contract_counts select n, text from ops.contract_counts where n > 9", 0),
        ("insert into ops.contract_counts (n) select n + 10 from ops.contract_counts", 3),
        ("update ops.contract_counts set text = 'x' where n > 10", 3),
        (
            "create or replace temporary table gone as select n from ops.contract_counts where n > 11",
            0,
        ),
        ("delete from ops.contract_counts t using gone g where t.n = g.n", 2),
        ("delete from ops.contract_counts where n = 1", 1),
        ("delete from ops.contract_counts where n = 1", 0),
        ("drop table gone", 0),
    ] {
        let done = warehouse.execute(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
        // The row count of CREATE .. AS and DROP depends on the engine, so only changes of rows are
        // compared.
        let counts = ["insert", "update", "delete"].iter().any(|word| statement.starts_with(word));
        assert!(!counts || done == changed, "{statement}: {done} instead of {changed}");
    }
    assert_eq!(count(warehouse, "ops.contract_counts").await, "3");
}

async fn rows_are_appended(warehouse: &mut impl Warehouse, _: &Files) {
    let columns = "n bigint, text varchar, seen_at timestamp, day date, amount decimal(38, 6), rate double, yes boolean";
    table(warehouse, "contract_rows", columns).await;
    let some = |text: &str| Some(text.to_owned());
    let full = |n: u32| {
        let texts = [
            "it's \\",
            "2026-09-18 23:00:00.123",
            "2026-09-18",
            "12345678901234567890.5",
            "0.25",
            "true",
        ];
        std::iter::once(Some(n.to_string())).chain(texts.map(some)).collect::<Vec<_>>()
    };
    let mut rows: Vec<_> = (1..=2_500).map(full).collect();
    rows.push(vec![some("0"), None, None, None, None, None, None]);
    warehouse.append("ops.contract_rows", rows).await.unwrap();
    warehouse.append("ops.contract_rows", Vec::new()).await.unwrap();
    let query = "select count(*)::varchar, sum(n)::varchar, count(text)::varchar, max(seen_at)::date::varchar, sum(amount)::varchar, \
                 (sum(rate)::bigint)::varchar, count(case when yes and day = date '2026-09-18' then 1 end)::varchar from ops.contract_rows";
    let wanted =
        ["2501", "3126250", "2500", "2026-09-18", "30864197253086419726250.000000", "625", "2500"].map(some);
    assert_eq!(warehouse.query(query).await.unwrap(), [wanted]);
    let text = warehouse.query("select distinct text from ops.contract_rows where n > 0").await.unwrap();
    assert_eq!(text, [[some("it's \\")]]);
}

async fn no_value_can_inject_sql(warehouse: &mut impl Warehouse, _: &Files) {
    table(warehouse, "contract_safe", "text varchar").await;
    let attempts = [
        "'; drop table ops.contract_safe; --",
        "\\'; drop table ops.contract_safe; --",
        "\\\\'); delete from ops.contract_safe; --",
        "x' or '1' = '1",
        "'||(select 1)||'",
        "\u{2019}; drop table ops.contract_safe",
        "*/ drop table ops.contract_safe /*",
    ];
    let rows = attempts.iter().map(|text| vec![Some((*text).to_owned())]).collect();
    warehouse.append("ops.contract_safe", rows).await.unwrap();
    for text in attempts {
        let insert = format!("insert into ops.contract_safe values ({})", literal(text));
        assert_eq!(warehouse.execute(&insert).await.unwrap(), 1, "{text}");
        let same = format!("select count(*)::varchar from ops.contract_safe where text = {}", literal(text));
        assert_eq!(warehouse.query(&same).await.unwrap(), [[Some("2".to_owned())]], "{text}");
    }
    assert_eq!(count(warehouse, "ops.contract_safe").await, (2 * attempts.len()).to_string());
}

async fn errors_are_classified_and_fit_on_one_line(warehouse: &mut impl Warehouse, _: &Files) {
    for statement in [
        "selec 1",
        "select * from ops.no_such_table",
        "select no_such_column from (select 1 as n) t",
        "select cast('x' as bigint)::varchar",
        "insert into ops.no_such_table values (1)",
    ] {
        let error = warehouse.query(statement).await.unwrap_err();
        assert!(matches!(error, Error::Stop(_)), "{statement}: {error:?}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
    assert_eq!(warehouse.query("select 'still here'").await.unwrap(), [[Some("still here".to_owned())]]);
}
