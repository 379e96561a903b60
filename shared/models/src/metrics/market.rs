//! Entries of market metrics that combine prices with fundamentals.
//!
//! A formula is split into what fundamentals determine, computed once for every range of days with the same
//! fundamentals, and what the day's price adds.

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
    /// Its column.
    pub name: String,
    /// What it tells.
    pub about: String,
    /// Its formula.
    pub formula: Expr,
    /// The figure on which `denominator` and a missing input are tested, if it is not the divisor.
    pub checked: Option<Expr>,
    /// What the checked figure must be.
    pub denominator: Option<Denominator>,
    /// Whether it is stored as a decimal.
    #[serde(default)]
    pub amount: bool,
    /// Whether it is meaningful for banks and insurers.
    #[serde(default = "yes")]
    pub banks: bool,
    /// Conditions on inputs.
    #[serde(default)]
    pub requires: Vec<Requirement>,
    /// Whether it is kept when the fundamentals are stale.
    #[serde(default)]
    pub stale_ok: bool,
    /// Whether 0 of the checked figure is 0 in every currency.
    #[serde(default)]
    pub zero_is_zero: bool,
    /// Whether people read it in percent; it is stored as a fraction.
    #[serde(default)]
    pub percent: bool,
    /// Its heading in the summary of a run; `None` if it is not there.
    pub heading: Option<String>,
    /// Other names.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The column with FMP's own figure.
    pub fmp: Option<String>,
    /// What both figures must share to be compared.
    #[serde(default)]
    pub fmp_needs: FmpNeeds,
}

/// What a market metric and FMP's own must share, besides the twelve months, to be compared.
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

/// The row from which a formula of a market metric takes an input.
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
    /// Every source with its prefix in formulas.
    pub const ALL: [(Source, &'static str); 4] = [
        (Source::Ttm, "ttm"),
        (Source::Fy, "fy"),
        (Source::Latest, "latest"),
        (Source::Growth, "growth"),
    ];

    /// Its prefix in formulas and columns.
    pub fn prefix(self) -> &'static str {
        Source::ALL.iter().find(|(source, _)| *source == self).map_or("", |(_, prefix)| prefix)
    }

    /// The source and the name of an input such as `ttm.revenue`; `None` for an input of the day.
    pub fn split(input: &str) -> Option<(Source, &str)> {
        let (prefix, name) = input.split_once('.')?;
        let (source, _) = Source::ALL.iter().find(|(_, known)| *known == prefix)?;
        Some((*source, name))
    }
}

/// The inputs of a session. Each is a column of `valuation_days` or derived from its columns.
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

/// A part of a formula that fundamentals determine.
#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    /// Its column in `valuation_operands`.
    pub column: String,
    /// The part, over inputs such as `ttm.revenue`.
    pub expr: Expr,
}

impl MarketMetric {
    /// The largest parts of the formula that only fundamentals determine, each once.
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

    /// The formula over a session's inputs and the columns of the operands.
    pub fn day_formula(&self) -> Expr {
        let operands = self.operands();
        self.formula
            .replace(&|part| operands.iter().find(|o| o.expr == *part).map(|o| Expr::input(&o.column)))
    }

    /// The figure on which the rule and a missing input are tested; `None` if the formula has no fundamentals.
    pub fn checked(&self) -> Option<Expr> {
        let divisor = self.formula.divisor().filter(|divisor| is_fundamental(divisor));
        self.checked
            .clone()
            .or_else(|| divisor.cloned())
            .or_else(|| self.operands().into_iter().next().map(|o| o.expr))
    }

    /// What the checked figure must be.
    pub fn rule(&self) -> Denominator {
        let divides = self.formula.divisor().is_some_and(is_fundamental);
        self.denominator.unwrap_or(if divides { Denominator::Positive } else { Denominator::Any })
    }

    /// The inputs of the formula, the checked figure and the conditions that come from fundamentals.
    pub fn fundamentals(&self) -> BTreeSet<(Source, String)> {
        let checked = self.checked();
        let inputs = self.formula.inputs().into_iter().chain(checked.iter().flat_map(Expr::inputs));
        inputs
            .chain(self.requires.iter().map(|r| r.above_zero.as_str()))
            .filter_map(Source::split)
            .map(|(source, name)| (source, name.to_owned()))
            .collect()
    }

    /// The rows that must exist: without growth rates, which have their own reason.
    pub fn sources(&self) -> BTreeSet<Source> {
        let all = self.fundamentals().into_iter().map(|(source, _)| source);
        all.filter(|source| *source != Source::Growth).collect()
    }

    /// The rows that must not be stale: enterprise value contains debt of the newest statement.
    pub fn statements(&self) -> BTreeSet<Source> {
        let mut sources = self.sources();
        sources.extend(self.enterprise_value().map(|_| Source::Latest));
        sources
    }

    /// The rows whose currency must be the price's.
    pub fn currency_sources(&self) -> BTreeSet<Source> {
        let priced = |name: &&str| DAY_INPUTS.contains(name) && *name != "shares";
        match self.formula.inputs().iter().any(priced) {
            true => self.statements(),
            false => BTreeSet::new(),
        }
    }

    /// The enterprise value that it is a multiple of, or a yield on: it must be above zero.
    pub fn enterprise_value(&self) -> Option<&'static str> {
        let inputs = self.formula.inputs();
        ["enterprise_value", "enterprise_value_fmp"]
            .into_iter()
            .find(|name| inputs.contains(name))
    }
}

/// Whether an expression depends on fundamentals and on nothing of the session.
fn is_fundamental(expr: &Expr) -> bool {
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
