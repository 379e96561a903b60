//! Weekly closes and price-earnings ratios of the last five years.

use std::collections::BTreeMap;

use duckdb::Connection;
use findata_domain::Result;
use findata_explain::rows::rows;

/// Days of history in the series.
const DAYS: u32 = 5 * 366;

/// The weekly series of all companies.
#[derive(Debug, Default)]
pub struct Weekly {
    /// The Mondays of the weeks.
    pub weeks: Vec<String>,
    /// The series by symbol.
    pub of: BTreeMap<String, Series>,
}

/// The series of a company.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Position of its first week.
    pub from: usize,
    /// Closes of the last session of each week, separated by commas; empty if there is none.
    pub closes: String,
    /// P/E of the same sessions.
    pub earnings_multiples: String,
}

/// Reads the series. A row per company, in which the database joins the values, takes a third of the
/// time of a row per week.
pub fn read(connection: &Connection) -> Result<Weekly> {
    let sessions = format!(
        "select symbol, date_trunc('week', metric_date)::date as week, \
             max_by(close_price::double, metric_date) as close, max_by(pe_ratio_ttm, metric_date) as multiple \
         from analytics.fact_market_metrics \
         where metric_date >= (select max(metric_date) from analytics.fact_market_metrics) - {DAYS} \
         group by all"
    );
    let weeks = rows(connection, &format!("select distinct week from ({sessions}) s order by week"))?;
    let weeks: Vec<String> = weeks.iter().filter_map(|row| row.get("week").cloned()).collect();
    let lines = rows(
        connection,
        &format!(
            "with sessions as ({sessions}), weeks as (select distinct week from sessions), \
             firsts as (select symbol, min(week) as first, max(week) as last from sessions group by symbol) \
             select f.symbol, f.first, \
                 string_agg(coalesce(s.close::varchar, ''), ',' order by w.week) as closes, \
                 string_agg(coalesce(round(s.multiple, 2)::varchar, ''), ',' order by w.week) as multiples \
             from firsts f join weeks w on w.week between f.first and f.last \
             left join sessions s on s.symbol = f.symbol and s.week = w.week \
             group by f.symbol, f.first"
        ),
    )?;
    let one = |row: &findata_explain::rows::Row| {
        let text = |column: &str| row.get(column).map(|text| text.replace(".0,", ",")).unwrap_or_default();
        let from = weeks.binary_search(row.get("first")?).ok()?;
        let series = Series {
            from,
            closes: text("closes"),
            earnings_multiples: text("multiples"),
        };
        Some((row.get("symbol")?.clone(), series))
    };
    Ok(Weekly { of: lines.iter().filter_map(one).collect(), weeks })
}
