//! Prepares ratios and growth rates for the templates.

use serde::Serialize;

use super::SPLIT_ADJUSTED;
use crate::metrics::{Average, Denominator, Expr, GrowthRate, Horizon, Op, PeriodKind, Ratio, Registry};

#[derive(Serialize)]
pub(super) struct Condition {
    pub(super) figure: String,
    pub(super) reason: String,
    /// The column with the reason for NULL, if the input is a growth rate.
    pub(super) growth_reason: Option<String>,
}

/// A condition under which a metric is NULL.
#[derive(Serialize)]
pub(super) struct Refusal {
    condition: String,
    reason: &'static str,
}

/// Returns the conditions under which a figure breaks a rule.
pub(super) fn refusals(rule: Denominator, figure: &str) -> Vec<Refusal> {
    let refusal = |condition: &str, reason| Refusal { condition: format!("{figure} {condition}"), reason };
    match rule {
        Denominator::Any => Vec::new(),
        Denominator::Nonzero => vec![refusal("= 0", rule.reason())],
        Denominator::ZeroMeansMissing => vec![refusal("= 0", "not_reported"), refusal("<= 0", rule.reason())],
        Denominator::Positive | Denominator::Equity | Denominator::Earnings => {
            vec![refusal("<= 0", rule.reason())]
        }
    }
}

#[derive(Serialize)]
pub(super) struct RatioValues {
    name: String,
    banks: bool,
    needs_prior_period: bool,
    needs_year_ago: bool,
    requires: Vec<Condition>,
    /// The condition under which an input is missing.
    missing: String,
    missing_reason: String,
    /// Whether it uses share counts or per-share figures, whose contradictions are the reason for NULL.
    is_per_share: bool,
    /// The conditions under which the divisor gives a reason for NULL.
    refusals: Vec<Refusal>,
    value: String,
}

#[derive(Serialize)]
pub(super) struct HorizonValues {
    name: String,
    days: Days,
    /// The condition under which the growth rate does not exist for a period.
    does_not_apply: String,
}

#[derive(Serialize)]
pub(super) struct Days {
    from: u32,
    to: u32,
    target: u32,
}

#[derive(Serialize)]
pub(super) struct GrowthValues {
    name: String,
    figure: String,
    horizon: String,
    banks: bool,
    is_per_share: bool,
    /// Whether it is an annual rate, which requires an end value above zero.
    is_annual: bool,
    reason: &'static str,
    value: String,
}

pub(super) fn ratio(registry: &Registry, ratio: &Ratio) -> RatioValues {
    let sql = |expr: &Expr| expr.sql(&|input| format!("i.{input}"));
    let operands = match &ratio.formula {
        Expr::Binary(numerator, Op::Over, divisor) => vec![&**numerator, divisor],
        whole => vec![whole],
    };
    let missing: Vec<String> =
        operands.into_iter().map(|e| format!("{} is null", operand(e, &sql(e)))).collect();
    let history = registry.history(&ratio.formula);
    RatioValues {
        name: ratio.name.clone(),
        banks: ratio.banks,
        needs_prior_period: history.contains(&Average::PreviousPeriod),
        needs_year_ago: history.contains(&Average::Year),
        requires: ratio
            .requires
            .iter()
            .map(|r| Condition {
                figure: format!("i.{}", r.above_zero),
                reason: r.reason.clone(),
                growth_reason: None,
            })
            .collect(),
        missing: missing.join(" or "),
        is_per_share: uses_counts(registry, &ratio.formula),
        missing_reason: ratio.missing.clone().unwrap_or_else(|| "missing_input".to_owned()),
        refusals: ratio
            .formula
            .divisor()
            .map(|divisor| refusals(ratio.rule(), &operand(divisor, &sql(divisor))))
            .unwrap_or_default(),
        value: sql(&ratio.formula),
    }
}

/// Returns whether an expression of a period's inputs uses share counts or per-share figures.
fn uses_counts(registry: &Registry, expr: &Expr) -> bool {
    registry.expanded(expr).inputs().into_iter().any(|name| is_count(registry, name))
}

/// Returns whether an input is a share count or per-share figure of the statements.
pub(super) fn is_count(registry: &Registry, name: &str) -> bool {
    let period = registry.input(name).and_then(|input| input.period.as_deref());
    period.is_some_and(|column| SPLIT_ADJUSTED.contains(&column))
}

/// Returns an expression's SQL as an operand of a comparison.
pub(super) fn operand(expr: &Expr, sql: &str) -> String {
    match expr {
        Expr::Input(_) | Expr::Number(_) | Expr::Call(..) | Expr::Negative(_) => sql.to_owned(),
        _ => format!("({sql})"),
    }
}

pub(super) fn horizon(horizon: &Horizon) -> HorizonValues {
    HorizonValues {
        name: horizon.name.clone(),
        days: Days {
            from: horizon.days.from,
            to: horizon.days.to,
            target: horizon.days.target,
        },
        does_not_apply: does_not_apply(horizon),
    }
}

pub(super) fn does_not_apply(horizon: &Horizon) -> String {
    let kinds = [
        (PeriodKind::Quarter, "p.basis not in ('FY', 'TTM')"),
        (PeriodKind::Year, "p.basis = 'FY'"),
        (PeriodKind::Ttm, "p.basis = 'TTM'"),
    ];
    let without: Vec<&str> = kinds
        .into_iter()
        .filter(|(kind, _)| !horizon.bases.contains(kind))
        .map(|(_, basis)| basis)
        .collect();
    match without.is_empty() {
        true => "false".to_owned(),
        false => without.join(" or "),
    }
}

pub(super) fn growth_rates(registry: &Registry) -> Vec<GrowthValues> {
    let values = |rate: GrowthRate<'_>| GrowthValues {
        name: rate.name(),
        figure: rate.growth.figure.clone(),
        horizon: rate.horizon.name.clone(),
        banks: rate.growth.banks,
        is_per_share: uses_counts(registry, &Expr::input(&rate.growth.figure)),
        is_annual: rate.annual().is_some(),
        reason: match rate.growth.earnings {
            true => "negative_earnings",
            false => "nonpositive_denominator",
        },
        value: rate.formula().sql(&|input| match input == rate.base() {
            true => format!("p.{}_base", rate.name()),
            false => format!("p.{input}"),
        }),
    };
    registry.growth_rates().map(values).collect()
}
