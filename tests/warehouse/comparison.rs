//! Compares the tables of two engines: decimals, dates and texts exactly, doubles to a relative
//! 1e-9.

use findata_models::{PUBLISHED, PublishedTable};
use findata_tests::{FakeSnowflake, Home};

/// Columns that say when or by which run a row was written.
const RUN_METADATA: [&str; 5] = ["run_id", "computed_at", "loaded_at", "observed_at", "updated_at"];

/// Asserts that every published table of a home has the same rows in a database on the fake
/// Snowflake.
pub(crate) fn assert_same_tables(home: &Home, fake: &FakeSnowflake, database: &str) {
    for table in PUBLISHED {
        assert_same_table(table, home, fake, database);
    }
}

fn assert_same_table(table: &PublishedTable, home: &Home, fake: &FakeSnowflake, database: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("theirs.parquet");
    fake.export(database, &table.full_name(), &file);
    let (schema, name) = (table.schema, table.name);
    let columns = home.rows(&format!(
        "select column_name, data_type from duckdb_columns() where schema_name = '{schema}' and table_name = '{name}' order by column_index"
    ));
    let versioned = columns.iter().any(|c| c[0].as_deref() == Some("known_from"));
    let key: Vec<&str> = table.key.iter().copied().chain(versioned.then_some("known_from")).collect();
    let other = |row: &Vec<Option<String>>| {
        let (name, kind) = (row[0].as_deref().unwrap(), row[1].as_deref().unwrap());
        let differences = match kind {
            "DOUBLE" => format!(
                "(m.{name} <> t.{name} and abs(m.{name} - t.{name}) > 1e-9 * greatest(abs(m.{name}), abs(t.{name})))"
            ),
            _ => format!("m.{name} <> t.{name}::{kind}"),
        };
        (!RUN_METADATA.contains(&name))
            .then(|| format!("case when (m.{name} is null) <> (t.{name} is null) or {differences} then '{name} ' || coalesce(m.{name}::varchar, 'NULL') || ' and ' || coalesce(t.{name}::varchar, 'NULL') end"))
    };
    let others: Vec<String> = columns.iter().filter_map(other).collect();
    let same_key = key
        .iter()
        .map(|k| format!("m.{k} is not distinct from t.{k}"))
        .collect::<Vec<_>>()
        .join(" and ");
    let from = format!(
        "from {} m full join read_parquet('{}') t on {same_key}",
        table.full_name(),
        file.display()
    );
    let differences = home.lines(&format!(
        "select m.{first} || ' ' || t.{first}, concat_ws(', ', {others}) {from} where concat_ws('', {others}) <> '' limit 5",
        first = key[0],
        others = others.join(", "),
    ));
    assert!(
        differences.is_empty(),
        "{}, DuckDB and the fake differ: {differences:#?}",
        table.full_name()
    );
    let mine = home.count(&format!("select count(*) from {}", table.full_name()));
    let both = home.count(&format!("select count(*) {from}"));
    let theirs = home.count(&format!("select count(*) from read_parquet('{}')", file.display()));
    assert_eq!((mine, theirs), (both, both), "rows of {}", table.full_name());
    println!("{}: {mine} rows", table.full_name());
}
