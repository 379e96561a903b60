//! Questions, and the columns that they refer to.

use chrono::NaiveDate;
use findata_domain::{Error, Result, Symbol};
use findata_models::Models;

use crate::names::{candidates, similar};
pub use crate::table::{Basis, FACTS, Fact};

/// A question: the figure to explain.
#[derive(Debug, Clone)]
pub struct Question {
    /// The company.
    pub symbol: Symbol,
    /// The metric as the caller wrote it: the name of a column, or an alias.
    pub metric: String,
    /// The as-of day: the question is about the newest figure known on this day. For market
    /// metrics, the session. `None` for the newest figure.
    pub date: Option<NaiveDate>,
    /// The basis, for a metric that has several.
    pub basis: Option<Basis>,
}

/// Returns the columns with figures of all fact tables, in lookup order, and the user's metrics.
pub fn figures(models: &Models) -> Vec<(Fact, &str)> {
    let of = |(fact, table): &(Fact, &'static str)| {
        let fact = *fact;
        let columns = models.columns(table).iter().filter(|c| c.is_figure());
        columns.map(move |c| (fact, c.name.as_str())).collect::<Vec<_>>()
    };
    let custom = &models.registry.custom;
    let ratios = custom.ratios.iter().map(|ratio| (Fact::Ratios, ratio.name.as_str()));
    let market = custom.market.iter().map(|metric| (Fact::Market, metric.name.as_str()));
    FACTS.iter().flat_map(of).chain(ratios).chain(market).collect()
}

/// Returns the table and the column of a metric on a basis.
///
/// # Errors
/// `Reject` with similar names if the metric is unknown, or with the metric's bases if it does not
/// exist on the given basis.
pub fn find<'m>(metric: &str, basis: Option<Basis>, models: &'m Models) -> Result<(Fact, &'m str)> {
    let all = figures(models);
    let found = candidates(metric, basis, &all, models);
    let fits = |(fact, _): &&(Fact, &str)| match (basis, fact) {
        (None, _) => true,
        (Some(basis), Fact::Ratios | Fact::Growth) => basis.is_period(),
        (Some(basis), Fact::Financials) => basis.is_period() && basis != Basis::Ttm,
        (Some(basis), Fact::Ttm) => basis == Basis::Ttm,
        (Some(basis), Fact::Prices) => basis == Basis::Price,
        (Some(basis), Fact::Market) => basis == Basis::Market,
    };
    if let Some(found) = found.iter().find(fits) {
        return Ok(*found);
    }
    if let (Some(basis), Some((_, name))) = (basis, found.first()) {
        let has = |(fact, _): &(Fact, &str)| match fact {
            Fact::Ratios | Fact::Growth => "Q1 to Q4, FY, TTM",
            Fact::Financials => "Q1 to Q4, FY",
            Fact::Ttm => "TTM",
            Fact::Prices => "PRICE",
            Fact::Market => "MARKET",
        };
        let bases = found.iter().map(has).collect::<Vec<_>>().join(", ");
        return Err(Error::Reject(format!("{name} has no basis {}: use {bases}", basis.name())));
    }
    Err(Error::Reject(format!(
        "unknown metric {metric:?}: similar names are {}; `findata dictionary` lists all",
        similar(metric, &all, models)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, basis: Option<Basis>) -> Result<(Fact, &'static str), String> {
        find(name, basis, Models::built_in().unwrap()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_name_resolves_to_one_column_per_basis() {
        assert_eq!(found("payout_ratio", None), Ok((Fact::Ratios, "payout_ratio")));
        assert_eq!(found("payout_ratio", Some(Basis::Market)), Ok((Fact::Market, "payout_ratio")));
        assert_eq!(found("Close Price", None), Ok((Fact::Prices, "close_price")));
        assert_eq!(found("revenue", None), Ok((Fact::Financials, "revenue")));
        assert_eq!(found("revenue", Some(Basis::Ttm)), Ok((Fact::Ttm, "ttm_revenue")));
        assert_eq!(found("total-assets", Some(Basis::Ttm)), Ok((Fact::Ttm, "latest_total_assets")));
        let wrong = found("pe_ratio_ttm", Some(Basis::Fy)).unwrap_err();
        assert!(wrong.contains("no basis FY") && wrong.contains("MARKET"), "{wrong}");
        assert_eq!("ttm".parse(), Ok(Basis::Ttm));
        assert!("Q5".parse::<Basis>().is_err());
    }

    #[test]
    fn an_alias_resolves_to_its_metric() {
        for (alias, metric) in [
            ("P/E", (Fact::Market, "pe_ratio_ttm")),
            ("ev/ebitda", (Fact::Market, "ev_to_ebitda")),
            (" EV/EBITDA ", (Fact::Market, "ev_to_ebitda")),
            ("debt/equity", (Fact::Ratios, "debt_to_equity")),
            ("return on equity", (Fact::Ratios, "roe")),
            ("return_on-Equity", (Fact::Ratios, "roe")),
            ("52 week high", (Fact::Market, "high_52w")),
            ("beta", (Fact::Market, "beta_252d")),
        ] {
            assert_eq!(found(alias, None), Ok(metric), "{alias}");
        }
        let wrong = found("return on equity", Some(Basis::Market)).unwrap_err();
        assert!(wrong.starts_with("roe has no basis MARKET"), "{wrong}");
    }

    #[test]
    fn an_alias_of_a_market_metric_finds_it_even_if_a_ratio_shares_its_name() {
        let mut files = findata_models::metrics::Files::built_in();
        // The file's last entry, payout_ratio, has the same name as a ratio.
        files.market_metrics.push_str("\naliases = [\"market payout\"]\n");
        let registry = findata_models::metrics::Registry::parse(&files).unwrap();
        let models = Models::of(registry).unwrap();
        let found = |name: &str, basis| find(name, basis, &models).unwrap();
        assert_eq!(found("market payout", None), (Fact::Market, "payout_ratio"));
        assert_eq!(found("market payout", Some(Basis::Fy)), (Fact::Ratios, "payout_ratio"));
        assert_eq!(found("payout_ratio", None), (Fact::Ratios, "payout_ratio"));
    }
}
