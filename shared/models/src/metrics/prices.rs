//! Entries of market metrics that depend on prices only.

use serde::Deserialize;

/// A market metric that depends on prices only.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceMetric {
    /// Name of the metric's column.
    pub name: String,
    /// Description of the metric.
    pub about: String,
    /// How the metric is computed from the bars.
    pub window: Window,
    /// Number of sessions in the window.
    pub sessions: u32,
    /// Whether reports show the metric in percent. It is stored as a fraction.
    #[serde(default)]
    pub percent: bool,
    /// Other names of the metric.
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// How a price metric is computed from the bars of its window.
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
    Momentum,
    DollarVolume,
    Illiquidity,
    Rsi,
    Sharpe,
    Sortino,
    DownsideDeviation,
    ValueAtRisk,
    DaysSinceHigh,
}

impl Window {
    /// Returns whether the metric compares the company with the index, over the sessions for which
    /// both have a bar.
    pub fn needs_index(self) -> bool {
        matches!(self, Window::Beta | Window::Correlation)
    }

    /// Returns whether the metric is a price of one of the sessions.
    pub fn is_price(self) -> bool {
        matches!(self, Window::High | Window::Low)
    }

    /// Returns whether the metric divides by a figure of the window that can be zero, such as the
    /// volatility of a constant price.
    pub fn divides(self) -> bool {
        self.needs_index() || matches!(self, Window::Rsi | Window::Sharpe | Window::Sortino)
    }
}
