//! Every NULL has exactly one reason, and no value has a reason.

use std::collections::BTreeSet;

use findata_tests::Home;

use super::first_run;

/// All reasons for NULL.
const REASONS: [&str; 19] = [
    "nonpositive_denominator",
    "negative_earnings",
    "negative_equity",
    "missing_input",
    "missing_quarter",
    "insufficient_history",
    "currency_mismatch",
    "currency_change",
    "transition_period",
    "not_meaningful_for_sector",
    "stale_fundamentals",
    "not_reported",
    "not_applicable_to_basis",
    "negative_base",
    "negative_enterprise_value",
    "unknown_currency",
    "unknown_sector",
    "share_count_disputed",
    "eps_disputed",
];

/// Fact tables with the expressions of date and basis, and their decimal columns that are not
/// metrics.
const FACTS: [(&str, &str, &str, &[&str]); 4] = [
    ("fact_financial_ratios", "fiscal_date", "basis", &[]),
    ("fact_growth_rates", "fiscal_date", "basis", &[]),
    ("fact_market_metrics", "metric_date", "'MARKET'", &["close_price"]),
    ("fact_financials_ttm", "fiscal_date", "'TTM'", &[]),
];

/// The columns of a fact table with figures. Of the TTM table, only the flows and
/// per-share sums.
pub(crate) fn metrics(table: &str) -> Vec<String> {
    let of_ttm = |name: &str| table != "fact_financials_ttm" || name.starts_with("ttm_");
    let columns = findata_tests::models().columns(table).iter();
    columns.filter(|c| c.is_figure() && of_ttm(&c.name)).map(|c| c.name.clone()).collect()
}

/// NULLs with no reason or several, and values with a reason.
pub(crate) fn inconsistencies(home: &Home, reasons: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (table, date, basis, keys) in FACTS {
        let metrics = metrics(table);
        let columns: Vec<&String> = metrics.iter().filter(|m| !keys.contains(&m.as_str())).collect();
        assert!(columns.len() > 25, "{table}: {columns:?}");
        let lines: Vec<String> = columns
            .iter()
            .map(|m| {
                format!(
                    "select symbol, {date} d, {basis} b, '{m}' m, {m} is null is_null from analytics.{table}"
                )
            })
            .collect();
        let query = format!(
            "with figures as ({}), reasons as (select symbol, subject_date d, basis b, metric m, count(*) n from {reasons} group by all) \
             select f.symbol, f.d, f.b, f.m, f.is_null, coalesce(r.n, 0) from figures f left join reasons r using (symbol, d, b, m) \
             where coalesce(r.n, 0) <> case when f.is_null then 1 else 0 end order by all limit 20",
            lines.join(" union all ")
        );
        found.extend(home.lines(&query).into_iter().map(|line| format!("{table}: {line}")));
    }
    // Reasons whose row is in no fact table.
    let known: Vec<String> = FACTS
        .iter()
        .map(|(table, date, basis, _)| format!("select symbol, {date} d, {basis} b from analytics.{table}"))
        .collect();
    let query = format!(
        "select n.symbol, n.subject_date, n.basis, n.metric from {reasons} n \
         anti join ({}) k on k.symbol = n.symbol and k.d = n.subject_date and k.b = n.basis limit 20",
        known.join(" union all ")
    );
    found.extend(home.lines(&query).into_iter().map(|line| format!("no figure: {line}")));
    found
}

#[test]
fn every_null_has_exactly_one_reason_and_no_value_has_one() {
    let inconsistencies = inconsistencies(&first_run().home, "analytics.metric_nulls");
    assert!(inconsistencies.is_empty(), "{inconsistencies:#?}");
}

#[test]
fn the_check_of_reasons_finds_inconsistencies() {
    let home = Home::copy_of(&first_run().home);
    let connection = duckdb::Connection::open(home.warehouse()).unwrap();
    // Each statement creates one inconsistency: a missing reason, a duplicate, a reason for a
    // value, and a reason without a row.
    connection
        .execute_batch(
            "create table ops.reasons as select symbol, subject_date, basis, metric, reason from analytics.metric_nulls;
             delete from ops.reasons where symbol = 'JPM' and basis = 'TTM' and metric = 'current_ratio';
             insert into ops.reasons select * from ops.reasons where symbol = 'ZEROR' and basis = 'TTM' and metric = 'net_margin';
             insert into ops.reasons select * replace ('KO' as symbol) from ops.reasons where symbol = 'JPM' and metric = 'quick_ratio' and basis = 'FY';
             insert into ops.reasons select * replace (date '1999-01-01' as subject_date) from ops.reasons limit 1;",
        )
        .unwrap();
    drop(connection);
    let inconsistencies = inconsistencies(&home, "ops.reasons").join("\n");
    for part in ["JPM", "current_ratio", "ZEROR", "KO", "no figure"] {
        assert!(inconsistencies.contains(part), "{part} is missing in\n{inconsistencies}");
    }
}

#[test]
fn reasons_are_known_codes_and_metrics_are_columns() {
    let home = &first_run().home;
    let codes: BTreeSet<String> =
        home.lines("select distinct reason from analytics.metric_nulls").into_iter().collect();
    let unknown: Vec<_> = codes.iter().filter(|w| !REASONS.contains(&w.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let columns: BTreeSet<String> = FACTS.iter().flat_map(|(table, ..)| metrics(table)).collect();
    let named = home.lines("select distinct metric from analytics.metric_nulls");
    let unexpected: Vec<_> = named.iter().filter(|m| !columns.contains(*m)).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    assert_eq!(
        home.count(
            "select count(*) from analytics.metric_nulls where reason is null or metric is null or basis is null"
        ),
        0
    );
}

#[test]
fn no_figure_is_infinite_or_nan() {
    let home = &first_run().home;
    for (table, ..) in FACTS {
        let columns = home.lines(&format!(
            "select column_name from duckdb_columns() where schema_name = 'analytics' and table_name = '{table}' and data_type = 'DOUBLE'"
        ));
        let not_finite =
            columns.iter().map(|c| format!("not isfinite({c})")).collect::<Vec<_>>().join(" or ");
        assert_eq!(
            home.count(&format!("select count(*) from analytics.{table} where {not_finite}")),
            0,
            "{table}"
        );
    }
}
