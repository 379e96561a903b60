//! The uniform lines of the long models: one line per ratio, market metric or growth rate.

use std::sync::OnceLock;

use super::{
    expr::{Expr, Op},
    lineage::{Formula, Lineage, Place},
    parse::{Item, Select},
};

/// A line of `ratio_values`.
#[derive(Debug, Clone, PartialEq)]
pub struct RatioLine {
    /// The ratio.
    pub metric: String,
    /// The numerator.
    pub numerator: Expr,
    /// The denominator.
    pub denominator: Expr,
    /// The rule that the denominator must satisfy.
    pub rule: String,
    /// The column with a reason for NULL that does not depend on the numbers.
    pub null_reason: String,
}

/// A line of `valuation_terms`.
#[derive(Debug, Clone, PartialEq)]
pub struct MarketLine {
    /// The market metric.
    pub metric: String,
    /// The operand besides the price.
    pub operand: Expr,
    /// The expression that the rule tests.
    pub tested: Expr,
    /// The rule that it must satisfy.
    pub rule: String,
    /// The source of the figures: the TTM row, the fiscal year, or the latest statement.
    pub source: String,
    /// Which reasons for NULL apply to it.
    pub family: String,
}

/// A growth rate.
#[derive(Debug, Clone, PartialEq)]
pub struct GrowthLine {
    /// The growing figure: a column of `ratio_inputs`.
    pub item: String,
    /// The horizon: `yoy`, `qoq`, `cagr_3y`, `cagr_5y`.
    pub horizon: String,
    /// Length of the horizon in years.
    pub years: f64,
}

fn lines(table: &str, named: &str) -> Vec<Vec<Expr>> {
    let selects = Lineage::get().query(table).and_then(|q| q.named.iter().find(|(name, _)| name == named));
    let expressions = |select: &Select| -> Vec<Expr> {
        let one = |item: &Item| match item {
            Item::One(_, expr) => Some(expr.clone()),
            Item::All(_) => None,
        };
        select.items.iter().filter_map(one).collect()
    };
    selects.map(|(_, selects)| selects.iter().map(expressions).collect()).unwrap_or_default()
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Text(text) | Expr::Column(None, text) => Some(text.clone()),
        _ => None,
    }
}

/// Every ratio's line.
pub fn ratio_lines() -> &'static [RatioLine] {
    static LINES: OnceLock<Vec<RatioLine>> = OnceLock::new();
    LINES.get_or_init(read_ratio_lines)
}

fn read_ratio_lines() -> Vec<RatioLine> {
    let read = |line: Vec<Expr>| match line.as_slice() {
        [_, metric, numerator, denominator, rule, _, null_reason] => Some(RatioLine {
            metric: text(metric)?,
            numerator: numerator.clone(),
            denominator: denominator.clone(),
            rule: text(rule)?,
            null_reason: text(null_reason)?,
        }),
        _ => None,
    };
    lines("ratio_values", "terms").into_iter().filter_map(read).collect()
}

/// Every market metric's line.
pub fn market_lines() -> &'static [MarketLine] {
    static LINES: OnceLock<Vec<MarketLine>> = OnceLock::new();
    LINES.get_or_init(read_market_lines)
}

fn read_market_lines() -> Vec<MarketLine> {
    let read = |line: Vec<Expr>| match line.as_slice() {
        [_, metric, operand, tested, rule, source, family] => Some(MarketLine {
            metric: text(metric)?,
            operand: operand.clone(),
            tested: tested.clone(),
            rule: text(rule)?,
            source: text(source)?,
            family: text(family)?,
        }),
        _ => None,
    };
    lines("valuation_terms", "terms").into_iter().filter_map(read).collect()
}

/// The operand of a market metric, by its column in `valuation_divisors`: what the metric combines with the price.
pub(super) fn operand(column: &str) -> Option<Expr> {
    let metric = column.strip_suffix("_operand")?;
    market_lines().iter().find(|line| line.metric == metric).map(|line| line.operand.clone())
}

/// Every growth rate: the items by the horizons.
pub fn growth_lines() -> &'static [GrowthLine] {
    static LINES: OnceLock<Vec<GrowthLine>> = OnceLock::new();
    LINES.get_or_init(read_growth_lines)
}

fn read_growth_lines() -> Vec<GrowthLine> {
    let items: Vec<String> =
        lines("growth_values", "items").iter().filter_map(|line| text(line.get(1)?)).collect();
    let horizons: Vec<(String, f64)> = lines("growth_pairs", "horizons")
        .iter()
        .filter_map(|line| Some((text(line.first()?)?, line.get(1)?.number()?)))
        .collect();
    let pair = |item: &String| {
        let line = |(horizon, years): &(String, f64)| GrowthLine {
            item: item.clone(),
            horizon: horizon.clone(),
            years: *years,
        };
        horizons.iter().map(line).collect::<Vec<_>>()
    };
    items.iter().flat_map(pair).collect()
}

impl RatioLine {
    /// Its formula, over columns of `ratio_inputs`.
    ///
    /// # Errors
    /// The name of a column that `ratio_inputs` does not have.
    pub fn formula(&self) -> Result<Formula, String> {
        let expr = match self.denominator.number() {
            Some(1.0) => self.numerator.clone(),
            _ => {
                let (numerator, guards) = self.numerator.guarded();
                let over = Expr::Binary(Box::new(numerator), Op::Over, Box::new(self.denominator.clone()));
                guards.into_iter().fold(over, |inner, guard| Expr::Case(vec![(guard, inner)], None))
            }
        };
        Lineage::get().over("ratio_inputs", &expr)
    }
}

impl GrowthLine {
    /// The metric's name.
    pub fn metric(&self) -> String {
        format!("{}_{}", self.item, self.horizon)
    }

    /// Its formula, over the item and its earlier value (suffix `_before`).
    ///
    /// # Errors
    /// The name that the model does not define.
    pub fn formula(&self) -> Result<Expr, String> {
        let last = Lineage::get().query("growth_values").and_then(|q| q.last.first());
        let value = last.and_then(|select| {
            select.items.iter().find_map(|item| match item {
                Item::One(Some(name), expr) if name == "metric_value" => Some(expr.clone()),
                _ => None,
            })
        });
        let Some(Expr::Case(whens, Some(change))) = value else {
            return Err("metric_value".into());
        };
        let rate = whens.iter().find(|(condition, _)| condition.columns().contains(&(None, "years")));
        let (_, rate) = rate.ok_or("years")?;
        let chosen = if self.years > 1.0 { rate } else { &change };
        let rename = |e: &Expr| match e {
            Expr::Column(None, name) if name == "x" => Some(Expr::column(&self.item)),
            Expr::Column(None, name) if name == "x0" => Some(Expr::column(&format!("{}_before", self.item))),
            Expr::Column(None, name) if name == "years" => Some(Expr::Number(self.years.to_string())),
            _ => None,
        };
        Ok(chosen.without_nullif().replace(&rename))
    }
}

/// The formula of a market metric, over `valuation_days`, `valuation_inputs` and `price_windows`.
///
/// # Errors
/// The name of a column that cannot be traced.
pub fn market_formula(metric: &str) -> Result<Option<Formula>, String> {
    Lineage::get().formula_of("new_fact_market_metrics", metric, 0)
}

/// How many sessions a price metric needs, from the condition of its reason for NULL.
pub fn sessions_needed(metric: &str) -> Option<u32> {
    let model = findata_models::MODELS.iter().find(|m| m.builds() == "new_fact_market_metrics_history")?;
    let (_, after) = model.sql.split_once(&format!("'|{metric}=' || case when w.session_no < "))?;
    after.split_whitespace().next()?.parse().ok()
}

/// The select that a line of `valuation_terms` reads from.
pub fn range_place() -> Place {
    Place { table: "valuation_terms", named: Some(0), branch: 0 }
}
