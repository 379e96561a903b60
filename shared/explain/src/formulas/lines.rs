//! The definitions that the models list in uniform lines: one line per ratio, market metric or
//! growth rate.

use std::sync::OnceLock;

use findata_models::{
    Models,
    metrics::{self, Average, Denominator, MarketMetric, Ratio, Registry},
};

use super::{
    expr::{Expr, Op},
    lineage::{Formula, Lineage},
};

/// A ratio.
#[derive(Debug, Clone, PartialEq)]
pub struct RatioLine {
    /// The ratio.
    pub metric: String,
    /// The numerator.
    pub numerator: Expr,
    /// The denominator; 1 if the ratio is the numerator alone.
    pub denominator: Expr,
    /// The rule that the denominator must satisfy.
    pub rule: String,
    /// The column with the reason for NULL that applies regardless of the numbers.
    pub null_reason: String,
}

/// A market metric with fundamentals.
#[derive(Debug, Clone, PartialEq)]
pub struct MarketLine {
    /// The market metric.
    pub metric: String,
    /// The expression that the rule tests.
    pub tested: Expr,
    /// The rule that the tested expression must satisfy.
    pub rule: String,
}

/// A growth rate.
#[derive(Debug, Clone, PartialEq)]
pub struct GrowthLine {
    /// The figure whose growth is measured: a column of `period_inputs`.
    pub item: String,
    /// The horizon: `yoy`, `qoq`, `cagr_3y`, `cagr_5y`.
    pub horizon: String,
    /// Length of the horizon in years.
    pub years: f64,
}

fn registry() -> Option<&'static Registry> {
    Models::built_in().ok().map(|models| &models.registry)
}

impl From<&metrics::Expr> for Expr {
    /// The columns of inputs such as `ttm.revenue` are those of `valuation_inputs`: `ttm_revenue`.
    fn from(expr: &metrics::Expr) -> Self {
        let boxed = |e: &metrics::Expr| Box::new(Expr::from(e));
        match expr {
            metrics::Expr::Number(text) => Expr::Number(text.clone()),
            metrics::Expr::Input(name) => Expr::Column(None, name.replace('.', "_")),
            metrics::Expr::Negative(a) => Expr::Negative(boxed(a)),
            metrics::Expr::Not(a) => Expr::Not(boxed(a)),
            metrics::Expr::Binary(a, op, b) => Expr::Binary(boxed(a), operator(*op), boxed(b)),
            metrics::Expr::Call(metrics::Function::If, parts) => match parts.as_slice() {
                [condition, result, otherwise @ ..] => {
                    let otherwise = otherwise.first().map(boxed);
                    Expr::Case(vec![(condition.into(), result.into())], otherwise)
                }
                _ => Expr::Word("null"),
            },
            metrics::Expr::Call(function, parts) => {
                Expr::Call(function.name().to_owned(), parts.iter().map(Expr::from).collect(), false)
            }
        }
    }
}

fn operator(op: metrics::Op) -> Op {
    match op {
        metrics::Op::Or => Op::Or,
        metrics::Op::And => Op::And,
        metrics::Op::Equal => Op::Equal,
        metrics::Op::Unequal => Op::Unequal,
        metrics::Op::Less => Op::Less,
        metrics::Op::AtMost => Op::AtMost,
        metrics::Op::Greater => Op::Greater,
        metrics::Op::AtLeast => Op::AtLeast,
        metrics::Op::Plus => Op::Plus,
        metrics::Op::Minus => Op::Minus,
        metrics::Op::Times => Op::Times,
        metrics::Op::Over => Op::Over,
    }
}

fn rule(denominator: Denominator) -> String {
    match denominator {
        Denominator::Positive => "positive",
        Denominator::Equity => "equity",
        Denominator::Earnings => "earnings",
        Denominator::ZeroMeansMissing => "zero_means_missing",
        Denominator::Nonzero => "nonzero",
        Denominator::Any => "none",
    }
    .to_owned()
}

/// Every ratio's line.
pub fn ratio_lines() -> &'static [RatioLine] {
    static LINES: OnceLock<Vec<RatioLine>> = OnceLock::new();
    LINES.get_or_init(|| {
        let line = |registry: &Registry, ratio: &Ratio| {
            let (numerator, denominator) = match &ratio.formula {
                metrics::Expr::Binary(numerator, metrics::Op::Over, divisor) => {
                    (Expr::from(&**numerator), Expr::from(&**divisor))
                }
                whole => (Expr::from(whole), Expr::Number("1.0".into())),
            };
            let history = registry.history(&ratio.formula);
            let null_reason = format!(
                "{}{}{}null_reason",
                if ratio.banks { "" } else { "bank_" },
                if history.contains(&Average::Year) {
                    "year_"
                } else if history.contains(&Average::PreviousPeriod) {
                    "two_period_"
                } else {
                    ""
                },
                if ratio.requires.is_empty() { "" } else { "graham_" },
            );
            let rule = match denominator.number() {
                Some(_) => "nonzero".to_owned(),
                None => rule(ratio.denominator),
            };
            RatioLine {
                metric: ratio.name.clone(),
                numerator,
                denominator,
                rule,
                null_reason,
            }
        };
        registry()
            .map(|r| r.ratios.iter().map(|ratio| line(r, ratio)).collect())
            .unwrap_or_default()
    })
}

/// Every market metric's line.
pub fn market_lines() -> &'static [MarketLine] {
    static LINES: OnceLock<Vec<MarketLine>> = OnceLock::new();
    LINES.get_or_init(|| {
        let line = |metric: &MarketMetric| {
            Some(MarketLine {
                metric: metric.name.clone(),
                tested: Expr::from(&metric.checked()?),
                rule: rule(metric.rule()),
            })
        };
        registry().map(|r| r.market.iter().filter_map(line).collect()).unwrap_or_default()
    })
}

/// The operand of a market metric, by its column in `valuation_operands`: what the metric combines
/// with the price.
pub(super) fn operand(column: &str) -> Option<Expr> {
    let operands = registry()?.market.iter().flat_map(MarketMetric::operands);
    operands
        .into_iter()
        .find(|operand| operand.column == column)
        .map(|operand| Expr::from(&operand.expr))
}

/// Every growth rate: each item with each horizon.
pub fn growth_lines() -> &'static [GrowthLine] {
    static LINES: OnceLock<Vec<GrowthLine>> = OnceLock::new();
    LINES.get_or_init(|| {
        let line = |rate: metrics::GrowthRate<'_>| GrowthLine {
            item: rate.growth.figure.clone(),
            horizon: rate.horizon.name.clone(),
            years: f64::from(rate.horizon.years.unwrap_or(1)),
        };
        registry().map(|r| r.growth_rates().map(line).collect()).unwrap_or_default()
    })
}

impl RatioLine {
    /// Its formula, over columns of `period_inputs`.
    ///
    /// # Errors
    /// The name of a column that `period_inputs` does not have.
    pub fn formula(&self) -> Result<Formula, String> {
        let expr = match self.denominator.number() {
            Some(1.0) => self.numerator.clone(),
            _ => {
                let (numerator, guards) = self.numerator.guarded();
                let over = Expr::Binary(Box::new(numerator), Op::Over, Box::new(self.denominator.clone()));
                guards.into_iter().fold(over, |inner, guard| Expr::Case(vec![(guard, inner)], None))
            }
        };
        Lineage::get().over("period_inputs", &expr)
    }
}

impl GrowthLine {
    /// The metric's name.
    pub fn metric(&self) -> String {
        format!("{}_{}", self.item, self.horizon)
    }

    /// Its formula, over the item and its earlier value `{item}_before`.
    ///
    /// # Errors
    /// The name of an expression that the models lack.
    pub fn formula(&self) -> Result<Expr, String> {
        let (now, before) = (&self.item, format!("{}_before", self.item));
        let sql = match self.years > 1.0 {
            true => format!("power({now} / {before}, 1 / {}) - 1", self.years),
            false => format!("({now} - {before}) / abs({before})"),
        };
        super::parse::expression(&sql).ok_or(sql)
    }
}

/// The formula of a market metric, over `valuation_days`, `valuation_inputs` and `price_windows`.
///
/// # Errors
/// The name of a column that cannot be traced.
pub fn market_formula(metric: &str) -> Result<Option<Formula>, String> {
    Lineage::get().formula_of("new_fact_market_metrics", metric, 0)
}

/// How many sessions a metric of prices alone needs; `None` for other metrics.
pub fn sessions_needed(metric: &str) -> Option<u32> {
    registry()?.price_metric(metric).map(|metric| metric.sessions)
}
