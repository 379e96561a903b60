//! The newest rows of a company, and why their figures are NULL.

use duckdb::Connection;
use findata_domain::Result;
use findata_explain::{
    ask::Fact,
    rows::{Row, rows},
};

use super::NO_STATEMENTS;

/// The newest rows of a company.
pub(super) struct Newest {
    pub market: Row,
    pub ratios: Row,
    pub growth: Row,
    pub ttm: Row,
}

impl Newest {
    pub(super) fn read(connection: &Connection, only: &str) -> Result<Self> {
        let first = |table: &str, order: &str| -> Result<Row> {
            let sql = format!("select * from analytics.{table} where {only} order by {order} limit 1");
            Ok(rows(connection, &sql)?.into_iter().next().unwrap_or_default())
        };
        // A company that reports only fiscal years has no trailing twelve months.
        let period = "basis not in ('TTM', 'FY'), basis <> 'TTM', fiscal_date desc";
        Ok(Newest {
            market: first("fact_market_metrics", "metric_date desc")?,
            ratios: first("fact_financial_ratios", period)?,
            growth: first("fact_growth_rates", period)?,
            ttm: first("fact_financials_ttm", "fiscal_date desc")?,
        })
    }

    pub(super) fn row(&self, fact: Fact) -> &Row {
        match fact {
            Fact::Market | Fact::Prices => &self.market,
            Fact::Ratios => &self.ratios,
            Fact::Growth => &self.growth,
            Fact::Ttm | Fact::Financials => &self.ttm,
        }
    }

    /// Returns why a figure is NULL, as `analytics.metric_nulls` does, from the rows that are read already.
    pub(super) fn reason(&self, fact: Fact, column: &str) -> String {
        let row = self.row(fact);
        let listed = |is_wanted: &dyn Fn(&str) -> bool| {
            let reasons = row.get("null_reasons")?.split('|');
            reasons.filter_map(|reason| reason.split_once('=')).find(|(of, _)| is_wanted(of))
        };
        // If all growth rates over a horizon have the same reason, the entry has the horizon's name.
        let is_horizon = |of: &str| column.strip_suffix(of).is_some_and(|figure| figure.ends_with('_'));
        // If the share count is missing, metrics that use the market cap have its reason.
        let own = listed(&|of| of == column)
            .or_else(|| listed(&is_horizon).filter(|_| fact == Fact::Growth))
            .or_else(|| listed(&|of| of == "shares_outstanding_used").filter(|_| fact == Fact::Market));
        let stored = match fact {
            Fact::Ttm | Fact::Financials => row.get("reason").map(String::as_str),
            _ => own.map(|(_, reason)| reason),
        };
        match stored.filter(|reason| *reason != "missing_input") {
            Some(reason) => reason.to_owned(),
            None if self.ratios.is_empty() && fact == Fact::Market && !row.is_empty() => NO_STATEMENTS.into(),
            None if row.is_empty() && fact == Fact::Market => "no_prices".into(),
            None if row.is_empty() => NO_STATEMENTS.into(),
            None => "missing_input".into(),
        }
    }
}
