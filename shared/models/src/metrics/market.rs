//! Entries of market metrics that combine prices with fundamentals.
//!
//! A formula is split in two. The parts that depend only on fundamentals are computed once per
//! range of days with the same fundamentals; the rest, which depends on the price, is computed once
//! per day.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{
    entries::{Denominator, Requirement, yes},
    expression::Expr,
};

/// A market metric that combines prices with fundamentals.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketMetric {
    /// Name of the metric's column.
    pub name: String,
    /// Description of the metric in one sentence.
    pub about: String,
    /// The formula of the metric.
    pub formula: Expr,
    /// The figure to which `denominator` and the check for missing inputs apply, if it is not the
    /// divisor of the formula.
    pub checked: Option<Expr>,
    /// The rule for the checked figure; `None` for the default.
    pub denominator: Option<Denominator>,
    /// Whether the metric is meaningful for banks and insurers.
    #[serde(default = "yes")]
    pub banks: bool,
    /// Conditions that inputs must meet.
    #[serde(default)]
    pub requires: Vec<Requirement>,
    /// Whether the metric keeps its value when the fundamentals are stale.
    #[serde(default)]
    pub stale_ok: bool,
    /// Whether a currency mismatch is ignored if the checked figure is 0, because 0 is the same in
    /// every currency.
    #[serde(default)]
    pub zero_is_zero: bool,
    /// Whether reports show the metric in percent. It is stored as a fraction.
    #[serde(default)]
    pub percent: bool,
    /// Heading of the metric in the summary of a run; `None` if the summary omits it.
    pub heading: Option<String>,
    /// Other names of the metric.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Column of `ratios_ttm` or `key_metrics_ttm` in which FMP reports the same figure.
    pub fmp: Option<String>,
    /// Which inputs must be equal before the metric is compared with FMP's figure.
    #[serde(default)]
    pub fmp_needs: FmpNeeds,
}

/// The inputs that must be equal before a market metric is compared with FMP's figure. The twelve
/// months must always be equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FmpNeeds {
    /// The price.
    #[default]
    Price,
    /// The price and the share count.
    Cap,
    /// The dividends.
    Dividend,
}

/// The source row of an input of a market metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The trailing twelve months.
    Ttm,
    /// The newest fiscal year.
    Fy,
    /// The newest statement.
    Latest,
    /// The growth rates of the trailing twelve months.
    Growth,
}

impl Source {
    /// All sources with their prefixes in formulas.
    pub const ALL: [(Source, &'static str); 4] = [
        (Source::Ttm, "ttm"),
        (Source::Fy, "fy"),
        (Source::Latest, "latest"),
        (Source::Growth, "growth"),
    ];

    /// Returns the prefix of the source in formulas and columns.
    pub fn prefix(self) -> &'static str {
        Source::ALL.iter().find(|(source, _)| *source == self).map_or("", |(_, prefix)| prefix)
    }

    /// Splits an input such as `ttm.revenue` into source and name. Returns `None` for an input of
    /// the session.
    pub fn split(input: &str) -> Option<(Source, &str)> {
        let (prefix, name) = input.split_once('.')?;
        let (source, _) = Source::ALL.iter().find(|(_, known)| *known == prefix)?;
        Some((*source, name))
    }
}

/// The inputs of a session. Each is a column of `valuation_days` or is computed from such columns.
pub const DAY_INPUTS: [&str; 6] = [
    "close_price",
    "shares",
    "market_cap",
    "enterprise_value",
    "enterprise_value_fmp",
    "dividends_per_share",
];

/// The inputs of a session that are market metrics themselves.
pub const DAY_METRICS: [&str; 3] = ["market_cap", "enterprise_value", "enterprise_value_fmp"];

/// A part of a formula that depends only on fundamentals.
#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    /// Name of the part's column in `valuation_operands`.
    pub column: String,
    /// The expression, with inputs such as `ttm.revenue`.
    pub expr: Expr,
}

impl MarketMetric {
    /// Returns the largest parts of the formula that depend only on fundamentals, without
    /// duplicates.
    pub fn operands(&self) -> Vec<Operand> {
        let mut parts = Vec::new();
        collect(&self.formula, &mut parts);
        let column = |n: usize| match n {
            0 => format!("{}_operand", self.name),
            n => format!("{}_operand_{}", self.name, n + 1),
        };
        parts
            .into_iter()
            .enumerate()
            .map(|(n, expr)| Operand { column: column(n), expr: expr.clone() })
            .collect()
    }

    /// Returns the formula with the operands replaced by their columns. All other inputs are inputs
    /// of a session.
    pub fn day_formula(&self) -> Expr {
        self.on_session(&self.formula)
    }

    /// Returns a part of the formula with the operands replaced by their columns.
    pub fn on_session(&self, part: &Expr) -> Expr {
        let operands = self.operands();
        part.replace(&|part| operands.iter().find(|o| o.expr == *part).map(|o| Expr::input(&o.column)))
    }

    /// Returns the figure to which the rule and the check for missing inputs apply, or `None` if
    /// the formula has no fundamentals.
    pub fn checked(&self) -> Option<Expr> {
        let divisor = self.formula.divisor().filter(|divisor| is_fundamental(divisor));
        self.checked
            .clone()
            .or_else(|| divisor.cloned())
            .or_else(|| self.operands().into_iter().next().map(|o| o.expr))
    }

    /// Returns the rule for the checked figure.
    pub fn rule(&self) -> Denominator {
        let divides = self.formula.divisor().is_some_and(is_fundamental);
        self.denominator.unwrap_or(if divides { Denominator::Positive } else { Denominator::Any })
    }

    /// Returns the fundamentals among the inputs of the formula, the checked figure and the
    /// conditions.
    pub fn fundamentals(&self) -> BTreeSet<(Source, String)> {
        let checked = self.checked();
        let inputs = self.formula.inputs().into_iter().chain(checked.iter().flat_map(Expr::inputs));
        inputs
            .chain(self.requires.iter().map(|r| r.above_zero.as_str()))
            .filter_map(Source::split)
            .map(|(source, name)| (source, name.to_owned()))
            .collect()
    }

    /// Returns the source rows that must exist. Growth rates are not included, because they have a
    /// separate reason for NULL.
    pub fn sources(&self) -> BTreeSet<Source> {
        let all = self.fundamentals().into_iter().map(|(source, _)| source);
        all.filter(|source| *source != Source::Growth).collect()
    }

    /// Returns the source rows that must not be stale. Enterprise value includes debt from the newest
    /// statement.
    pub fn statements(&self) -> BTreeSet<Source> {
        let mut sources = self.sources();
        sources.extend(self.enterprise_value().map(|_| Source::Latest));
        sources
    }

    /// Returns the source rows whose currency must be the currency of the price.
    pub fn currency_sources(&self) -> BTreeSet<Source> {
        let priced = |name: &&str| DAY_INPUTS.contains(name) && *name != "shares";
        match self.formula.inputs().iter().any(priced) {
            true => self.statements(),
            false => BTreeSet::new(),
        }
    }

    /// Returns the enterprise value that the metric divides or divides by, which must be above zero.
    pub fn enterprise_value(&self) -> Option<&'static str> {
        let inputs = self.formula.inputs();
        ["enterprise_value", "enterprise_value_fmp"]
            .into_iter()
            .find(|name| inputs.contains(name))
    }
}

/// Returns whether an expression depends on fundamentals and on no input of the session.
pub(crate) fn is_fundamental(expr: &Expr) -> bool {
    let inputs = expr.inputs();
    !inputs.is_empty() && inputs.iter().all(|name| Source::split(name).is_some())
}

fn collect<'a>(expr: &'a Expr, found: &mut Vec<&'a Expr>) {
    if is_fundamental(expr) && !expr.is_condition() {
        if !found.contains(&expr) {
            found.push(expr);
        }
        return;
    }
    for part in expr.parts() {
        collect(part, found);
    }
}
