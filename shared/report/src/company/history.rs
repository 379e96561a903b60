//! The history of a company: daily prices, events, twelve months, and fiscal years.

use duckdb::Connection;
use findata_domain::Result;
use findata_explain::{
    Facts,
    ask::Basis,
    rows::{Row, date, figure, rows},
};
use serde::Serialize;

use super::explanations::Explanations;
use crate::{figures::Format, read::text};

/// Lines and ratios of the table of fiscal years: the column, the heading, and the format.
const ANNUAL: [(&str, &str, Format); 9] = [
    ("revenue", "Revenue", Format::Money),
    ("operating_income", "Operating income", Format::Money),
    ("net_income", "Net income", Format::Money),
    ("eps_diluted", "Diluted EPS", Format::PerShare),
    ("free_cash_flow", "Free cash flow", Format::Money),
    ("gross_margin", "Gross margin", Format::Percent),
    ("net_margin", "Net margin", Format::Percent),
    ("roe", "ROE", Format::Percent),
    ("roic", "ROIC", Format::Percent),
];
/// Number of fiscal years in the table.
const YEARS: usize = 6;

/// Daily series. Each is a text with values separated by commas, empty for NULL.
#[derive(Debug, Default, Serialize)]
pub struct Daily {
    dates: String,
    close: String,
    sma_50: String,
    sma_200: String,
    pe: String,
}

/// Dividends, splits and filings.
#[derive(Debug, Default, Serialize)]
pub struct Events {
    dividends: Vec<Event>,
    splits: Vec<Event>,
    filings: Vec<Event>,
}

/// An event on a day.
#[derive(Debug, Serialize)]
struct Event {
    date: String,
    text: String,
    value: Option<f64>,
}

/// Figures of each twelve months, oldest first.
#[derive(Debug, Default, Serialize)]
pub struct Periods {
    dates: Vec<String>,
    revenue: Vec<Option<f64>>,
    net_income: Vec<Option<f64>>,
    free_cash_flow: Vec<Option<f64>>,
    gross_margin: Vec<Option<f64>>,
    operating_margin: Vec<Option<f64>>,
    net_margin: Vec<Option<f64>>,
    roe: Vec<Option<f64>>,
    roa: Vec<Option<f64>>,
    roic: Vec<Option<f64>>,
    suspect: Vec<bool>,
}

/// The table of fiscal years, newest first.
#[derive(Debug, Default, Serialize)]
pub struct Annual {
    years: Vec<String>,
    rows: Vec<AnnualRow>,
}

/// A figure of all years.
#[derive(Debug, Serialize)]
struct AnnualRow {
    title: &'static str,
    format: Format,
    /// Positions of the explanations.
    at: Vec<Option<usize>>,
}

/// Reads the daily series. The database joins the values, which is faster than a row per day.
pub fn daily(connection: &Connection, only: &str) -> Result<Daily> {
    let joined = |(name, value): (&str, &str)| {
        format!("string_agg(coalesce(({value})::varchar, ''), ',' order by metric_date) as {name}")
    };
    let columns = [
        ("dates", "metric_date"),
        ("close", "close_price::double"),
        ("sma_50", "round(sma_50, 2)::double"),
        ("sma_200", "round(sma_200, 2)::double"),
        ("pe", "round(pe_ratio_ttm, 2)"),
    ];
    let columns = columns.map(joined).join(", ");
    let found =
        rows(connection, &format!("select {columns} from analytics.fact_market_metrics where {only}"))?;
    let row = found.into_iter().next().unwrap_or_default();
    let series = |name: &str| text(&row, name).unwrap_or_default().replace(".0,", ",");
    Ok(Daily {
        dates: series("dates"),
        close: series("close"),
        sma_50: series("sma_50"),
        sma_200: series("sma_200"),
        pe: series("pe"),
    })
}

/// Reads dividends, splits and filings.
pub fn events(connection: &Connection, only: &str) -> Result<Events> {
    let read = |sql: String| -> Result<Vec<Event>> {
        let one = |row: &Row| {
            Some(Event {
                date: text(row, "day")?,
                text: text(row, "text").unwrap_or_default(),
                value: figure(row, "value"),
            })
        };
        Ok(rows(connection, &sql)?.iter().filter_map(one).collect())
    };
    Ok(Events {
        dividends: read(format!(
            "select ex_date as day, coalesce(frequency, '') as text, \
                 coalesce(adjusted_dividend, dividend)::double as value \
             from staging.dividends where {only} and ex_date is not null order by ex_date"
        ))?,
        splits: read(format!(
            "select split_date as day, numerator::double || ' for ' || denominator::double as text, \
                 (numerator / denominator)::double as value \
             from staging.splits where {only} order by split_date"
        ))?,
        filings: read(format!(
            "select filing_date as day, string_agg(period_type || ' to ' || fiscal_date, ', ' order by period_type desc) as text \
             from analytics.fact_financials where {only} and filing_date is not null and not is_derived \
             group by filing_date order by filing_date"
        ))?,
    })
}

/// Reads the figures of the twelve months.
pub fn periods(connection: &Connection, only: &str) -> Result<Periods> {
    let found = rows(
        connection,
        &format!(
            "with months as (select * from analytics.fact_financials_ttm where {only}), \
             ratios as (select * from analytics.fact_financial_ratios where {only} and basis = 'TTM') \
             select m.fiscal_date, m.ttm_revenue, m.ttm_net_income, m.ttm_free_cash_flow, r.gross_margin, \
                 r.operating_margin, r.net_margin, r.roe, r.roa, r.roic, \
                 coalesce(m.is_suspect, false) or coalesce(r.is_suspect, false) as is_suspect \
             from months m left join ratios r on r.fiscal_date = m.fiscal_date \
             where m.status = 'ok' order by m.fiscal_date"
        ),
    )?;
    let series = |column: &str| found.iter().map(|row| figure(row, column)).collect();
    Ok(Periods {
        dates: found.iter().filter_map(|row| text(row, "fiscal_date")).collect(),
        revenue: series("ttm_revenue"),
        net_income: series("ttm_net_income"),
        free_cash_flow: series("ttm_free_cash_flow"),
        gross_margin: series("gross_margin"),
        operating_margin: series("operating_margin"),
        net_margin: series("net_margin"),
        roe: series("roe"),
        roa: series("roa"),
        roic: series("roic"),
        suspect: found.iter().map(|row| row.get("is_suspect").is_some_and(|is| is == "true")).collect(),
    })
}

/// Explains the figures of the newest fiscal years.
pub fn annual(
    connection: &Connection,
    facts: &Facts<'_>,
    only: &str,
    explanations: &mut Explanations,
) -> Result<Annual> {
    let years = rows(
        connection,
        &format!(
            "select fiscal_date, known_on from analytics.fact_financials where {only} and period_type = 'FY' \
             order by fiscal_date desc limit {YEARS}"
        ),
    )?;
    let mut table = Annual {
        years: years.iter().filter_map(|row| text(row, "fiscal_date")).collect(),
        rows: Vec::new(),
    };
    for (column, title, format) in ANNUAL {
        let mut at = Vec::new();
        for year in &years {
            // The answer is about the newest fiscal year that was known on this day. That is another year
            // if two became known together.
            let found = explanations.add(facts, column, Basis::Fy, date(year, "known_on"))?;
            at.push(found.filter(|at| explanations.date(*at) == year.get("fiscal_date").map(String::as_str)));
        }
        table.rows.push(AnnualRow { title, format, at });
    }
    Ok(table)
}
