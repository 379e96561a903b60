//! The data dictionary: what stands in `docs/dictionary.md`, and every column there is.

use std::{collections::BTreeMap, fs};

use findata_duckdb::DuckDb;
use findata_tests::{Home, findata};
use serde_json::Value;

#[test]
fn the_page_is_what_the_command_prints() {
    let home = Home::new();
    let printed = findata(&["dictionary"]).home(&home).no_key().run();
    assert_eq!(printed.code, Some(0), "{printed:#?}");
    assert!(home.files().is_empty(), "it needs no home");
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/dictionary.md");
    let written = fs::read_to_string(page).unwrap();
    let line = printed.stdout.lines().zip(written.lines()).find(|(a, b)| a != b);
    assert!(
        printed.stdout == written,
        "docs/dictionary.md is out of date ({line:?}): write it anew with `findata dictionary > docs/dictionary.md`"
    );
}

#[test]
fn every_column_of_a_fresh_warehouse_has_its_type_and_a_definition_and_there_is_no_other() {
    let home = Home::new();
    drop(DuckDb::open(&home.warehouse(), &home.stage()).unwrap());
    let lines = home.lines(
        "select schema_name || '.' || table_name || '.' || column_name, lower(data_type) from duckdb_columns() \
         where not internal and schema_name in ('analytics', 'staging', 'raw', 'ops') \
         and table_name <> 'statement_versions'",
    );
    let stored: BTreeMap<String, String> =
        lines.iter().filter_map(|line| line.split_once('|')).map(|(c, t)| (c.into(), t.replace(',', ", "))).collect();
    let json = findata(&["dictionary", "--json"]).home(&Home::new()).run().json();
    let mut told = BTreeMap::new();
    let mut undefined = Vec::new();
    for table in json.as_array().unwrap() {
        let text = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
        for column in table["columns"].as_array().unwrap() {
            let name = format!("{}.{}.{}", text(table, "schema"), text(table, "name"), text(column, "name"));
            if text(column, "about").len() < 3 {
                undefined.push(name.clone());
            }
            told.insert(name, text(column, "type"));
        }
    }
    assert!(undefined.is_empty(), "without a definition: {undefined:#?}");
    let missing: Vec<_> = stored.iter().filter(|(name, _)| !told.contains_key(*name)).collect();
    assert!(missing.is_empty(), "not in the dictionary: {missing:#?}");
    let wrong: Vec<_> = told.iter().filter(|(name, kind)| stored.get(*name) != Some(kind)).collect();
    assert!(wrong.is_empty(), "not in the warehouse, or of another type: {wrong:#?}");
    assert!(stored.len() > 900, "{}", stored.len());
}

#[test]
fn one_table_may_be_asked_for_and_none_that_there_is_not() {
    let dictionary = |table: &str| findata(&["dictionary", table]).home(&Home::new()).no_key().run();
    let one = dictionary("fact_financial_ratios");
    for part in [
        "### analytics.fact_financial_ratios",
        "| gross_margin | double | ratio | gross profit ÷ revenue; only when revenue is above zero |",
        "| days_sales_outstanding | double | days |",
        "| book_value_per_share | double | money a share |",
    ] {
        assert!(one.stdout.contains(part), "{part} is missing in\n{}", one.stdout);
    }
    assert_eq!(one.stdout.matches("###").count(), 1, "{one:#?}");
    let staging = dictionary("staging.income_statement").stdout;
    assert!(staging.contains("| cost_of_revenue | decimal(38, 6) | money | FMP's costOfRevenue |"), "{staging}");
    assert!(staging.contains("| known_on | date |") && staging.contains("| row_hash | varchar |"), "{staging}");
    let several = dictionary("income_statement").stdout;
    assert!(
        several.contains("### staging.income_statement") && several.contains("### raw.income_statement"),
        "{several}"
    );
    for bad in ["nothing", "analytics", "x; drop table y"] {
        let ended = dictionary(bad);
        assert!(ended.failed(2).contains("is not a table"), "{ended:#?}");
    }
}
