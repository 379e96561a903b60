//! Describes the conditions under which a metric has a value.

use std::collections::BTreeSet;

use findata_models::metrics::{
    Average, Denominator, Earlier, GrowthRate, MarketMetric, PeriodKind, Ratio, Registry, Requirement,
};

use crate::words::{label, words};

const NO_BANK: &str = "the company is not a bank or insurer";

/// Returns the conditions of a ratio in words.
pub fn of_ratio(registry: &Registry, ratio: &Ratio) -> Vec<String> {
    let mut all = Vec::new();
    // The rule of one of the user's metrics applies to every divisor.
    let divisors = match registry.custom.has(&ratio.name) {
        true => ratio.formula.divisors(),
        false => ratio.formula.divisor().filter(|divisor| divisor.number().is_none()).into_iter().collect(),
    };
    all.extend(divisors.into_iter().filter_map(|divisor| of_figure(ratio.rule(), &words(divisor))));
    required(&ratio.requires, &mut all);
    if !ratio.banks {
        all.push(NO_BANK.into());
    }
    let history: BTreeSet<Average> = registry.history(&ratio.formula);
    if history.contains(&Average::PreviousPeriod) {
        all.push("the period before is available".into());
    }
    if history.contains(&Average::Year) {
        all.push("the period a year before (of a single period, the one before) is available".into());
    }
    match registry.earlier(&ratio.formula).last() {
        Some(Earlier::YearAgo) => all.push("the same period of the year before is available".into()),
        Some(Earlier::TwoYearsAgo) => {
            all.push("the same periods of the two years before are available".into())
        }
        None => {}
    }
    if let Some(bases) = &ratio.bases {
        let name = |kind: &PeriodKind| match kind {
            PeriodKind::Quarter => "a quarter or half year",
            PeriodKind::Year => "a fiscal year",
            PeriodKind::Ttm => "twelve months",
        };
        let names: Vec<&str> = bases.iter().map(name).collect();
        all.push(format!("the period is {}", names.join(" or ")));
    }
    all
}

/// Returns the conditions of a growth rate in words.
pub fn of_growth_rate(rate: GrowthRate<'_>) -> Vec<String> {
    let figure = label(&rate.growth.figure);
    let mut all = vec![match rate.horizon.root() {
        Some(_) => format!("{figure} is above zero at both ends"),
        None => format!("{} is above zero", label(&rate.growth.base())),
    }];
    all.extend((!rate.growth.banks).then(|| NO_BANK.to_owned()));
    all
}

/// Returns the conditions of a market metric in words.
pub fn of_market_metric(registry: &Registry, metric: &MarketMetric) -> Vec<String> {
    let mut all = Vec::new();
    let is_custom = registry.custom.has(&metric.name) && metric.checked.is_none();
    if let Some(rule) = metric.denominator.filter(|_| is_custom) {
        let divisors = metric.formula.divisors();
        all.extend(divisors.into_iter().filter_map(|divisor| of_figure(rule, &words(divisor))));
    }
    // If the formula has no fundamentals, the rule only selects a share count and is not a
    // condition.
    if let Some(checked) = metric.checked().filter(|_| !is_custom && !metric.operands().is_empty()) {
        all.extend(of_figure(metric.rule(), &words(&checked)));
    }
    required(&metric.requires, &mut all);
    let value = metric.enterprise_value().map(|value| format!("{} is above zero", label(value)));
    all.extend(value.filter(|condition| !all.contains(condition)));
    if !metric.banks {
        all.push(NO_BANK.into());
    }
    all
}

/// Returns the condition that a rule sets for a figure, in words.
fn of_figure(rule: Denominator, what: &str) -> Option<String> {
    match rule {
        Denominator::Positive | Denominator::Equity | Denominator::Earnings => {
            Some(format!("{what} is above zero"))
        }
        Denominator::ZeroMeansMissing => {
            Some(format!("{what} is above zero (FMP writes 0 for what is not reported)"))
        }
        Denominator::Nonzero => Some(format!("{what} is not zero")),
        Denominator::Any => None,
    }
}

/// Adds the requirements in words, unless the list already contains them.
fn required(requires: &[Requirement], all: &mut Vec<String>) {
    for requirement in requires {
        let condition = format!("{} is above zero", label(&requirement.above_zero));
        if !all.contains(&condition) {
            all.push(condition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_follow_from_the_declaration() {
        let registry = Registry::built_in().unwrap();
        let ratio = |name: &str| of_ratio(&registry, registry.ratio(name).unwrap()).join("; ");
        assert_eq!(ratio("net_margin"), "revenue is above zero");
        assert_eq!(
            ratio("graham_number"),
            "shares is above zero; net income is above zero; stockholders equity is above zero"
        );
        assert_eq!(
            ratio("roa_average"),
            "mean total assets over the year is above zero; \
             the period a year before (of a single period, the one before) is available"
        );
        assert!(ratio("current_ratio").contains(NO_BANK));
        let market =
            |name: &str| of_market_metric(&registry, registry.market_metric(name).unwrap()).join("; ");
        assert_eq!(market("market_cap"), "");
        assert_eq!(market("shares_outstanding_used"), "");
        assert_eq!(market("pe_ratio_ttm"), "TTM EPS diluted is above zero");
        assert_eq!(
            market("ev_to_ebitda_fmp"),
            format!("TTM EBITDA is above zero; enterprise value as FMP defines it is above zero; {NO_BANK}")
        );
        let rate = |name: &str| of_growth_rate(registry.growth_rate(name).unwrap()).join("; ");
        assert_eq!(rate("revenue_qoq"), "revenue before is above zero");
        assert_eq!(rate("revenue_cagr_3y"), "revenue is above zero at both ends");
        assert!(rate("free_cash_flow_yoy").ends_with(NO_BANK));
        assert_eq!(market("peg_ratio"), "TTM EPS diluted is above zero; EPS diluted yoy is above zero");
    }
}
