//! A run brings a DuckDB file of an older findata up to date: types, views in `main` and comments. What the user has
//! created in the file stays.

use duckdb::Connection;
use findata_tests::{Home, Simulator, findata, models, today};

use super::run;

/// The tables of `analytics`.
const TABLES: &str = "select table_name from duckdb_tables() where schema_name = 'analytics' order by 1";

/// Gives the file the types that figures had before: `decimal(38, 6)` for amounts, share counts and prices. Deletes the
/// views in `main` and all comments.
fn make_older(file: &Connection, tables: &[String]) {
    let mut changed = 0;
    for table in tables {
        let is_older =
            |name: &str| !["eps", "rate", "ratio", "factor"].iter().any(|part| name.contains(part));
        let figures = models().columns(table).iter().filter(|c| c.is_figure() && is_older(&c.name));
        let decimals: Vec<String> = figures
            .filter(|c| c.kind != "double" || table.contains("financials"))
            .map(|c| format!("{0}::decimal(38, 6) as {0}", c.name))
            .collect();
        changed += decimals.len();
        // A copy has no comments.
        let replaced = if decimals.is_empty() {
            String::new()
        } else {
            format!("replace ({})", decimals.join(", "))
        };
        let copy = format!(
            "create or replace table analytics.{table} as select * {replaced} from analytics.{table}"
        );
        file.execute_batch(&copy).unwrap();
        file.execute_batch(&format!(
            "create table before_{table} as select * exclude (run_id, computed_at) from analytics.{table}"
        ))
        .unwrap();
    }
    let views = "select view_name from duckdb_views() where schema_name = 'main' and not internal";
    let mut views = file.prepare(views).unwrap();
    let views: Vec<String> = views.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for view in views {
        file.execute_batch(&format!("drop view main.{view}")).unwrap();
    }
    assert!(changed > 150, "{changed}");
    file.execute_batch("update ops.models set sha256 = 'older' where file like 'tables/%'")
        .unwrap();
}

fn without_comment(home: &Home) -> Vec<String> {
    home.lines(
        "select table_name || '.' || column_name from duckdb_columns() \
         where schema_name = 'analytics' and coalesce(comment, '') = ''",
    )
}

#[test]
fn a_run_migrates_an_older_file_and_keeps_the_users_names() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let again = || run(&home, &server.url(), "AAPL,KO").run();
    assert_eq!(again().code, Some(0));
    let tables = home.lines(TABLES);
    assert_eq!(without_comment(&home), Vec::<String>::new());
    let file = Connection::open(home.warehouse()).unwrap();
    make_older(&file, &tables);
    // Names of the user, one of them in the way of findata's, and a view on a table that will be replaced.
    file.execute_batch(
        "create table main.Fact_Daily_Prices as select 42 as mine; \
         create view main.caps as select symbol, market_cap from analytics.fact_market_metrics_history; \
         create view main.dim_date as select 'also mine' as mine",
    )
    .unwrap();
    drop(file);
    assert!(!without_comment(&home).is_empty());

    // The command reads the older file, although it lacks the views.
    let count = |options: &[&str]| {
        let query = "select count(*) as n from fact_market_metrics_history";
        let output = findata(&[&["sql", "--json", query], options].concat()).home(&home).no_key().run();
        assert_eq!(output.code, Some(0), "{output:#?}");
        output.json()[0]["n"].as_u64().unwrap()
    };
    let days = count(&[]);
    assert!(days > 0);
    assert_eq!(count(&["--as-of", &today().to_string()]), days);

    assert_eq!(again().code, Some(0));
    for table in &tables {
        let computed = format!("select * exclude (run_id, computed_at) from analytics.{table}");
        let before = format!("select * from before_{table}");
        let count = |query: &str| home.count(&format!("select count(*) from ({query})"));
        assert_eq!(count(&computed), count(&before), "{table}");
        assert_eq!(count(&format!("{computed} except {before}")), 0, "{table}");
        for column in models().columns(table) {
            let kind = home.text(&format!(
                "select lower(replace(data_type, ',', ', ')) from duckdb_columns() \
                 where schema_name = 'analytics' and table_name = '{table}' and column_name = '{}'",
                column.name
            ));
            assert_eq!(kind, column.kind, "{table}.{}", column.name);
        }
    }
    assert_eq!(home.text("select mine from fact_daily_prices"), "42");
    assert_eq!(home.text("select mine from dim_date"), "also mine");
    assert_eq!(home.count("select count(*) from caps") as u64, days);
    assert_eq!(count(&[]), days);
    assert_eq!(without_comment(&home), Vec::<String>::new());
    // Every other name is a view, and a listing has it once.
    let named = "select lower(name) from (show tables) where name not like 'before_%' order by 1";
    let of_analytics = "select table_name from information_schema.tables where table_schema = 'analytics'";
    assert_eq!(
        home.lines(named),
        home.lines(&format!("select * from ({of_analytics} union all select 'caps') order by 1"))
    );
    let shown = findata(&["sql", "--format", "csv", "show tables"]).home(&home).no_key().run();
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert!(lines.len() > tables.len() + 6, "{shown:#?}");
    assert!(lines[1..].is_sorted_by(|a, b| a < b), "a name is listed twice: {shown:#?}");

    // The next run has nothing to do.
    let summary = again().json();
    let written: u64 = summary["analytics"]
        .as_object()
        .unwrap()
        .values()
        .map(|t| t["written"].as_u64().unwrap())
        .sum();
    assert_eq!(written, 0, "{summary:#}");
}
