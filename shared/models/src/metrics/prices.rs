//! Entries of metrics of prices alone.

use serde::Deserialize;

/// A market metric of prices alone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceMetric {
    /// Its column.
    pub name: String,
    /// What it tells.
    pub about: String,
    /// How it is computed from the bars.
    pub window: Window,
    /// How many sessions the window has.
    pub sessions: u32,
    /// Whether it is stored as a decimal.
    #[serde(default)]
    pub amount: bool,
    /// Whether people read it in percent; it is stored as a fraction.
    #[serde(default)]
    pub percent: bool,
    /// Other names.
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// How a metric of prices is computed from the bars of its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "price_metrics.toml explains them")]
pub enum Window {
    Return,
    TotalReturn,
    Volatility,
    Beta,
    Correlation,
    High,
    Low,
    Mean,
    Drawdown,
}

impl Window {
    /// Whether it compares the company with the index, over the sessions that both share.
    pub fn needs_index(self) -> bool {
        matches!(self, Window::Beta | Window::Correlation)
    }
}
