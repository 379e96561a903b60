//! Freshness and coverage: what was fetched when, and how new the companies' prices and statements
//! are.

use chrono::{DateTime, Utc};
use duckdb::Connection;
use findata_domain::Result;
use findata_explain::rows::{Row, rows};
use serde::Serialize;

use crate::read::{count, text};

/// Freshness and coverage of the warehouse.
#[derive(Debug, Serialize)]
pub struct Coverage {
    /// The datasets with their newest fetch.
    datasets: Vec<DatasetCoverage>,
    /// Companies by the date of their newest price.
    prices: Vec<Count>,
    /// Companies by the age of their newest period end, in days.
    statements: Vec<Count>,
    companies: u64,
    with_prices: u64,
    with_statements: u64,
    with_twelve_months: u64,
}

/// What was fetched of a dataset, over all runs.
#[derive(Debug, Serialize)]
struct DatasetCoverage {
    dataset: String,
    /// Symbols for which FMP sent rows.
    symbols: u64,
    /// Symbols for which FMP sent no rows.
    empty: u64,
    /// Symbols whose newest task failed.
    failed: u64,
    rows: u64,
    calls: u64,
    oldest: Option<String>,
    newest: Option<String>,
}

/// A number of companies with a property.
#[derive(Debug, Serialize)]
struct Count {
    name: String,
    n: u64,
}

/// Reads the coverage as of now.
pub fn read(connection: &Connection, now: DateTime<Utc>) -> Result<Coverage> {
    let counts = rows(
        connection,
        "select count(*) as companies, \
             count(*) filter (symbol in (select symbol from analytics.fact_daily_prices)) as with_prices, \
             count(*) filter (symbol in (select symbol from analytics.fact_financials)) as with_statements, \
             count(*) filter (symbol in (select symbol from analytics.fact_financials_ttm where status = 'ok')) \
                 as with_twelve_months \
         from analytics.dim_company where is_current",
    )?;
    let counted = |column: &str| counts.first().map_or(0, |row| count(row, column));
    Ok(Coverage {
        datasets: datasets(connection)?,
        prices: grouped(
            connection,
            "select day::varchar as name, count(*) as n from (select symbol, max(price_date) as day \
             from analytics.fact_daily_prices group by symbol) p group by day order by day desc",
        )?,
        statements: grouped(connection, &ages(now))?,
        companies: counted("companies"),
        with_prices: counted("with_prices"),
        with_statements: counted("with_statements"),
        with_twelve_months: counted("with_twelve_months"),
    })
}

/// The newest outcome of each subject decides whether it has rows.
fn datasets(connection: &Connection) -> Result<Vec<DatasetCoverage>> {
    let found = rows(
        connection,
        "with tasks as (select dataset, split_part(subject, ':', 1) as symbol, outcome, row_count, calls, fetched_at, \
             row_number() over (partition by dataset, subject order by run_id desc) as n from ops.tasks) \
         select dataset, \
             count(distinct symbol) filter (n = 1 and outcome = 'rows') as symbols, \
             count(distinct symbol) filter (n = 1 and outcome not in ('rows', 'failed')) as empty, \
             count(distinct symbol) filter (n = 1 and outcome = 'failed') as failed, \
             coalesce(sum(row_count), 0) as rows, coalesce(sum(calls), 0) as calls, \
             strftime(min(fetched_at) filter (n = 1), '%Y-%m-%dT%H:%M:%SZ') as oldest, \
             strftime(max(fetched_at) filter (n = 1), '%Y-%m-%dT%H:%M:%SZ') as newest \
         from tasks group by dataset order by dataset",
    )?;
    let one = |row: &Row| DatasetCoverage {
        dataset: text(row, "dataset").unwrap_or_default(),
        symbols: count(row, "symbols"),
        empty: count(row, "empty"),
        failed: count(row, "failed"),
        rows: count(row, "rows"),
        calls: count(row, "calls"),
        oldest: text(row, "oldest"),
        newest: text(row, "newest"),
    };
    Ok(found.iter().map(one).collect())
}

/// Counts companies by the age of the newest period end: a quarter with its filing is over after about
/// 135 days, half a year after about 270.
fn ages(now: DateTime<Utc>) -> String {
    let today = now.date_naive();
    format!(
        "select name, count(*) as n from (select case \
             when age <= 45 then '1 up to 45 days' when age <= 90 then '2 46 to 90 days' \
             when age <= 135 then '3 91 to 135 days' when age <= 270 then '4 136 to 270 days' \
             else '5 over 270 days' end as name \
         from (select symbol, date '{today}' - max(fiscal_date) as age from analytics.fact_financials group by symbol) f) a \
         group by name order by name"
    )
}

fn grouped(connection: &Connection, sql: &str) -> Result<Vec<Count>> {
    let one = |row: &Row| Count {
        name: text(row, "name").unwrap_or_default(),
        n: count(row, "n"),
    };
    Ok(rows(connection, sql)?.iter().map(one).collect())
}
