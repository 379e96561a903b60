//! The units of figures.

use findata_models::{
    Models,
    metrics::{DAYS, MONEY, MONEY_PER_SHARE, RATIO, SHARES, Unit, Window},
};

/// Returns the unit of a table's figure. `table` includes the schema, except for tables of
/// `analytics`. Returns `None` for a column that has no unit, or whose comment states the unit.
pub fn unit(models: &Models, table: &str, column: &str) -> Option<Unit> {
    let registry = &models.registry;
    match table {
        "fact_financial_ratios" => registry.unit_of(&registry.ratio(column)?.formula),
        "fact_growth_rates" => registry.growth_rate(column).map(|_| RATIO),
        "fact_market_metrics" => {
            let priced = || registry.price_metric(column).map(|metric| of_window(metric.window));
            match registry.market_metric(column) {
                Some(metric) => registry.unit_of(&metric.formula),
                None if column == "close_price" => Some(MONEY_PER_SHARE),
                None => priced(),
            }
        }
        "fact_financials" | "staging.income_statement" | "staging.balance_sheet" | "staging.cash_flow" => {
            Some(of_line(column))
        }
        "fact_financials_ttm" => {
            let line = ["ttm_", "latest_", "average_", "oldest_"].iter().find_map(|p| column.strip_prefix(p));
            line.map(of_line)
        }
        "fact_daily_prices" if column == "split_factor" => Some(RATIO),
        "fact_daily_prices" if column == "change_percent" => None,
        "fact_daily_prices" | "staging.prices" | "staging.quotes" if column == "volume" => Some(SHARES),
        "staging.profile" | "staging.quotes" if column == "market_cap" => Some(MONEY),
        "staging.shares_float" => Some(SHARES),
        "fact_daily_prices" | "staging.prices" | "staging.quotes" | "staging.dividends"
        | "staging.profile" => Some(MONEY_PER_SHARE),
        _ => None,
    }
}

fn of_line(line: &str) -> Unit {
    match line {
        _ if line.starts_with("eps") => MONEY_PER_SHARE,
        _ if line.starts_with("shares") => SHARES,
        _ => MONEY,
    }
}

fn of_window(window: Window) -> Unit {
    match window {
        Window::High | Window::Low | Window::Mean => MONEY_PER_SHARE,
        Window::DollarVolume => MONEY,
        Window::DaysSinceHigh => DAYS,
        _ => RATIO,
    }
}

/// Returns the unit as displayed, with the currency instead of "money".
pub fn text(unit: Unit, currency: Option<&str>) -> String {
    match currency {
        Some(currency) => unit.to_string().replace("money", currency),
        None => unit.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_a_unit() {
        let models = Models::built_in().unwrap();
        for (table, column, expected) in [
            ("fact_financial_ratios", "gross_margin", RATIO),
            ("fact_financial_ratios", "cash_conversion_cycle", DAYS),
            ("fact_financial_ratios", "graham_number", MONEY_PER_SHARE),
            ("fact_financial_ratios", "working_capital", MONEY),
            ("fact_financials_ttm", "ttm_eps_diluted", MONEY_PER_SHARE),
            ("fact_financials_ttm", "latest_shares_outstanding", SHARES),
            ("fact_financials_ttm", "average_inventory_2q", MONEY),
            ("fact_market_metrics", "market_cap", MONEY),
            ("fact_market_metrics", "pe_ratio_ttm", RATIO),
            ("fact_market_metrics", "dividends_per_share_ttm", MONEY_PER_SHARE),
            ("fact_market_metrics", "sma_50", MONEY_PER_SHARE),
            ("fact_market_metrics", "beta_252d", RATIO),
            ("fact_market_metrics", "shares_outstanding_used", SHARES),
            ("fact_daily_prices", "volume", SHARES),
            ("staging.shares_float", "outstanding_shares", SHARES),
        ] {
            assert_eq!(unit(models, table, column), Some(expected), "{table}.{column}");
        }
        for (_, table) in crate::ask::FACTS {
            for column in models.columns(table).iter().filter(|c| c.is_figure() && c.name != "change_percent")
            {
                let found = unit(models, table, &column.name).map(|unit| unit.to_string());
                assert!(found.is_some_and(|unit| unit != "mixed"), "{table}.{}", column.name);
            }
        }
    }
}
