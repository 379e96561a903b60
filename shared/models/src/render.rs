//! Renders the templates of `infra/models` over the metric registry.
//!
//! The templates are in minijinja, the Jinja dialect that dbt users know. Blocks stand on lines of their own, and a
//! template without blocks is plain SQL. Formulas reach the templates as SQL that is written from their parsed tree.

use std::collections::BTreeSet;

use findata_domain::{Error, Result, catalog::INCOME_STATEMENT};
use minijinja::{
    Environment, UndefinedBehavior,
    syntax::SyntaxConfig,
    value::{Serde, Value},
};
use serde::Serialize;

use crate::metrics::{
    Average, Denominator, Expr, FmpNeeds, GrowthRate, Horizon, MarketMetric, Op, PeriodKind, PriceMetric,
    Ratio, Registry, Source, balances, flows, fmp_dataset,
};

/// A template's text over the registry.
pub(crate) struct Renderer {
    environment: Environment<'static>,
    context: Value,
}

impl Renderer {
    /// # Errors
    /// `Stop` if the template engine refuses its configuration.
    pub fn new(registry: &Registry) -> Result<Self> {
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        let mut environment = Environment::new();
        environment.set_syntax(syntax.map_err(|e| Error::Stop(format!("template syntax: {e}")))?);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        Ok(Renderer {
            environment,
            context: Value::from(Serde(&Context::of(registry))),
        })
    }

    /// # Errors
    /// `Stop` with the template's file and line if it uses a name that does not exist.
    pub fn render(&self, file: &str, template: &str) -> Result<String> {
        if !template.contains("{%") && !template.contains("{{") {
            return Ok(template.to_owned());
        }
        self.environment
            .render_named_str(file, template, self.context.clone())
            .map_err(|e| Error::Stop(format!("infra/models/{file}: {e:#}")))
    }
}

/// An input of a period that is a column of the statements and of the twelve months.
#[derive(Serialize)]
struct PeriodColumn {
    name: String,
    /// The column with the alias of its table: `f` for a statement, `s` for split-adjusted figures.
    period: String,
    ttm: String,
}

#[derive(Serialize)]
struct Formula {
    name: String,
    sql: String,
}

#[derive(Serialize)]
struct Mean {
    name: String,
    of: String,
    ttm: String,
}

#[derive(Serialize)]
struct Condition {
    figure: String,
    reason: String,
    /// The column with the reason for NULL of a growth rate.
    growth_reason: Option<String>,
}

#[derive(Serialize)]
struct RatioValues {
    name: String,
    banks: bool,
    needs_prior_period: bool,
    needs_year_ago: bool,
    requires: Vec<Condition>,
    /// The condition under which an input is missing.
    missing: String,
    divisor: Option<String>,
    rule: &'static str,
    reason: &'static str,
    value: String,
}

#[derive(Serialize)]
struct HorizonValues {
    name: String,
    days: Days,
    /// The condition under which a period has no such rate.
    does_not_apply: String,
}

#[derive(Serialize)]
struct Days {
    from: u32,
    to: u32,
    target: u32,
}

#[derive(Serialize)]
struct GrowthValues {
    name: String,
    figure: String,
    horizon: String,
    /// 0 for a quarter.
    years: u32,
    reason: &'static str,
}

#[derive(Serialize)]
struct OperandValues {
    column: String,
    sql: String,
}

#[derive(Serialize)]
struct MarketValues {
    name: String,
    amount: bool,
    banks: bool,
    stale_ok: bool,
    zero_is_zero: bool,
    fmp: Option<String>,
    checked: Option<String>,
    rule: &'static str,
    reason: &'static str,
    requires: Vec<Condition>,
    sources: Vec<&'static str>,
    currency_sources: Vec<&'static str>,
    operands: Vec<OperandValues>,
    /// The metric over the columns of a session, with the alias `v`.
    day_value: String,
}

#[derive(Serialize)]
struct PriceValues {
    name: String,
    amount: bool,
    sessions: u32,
    needs_index: bool,
    /// The alias of the table that has it.
    alias: &'static str,
}

#[derive(Serialize)]
struct Pair {
    name: String,
    needs: &'static str,
    answer: &'static str,
    column: String,
}

/// What the templates can use.
#[derive(Serialize)]
struct Context {
    /// The lines of the income and cash flow statements.
    flows: Vec<&'static str>,
    income_lines: Vec<&'static str>,
    cash_flow_lines: Vec<&'static str>,
    /// The lines of the balance sheet.
    balances: Vec<&'static str>,
    period_columns: Vec<PeriodColumn>,
    /// Inputs of a period with a formula, over columns with the alias `p`.
    formula_inputs: Vec<Formula>,
    averages: Vec<Mean>,
    /// The inputs of which there are averages.
    averaged: BTreeSet<String>,
    ratios: Vec<RatioValues>,
    horizons: Vec<HorizonValues>,
    growth_rates: Vec<GrowthValues>,
    growth_figures: Vec<String>,
    valuation_inputs: Vec<Formula>,
    market_metrics: Vec<MarketValues>,
    price_metrics: Vec<PriceValues>,
    enterprise_value: String,
    enterprise_value_fmp: String,
    fmp_pairs: Vec<Pair>,
}

impl Context {
    fn of(registry: &Registry) -> Self {
        let used = Used::of(registry);
        let is_income = |line: &&str| INCOME_STATEMENT.columns.iter().any(|c| c.name == *line);
        let means: Vec<Mean> = used.averages.iter().filter_map(|name| mean(registry, name)).collect();
        let formula = |name: &String| Formula {
            sql: registry.expanded(&Expr::input(name)).sql(&|input| format!("p.{input}")),
            name: name.clone(),
        };
        Context {
            flows: flows().collect(),
            income_lines: flows().filter(is_income).collect(),
            cash_flow_lines: flows().filter(|line| !is_income(line)).collect(),
            balances: balances().collect(),
            period_columns: used.columns.iter().map(|name| period_column(registry, name)).collect(),
            formula_inputs: used.formulas.iter().map(formula).collect(),
            averaged: means.iter().map(|mean| mean.of.clone()).collect(),
            averages: means,
            ratios: registry.ratios.iter().map(|r| ratio(registry, r)).collect(),
            horizons: registry.horizons.iter().map(horizon).collect(),
            growth_rates: growth_rates(registry),
            growth_figures: registry.growth.iter().map(|g| g.figure.clone()).collect(),
            valuation_inputs: valuation_inputs(registry),
            market_metrics: registry.market.iter().map(market).collect(),
            price_metrics: registry.prices.iter().map(price).collect(),
            enterprise_value: enterprise_value(registry, "enterprise_value"),
            enterprise_value_fmp: enterprise_value(registry, "enterprise_value_fmp"),
            fmp_pairs: fmp_pairs(registry),
        }
    }
}

fn horizon(horizon: &Horizon) -> HorizonValues {
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

fn price(metric: &PriceMetric) -> PriceValues {
    PriceValues {
        name: metric.name.clone(),
        amount: metric.amount,
        sessions: metric.sessions,
        needs_index: metric.window.needs_index(),
        alias: if metric.window.needs_index() { "i" } else { "w" },
    }
}

/// The inputs of a period that ratios and growth rates use, by how they are computed.
struct Used {
    /// Columns of the statements, including those that only a formula needs.
    columns: Vec<String>,
    formulas: Vec<String>,
    averages: Vec<String>,
}

impl Used {
    fn of(registry: &Registry) -> Self {
        let conditions = |r: &Ratio| r.requires.iter().map(|c| c.above_zero.clone()).collect::<Vec<_>>();
        let mut wanted: BTreeSet<String> = registry
            .ratios
            .iter()
            .flat_map(|r| r.formula.inputs().into_iter().map(str::to_owned).chain(conditions(r)))
            .chain(registry.growth.iter().map(|g| g.figure.clone()))
            .collect();
        let averages: Vec<String> = wanted
            .iter()
            .filter(|name| registry.input(name).is_some_and(|i| i.average_of.is_some()))
            .cloned()
            .collect();
        let of = averages.iter().filter_map(|name| registry.input(name)?.average_of.clone());
        wanted.extend(of.collect::<Vec<_>>());
        wanted.retain(|name| !averages.contains(name));
        let formulas: Vec<String> = wanted
            .iter()
            .filter(|name| registry.input(name).is_some_and(|i| i.formula.is_some()))
            .cloned()
            .collect();
        let inner = |name: &String| {
            let expanded = registry.expanded(&Expr::input(name));
            expanded.inputs().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        wanted.extend(formulas.iter().flat_map(inner).collect::<Vec<_>>());
        wanted.retain(|name| !formulas.contains(name) && name != "days");
        Used { columns: wanted.into_iter().collect(), formulas, averages }
    }
}

fn period_column(registry: &Registry, name: &str) -> PeriodColumn {
    let columns = registry.input(name).and_then(|i| i.period.clone().zip(i.ttm.clone()));
    let is_flow = flows().any(|line| line == name);
    let (period, ttm) = columns
        .unwrap_or_else(|| (name.to_owned(), format!("{}_{name}", if is_flow { "ttm" } else { "latest" })));
    let alias = if period.starts_with("split_adjusted_") { "s" } else { "f" };
    PeriodColumn {
        name: name.to_owned(),
        period: format!("{alias}.{period}"),
        ttm,
    }
}

fn mean(registry: &Registry, name: &str) -> Option<Mean> {
    let input = registry.input(name)?;
    Some(Mean {
        name: name.to_owned(),
        of: input.average_of.clone()?,
        ttm: input.ttm.clone()?,
    })
}

fn ratio(registry: &Registry, ratio: &Ratio) -> RatioValues {
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
        divisor: ratio.formula.divisor().map(|divisor| operand(divisor, &sql(divisor))),
        rule: rule_name(ratio.denominator),
        reason: ratio.denominator.reason(),
        value: sql(&ratio.formula),
    }
}

/// The SQL of an expression as an operand of a comparison.
fn operand(expr: &Expr, sql: &str) -> String {
    match expr {
        Expr::Input(_) | Expr::Number(_) | Expr::Call(..) | Expr::Negative(_) => sql.to_owned(),
        _ => format!("({sql})"),
    }
}

fn rule_name(rule: Denominator) -> &'static str {
    match rule {
        Denominator::Positive => "positive",
        Denominator::Equity => "equity",
        Denominator::Earnings => "earnings",
        Denominator::ZeroMeansMissing => "zero_means_missing",
        Denominator::Nonzero => "nonzero",
        Denominator::Any => "any",
    }
}

fn does_not_apply(horizon: &Horizon) -> String {
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

fn growth_rates(registry: &Registry) -> Vec<GrowthValues> {
    let values = |rate: GrowthRate<'_>| GrowthValues {
        name: rate.name(),
        figure: rate.growth.figure.clone(),
        horizon: rate.horizon.name.clone(),
        years: rate.horizon.years.unwrap_or_default(),
        reason: match rate.growth.earnings {
            true => "negative_earnings",
            false => "nonpositive_denominator",
        },
    };
    registry.growth_rates().map(values).collect()
}

/// The column of an input such as `ttm.revenue` in `valuation_inputs`.
fn valuation_column(input: &str) -> String {
    input.replace('.', "_")
}

/// The inputs of market metrics, computed from the row of their source.
fn valuation_inputs(registry: &Registry) -> Vec<Formula> {
    let all: BTreeSet<(Source, String)> =
        registry.market.iter().flat_map(MarketMetric::fundamentals).collect();
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

fn market(metric: &MarketMetric) -> MarketValues {
    let sql = |expr: &Expr| expr.sql(&|input| format!("i.{}", valuation_column(input)));
    let prefixes = |sources: BTreeSet<Source>| sources.into_iter().map(Source::prefix).collect();
    MarketValues {
        name: metric.name.clone(),
        amount: metric.amount,
        banks: metric.banks,
        stale_ok: metric.stale_ok,
        zero_is_zero: metric.zero_is_zero,
        fmp: metric.fmp.clone(),
        checked: metric.checked().map(|checked| operand(&checked, &sql(&checked))),
        rule: rule_name(metric.rule()),
        reason: metric.rule().reason(),
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
        currency_sources: prefixes(metric.currency_sources()),
        operands: metric
            .operands()
            .into_iter()
            .map(|o| OperandValues { sql: sql(&o.expr), column: o.column })
            .collect(),
        day_value: metric.day_formula().sql(&|input| format!("v.{input}")),
    }
}

/// An enterprise value of a session, over the columns of the sessions and of the operands.
fn enterprise_value(registry: &Registry, name: &str) -> String {
    let column = |input: &str| match input.contains("_operand") {
        true => format!("o.{input}"),
        false => format!("d.{input}"),
    };
    registry
        .market_metric(name)
        .map(|m| m.day_formula().sql(&column))
        .unwrap_or_else(|| "null::double".into())
}

fn fmp_pairs(registry: &Registry) -> Vec<Pair> {
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
