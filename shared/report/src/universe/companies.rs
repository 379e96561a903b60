//! The companies with their newest figures, reasons for NULL, suspicions and weekly series.

use std::collections::BTreeMap;

use duckdb::Connection;
use findata_domain::Result;
use findata_explain::rows::{Row, figure, rows};
use findata_models::Models;
use serde::Serialize;

use super::{inputs::Inputs, series::Weekly, tables::Tables};
use crate::{
    figures::Chosen,
    read::{suspicions, text},
};

/// Accepted relative difference between a figure and its value computed from the displayed inputs.
const RELATIVE: f64 = 1e-6;

/// A company of the screener. Names are short, because each occurs once per company.
#[derive(Debug, Serialize)]
pub struct Company {
    symbol: String,
    name: Option<String>,
    sector: Option<String>,
    industry: Option<String>,
    exchange: Option<String>,
    country: Option<String>,
    currency: Option<String>,
    reported: Option<String>,
    /// Newest session.
    day: Option<String>,
    /// Newest period end of the fundamentals of that session, and the day on which it was known.
    as_of: Option<String>,
    known_on: Option<String>,
    /// End of the twelve months of ratios and growth rates.
    ttm: Option<String>,
    /// Share of the quality checks that passed.
    score: Option<f64>,
    /// Values of the figures.
    v: Vec<Option<f64>>,
    /// Reasons for NULL by position of the figure.
    r: BTreeMap<usize, String>,
    /// Suspicions by position of the figure.
    s: BTreeMap<usize, Vec<String>>,
    /// Values of the inputs.
    x: Vec<Option<f64>>,
    /// Positions of the figures that the inputs in `x` do not give, because they were computed from
    /// other rows.
    h: Vec<usize>,
    /// Position of the first week, closes and P/E.
    w: usize,
    p: String,
    e: String,
}

impl Company {
    /// Returns the codes of its reasons for NULL.
    pub fn reasons(&self) -> impl Iterator<Item = &str> {
        self.r.values().map(String::as_str)
    }
}

/// Reads all companies, largest market capitalisation first.
pub fn read(
    connection: &Connection,
    models: &Models,
    figures: &[Chosen],
    inputs: &Inputs,
    series: &Weekly,
) -> Result<Vec<Company>> {
    let tables = Tables::read(connection, models, figures, inputs)?;
    let companies = rows(
        connection,
        "select symbol, company_name, sector, industry, exchange, country, currency \
         from analytics.dim_company where is_current order by symbol",
    )?;
    let one = |row: &Row| company(row, models, figures, inputs, &tables, series);
    let mut all: Vec<Company> = companies.iter().filter_map(one).collect();
    let cap = figures.iter().position(|chosen| chosen.column == "market_cap").unwrap_or_default();
    all.sort_by(|a, b| {
        let size = |company: &Company| company.v.get(cap).copied().flatten().unwrap_or(f64::MIN);
        size(b).total_cmp(&size(a))
    });
    Ok(all)
}

fn company(
    row: &Row,
    models: &Models,
    figures: &[Chosen],
    inputs: &Inputs,
    tables: &Tables,
    series: &Weekly,
) -> Option<Company> {
    let symbol = text(row, "symbol")?;
    let newest = tables.newest(&symbol);
    let values: Vec<Option<f64>> = figures
        .iter()
        .map(|chosen| figure(tables.row(chosen.fact, &symbol)?, chosen.column))
        .collect();
    let x = inputs.values(models, &newest);
    let differs = |(position, chosen): (usize, &Chosen)| {
        let value = values.get(position).copied().flatten()?;
        let again = inputs.recomputed(position, chosen.definition.expression.as_ref()?, &x);
        let same = again.is_some_and(|again| (again - value).abs() <= RELATIVE * value.abs().max(1e-9));
        (!same).then_some(position)
    };
    let h = figures.iter().enumerate().filter_map(differs).collect();
    let null = |(position, chosen): (usize, &Chosen)| {
        let absent = values.get(position).copied().flatten().is_none();
        absent.then(|| (position, tables.reason(chosen, &symbol)))
    };
    let r = figures.iter().enumerate().filter_map(null).collect();
    let suspect = |(position, chosen): (usize, &Chosen)| {
        let codes = suspicions(tables.row(chosen.fact, &symbol)?);
        (!codes.is_empty() && !chosen.is_price()).then_some((position, codes))
    };
    let s = figures.iter().enumerate().filter_map(suspect).collect();
    let weekly = series.of.get(&symbol).cloned().unwrap_or_default();
    let of = |row: Option<&Row>, column: &str| row.and_then(|row| text(row, column));
    Some(Company {
        name: text(row, "company_name"),
        sector: text(row, "sector"),
        industry: text(row, "industry"),
        exchange: text(row, "exchange"),
        country: text(row, "country"),
        currency: text(row, "currency"),
        reported: of(newest.ttm, "reported_currency"),
        day: of(newest.market, "metric_date"),
        as_of: of(newest.market, "fundamentals_as_of"),
        known_on: of(newest.market, "fundamentals_known_on"),
        ttm: of(newest.ttm, "fiscal_date"),
        score: tables.scores.get(&symbol).and_then(|row| figure(row, "ours")),
        v: values,
        r,
        s,
        x,
        h,
        w: weekly.from,
        p: weekly.closes,
        e: weekly.earnings_multiples,
        symbol,
    })
}
