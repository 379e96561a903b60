//! Prepares ratios and growth rates for the templates.

use std::collections::BTreeSet;

use serde::Serialize;

use super::inputs::{Formula, SPLIT_ADJUSTED, suspicions_of};
use crate::metrics::{
    Average, Denominator, Earlier, Expr, Growth, GrowthRate, Horizon, Op, PeriodKind, Ratio, Registry,
};

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
    /// The earlier periods that it uses, as prefixes of columns.
    earlier: Vec<&'static str>,
    /// The condition under which the ratio does not exist for a period.
    does_not_apply: Option<String>,
    requires: Vec<Condition>,
    /// The condition under which an input is missing; empty if only the value is tested.
    missing: String,
    /// The SQL of the reason if an input is missing.
    missing_reason: String,
    /// The SQL of the reason if an input of a condition is missing.
    unknown_reason: String,
    /// The conditions under which a divisor gives a reason for NULL.
    refusals: Vec<Refusal>,
    /// Whether the value itself can be missing after these checks.
    tests_value: bool,
    /// The suspicions of the period a year ago that concern the ratio, as a list of SQL literals.
    year_ago_suspicions: Option<String>,
    /// The suspicions of the period two years ago that concern the ratio, as a list of SQL literals.
    two_years_ago_suspicions: Option<String>,
    value: String,
}

#[derive(Serialize)]
pub(super) struct HorizonValues {
    name: String,
    days: Days,
    /// The exponent of an annual rate as SQL, NULL for a change.
    root: String,
    /// The condition under which growth over the horizon does not exist for a period.
    does_not_apply: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Days {
    from: u32,
    to: u32,
    target: u32,
}

#[derive(Serialize)]
pub(super) struct RateValues {
    pub(super) name: String,
    figure: String,
    pub(super) horizon: String,
}

#[derive(Serialize)]
pub(super) struct GrowthValues {
    figure: String,
    banks: bool,
    is_per_share: bool,
    /// The horizons over which it is not measured, as a list of SQL literals.
    not_over: Option<String>,
    /// The reason for NULL if the end value of an annual rate is not above zero.
    reason: &'static str,
    /// The change as SQL.
    change: String,
    /// The annual rate as SQL, with the exponent `p.root`.
    annual_rate: String,
}

/// Returns the SQL of an expression of a ratio's inputs, with the table alias `i`.
fn sql(expr: &Expr) -> String {
    expr.sql(&|input| match Earlier::split(input) {
        Some((earlier, name)) => format!("i.{}_{name}", earlier.prefix()),
        None => format!("i.{input}"),
    })
}

/// Returns the SQL of an input that only ratios can use.
pub(super) fn ratio_input(registry: &Registry, name: &str) -> Formula {
    Formula {
        name: name.to_owned(),
        sql: sql(&registry.inlined(&Expr::input(name))),
    }
}

pub(super) fn ratio(registry: &Registry, ratio: &Ratio) -> RatioValues {
    let formula = &ratio.formula;
    let earlier: Vec<&str> = registry.earlier(formula).into_iter().map(Earlier::prefix).collect();
    // The reason of the first of these columns that has one, if an input is missing.
    let mut columns: Vec<String> = Vec::new();
    if uses_counts(registry, formula) {
        columns.push("i.count_reason".to_owned());
        columns.extend(earlier.iter().map(|prefix| format!("i.{prefix}_count_reason")));
    }
    columns.extend(earlier.iter().map(|prefix| format!("i.{prefix}_null_reason")));
    let absent = |reason: &str| match columns.is_empty() {
        true => format!("'{reason}'"),
        false => format!("coalesce({}, '{reason}')", columns.join(", ")),
    };
    let operands = match formula {
        Expr::Binary(numerator, Op::Over, divisor) => vec![&**numerator, divisor],
        whole => vec![whole],
    };
    let missing: Vec<String> =
        operands.into_iter().map(|e| format!("{} is null", operand(e, &sql(e)))).collect();
    let history = registry.history(formula);
    RatioValues {
        name: ratio.name.clone(),
        banks: ratio.banks,
        needs_prior_period: history.contains(&Average::PreviousPeriod),
        needs_year_ago: history.contains(&Average::Year),
        requires: ratio
            .requires
            .iter()
            .map(|r| Condition {
                figure: sql(&Expr::input(&r.above_zero)),
                reason: r.reason.clone(),
                growth_reason: None,
            })
            .collect(),
        missing: missing.join(" or "),
        missing_reason: absent(ratio.missing.as_deref().unwrap_or("missing_input")),
        unknown_reason: absent("missing_input"),
        does_not_apply: ratio.bases.as_ref().and_then(|bases| does_not_apply(bases, "i")),
        refusals: formula
            .divisor()
            .map(|divisor| refusals(ratio.rule(), &operand(divisor, &sql(divisor))))
            .unwrap_or_default(),
        tests_value: false,
        year_ago_suspicions: None,
        two_years_ago_suspicions: None,
        value: sql(formula),
        earlier,
    }
}

/// Prepares a ratio of the user. Its rule applies to every divisor, and only the suspicions of the
/// earlier periods that it uses concern it.
pub(super) fn custom_ratio(registry: &Registry, custom: &Ratio) -> RatioValues {
    let divisors = custom.formula.divisors();
    let of_period = |earlier: Earlier| {
        let inlined = registry.inlined(&custom.formula);
        let used = inlined.inputs().into_iter().filter_map(Earlier::split);
        let names: BTreeSet<String> =
            used.filter(|(found, _)| *found == earlier).map(|(_, name)| name.to_owned()).collect();
        (!names.is_empty()).then(|| suspicions_of(registry, &names))
    };
    let mut values = ratio(registry, custom);
    if custom.formula.divisor().is_none() {
        let tested: Vec<String> = match custom.rule() {
            Denominator::Any => Vec::new(),
            _ => divisors.iter().map(|d| format!("{} is null", operand(d, &sql(d)))).collect(),
        };
        values.missing = tested.join(" or ");
    }
    let refused = |divisor: &&Expr| refusals(custom.rule(), &operand(divisor, &sql(divisor)));
    RatioValues {
        refusals: divisors.iter().flat_map(refused).collect(),
        tests_value: true,
        year_ago_suspicions: of_period(Earlier::YearAgo),
        two_years_ago_suspicions: of_period(Earlier::TwoYearsAgo),
        ..values
    }
}

/// Returns whether an expression of a period's inputs uses share counts or per-share figures.
fn uses_counts(registry: &Registry, expr: &Expr) -> bool {
    let counts = |name: &str| {
        let inner = registry.expanded(&Expr::input(Earlier::name(name)));
        inner.inputs().into_iter().any(|name| is_count(registry, name))
    };
    registry.expanded(expr).inputs().into_iter().any(counts)
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
        root: horizon.root().map_or_else(|| "null::double".to_owned(), |root| sql(&root)),
        does_not_apply: does_not_apply(&horizon.bases, "p"),
    }
}

/// Returns the condition under which a period, a row with the table alias `alias`, has none of the
/// bases; `None` if every period has one of them.
fn does_not_apply(bases: &[PeriodKind], alias: &str) -> Option<String> {
    let kinds = [
        (PeriodKind::Quarter, "not in ('FY', 'TTM')"),
        (PeriodKind::Year, "= 'FY'"),
        (PeriodKind::Ttm, "= 'TTM'"),
    ];
    let without: Vec<String> = kinds
        .into_iter()
        .filter(|(kind, _)| !bases.contains(kind))
        .map(|(_, basis)| format!("{alias}.basis {basis}"))
        .collect();
    (!without.is_empty()).then(|| without.join(" or "))
}

pub(super) fn growth(registry: &Registry, growth: &Growth) -> GrowthValues {
    let base = growth.base();
    let sql = |expr: &Expr| {
        expr.sql(&|input| match input == base {
            true => format!("p.base_{}", growth.figure),
            false => format!("p.{input}"),
        })
    };
    let others = registry.horizons.iter().filter(|horizon| !growth.over.contains(&horizon.name));
    let not_over: Vec<String> = others.map(|horizon| format!("'{}'", horizon.name)).collect();
    GrowthValues {
        figure: growth.figure.clone(),
        banks: growth.banks,
        is_per_share: uses_counts(registry, &Expr::input(&growth.figure)),
        not_over: (!not_over.is_empty()).then(|| not_over.join(", ")),
        reason: match growth.earnings {
            true => "negative_earnings",
            false => "nonpositive_denominator",
        },
        change: sql(&growth.change()),
        annual_rate: sql(&growth.annual_rate(Expr::input("root"))),
    }
}

pub(super) fn growth_rates(registry: &Registry) -> Vec<RateValues> {
    let values = |rate: GrowthRate<'_>| RateValues {
        name: rate.name(),
        figure: rate.growth.figure.clone(),
        horizon: rate.horizon.name.clone(),
    };
    registry.growth_rates().map(values).collect()
}
