//! The entries of the registry, as declared in the TOML files. The comment at the top of each file
//! explains its fields.

use serde::Deserialize;

use super::{expression::Expr, unit::Unit};

/// An input of formulas.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The name of the input in formulas.
    pub name: String,
    /// Description; empty for a mean, whose description is derived from its other fields.
    #[serde(default)]
    pub about: String,
    /// Unit, if it cannot be derived from the formula.
    pub unit: Option<Unit>,
    /// The formula, for an input computed from other inputs.
    pub formula: Option<Expr>,
    /// For a mean: the input that is averaged.
    pub average_of: Option<String>,
    /// For a mean: the two period ends at which the input is averaged.
    pub over: Option<Average>,
    /// The column with the value for a single period.
    pub period: Option<String>,
    /// The column with the value for the trailing twelve months.
    pub ttm: Option<String>,
}

/// The two period ends whose values are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// The end of the period and the end of the previous period.
    PreviousPeriod,
    /// The beginning and the end of the twelve months.
    Year,
}

/// The rule for a divisor. If the divisor breaks the rule, the metric is NULL with a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denominator {
    /// The divisor must be above zero, else the reason is `nonpositive_denominator`.
    Positive,
    /// The divisor is equity and must be above zero, else the reason is `negative_equity`.
    Equity,
    /// The divisor is earnings and must be above zero, else the reason is `negative_earnings`.
    Earnings,
    /// The divisor must be above zero. If it is 0, the reason is `not_reported`, because FMP writes
    /// 0 for a figure that is not reported. If it is negative, the reason is
    /// `nonpositive_denominator`.
    ZeroMeansMissing,
    /// The divisor must not be 0.
    Nonzero,
    /// The divisor can be any number.
    Any,
}

impl Denominator {
    /// Returns the reason for NULL if the divisor breaks the rule.
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
    /// The reason for NULL if the input is not above zero.
    pub reason: String,
}

/// A ratio.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ratio {
    /// Name of the metric's column.
    pub name: String,
    /// What it tells.
    pub about: String,
    /// The formula of the ratio.
    pub formula: Expr,
    /// The rule for the divisor; `None` for the default.
    pub denominator: Option<Denominator>,
    /// Whether the ratio is meaningful for banks and insurers.
    #[serde(default = "yes")]
    pub banks: bool,
    /// The kinds of period for which the ratio is computed; `None` for all.
    pub bases: Option<Vec<PeriodKind>>,
    /// Conditions that inputs must meet.
    #[serde(default)]
    pub requires: Vec<Requirement>,
    /// The reason for NULL if an input is missing; `missing_input` unless the entry says otherwise.
    pub missing: Option<String>,
    /// Whether reports show the ratio in percent. It is stored as a fraction.
    #[serde(default)]
    pub percent: bool,
    /// Heading of the ratio in the summary of a run; `None` if the summary omits it.
    pub heading: Option<String>,
    /// Other names of the ratio.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Column of `ratios_ttm` or `key_metrics_ttm` in which FMP reports the same figure.
    pub fmp: Option<String>,
}

impl Ratio {
    /// Returns the rule for the divisor. By default the divisor must be above zero.
    pub fn rule(&self) -> Denominator {
        self.denominator.unwrap_or(Denominator::Positive)
    }
}

/// The default of fields that are true unless an entry sets them to false.
pub(super) fn yes() -> bool {
    true
}

/// A figure whose growth is measured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Growth {
    /// The input whose growth is measured.
    pub figure: String,
    /// Whether the figure is earnings. An annual rate is NULL if the figure is zero or below at its
    /// end; for earnings, the reason is `negative_earnings`.
    #[serde(default)]
    pub earnings: bool,
    /// Whether its growth is meaningful for banks and insurers.
    #[serde(default = "yes")]
    pub banks: bool,
    /// The names of the horizons over which growth is measured.
    pub over: Vec<String>,
}

/// A horizon: a time over which growth is measured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Horizon {
    /// The horizon's name, used as suffix of columns.
    pub name: String,
    /// What it tells.
    pub about: String,
    /// Length in years; `None` for a quarter.
    pub years: Option<u32>,
    /// Accepted number of days between the two period ends.
    pub days: DayRange,
    /// The kinds of period for which growth over this horizon is computed.
    pub bases: Vec<PeriodKind>,
}

/// An accepted range of days, with the preferred number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayRange {
    /// Minimum number of days.
    pub from: u32,
    /// Maximum number of days.
    pub to: u32,
    /// Preferred number of days.
    pub target: u32,
}

/// A kind of period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeriodKind {
    /// A quarter or a half year: Q1 to Q4.
    Quarter,
    /// A fiscal year: FY.
    Year,
    /// The trailing twelve months.
    Ttm,
}
