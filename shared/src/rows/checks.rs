//! Rows that cannot be true, whatever their types.

use crate::{catalog::Dataset, decimal};

use super::Row;

/// Labels FMP gives to a period.
const PERIODS: [&str; 5] = ["Q1", "Q2", "Q3", "Q4", "FY"];

/// Why a typed row cannot be true, if it cannot.
pub(super) fn impossible(dataset: &Dataset, row: &Row<'_>, asked: Option<&str>) -> Option<String> {
    if let Some(asked) = asked
        && row.symbol != asked
    {
        return Some(format!("other_symbol: the row is of {:?}", row.symbol));
    }
    let value = |column: &str| row.get(dataset, column);
    let not_positive = |column: &str| value(column).is_some_and(|v| !decimal::is_positive(v));
    match dataset.name {
        "prices" => {
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
        "splits" => (not_positive("numerator") || not_positive("denominator"))
            .then(|| "split_not_positive: numerator and denominator must be above zero".into()),
        "dividends" => value("dividend").filter(|v| v.starts_with('-')).map(|v| format!("negative_dividend: {v}")),
        "income_statement" | "balance_sheet" | "cash_flow" => {
            let period = value("period_type").unwrap_or_default();
            (!PERIODS.contains(&period))
                .then(|| format!("unknown_period: {:?}", period.chars().take(20).collect::<String>()))
        }
        _ => None,
    }
}
