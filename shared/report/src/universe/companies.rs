//! The companies with their newest figures, reasons for NULL, suspicions and weekly series.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::Connection;
use findata_domain::Result;
use findata_explain::{
    ask::Fact,
    rows::{Row, figure, rows},
};
use findata_models::Models;
use serde::Serialize;

use super::{
    inputs::{Inputs, Newest, bases},
    series::Weekly,
};
use crate::{
    figures::Chosen,
    read::{BySymbol, by_symbol, suspicions, text},
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

/// The newest rows of all companies.
struct Tables {
    market: BySymbol,
    ratios: BySymbol,
    growth: BySymbol,
    /// Newest twelve months.
    ttm: BySymbol,
    /// Twelve months known on the newest session.
    known_ttm: BySymbol,
    /// Base twelve months by symbol and horizon.
    bases: BTreeMap<(String, String), Row>,
    closes: BySymbol,
    scores: BySymbol,
    /// Reasons for NULL by symbol, basis and metric.
    nulls: BTreeMap<(String, String, String), String>,
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
    let values: Vec<Option<f64>> =
        figures.iter().map(|chosen| figure(tables.row(chosen.fact, &symbol)?, chosen.column)).collect();
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
        // A price does not depend on statements.
        let is_price = chosen.column == "close_price" || chosen.definition.sessions.is_some();
        (!codes.is_empty() && !is_price).then_some((position, codes))
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

impl Tables {
    fn read(
        connection: &Connection,
        models: &Models,
        figures: &[Chosen],
        inputs: &Inputs,
    ) -> Result<Self> {
        let columns = |fact: Fact| {
            let own = figures.iter().filter(move |chosen| chosen.fact == fact);
            own.map(|chosen| chosen.column.to_owned()).collect::<BTreeSet<String>>()
        };
        let mut market = columns(Fact::Market);
        market.extend(["shares_outstanding_used", "dividends_per_share_ttm"].map(str::to_owned));
        let mut ttm = columns(Fact::Ttm);
        ttm.extend(inputs.columns(models));
        let list = |columns: BTreeSet<String>| columns.into_iter().collect::<Vec<_>>().join(", ");
        let (ttm, market) = (list(ttm), list(market));
        let newest = |table: &str, date: &str, columns: &str, only: &str| {
            format!(
                "select symbol, {date}, {columns} from analytics.{table} {only} \
                 qualify row_number() over (partition by symbol order by {date} desc) = 1"
            )
        };
        let period = |table: &str, fact: Fact| {
            let columns = format!("suspect_reason, {}", list(columns(fact)));
            by_symbol(connection, &newest(table, "fiscal_date", &columns, "where basis = 'TTM'"))
        };
        let session = format!("fundamentals_as_of, fundamentals_known_on, suspect_reason, {market}");
        let months = format!("reported_currency, suspect_reason, {ttm}");
        Ok(Tables {
            market: by_symbol(connection, &newest("fact_market_metrics", "metric_date", &session, ""))?,
            ratios: period("fact_financial_ratios", Fact::Ratios)?,
            growth: period("fact_growth_rates", Fact::Growth)?,
            ttm: by_symbol(connection, &newest("fact_financials_ttm", "fiscal_date", &months, ""))?,
            known_ttm: by_symbol(
                connection,
                &newest(
                    "fact_financials_ttm t",
                    "fiscal_date",
                    &ttm,
                    "where known_on <= (select max(metric_date) from analytics.fact_market_metrics m \
                     where m.symbol = t.symbol)",
                ),
            )?,
            bases: base_rows(connection, models, &ttm)?,
            closes: closes(connection, &inputs.sessions())?,
            scores: by_symbol(connection, "select symbol, ours from ops.quality where check_name = 'score'")?,
            nulls: nulls(connection)?,
        })
    }

    fn row(&self, fact: Fact, symbol: &str) -> Option<&Row> {
        match fact {
            Fact::Market | Fact::Prices => self.market.get(symbol),
            Fact::Ratios => self.ratios.get(symbol),
            Fact::Growth => self.growth.get(symbol),
            Fact::Ttm | Fact::Financials => self.ttm.get(symbol),
        }
    }

    fn newest<'a>(&'a self, symbol: &str) -> Newest<'a> {
        let of_symbol = self.bases.range((symbol.to_owned(), String::new())..);
        let of_symbol = of_symbol.take_while(|((known, _), _)| known == symbol);
        Newest {
            market: self.market.get(symbol),
            ttm: self.ttm.get(symbol),
            known_ttm: self.known_ttm.get(symbol),
            growth: self.growth.get(symbol),
            bases: of_symbol.map(|((_, horizon), row)| (horizon.as_str(), row)).collect(),
            closes: self.closes.get(symbol),
        }
    }

    fn reason(&self, chosen: &Chosen, symbol: &str) -> String {
        let basis = if chosen.fact == Fact::Market { "MARKET" } else { "TTM" };
        let key = (symbol.to_owned(), basis.to_owned(), chosen.column.to_owned());
        self.nulls.get(&key).cloned().unwrap_or_else(|| "missing_input".into())
    }
}

fn base_rows(connection: &Connection, models: &Models, ttm: &str) -> Result<BTreeMap<(String, String), Row>> {
    let key = |row: &Row| Some((text(row, "symbol")?, text(row, "horizon")?));
    let found = bases(connection, models, ttm)?.into_iter();
    Ok(found.filter_map(|row| Some((key(&row)?, row))).collect())
}

fn closes(connection: &Connection, sessions: &[u32]) -> Result<BySymbol> {
    let columns = sessions.iter().map(|n| format!(", max(close_price) filter (n = {}) as close_{n}", n + 1));
    by_symbol(
        connection,
        &format!(
            "select symbol{} from (select symbol, close_price, \
                 row_number() over (partition by symbol order by price_date desc) as n \
             from analytics.fact_daily_prices) p group by symbol",
            columns.collect::<String>()
        ),
    )
}

fn nulls(connection: &Connection) -> Result<BTreeMap<(String, String, String), String>> {
    let found = rows(
        connection,
        "with days as (select symbol, max(metric_date) as day from analytics.fact_market_metrics group by symbol), \
         periods as (select symbol, max(fiscal_date) as day from analytics.fact_financial_ratios \
             where basis = 'TTM' group by symbol), \
         wanted as (select symbol, 'MARKET' as basis, day from days \
             union all select symbol, 'TTM', day from periods) \
         select n.symbol, n.basis, n.metric, n.reason from analytics.metric_nulls n \
         join wanted w on w.symbol = n.symbol and w.basis = n.basis and w.day = n.subject_date",
    )?;
    let one = |row: Row| {
        let column = |name: &str| text(&row, name);
        Some(((column("symbol")?, column("basis")?, column("metric")?), column("reason")?))
    };
    Ok(found.into_iter().filter_map(one).collect())
}
