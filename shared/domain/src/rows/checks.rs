//! Plausibility checks of typed rows.

use crate::{
    catalog::{Column, Dataset, Kind, RowChecks},
    decimal,
};

use super::Row;

/// Period labels that FMP uses.
const PERIODS: [&str; 5] = ["Q1", "Q2", "Q3", "Q4", "FY"];

/// Maximum of statement amounts, far above any real amount. It is a quarter of the range of
/// DECIMAL(38, 6), so a sum of four quarters fits.
const MOST_MONEY: &str = "24000000000000000000000000000000";
/// Maximum of share counts and volumes. It is low enough for products and quotients with per-share
/// amounts to fit into DECIMAL(38, 6).
const MOST_SHARES: &str = "1000000000000000000";
/// Maximum of prices and per-share amounts.
const MOST_PER_SHARE: &str = "1000000000000";

/// Returns the reject reason if an amount is too large: no company can have it, and its sums and
/// products would overflow.
fn out_of_range(dataset: &Dataset, row: &Row<'_>) -> Option<String> {
    let too_large = |(column, value): (&Column, &Option<String>)| {
        let value = value.as_deref()?;
        let most = match (dataset.checks, column.name) {
            (_, name) if column.kind != Kind::Decimal || name == "market_cap" => return None,
            (
                _,
                "shares_outstanding"
                | "shares_outstanding_diluted"
                | "outstanding_shares"
                | "float_shares"
                | "volume",
            ) => MOST_SHARES,
            (RowChecks::Statements, "eps" | "eps_diluted") => MOST_PER_SHARE,
            (RowChecks::Statements, _) => MOST_MONEY,
            _ => MOST_PER_SHARE,
        };
        let digits = value.trim_start_matches('-');
        // Skips the slow comparison for values with fewer characters than the limit.
        let large = digits.len() >= most.len() && decimal::compare(digits, most).is_gt();
        large.then(|| format!("out_of_range: {} {value}", column.field))
    };
    dataset.columns.iter().zip(&row.values).find_map(too_large)
}

/// Returns why a typed row is implausible, or `None` if it is plausible. `asked` is the symbol that
/// was requested.
pub(super) fn impossible(dataset: &Dataset, row: &Row<'_>, asked: Option<&str>) -> Option<String> {
    if let Some(asked) = asked
        && row.symbol != asked
    {
        return Some(format!("other_symbol: the row belongs to {:?}", row.symbol));
    }
    let value = |column: &str| row.get(dataset, column);
    let not_positive = |column: &str| value(column).is_some_and(|v| !decimal::is_positive(v));
    if let Some(why) = out_of_range(dataset, row) {
        return Some(why);
    }
    match dataset.checks {
        RowChecks::Bars => {
            let prices = ["open_price", "high_price", "low_price", "close_price"];
            if let Some(bad) = prices.into_iter().find(|p| not_positive(p)) {
                return Some(format!("price_not_positive: {bad} {}", value(bad).unwrap_or_default()));
            }
            if let (Some(high), Some(low)) = (value("high_price"), value("low_price"))
                && decimal::compare(high, low).is_lt()
            {
                return Some(format!("high_below_low: {high} < {low}"));
            }
            value("volume").filter(|v| v.starts_with('-')).map(|v| format!("negative_volume: {v}"))
        }
        RowChecks::Splits => (not_positive("numerator") || not_positive("denominator"))
            .then(|| "split_not_positive: numerator and denominator must be above zero".into()),
        RowChecks::Dividends => value("dividend")
            .filter(|v| v.starts_with('-'))
            .map(|v| format!("negative_dividend: {v}")),
        RowChecks::Statements => {
            let period = value("period_type").unwrap_or_default();
            (!PERIODS.contains(&period))
                .then(|| format!("unknown_period: {:?}", period.chars().take(20).collect::<String>()))
        }
        RowChecks::Amounts => None,
    }
}
