//! The newest figures of one company, for `findata show`.

mod newest;

use chrono::NaiveDate;
use duckdb::Connection;
use findata_domain::{Result, Symbol, sql::literal};
use findata_explain::{
    company, meaning,
    rows::{Row, date, figure, rows},
};
use findata_models::Models;
use serde::Serialize;

use crate::{
    figures::{Chosen, Format, of_snapshot},
    read::{suspicions, text},
};
use newest::Newest;

/// Sessions of the price line: one year.
const SESSIONS: usize = 252;
/// Reason for NULL of figures that need statements, for a company that has none.
pub const NO_STATEMENTS: &str = "no_statements";

/// The newest figures of a company.
#[derive(Debug, Serialize)]
pub struct Snapshot {
    /// Symbol.
    pub symbol: String,
    /// Name, sector, industry, exchange and country.
    pub name: Option<String>,
    #[allow(missing_docs)]
    pub sector: Option<String>,
    #[allow(missing_docs)]
    pub industry: Option<String>,
    #[allow(missing_docs)]
    pub exchange: Option<String>,
    #[allow(missing_docs)]
    pub country: Option<String>,
    /// Currency of the price.
    pub currency: Option<String>,
    /// Currency of the newest statement.
    pub reported_currency: Option<String>,
    /// The prices of the last year; `None` without prices.
    pub price: Option<Price>,
    /// The figures in groups.
    pub groups: Vec<Group>,
    /// The contradictions that make figures suspect.
    pub suspicions: Vec<Suspicion>,
    /// How old the data is.
    pub freshness: Freshness,
    /// Share of the quality checks that passed.
    pub quality_score: Option<f64>,
}

/// The prices of the last year.
#[derive(Debug, Serialize)]
pub struct Price {
    /// Newest session and its close.
    pub newest: Close,
    /// Change since the session before, as a fraction.
    pub change_1d: Option<f64>,
    /// Change since the first session, as a fraction.
    pub change: Option<f64>,
    /// First session.
    pub first: Close,
    /// Highest close.
    pub high: Close,
    /// Lowest close.
    pub low: Close,
    /// All closes, oldest first.
    pub closes: Vec<f64>,
}

/// The close of a session, in today's shares.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Close {
    /// The session.
    pub date: NaiveDate,
    /// The close.
    pub close: f64,
}

/// A group of figures.
#[derive(Debug, Serialize)]
pub struct Group {
    /// Name of the group.
    pub name: &'static str,
    /// Its figures.
    pub figures: Vec<Figure>,
}

/// A figure.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// Column.
    pub name: &'static str,
    /// Short heading.
    pub title: &'static str,
    /// Full name.
    pub label: &'static str,
    /// Unit and sign to display.
    pub format: Format,
    /// Value; `None` is NULL.
    pub value: Option<f64>,
    /// Code and meaning of the reason for NULL.
    pub reason: Option<String>,
    #[allow(missing_docs)]
    pub meaning: Option<&'static str>,
    /// Codes of contradictions that make the figure suspect.
    pub suspect: Vec<String>,
}

/// A contradiction.
#[derive(Debug, Serialize)]
pub struct Suspicion {
    /// Code in `suspect_reason`.
    pub code: String,
    /// Its meaning.
    pub about: String,
}

/// How old the data is.
#[derive(Debug, Serialize)]
pub struct Freshness {
    /// The day to which the ages refer.
    pub today: NaiveDate,
    /// Newest session.
    pub session: Option<NaiveDate>,
    /// Newest period with a statement, such as `Q3`, its end, and the days of its filing and acceptance.
    pub period: Option<String>,
    #[allow(missing_docs)]
    pub fiscal_date: Option<NaiveDate>,
    #[allow(missing_docs)]
    pub filing_date: Option<NaiveDate>,
    #[allow(missing_docs)]
    pub known_on: Option<NaiveDate>,
    /// Basis of the ratios and growth rates, `TTM` or `FY`, and the end of their period.
    pub basis: Option<String>,
    #[allow(missing_docs)]
    pub basis_date: Option<NaiveDate>,
}

/// Reads a company.
///
/// # Errors
/// `Reject` for an unknown company; `Stop` if the warehouse cannot be read.
pub fn read(connection: &Connection, models: &Models, symbol: &Symbol, today: NaiveDate) -> Result<Snapshot> {
    company::require(connection, symbol)?;
    let only = format!("symbol = {}", literal(symbol.as_str()));
    let first =
        |sql: String| -> Result<Row> { Ok(rows(connection, &sql)?.into_iter().next().unwrap_or_default()) };
    let profile = first(format!("select * from analytics.dim_company where {only} and is_current"))?;
    let statement = first(format!(
        "select period_type, fiscal_date, filing_date, known_on, reported_currency from analytics.fact_financials \
         where {only} and not is_derived order by fiscal_date desc, period_type = 'FY' limit 1"
    ))?;
    let score = first(format!("select ours from ops.quality where {only} and check_name = 'score'"))?;
    let newest = Newest::read(connection, &only)?;
    let groups = groups(models, &newest);
    let mut codes: Vec<String> = Vec::new();
    for code in groups.iter().flat_map(|group| &group.figures).flat_map(|figure| &figure.suspect) {
        if !codes.contains(code) {
            codes.push(code.clone());
        }
    }
    let about = |code: String| {
        let known = models.registry.suspicion(&code);
        Suspicion {
            about: known.map(|known| known.about.clone()).unwrap_or_default(),
            code,
        }
    };
    Ok(Snapshot {
        symbol: symbol.to_string(),
        name: text(&profile, "company_name"),
        sector: text(&profile, "sector"),
        industry: text(&profile, "industry"),
        exchange: text(&profile, "exchange"),
        country: text(&profile, "country"),
        currency: text(&profile, "currency"),
        reported_currency: text(&statement, "reported_currency"),
        price: price(connection, &only)?,
        groups,
        suspicions: codes.into_iter().map(about).collect(),
        freshness: Freshness {
            today,
            session: date(&newest.market, "metric_date"),
            period: text(&statement, "period_type"),
            fiscal_date: date(&statement, "fiscal_date"),
            filing_date: date(&statement, "filing_date"),
            known_on: date(&statement, "known_on"),
            basis: text(&newest.ratios, "basis"),
            basis_date: date(&newest.ratios, "fiscal_date"),
        },
        quality_score: figure(&score, "ours"),
    })
}

fn groups(models: &Models, newest: &Newest) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    // The price has lines of its own.
    for chosen in of_snapshot(models).into_iter().filter(|chosen| chosen.column != "close_price") {
        let found = figure_of(&chosen, newest);
        match groups.iter_mut().find(|group| group.name == chosen.group) {
            Some(group) => group.figures.push(found),
            None => groups.push(Group { name: chosen.group, figures: vec![found] }),
        }
    }
    groups
}

fn figure_of(chosen: &Chosen, newest: &Newest) -> Figure {
    let row = newest.row(chosen.fact);
    let value = figure(row, chosen.column);
    let reason = value.is_none().then(|| newest.reason(chosen.fact, chosen.column));
    Figure {
        name: chosen.column,
        title: chosen.title,
        label: chosen.name,
        format: match chosen.column {
            "piotroski_f_score" => Format::Count,
            _ => Format::of(&chosen.definition),
        },
        value,
        meaning: reason.as_deref().map(meaning),
        reason,
        suspect: if chosen.is_price() || value.is_none() {
            Vec::new()
        } else {
            suspicions(row)
        },
    }
}

fn price(connection: &Connection, only: &str) -> Result<Option<Price>> {
    let found = rows(
        connection,
        &format!(
            "select price_date, close_price from analytics.fact_daily_prices \
             where {only} and close_price is not null order by price_date desc limit {SESSIONS}"
        ),
    )?;
    let close = |row: &Row| {
        Some(Close {
            date: date(row, "price_date")?,
            close: figure(row, "close_price")?,
        })
    };
    let closes: Vec<Close> = found.iter().rev().filter_map(close).collect();
    let by_close = |a: &&Close, b: &&Close| a.close.total_cmp(&b.close);
    let (Some(first), Some(newest)) = (closes.first(), closes.last()) else {
        return Ok(None);
    };
    let change = |from: &Close| (from.close != 0.0).then(|| newest.close / from.close - 1.0);
    Ok(Some(Price {
        newest: *newest,
        change_1d: closes.iter().rev().nth(1).and_then(change),
        change: Some(first).filter(|_| closes.len() > 1).and_then(change),
        first: *first,
        high: *closes.iter().max_by(by_close).unwrap_or(newest),
        low: *closes.iter().min_by(by_close).unwrap_or(newest),
        closes: closes.iter().map(|close| close.close).collect(),
    }))
}
