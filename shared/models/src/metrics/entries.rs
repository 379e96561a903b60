//! The entries of the registry, as the TOML files declare them. The comment at the top of each file explains its fields.

use serde::Deserialize;

use super::{expression::Expr, unit::Unit};

/// An input of formulas.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// How formulas name it.
    pub name: String,
    /// What it is; empty for a mean, whose other fields say it.
    #[serde(default)]
    pub about: String,
    /// Its unit, unless it follows from the formula.
    pub unit: Option<Unit>,
    /// A formula over other inputs.
    pub formula: Option<Expr>,
    /// The input whose mean it is.
    pub average_of: Option<String>,
    /// What the mean is over.
    pub over: Option<Average>,
    /// The column of a single period.
    pub period: Option<String>,
    /// The column of twelve months.
    pub ttm: Option<String>,
}

/// The two ends of a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// The end of the period and the end of the previous one.
    PreviousPeriod,
    /// The end of the twelve months and their beginning.
    Year,
}

/// What a divisor must be; otherwise the metric is NULL with a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denominator {
    /// Above zero, else `nonpositive_denominator`.
    Positive,
    /// Equity above zero, else `negative_equity`.
    Equity,
    /// Earnings above zero, else `negative_earnings`.
    Earnings,
    /// Above zero; 0 is FMP's "not reported" and gives `not_reported`.
    ZeroMeansMissing,
    /// Any number but 0.
    Nonzero,
    /// Any number.
    Any,
}

impl Denominator {
    /// The reason for NULL if the divisor is zero or below.
    pub fn reason(self) -> &'static str {
        match self {
            Denominator::Equity => "negative_equity",
            Denominator::Earnings => "negative_earnings",
            _ => "nonpositive_denominator",
        }
    }
}

/// A condition on an input.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The input that must be above zero.
    pub above_zero: String,
    /// The reason for NULL if it is not.
    pub reason: String,
}

/// A ratio.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ratio {
    /// Its column.
    pub name: String,
    /// What it tells.
    pub about: String,
    /// Its formula.
    pub formula: Expr,
    /// What its divisor must be.
    pub denominator: Option<Denominator>,
    /// Whether it is meaningful for banks and insurers.
    #[serde(default = "yes")]
    pub banks: bool,
    /// Conditions on inputs.
    #[serde(default)]
    pub requires: Vec<Requirement>,
    /// The reason for NULL if an input is missing; `missing_input` unless the entry says otherwise.
    pub missing: Option<String>,
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
}

impl Ratio {
    /// What its divisor must be; above zero unless the entry says otherwise.
    pub fn rule(&self) -> Denominator {
        self.denominator.unwrap_or(Denominator::Positive)
    }
}

/// The default of fields that are true unless an entry says otherwise.
pub(super) fn yes() -> bool {
    true
}

/// A figure that grows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Growth {
    /// The input whose growth is measured.
    pub figure: String,
    /// Whether an end value that is not above zero is `negative_earnings`.
    #[serde(default)]
    pub earnings: bool,
    /// Whether it is meaningful for banks and insurers.
    #[serde(default = "yes")]
    pub banks: bool,
    /// The horizons, by name.
    pub over: Vec<String>,
}

/// A time over which figures grow.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Horizon {
    /// The suffix of the column.
    pub name: String,
    /// What it tells.
    pub about: String,
    /// Length in years; `None` for a quarter.
    pub years: Option<u32>,
    /// Days between the two period ends.
    pub days: DayRange,
    /// The kinds of period that have it.
    pub bases: Vec<PeriodKind>,
}

/// A range of days, with the number that fits best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayRange {
    /// The fewest days.
    pub from: u32,
    /// The most days.
    pub to: u32,
    /// The best number of days.
    pub target: u32,
}

/// A kind of period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeriodKind {
    /// Q1 to Q4.
    Quarter,
    /// FY.
    Year,
    /// The trailing twelve months.
    Ttm,
}
