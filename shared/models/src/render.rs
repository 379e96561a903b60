//! Renders the templates of `infra/models` with the metric registry.
//!
//! The templates use minijinja, the Jinja dialect that dbt users know. Each block is on a separate
//! line, and a template without blocks is plain SQL. The templates get formulas as SQL, which is
//! written from the parsed tree of each formula.

mod inputs;
mod market;
mod periods;

use std::collections::{BTreeMap, BTreeSet};

use findata_domain::{Error, Result, catalog::INCOME_STATEMENT};
use minijinja::{
    Environment, UndefinedBehavior,
    syntax::SyntaxConfig,
    value::{Serde, Value},
};
use serde::Serialize;

use crate::metrics::{
    Expr, MarketMetric, RankedKind, Ratio, Registry, Source, Suspicion, YEAR_HORIZON, balances, flows,
    reason_sql, spellings,
};
pub(crate) use inputs::SPLIT_ADJUSTED;
use inputs::{
    Formula, Mean, PeriodColumn, TtmAverage, Used, mean, period_column, suspicions_of, ttm_average,
};
use market::{
    MarketValues, Pair, PriceValues, custom_market, day_input, fmp_pairs, market, price, valuation_inputs,
};
use periods::{
    GrowthValues, HorizonValues, RateValues, RatioValues, custom_ratio, growth, growth_rates, horizon, ratio,
    ratio_input,
};

/// Renders templates with a registry. A template can extend another one.
pub(crate) struct Renderer {
    environment: Environment<'static>,
    context: Value,
    /// The context of the models of the user's metrics.
    custom: Value,
}

impl Renderer {
    /// # Errors
    /// `Stop` if the template engine rejects the syntax configuration or a template.
    pub fn new(registry: &Registry, templates: &[(&'static str, &'static str)]) -> Result<Self> {
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        let mut environment = Environment::new();
        environment.set_syntax(syntax.map_err(|e| Error::Stop(format!("template syntax: {e}")))?);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (file, template) in templates {
            environment
                .add_template(file, template)
                .map_err(|e| Error::Stop(format!("infra/models/{file}: {e:#}")))?;
        }
        let context = Value::from(Serde(&Context::of(registry)));
        let custom = match registry.custom.is_empty() {
            true => context.clone(),
            false => Value::from(Serde(&Context::of_custom(registry))),
        };
        Ok(Renderer { environment, context, custom })
    }

    /// Lets templates use `conversions`: by published table, what follows `*` in a SELECT of computed rows so that they
    /// have the types of the table.
    pub fn set_conversions(&mut self, by_table: impl Iterator<Item = (String, String)>) {
        self.environment
            .add_global("conversions", Value::from(by_table.collect::<BTreeMap<String, String>>()));
    }

    /// The text of one of the templates.
    ///
    /// # Errors
    /// `Stop` with the template's file and line if it uses a name that does not exist.
    pub fn render(&self, file: &str) -> Result<String> {
        self.render_with(file, &self.context)
    }

    /// The text of a template with the user's metrics in place of the built-in ones.
    ///
    /// # Errors
    /// As for [`Renderer::render`].
    pub fn render_custom(&self, file: &str) -> Result<String> {
        self.render_with(file, &self.custom)
    }

    fn render_with(&self, file: &str, context: &Value) -> Result<String> {
        self.environment
            .get_template(file)
            .and_then(|template| template.render(context.clone()))
            .map_err(|e| Error::Stop(format!("infra/models/{file}: {e:#}")))
    }
}

/// The suspicions of twelve months that make share counts or per-share figures NULL.
const TTM_COUNT_REASON: &str = "case when contains(t.suspect_reason, 'share_count_disputed') then 'share_count_disputed' \
     when contains(t.suspect_reason, 'eps_disputed') and t.quarters_derived = 0 then 'eps_disputed' end";

/// A ratio belongs to a period and does not become stale. Staleness is taken from a metric of the day
/// that needs nothing but the twelve months.
const STALE_TWELVE_MONTHS: &str =
    "coalesce(contains(m.null_reasons, '|ps_ratio_ttm=stale_fundamentals'), false)";

/// The values that templates can use.
#[derive(Serialize)]
struct Context {
    /// The lines of the income and cash flow statements.
    flows: Vec<&'static str>,
    income_lines: Vec<&'static str>,
    cash_flow_lines: Vec<&'static str>,
    /// The lines of the balance sheet.
    balances: Vec<&'static str>,
    period_columns: Vec<PeriodColumn>,
    /// Inputs of a period that have a formula, as SQL with the table alias `p`.
    formula_inputs: Vec<Formula>,
    averages: Vec<Mean>,
    /// The inputs for which averages are computed.
    averaged: BTreeSet<String>,
    ratios: Vec<RatioValues>,
    /// The inputs that only ratios can use, as SQL with the table alias `i`.
    ratio_inputs: Vec<Formula>,
    /// The inputs that ratios use from the period a year ago.
    year_ago: BTreeSet<String>,
    /// The inputs that ratios use from the period two years ago.
    two_years_ago: BTreeSet<String>,
    /// The suspicions that concern `year_ago`, as a list of SQL literals.
    year_ago_suspicions: String,
    /// The suspicions that concern `two_years_ago`, as a list of SQL literals.
    two_years_ago_suspicions: String,
    /// The horizon whose earlier period is a year ago.
    year_horizon: &'static str,
    horizons: Vec<HorizonValues>,
    growth: Vec<GrowthValues>,
    growth_rates: Vec<RateValues>,
    valuation_inputs: Vec<Formula>,
    /// The growth rates that market metrics use.
    valuation_growth: Vec<RateValues>,
    /// The horizons of these growth rates.
    valuation_horizons: BTreeSet<String>,
    market_metrics: Vec<MarketValues>,
    /// Whether one of them uses fundamentals.
    has_operands: bool,
    /// Whether one of the user's market metrics uses fundamentals.
    has_custom_operands: bool,
    price_metrics: Vec<PriceValues>,
    market_cap: String,
    enterprise_value: String,
    enterprise_value_fmp: String,
    /// Averages of the trailing twelve months.
    ttm_averages: Vec<TtmAverage>,
    fmp_pairs: Vec<Pair>,
    suspicions: Vec<Suspicion>,
    /// The lines that each suspicion compares.
    suspicion_items: Vec<ComparedItem>,
    /// The suspicions of a group of rows as one text.
    suspect_reason: String,
    /// Why per-share figures of twelve months are NULL, with the table alias `t`.
    ttm_count_reason: &'static str,
    industries: Industries,
    ranks: Vec<RankValues>,
    /// The kinds of ranked metrics that belong to a period, with their tables.
    ranked_periods: [[&'static str; 2]; 2],
    /// Whether the twelve months of a row of market metrics (alias `m`) are stale.
    stale_twelve_months: &'static str,
}

/// A ranked metric.
#[derive(Serialize)]
struct RankValues {
    name: String,
    /// The table of its values: market, price (the same table), ratio or growth.
    kind: &'static str,
}

fn rank((name, kind): (&str, RankedKind)) -> RankValues {
    let kind = match kind {
        RankedKind::Market => "market",
        RankedKind::Price => "price",
        RankedKind::Ratio => "ratio",
        RankedKind::Growth => "growth",
    };
    RankValues { name: name.to_owned(), kind }
}

/// Returns whether one of the metrics uses fundamentals.
pub(crate) fn has_operands(metrics: &[MarketMetric]) -> bool {
    metrics.iter().any(|metric| metric.checked().is_some())
}

/// Returns the growth rates that market metrics use.
fn growth_rates_of_the_valuation(registry: &Registry) -> Vec<RateValues> {
    let metrics = registry.market.iter().chain(&registry.custom.market);
    let used: BTreeSet<String> = metrics
        .flat_map(MarketMetric::fundamentals)
        .filter(|(source, _)| *source == Source::Growth)
        .map(|(_, name)| name)
        .collect();
    growth_rates(registry).into_iter().filter(|rate| used.contains(&rate.name)).collect()
}

/// A line that a suspicion compares.
#[derive(Serialize)]
struct ComparedItem {
    code: String,
    item: String,
}

fn compared_items(suspicion: &Suspicion) -> impl Iterator<Item = ComparedItem> {
    suspicion
        .items
        .iter()
        .map(|item| ComparedItem { code: suspicion.code.clone(), item: item.clone() })
}

/// The industries in lower case, each as a list of SQL literals.
#[derive(Serialize)]
struct Industries {
    banks: String,
    lenders: String,
    others: String,
    interest_share: f64,
}

impl Context {
    fn of(registry: &Registry) -> Self {
        let built_in: Vec<&Ratio> = registry.ratios.iter().collect();
        let all: Vec<&Ratio> = registry.ratios.iter().chain(&registry.custom.ratios).collect();
        // The columns of periods serve the user's ratios too. What is selected for built-in ratios must not
        // depend on the user's.
        let of_ratios = Used::of(registry, &built_in);
        let used = Used::of(registry, &all);
        let valuation_growth = growth_rates_of_the_valuation(registry);
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
            ratio_inputs: of_ratios.ratio_inputs.iter().map(|name| ratio_input(registry, name)).collect(),
            year_ago_suspicions: suspicions_of(registry, &of_ratios.year_ago),
            two_years_ago_suspicions: suspicions_of(registry, &of_ratios.two_years_ago),
            year_ago: of_ratios.year_ago,
            two_years_ago: of_ratios.two_years_ago,
            year_horizon: YEAR_HORIZON,
            horizons: registry.horizons.iter().map(horizon).collect(),
            growth_rates: growth_rates(registry),
            growth: registry.growth.iter().map(|g| growth(registry, g)).collect(),
            valuation_inputs: valuation_inputs(registry),
            valuation_horizons: valuation_growth.iter().map(|rate| rate.horizon.clone()).collect(),
            valuation_growth,
            has_operands: has_operands(&registry.market),
            has_custom_operands: has_operands(&registry.custom.market),
            market_metrics: registry.market.iter().map(|m| market(registry, m)).collect(),
            price_metrics: registry.prices.iter().map(price).collect(),
            market_cap: day_input(registry, "market_cap"),
            enterprise_value: day_input(registry, "enterprise_value"),
            enterprise_value_fmp: day_input(registry, "enterprise_value_fmp"),
            ttm_averages: registry.inputs.iter().filter_map(|input| ttm_average(registry, input)).collect(),
            fmp_pairs: fmp_pairs(registry),
            industries: Industries {
                banks: spellings(&registry.industries.banks),
                lenders: spellings(&registry.industries.lenders),
                others: spellings(&registry.industries.others),
                interest_share: registry.industries.interest_share,
            },
            ranks: registry.ranked().map(rank).collect(),
            ranked_periods: [
                ["ratio", "fact_financial_ratios_history"],
                ["growth", "fact_growth_rates_history"],
            ],
            stale_twelve_months: STALE_TWELVE_MONTHS,
            suspicions: registry.suspicions.clone(),
            suspicion_items: registry.suspicions.iter().flat_map(compared_items).collect(),
            suspect_reason: reason_sql(&registry.suspicions),
            ttm_count_reason: TTM_COUNT_REASON,
        }
    }

    /// The context in which the user's metrics take the place of the built-in ones.
    fn of_custom(registry: &Registry) -> Self {
        let ratios: Vec<&Ratio> = registry.custom.ratios.iter().collect();
        let used = Used::of(registry, &ratios);
        Context {
            ratio_inputs: used.ratio_inputs.iter().map(|name| ratio_input(registry, name)).collect(),
            year_ago: used.year_ago,
            two_years_ago: used.two_years_ago,
            ratios: ratios.into_iter().map(|ratio| custom_ratio(registry, ratio)).collect(),
            has_operands: has_operands(&registry.custom.market),
            market_metrics: registry.custom.market.iter().map(|m| custom_market(registry, m)).collect(),
            ..Context::of(registry)
        }
    }
}
