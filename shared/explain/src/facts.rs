//! Reads the rows of one company, and reruns the intermediate models for that company only.
//!
//! The models determine the version of a statement that is in force, the split basis, the periods
//! that a growth rate compares, and the fundamentals known on a day. This module runs the models'
//! SQL and does not implement these rules again.

use std::{cell::RefCell, collections::BTreeMap};

use chrono::NaiveDate;
use duckdb::Connection;
use findata_domain::sql::literal;
use findata_domain::{Error, Result, Symbol};
use findata_models::Models;

use super::{
    company,
    figure::Source,
    rows::{Key, Row, date, execute, rows},
};

/// Models that are not rerun. Published tables contain their results, or [`rebuild`] replaces them
/// with smaller tables.
const SKIPPED_MODELS: [&str; 11] = [
    "companies_to_recompute",
    "growth_rates",
    "price_bars",
    "new_fact_daily_prices",
    "index_windows",
    "price_windows",
    "new_fact_dividends",
    "new_fact_splits",
    "new_fact_financial_ratios_history",
    "custom_ratios",
    "new_fact_growth_rates_history",
];
/// The last model that is rerun. Its result contains the days on which each set of fundamentals was
/// known.
const LAST_MODEL: &str = "fundamentals_ranges";

/// The rows of one company.
pub struct Facts<'a> {
    /// The models that computed the figures, with the registry of metrics.
    pub models: &'a Models,
    /// The warehouse.
    pub connection: &'a Connection,
    /// The past day as of which the tables are read; `None` for current data.
    pub as_of: Option<NaiveDate>,
    /// Whether a split after `as_of` put the bars on a newer split basis than the figures. Bars
    /// have no versions, so they are always on the newest basis.
    pub is_price_basis_newer: bool,
    /// The company.
    pub symbol: Symbol,
    /// Rows of `fact_financials` by period.
    pub financials: BTreeMap<Key, Row>,
    /// Rows of `fact_financials_ttm` by period.
    pub ttm: BTreeMap<Key, Row>,
    /// The version in force of each period, with the file and row of each of its three statements.
    pub versions: BTreeMap<Key, Row>,
    /// Per-share figures and share counts on the newest split basis.
    pub split_adjusted_shares: BTreeMap<Key, Row>,
    /// Rows of the model `period_inputs` by period.
    pub period_inputs: BTreeMap<Key, Row>,
    /// The quarters (or halves) from which trailing twelve months are computed, ordered by date.
    pub quarters: Vec<Key>,
    /// Cache of query results. The inputs of a figure are often columns of one row, so queries
    /// repeat.
    query_cache: RefCell<BTreeMap<String, Vec<Row>>>,
    /// Cache of the sources of figures, by file, row and field.
    pub(super) sources: RefCell<BTreeMap<(String, u64, String), Source>>,
}

impl<'a> Facts<'a> {
    /// Reads the company's rows.
    ///
    /// # Errors
    /// `Reject` if the company is not in the warehouse, or has another symbol now; `Stop` if the warehouse cannot
    /// be read.
    pub fn read(
        connection: &'a Connection,
        symbol: &Symbol,
        as_of: Option<NaiveDate>,
        models: &'a Models,
    ) -> Result<Self> {
        let name = literal(symbol.as_str());
        let ask = |query: &str| rows(connection, &query.replace("{symbol}", &name));
        let by_period = |query: &str| -> Result<BTreeMap<Key, Row>> {
            Ok(ask(query)?.into_iter().filter_map(|row| Some((key(&row)?, row))).collect())
        };
        company::require(connection, symbol)?;
        rebuild(connection, &name, as_of, models)?;
        let joined = |table: &str| {
            format!(
                "select l.fiscal_date, l.period_type, t.* from {table} t \
                 join vintage_periods l on l.version_id = t.version_id"
            )
        };
        let later_splits = match as_of {
            Some(day) => ask(&format!(
                "select 1 as n from staging.splits where symbol = {{symbol}} and split_date > date '{day}' limit 1"
            ))?,
            None => Vec::new(),
        };
        Ok(Facts {
            models,
            as_of,
            is_price_basis_newer: !later_splits.is_empty(),
            connection,
            symbol: symbol.clone(),
            financials: by_period("select * from analytics.fact_financials where symbol = {symbol}")?,
            ttm: by_period("select * from analytics.fact_financials_ttm where symbol = {symbol}")?,
            versions: by_period(
                "select l.fiscal_date, l.period_type, l.is_derived, p.income_file, p.income_row, p.balance_file, \
                     p.balance_row, p.cash_file, p.cash_row, \
                     case when d.version_id is not null then f.period_type || ' ' || f.fiscal_date end as first_part, \
                     case when d.version_id is not null then s.period_type || ' ' || s.fiscal_date end as second_part, \
                     case when d.version_id is not null then t.period_type || ' ' || t.fiscal_date end as third_part, \
                     case when d.version_id is not null then y.period_type || ' ' || y.fiscal_date end as year_part \
                 from vintage_periods l left join period_versions p on p.version_id = l.version_id \
                 left join derived_quarters d on d.version_id = l.version_id \
                 left join period_versions f on f.version_id = d.first_id \
                 left join period_versions s on s.version_id = d.second_id \
                 left join period_versions t on t.version_id = d.third_id \
                 left join period_versions y on y.version_id = d.year_id",
            )?,
            split_adjusted_shares: by_period(&joined("split_adjusted_shares"))?,
            period_inputs: by_period("select * from period_inputs")?,
            quarters: ask("select fiscal_date, period_type from quarter_rows order by fiscal_date")?
                .iter()
                .filter_map(key)
                .collect(),
            query_cache: RefCell::default(),
            sources: RefCell::default(),
        })
    }

    /// Returns the rows of a query. `{symbol}` in the query is replaced by the company's symbol as
    /// an SQL literal.
    ///
    /// # Errors
    /// `Stop` if the query fails.
    pub fn ask(&self, query: &str) -> Result<Vec<Row>> {
        if let Some(known) = self.query_cache.borrow().get(query) {
            return Ok(known.clone());
        }
        let found = rows(self.connection, &query.replace("{symbol}", &literal(self.symbol.as_str())))?;
        self.query_cache.borrow_mut().insert(query.to_owned(), found.clone());
        Ok(found)
    }

    /// Returns the first row of a query, if it has rows.
    ///
    /// # Errors
    /// `Stop` if the query fails.
    pub fn first(&self, query: &str) -> Result<Option<Row>> {
        Ok(self.ask(query)?.into_iter().next())
    }

    /// Returns the day on which a period's figures were first known.
    pub fn known_on(&self, key: &Key) -> Option<NaiveDate> {
        let table = if key.basis == "TTM" { &self.ttm } else { &self.financials };
        table.get(key).and_then(|row| date(row, "known_on"))
    }

    /// Returns the previous period: for a fiscal year the previous fiscal year, for a quarter or
    /// half the previous quarter or half.
    pub fn before(&self, key: &Key) -> Option<Key> {
        let year = key.basis == "FY";
        self.financials.keys().rfind(|k| (k.basis == "FY") == year && *k < key).cloned()
    }

    /// Returns the quarter that ends on a day.
    pub fn quarter(&self, end: NaiveDate) -> Option<Key> {
        self.quarters.iter().find(|k| k.date == end).cloned()
    }
}

/// Reruns the intermediate models for one company as of a day. Writes the results to temporary
/// tables, which a read-only connection can create.
fn rebuild(connection: &Connection, symbol: &str, as_of: Option<NaiveDate>, models: &Models) -> Result<()> {
    let day = as_of.map_or("max(as_of)".into(), |day| format!("date '{day}'"));
    for (table, query) in [
        (
            "run_params",
            format!("select {day} as as_of, max_by(index_symbol, run_id) as index_symbol from ops.published"),
        ),
        (
            "companies_to_recompute",
            format!(
                "select {symbol} as symbol, date '1900-01-01' as prices_from, false as with_history, true as with_fundamentals, 1 as company_no"
            ),
        ),
        ("company_slice", "select 1 as first_company, 1 as last_company".to_owned()),
    ] {
        execute(connection, &format!("create or replace temporary table {table} as {query}"))?;
    }
    let models = &models.models;
    let last = models.iter().position(|m| m.builds() == LAST_MODEL).unwrap_or(models.len() - 1);
    for model in models[..=last].iter().filter(|m| !SKIPPED_MODELS.contains(&m.builds())) {
        execute(connection, &model.sql).map_err(|error| Error::Stop(format!("{}: {error}", model.file)))?;
        // The vintage with this cutoff contains the data as known on that day.
        if let Some(day) = as_of.filter(|_| model.builds() == "vintages") {
            execute(connection, &format!("update vintages set cutoff = timestamp '{day} 23:00:00.001'"))?;
        }
    }
    Ok(())
}

/// Returns the period of a row. A row without a column for the basis contains TTM figures.
pub fn key(row: &Row) -> Option<Key> {
    let basis = row
        .get("period_type")
        .or_else(|| row.get("basis"))
        .cloned()
        .unwrap_or_else(|| "TTM".into());
    Some(Key { date: date(row, "fiscal_date")?, basis })
}

/// Parses a period such as `Q3 2026-06-27`.
pub fn key_of(text: &str) -> Option<Key> {
    let (basis, date) = text.split_once(' ')?;
    Some(Key { date: date.parse().ok()?, basis: basis.to_owned() })
}
