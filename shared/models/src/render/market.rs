//! Prepares market metrics and their inputs for the templates.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    inputs::{Formula, period_column},
    periods::{Condition, Refusal, is_count, operand, refusals},
};
use crate::metrics::{
    Denominator, Expr, FmpNeeds, MarketMetric, PriceMetric, Registry, SHARES, Source, fmp_dataset,
    is_fundamental,
};

#[derive(Serialize)]
pub(super) struct OperandValues {
    column: String,
    sql: String,
}

#[derive(Serialize)]
pub(super) struct MarketValues {
    name: String,
    /// The type of its column.
    kind: &'static str,
    banks: bool,
    stale_ok: bool,
    zero_is_zero: bool,
    fmp: Option<String>,
    checked: Option<String>,
    refusals: Vec<Refusal>,
    /// The condition that a figure it needs is missing.
    missing: String,
    /// The sources of its share counts and per-share figures.
    count_sources: Vec<&'static str>,
    /// The columns that contain the reasons for NULL of the metric's growth rates.
    growth_reasons: Vec<String>,
    requires: Vec<Condition>,
    sources: Vec<&'static str>,
    /// The statements that the metric needs: those of `sources`, and the newest if it contains an enterprise value.
    statements: Vec<&'static str>,
    /// The enterprise value that it divides.
    enterprise_value: Option<&'static str>,
    currency_sources: Vec<&'static str>,
    operands: Vec<OperandValues>,
    /// The metric as SQL over the columns of a session, with the table alias `v`.
    day_value: String,
    /// The conditions on a session under which a divisor gives a reason for NULL, with the table alias `v`.
    day_refusals: Vec<Refusal>,
    /// Whether the metric depends on the share count.
    needs_shares: bool,
    /// Whether the metric can have a value although the fundamentals that it checks have a reason for NULL.
    has_alternative: bool,
}

#[derive(Serialize)]
pub(super) struct PriceValues {
    name: String,
    /// The type of its column.
    kind: &'static str,
    sessions: u32,
    needs_index: bool,
    divides: bool,
    /// The alias of the table that contains the metric.
    alias: &'static str,
}

#[derive(Serialize)]
pub(super) struct Pair {
    name: String,
    needs: &'static str,
    answer: &'static str,
    column: String,
}

pub(super) fn price(metric: &PriceMetric) -> PriceValues {
    PriceValues {
        name: metric.name.clone(),
        kind: if metric.window.is_price() { "decimal(18, 6)" } else { "double" },
        sessions: metric.sessions,
        needs_index: metric.window.needs_index(),
        divides: metric.window.divides(),
        alias: if metric.window.needs_index() { "i" } else { "w" },
    }
}

/// Returns the column in `valuation_inputs` for an input such as `ttm.revenue`.
pub(super) fn valuation_column(input: &str) -> String {
    input.replace('.', "_")
}

/// Returns, for each input of market metrics, the SQL that computes it from the row of its source.
pub(super) fn valuation_inputs(registry: &Registry) -> Vec<Formula> {
    let all: BTreeSet<(Source, String)> = registry
        .market
        .iter()
        .chain(&registry.custom.market)
        .flat_map(MarketMetric::fundamentals)
        .collect();
    let mut inputs = Vec::new();
    for (source, name) in all {
        let column = |input: &str| {
            let columns = period_column(registry, input);
            let period = columns
                .period
                .split_once('.')
                .map_or(columns.period.as_str(), |(_, name)| name)
                .to_owned();
            match source {
                Source::Ttm => format!("t.{}::double", columns.ttm),
                Source::Fy => format!("y.{period}::double"),
                Source::Latest => format!("a.{period}::double"),
                Source::Growth => format!("g.{input}"),
            }
        };
        if source == Source::Growth {
            inputs.push(Formula {
                name: format!("growth_{name}_reason"),
                sql: format!("g.{name}_reason"),
            });
        }
        inputs.push(Formula {
            name: format!("{}_{name}", source.prefix()),
            sql: registry.expanded(&Expr::input(&name)).sql(&column),
        });
    }
    inputs
}

pub(super) fn market(registry: &Registry, metric: &MarketMetric) -> MarketValues {
    let sql = |expr: &Expr| expr.sql(&|input| format!("i.{}", valuation_column(input)));
    let prefixes = |sources: BTreeSet<Source>| sources.into_iter().map(Source::prefix).collect();
    let counts = |name: &str| {
        registry
            .expanded(&Expr::input(name))
            .inputs()
            .into_iter()
            .any(|inner| is_count(registry, inner))
    };
    let count_sources = metric
        .fundamentals()
        .into_iter()
        .filter(|(source, name)| *source != Source::Growth && counts(name))
        .map(|(source, _)| source)
        .collect();
    let figures = metric.checked().into_iter().chain(metric.operands().into_iter().map(|o| o.expr));
    let mut missing: Vec<String> =
        figures.map(|figure| format!("{} is null", operand(&figure, &sql(&figure)))).collect();
    missing.dedup();
    MarketValues {
        name: metric.name.clone(),
        kind: if registry.unit_of(&metric.formula) == Some(SHARES) {
            "bigint"
        } else {
            "double"
        },
        banks: metric.banks,
        stale_ok: metric.stale_ok,
        zero_is_zero: metric.zero_is_zero,
        fmp: metric.fmp.clone(),
        checked: metric.checked().map(|checked| operand(&checked, &sql(&checked))),
        refusals: metric
            .checked()
            .map(|checked| refusals(metric.rule(), &operand(&checked, &sql(&checked))))
            .unwrap_or_default(),
        missing: missing.join(" or "),
        count_sources: prefixes(count_sources),
        growth_reasons: metric
            .fundamentals()
            .into_iter()
            .filter(|(source, _)| *source == Source::Growth)
            .map(|(_, name)| format!("i.growth_{name}_reason"))
            .collect(),
        requires: metric
            .requires
            .iter()
            .map(|r| Condition {
                figure: format!("i.{}", valuation_column(&r.above_zero)),
                reason: r.reason.clone(),
                growth_reason: match Source::split(&r.above_zero) {
                    Some((Source::Growth, name)) => Some(format!("i.growth_{name}_reason")),
                    _ => None,
                },
            })
            .collect(),
        sources: prefixes(metric.sources()),
        statements: prefixes(metric.statements()),
        enterprise_value: metric.enterprise_value(),
        currency_sources: prefixes(metric.currency_sources()),
        operands: metric
            .operands()
            .into_iter()
            .map(|o| OperandValues { sql: sql(&o.expr), column: o.column })
            .collect(),
        day_value: metric.day_formula().sql(&|input| format!("v.{input}")),
        day_refusals: Vec::new(),
        needs_shares: metric.formula.inputs().iter().any(|name| SHARE_INPUTS.contains(name)),
        has_alternative: metric.checked().is_some()
            && (metric.operands().is_empty() || metric.formula.has_alternative()),
    }
}

/// The inputs of a session that depend on the share count.
const SHARE_INPUTS: [&str; 4] = ["shares", "market_cap", "enterprise_value", "enterprise_value_fmp"];

/// Prepares a market metric of the user. Without `checked`, its rule applies to every divisor: to
/// those of fundamentals once per range of days, to the others on each session.
pub(super) fn custom_market(registry: &Registry, metric: &MarketMetric) -> MarketValues {
    let values = market(registry, metric);
    if metric.checked.is_some() {
        return values;
    }
    let rule = metric.denominator.unwrap_or(Denominator::Any);
    let (of_range, of_session): (Vec<_>, Vec<_>) =
        metric.formula.divisors().into_iter().partition(|divisor| is_fundamental(divisor));
    let range_sql = |expr: &Expr| expr.sql(&|input| format!("i.{}", valuation_column(input)));
    let session_sql = |expr: &Expr| metric.on_session(expr).sql(&|input| format!("v.{input}"));
    MarketValues {
        refusals: of_range.into_iter().flat_map(|d| refusals(rule, &operand(d, &range_sql(d)))).collect(),
        day_refusals: of_session
            .into_iter()
            .flat_map(|d| refusals(rule, &operand(d, &session_sql(d))))
            .collect(),
        ..values
    }
}

/// Returns the SQL of a market metric that other metrics use as an input. It uses columns of the
/// sessions and of the operands.
pub(super) fn day_input(registry: &Registry, name: &str) -> String {
    let column = |input: &str| match input {
        "close_price" => "d.price".to_owned(),
        _ if input.contains("_operand") => format!("o.{input}"),
        _ => format!("d.{input}"),
    };
    registry
        .market_metric(name)
        .map(|m| m.day_formula().sql(&column))
        .unwrap_or_else(|| "null::double".into())
}

pub(super) fn fmp_pairs(registry: &Registry) -> Vec<Pair> {
    let pair = |name: &str, column: &Option<String>, needs: &'static str| {
        let column = column.clone()?;
        let answer = match fmp_dataset(&column)?.name {
            "ratios_ttm" => "ratios",
            _ => "metrics",
        };
        Some(Pair { name: name.to_owned(), needs, answer, column })
    };
    let needs = |needs: FmpNeeds| match needs {
        FmpNeeds::Price => "price",
        FmpNeeds::Cap => "cap",
        FmpNeeds::Dividend => "dividend",
    };
    let ratios = registry.ratios.iter().filter_map(|r| pair(&r.name, &r.fmp, "ratio"));
    let market = registry.market.iter().filter_map(|m| pair(&m.name, &m.fmp, needs(m.fmp_needs)));
    ratios.chain(market).collect()
}
