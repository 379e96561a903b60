//! The data of the report about a few companies: prices, events, history, figures with their
//! explanations, and FMP's figures.

mod explanations;
mod history;

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use duckdb::Connection;
use findata_domain::{Result, Symbol, sql::literal};
use findata_explain::{
    Facts,
    ask::{Basis, Fact},
    label,
    rows::{Row, figure, rows},
};
use findata_models::Models;
use serde::Serialize;

use crate::{
    figures::{Format, chosen},
    read::{suspicions, text},
};
use explanations::Explanations;
use history::{Annual, Daily, Events, Periods};

/// Maximum number of companies of a report.
pub const MAX_COMPANIES: usize = 20;

/// The data of the page.
#[derive(Debug, Serialize)]
pub struct Companies {
    kind: &'static str,
    generated: String,
    companies: Vec<Company>,
    /// The meanings of the suspicions.
    suspicions: BTreeMap<String, String>,
}

/// A company.
#[derive(Debug, Serialize)]
struct Company {
    symbol: String,
    name: Option<String>,
    sector: Option<String>,
    industry: Option<String>,
    exchange: Option<String>,
    country: Option<String>,
    currency: Option<String>,
    reported: Option<String>,
    day: Option<String>,
    as_of: Option<String>,
    known_on: Option<String>,
    /// The contradictions that make figures of the newest session suspect.
    suspicions: Vec<String>,
    daily: Daily,
    events: Events,
    periods: Periods,
    annual: Annual,
    figures: Vec<FigureOfCompany>,
    comparison: Vec<Comparison>,
    explanations: Explanations,
}

/// A figure on the page. Its explanation has the value.
#[derive(Debug, Serialize)]
struct FigureOfCompany {
    name: String,
    title: &'static str,
    label: &'static str,
    group: &'static str,
    format: Format,
    about: String,
    /// Whether it depends on prices only, and so is never suspect.
    is_price: bool,
    /// Position of its explanation.
    at: usize,
}

/// A figure next to FMP's.
#[derive(Debug, Serialize)]
struct Comparison {
    label: String,
    format: Format,
    ours: Option<f64>,
    theirs: Option<f64>,
    relative: Option<f64>,
    status: Option<String>,
    reason: Option<String>,
    /// Position of the explanation of our figure.
    at: Option<usize>,
}

/// Reads the data of the companies.
///
/// # Errors
/// `Reject` for an unknown company; `Stop` if the warehouse cannot be read.
pub fn read(
    connection: &Connection,
    models: &Models,
    symbols: &[Symbol],
    now: DateTime<Utc>,
) -> Result<Companies> {
    let companies =
        symbols.iter().map(|symbol| company(connection, models, symbol)).collect::<Result<_>>()?;
    let declared = models.registry.suspicions.iter();
    Ok(Companies {
        kind: "companies",
        generated: now.to_rfc3339_opts(SecondsFormat::Secs, true),
        companies,
        suspicions: declared.map(|suspicion| (suspicion.code.clone(), suspicion.about.clone())).collect(),
    })
}

fn company(connection: &Connection, models: &Models, symbol: &Symbol) -> Result<Company> {
    let facts = Facts::read(connection, symbol, None, models)?;
    let only = format!("symbol = {}", literal(symbol.as_str()));
    let first =
        |sql: String| -> Result<Row> { Ok(rows(connection, &sql)?.into_iter().next().unwrap_or_default()) };
    let profile = first(format!("select * from analytics.dim_company where {only} and is_current"))?;
    let newest = first(format!(
        "select metric_date, fundamentals_as_of, fundamentals_known_on, suspect_reason \
         from analytics.fact_market_metrics where {only} order by metric_date desc limit 1"
    ))?;
    let reported = first(format!(
        "select reported_currency from analytics.fact_financials where {only} order by fiscal_date desc limit 1"
    ))?;
    let mut explanations = Explanations::default();
    let figures = figures(&facts, models, &mut explanations)?;
    let comparison = comparison(connection, &facts, &only, &mut explanations)?;
    let annual = history::annual(connection, &facts, &only, &mut explanations)?;
    Ok(Company {
        symbol: symbol.to_string(),
        name: text(&profile, "company_name"),
        sector: text(&profile, "sector"),
        industry: text(&profile, "industry"),
        exchange: text(&profile, "exchange"),
        country: text(&profile, "country"),
        currency: text(&profile, "currency"),
        reported: text(&reported, "reported_currency"),
        day: text(&newest, "metric_date"),
        as_of: text(&newest, "fundamentals_as_of"),
        known_on: text(&newest, "fundamentals_known_on"),
        suspicions: suspicions(&newest),
        daily: history::daily(connection, &only)?,
        events: history::events(connection, &only)?,
        periods: history::periods(connection, &only)?,
        annual,
        figures,
        comparison,
        explanations,
    })
}

fn basis(fact: Fact) -> Basis {
    match fact {
        Fact::Market => Basis::Market,
        Fact::Prices => Basis::Price,
        Fact::Ratios | Fact::Growth | Fact::Ttm => Basis::Ttm,
        Fact::Financials => Basis::Fy,
    }
}

/// Explains the figures of the screener. A company without prices or statements lacks some of them.
fn figures(
    facts: &Facts<'_>,
    models: &Models,
    explanations: &mut Explanations,
) -> Result<Vec<FigureOfCompany>> {
    let mut found = Vec::new();
    for chosen in chosen(models) {
        let Some(at) = explanations.add(facts, chosen.column, basis(chosen.fact), None)? else {
            continue;
        };
        found.push(FigureOfCompany {
            name: chosen.column.to_owned(),
            title: chosen.title,
            label: chosen.name,
            group: chosen.group,
            format: Format::of(&chosen.definition),
            about: chosen.definition.about.clone(),
            is_price: chosen.is_price(),
            at,
        });
    }
    Ok(found)
}

/// Reads the comparison with FMP's figures that the quality checks made.
fn comparison(
    connection: &Connection,
    facts: &Facts<'_>,
    only: &str,
    explanations: &mut Explanations,
) -> Result<Vec<Comparison>> {
    let checked = rows(
        connection,
        &format!(
            "select * from ops.quality where {only} and check_name like 'fmp!_%' escape '!' \
             qualify row_number() over (partition by check_name order by fiscal_date desc) = 1 order by check_name"
        ),
    )?;
    let mut found = Vec::new();
    for row in &checked {
        let name = text(row, "check_name").unwrap_or_default();
        let name = name.strip_prefix("fmp_").unwrap_or(&name).to_owned();
        let is_market = text(row, "basis").as_deref() == Some("MARKET");
        let fact = if is_market { Fact::Market } else { Fact::Ratios };
        let definition = findata_explain::definition::definition(facts.models, fact, &name);
        let date = findata_explain::rows::date(row, "fiscal_date");
        found.push(Comparison {
            format: Format::of(&definition),
            ours: figure(row, "ours"),
            theirs: figure(row, "theirs"),
            relative: figure(row, "relative_difference"),
            status: text(row, "status"),
            reason: text(row, "reason"),
            at: explanations.add(facts, &name, basis(fact), date.filter(|_| is_market))?,
            label: label(&name),
        });
    }
    Ok(found)
}
