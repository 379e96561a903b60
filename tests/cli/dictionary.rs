//! The data dictionary equals `infra/models/DICTIONARY.md` and has every column of the warehouse.

use std::{collections::BTreeMap, fs};

use findata_duckdb::{DuckDb, MemoryLimit};
use findata_explain::dictionary;
use findata_tests::{Home, findata};
use serde_json::Value;

#[test]
fn the_page_matches_the_output_of_the_command() {
    let home = Home::new();
    let printed = findata(&["dictionary"]).home(&home).no_key().run();
    assert_eq!(printed.code, Some(0), "{printed:#?}");
    assert!(home.files().is_empty(), "the command needs no home");
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/models/DICTIONARY.md");
    let written = fs::read_to_string(page).unwrap();
    let line = printed.stdout.lines().zip(written.lines()).find(|(a, b)| a != b);
    assert!(
        printed.stdout == written,
        "infra/models/DICTIONARY.md is out of date ({line:?}): regenerate it with `findata dictionary > infra/models/DICTIONARY.md`"
    );
}

#[test]
fn the_dictionary_has_exactly_the_columns_of_a_new_warehouse_with_type_and_definition() {
    let home = Home::new();
    let mut warehouse =
        DuckDb::open(&home.warehouse(), &home.stage(), MemoryLimit::of_machine(), findata_tests::models())
            .unwrap();
    warehouse.describe(&dictionary::comments(findata_tests::models())).unwrap();
    drop(warehouse);
    let lines = home.lines(
        "select schema_name || '.' || table_name || '.' || column_name, lower(data_type) from duckdb_columns() \
         where not internal and schema_name in ('analytics', 'staging', 'raw', 'ops') \
         and table_name <> 'statement_versions'",
    );
    let stored: BTreeMap<String, String> = lines
        .iter()
        .filter_map(|line| line.split_once('|'))
        .map(|(c, t)| (c.into(), t.replace(',', ", ")))
        .collect();
    let json = findata(&["dictionary", "--json"]).home(&Home::new()).run().json();
    let mut documented = BTreeMap::new();
    let mut comments = BTreeMap::new();
    let mut undefined = Vec::new();
    for table in json.as_array().unwrap() {
        let text = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
        for column in table["columns"].as_array().unwrap() {
            let name = format!("{}.{}.{}", text(table, "schema"), text(table, "name"), text(column, "name"));
            if text(column, "about").len() < 3 {
                undefined.push(name.clone());
            }
            let unit = column["unit"].as_str().map(|unit| format!("{unit}; ")).unwrap_or_default();
            comments.insert(name.clone(), unit + &text(column, "about"));
            documented.insert(name, text(column, "type"));
        }
        comments.insert(format!("{}.{}", text(table, "schema"), text(table, "name")), text(table, "about"));
    }
    assert!(undefined.is_empty(), "without a definition: {undefined:#?}");
    let missing: Vec<_> = stored.iter().filter(|(name, _)| !documented.contains_key(*name)).collect();
    assert!(missing.is_empty(), "not in the dictionary: {missing:#?}");
    let wrong: Vec<_> = documented.iter().filter(|(name, kind)| stored.get(*name) != Some(kind)).collect();
    assert!(wrong.is_empty(), "not in the warehouse, or with another type: {wrong:#?}");
    assert!(stored.len() > 900, "{}", stored.len());

    // The same texts are comments on the tables, views and columns of analytics.
    let stored = home.rows(
        "select schema_name || '.' || table_name || '.' || column_name, comment from duckdb_columns() \
         where schema_name = 'analytics' \
         union all select schema_name || '.' || table_name, comment from duckdb_tables() where schema_name = 'analytics' \
         union all select schema_name || '.' || view_name, comment from duckdb_views() where schema_name = 'analytics'",
    );
    comments.retain(|name, _| name.starts_with("analytics."));
    let stored: BTreeMap<String, String> = stored
        .into_iter()
        .map(|mut row| (row.remove(0).unwrap(), row.remove(0).unwrap_or_default()))
        .collect();
    let wrong: Vec<_> = stored.iter().filter(|(name, text)| comments.get(*name) != Some(text)).collect();
    assert!(wrong.is_empty(), "without the dictionary's text as comment: {wrong:#?}");
    assert_eq!(stored.len(), comments.len());
}

#[test]
fn a_single_table_can_be_printed_and_an_unknown_table_is_an_error() {
    let dictionary = |table: &str| findata(&["dictionary", table]).home(&Home::new()).no_key().run();
    let one = dictionary("fact_financial_ratios");
    for part in [
        "### analytics.fact_financial_ratios",
        "Formula: gross profit ÷ revenue; only when revenue is above zero, and the company is not a bank or insurer. FMP's own: \
         ratios_ttm.gross_profit_margin_ttm. Aliases: gross profit margin. |",
        "| days_sales_outstanding | double | days |",
        "| book_value_per_share | double | money a share |",
    ] {
        assert!(one.stdout.contains(part), "{part} is missing in\n{}", one.stdout);
    }
    assert_eq!(one.stdout.matches("###").count(), 1, "{one:#?}");
    let staging = dictionary("staging.income_statement").stdout;
    assert!(
        staging.contains("| cost_of_revenue | decimal(38, 6) | money | FMP's costOfRevenue |"),
        "{staging}"
    );
    assert!(
        staging.contains("| known_on | date |") && staging.contains("| row_hash | varchar |"),
        "{staging}"
    );
    let several = dictionary("income_statement").stdout;
    assert!(
        several.contains("### staging.income_statement") && several.contains("### raw.income_statement"),
        "{several}"
    );
    let inputs = dictionary("inputs").stdout;
    for part in [
        "## Inputs of formulas",
        "| nopat | money | Operating income after tax at the period's own tax rate. Formula: operating income × (1 − ",
        "| roe_equity | money | Mean stockholders' equity of the quarter ends",
        "Of twelve months: average_inventory_year. |",
    ] {
        assert!(inputs.contains(part) && !inputs.contains("###"), "{part} is missing in\n{inputs}");
    }
    for bad in ["nothing", "analytics", "x; drop table y"] {
        let output = dictionary(bad);
        assert!(output.failed(2).contains("is not a table"), "{output:#?}");
    }
}
