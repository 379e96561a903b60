//! The newest rows of all companies: figures, inputs of their formulas, and reasons for NULL.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::Connection;
use findata_domain::Result;
use findata_explain::{
    ask::Fact,
    rows::{Row, execute, rows},
};
use findata_models::Models;

use super::inputs::{Inputs, Newest, quarter_column};
use crate::{
    figures::Chosen,
    read::{BySymbol, by_symbol, text},
};

/// The newest rows of all companies.
pub struct Tables {
    market: BySymbol,
    ratios: BySymbol,
    growth: BySymbol,
    /// Newest twelve months.
    ttm: BySymbol,
    /// Twelve months known on the newest session.
    known_ttm: BySymbol,
    /// Base twelve months by symbol and horizon.
    bases: BTreeMap<(String, String), Row>,
    quarters: BySymbol,
    closes: BySymbol,
    pub scores: BySymbol,
    /// Reasons for NULL by symbol, basis and metric.
    nulls: BTreeMap<(String, String, String), String>,
}

impl Tables {
    /// Reads the columns that the figures and their inputs need.
    pub fn read(
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
            quarters: quarters(connection, &inputs.quarters())?,
            closes: closes(connection, &inputs.sessions())?,
            scores: by_symbol(connection, "select symbol, ours from ops.quality where check_name = 'score'")?,
            nulls: nulls(connection)?,
        })
    }

    /// Returns a company's row of a table.
    pub fn row(&self, fact: Fact, symbol: &str) -> Option<&Row> {
        match fact {
            Fact::Market | Fact::Prices => self.market.get(symbol),
            Fact::Ratios => self.ratios.get(symbol),
            Fact::Growth => self.growth.get(symbol),
            Fact::Ttm | Fact::Financials => self.ttm.get(symbol),
        }
    }

    /// Returns the rows from which a company's inputs are read.
    pub fn newest<'a>(&'a self, symbol: &str) -> Newest<'a> {
        let of_symbol = self.bases.range((symbol.to_owned(), String::new())..);
        let of_symbol = of_symbol.take_while(|((known, _), _)| known == symbol);
        Newest {
            market: self.market.get(symbol),
            ttm: self.ttm.get(symbol),
            known_ttm: self.known_ttm.get(symbol),
            growth: self.growth.get(symbol),
            bases: of_symbol.map(|((_, horizon), row)| (horizon.as_str(), row)).collect(),
            quarters: self.quarters.get(symbol),
            closes: self.closes.get(symbol),
        }
    }

    /// Returns why a figure is NULL.
    pub fn reason(&self, chosen: &Chosen, symbol: &str) -> String {
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

fn quarters(connection: &Connection, wanted: &[(&str, usize)]) -> Result<BySymbol> {
    let columns = wanted.iter().map(|(line, n)| {
        let column = quarter_column(line, *n);
        format!(", max({line}) filter (n = {n}) as {column}")
    });
    by_symbol(
        connection,
        &format!(
            "with newest as (select symbol, fiscal_date, oldest_quarter_date from analytics.fact_financials_ttm \
                 qualify row_number() over (partition by symbol order by fiscal_date desc) = 1), \
             quarters as (select f.*, row_number() over (partition by f.symbol order by f.fiscal_date desc) as n \
                 from newest t join analytics.fact_financials f on f.symbol = t.symbol \
                     and f.fiscal_date between t.oldest_quarter_date and t.fiscal_date \
                 where f.period_type <> 'FY') \
             select symbol{} from quarters group by symbol",
            columns.collect::<String>()
        ),
    )
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

/// Reads the twelve months with which the growth of the newest twelve months is compared, one row per
/// company and horizon. The model that pairs periods also decides here, on the published twelve months.
fn bases(connection: &Connection, models: &Models, columns: &str) -> Result<Vec<Row>> {
    execute(
        connection,
        "create or replace temporary table period_inputs as \
         select row_number() over ()::bigint as period_id, symbol as vintage_id, symbol, fiscal_date, 'TTM' as basis \
         from analytics.fact_financials_ttm",
    )?;
    if let Some(pairs) = models.models.iter().find(|model| model.builds() == "period_pairs") {
        execute(connection, &pairs.sql)?;
    }
    rows(
        connection,
        &format!(
            "with newest as (select * from period_inputs \
             qualify row_number() over (partition by symbol order by fiscal_date desc) = 1) \
             select n.symbol, p.horizon, {columns} from newest n \
             join period_pairs p on p.period_id = n.period_id join period_inputs b on b.period_id = p.base_period_id \
             join analytics.fact_financials_ttm t on t.symbol = b.symbol and t.fiscal_date = b.fiscal_date"
        ),
    )
}
