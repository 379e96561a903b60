//! Plausibility checks of typed rows.

use chrono::NaiveDate;

use crate::{
    catalog::{Dataset, Kind, RowChecks},
    decimal,
};

use super::{Asked, Row, bars, finding::Finding, statement};

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

/// Sets amounts that are too large to NULL, and adds a finding for each: no company can have such
/// an amount, and its sums and products would overflow.
pub(super) fn drop_out_of_range(
    dataset: &'static Dataset,
    values: &mut [Option<String>],
    findings: &mut Vec<Finding>,
) {
    for (column, value) in dataset.columns.iter().zip(values) {
        let most = match (dataset.checks, column.name) {
            (_, name) if column.kind != Kind::Decimal || name == "market_cap" => continue,
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
        // Skips the slow comparison for values with fewer characters than the limit.
        let is_large = |value: &String| {
            let digits = value.trim_start_matches('-');
            digits.len() >= most.len() && decimal::compare(digits, most).is_gt()
        };
        if let Some(large) = value.take_if(|value| is_large(value)) {
            let reason = format!("out_of_range: {} {large}", column.field);
            findings.push(Finding::new(column.name, reason, &large));
        }
    }
}

/// Returns why a typed row is implausible, or `None` if it is plausible. `asked` is the request for
/// the answer.
pub(super) fn impossible(dataset: &Dataset, row: &Row<'_>, asked: &Asked<'_>) -> Option<String> {
    if let Some(symbol) = asked.symbol
        && row.symbol != symbol.as_str()
    {
        return Some(format!("other_symbol: the row belongs to {:?}", row.symbol));
    }
    let value = |column: &str| row.get(dataset, column);
    let not_positive = |column: &str| value(column).is_some_and(|v| !decimal::is_positive(v));
    let day = |column: Option<&str>| column.and_then(value).and_then(|text| text.parse::<NaiveDate>().ok());
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
            if let Some(bad) = value("volume").filter(|v| v.starts_with('-')) {
                return Some(format!("negative_volume: {bad}"));
            }
            let day = day(dataset.date_column)?;
            bars::out_of_window(day, asked)
                .or_else(|| bars::outside_its_range(&value))
                .or_else(|| bars::no_session(&row.symbol, day))
        }
        RowChecks::Splits => (not_positive("numerator") || not_positive("denominator"))
            .then(|| "split_not_positive: numerator and denominator must be above zero".into()),
        RowChecks::Dividends => value("dividend")
            .filter(|v| v.starts_with('-'))
            .map(|v| format!("negative_dividend: {v}")),
        RowChecks::Statements => {
            let period = value("period_type").unwrap_or_default();
            if !PERIODS.contains(&period) {
                return Some(format!("unknown_period: {:?}", period.chars().take(20).collect::<String>()));
            }
            if let Some(ended) = day(dataset.date_column)
                && ended > asked.received_on
            {
                return Some(format!(
                    "period_not_over: the period ends on {ended}, after the statement was received on {}",
                    asked.received_on
                ));
            }
            statement::is_blank(dataset, &row.values)
                .then(|| "not_reported: every amount of the statement is 0 or missing".into())
        }
        RowChecks::Amounts => None,
    }
}
