//! Tasks: the units of work of a plan.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use findata_domain::{
    Symbol,
    catalog::{self, Dataset, Requests},
    nyse_calendar,
    rows::Asked,
};

/// How often a company reports a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cadence {
    /// Fiscal years.
    Annual,
    /// Quarters, or the halves of a semi-annual reporter.
    Quarter,
}

impl Cadence {
    /// The value of FMP's parameter `period`.
    pub fn as_str(self) -> &'static str {
        match self {
            Cadence::Annual => "annual",
            Cadence::Quarter => "quarter",
        }
    }
}

/// Which part of a dataset's rows a task requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// All rows of the endpoint.
    All,
    /// The newest statements of a cadence.
    Newest {
        /// Annual or quarterly.
        cadence: Cadence,
        /// Maximum number of statements.
        limit: u32,
    },
    /// A range of days, both ends included.
    Days {
        /// First day.
        from: NaiveDate,
        /// Last day.
        to: NaiveDate,
    },
}

/// The unit of work: one dataset, symbol and window. A task takes one call, not counting retries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The dataset.
    #[serde(serialize_with = "dataset_name", deserialize_with = "dataset_by_name")]
    pub dataset: &'static Dataset,
    /// The symbol; `None` for a dataset of the whole market.
    pub symbol: Option<Symbol>,
    /// Which rows of the dataset.
    pub window: Window,
    /// What earlier runs received for this task.
    #[serde(default, skip_serializing_if = "Prior::is_nothing")]
    pub prior: Prior,
}

/// What earlier runs received for a task. It decides whether an empty answer is accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prior {
    /// Whether an earlier run received rows for the task; for prices, on a day in the task's
    /// window.
    pub rows: bool,
    /// Whether an earlier run received related rows: another statement of the company in the same
    /// cadence, or prices outside the task's window.
    pub related: bool,
    /// Number of consecutive empty answers that were not accepted.
    pub unconfirmed: u8,
    /// Whether an earlier run recorded that FMP does not offer the rows.
    pub not_offered: bool,
}

impl Prior {
    fn is_nothing(&self) -> bool {
        *self == Prior::default()
    }
}

impl Task {
    /// A task without earlier answers.
    pub fn new(dataset: &'static Dataset, symbol: Option<Symbol>, window: Window) -> Self {
        Task { dataset, symbol, window, prior: Prior::default() }
    }

    /// Returns the task's key in the fetch log: `AAPL`, or `AAPL:annual` for statements.
    pub fn subject(&self) -> String {
        let symbol = self.symbol.as_ref().map_or("*", Symbol::as_str);
        match self.window {
            Window::Newest { cadence, .. } => format!("{symbol}:{}", cadence.as_str()),
            Window::All | Window::Days { .. } => symbol.to_owned(),
        }
    }

    /// Returns the request with which the rows of an answer are compared. `received_on` is the day
    /// of receipt.
    pub fn asked(&self, received_on: NaiveDate) -> Asked<'_> {
        let days = match self.window {
            Window::Days { from, to } => Some((from, to)),
            Window::All | Window::Newest { .. } => None,
        };
        Asked { symbol: self.symbol.as_ref(), days, received_on }
    }

    /// Returns the fields that together identify the task within a run.
    pub fn identity(&self) -> (&'static str, Option<&Symbol>, Window) {
        (self.dataset.name, self.symbol.as_ref(), self.window)
    }

    /// Returns whether the task requests days of which at least one is a trading day of the
    /// exchange.
    pub fn has_sessions(&self) -> bool {
        match self.window {
            Window::Days { from, to } => {
                from.iter_days().take_while(|day| *day <= to).any(nyse_calendar::is_trading_day)
            }
            Window::All | Window::Newest { .. } => false,
        }
    }

    /// Returns the query parameters of the task's call.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let name = if self.dataset.requests == Requests::Symbols {
            "symbols"
        } else {
            "symbol"
        };
        let mut parameters: Vec<_> = self.symbol.iter().map(|symbol| (name, symbol.to_string())).collect();
        match self.window {
            Window::All => {}
            Window::Newest { cadence, limit } => {
                parameters.push(("period", cadence.as_str().into()));
                parameters.push(("limit", limit.to_string()));
            }
            Window::Days { from, to } => {
                parameters.push(("from", from.to_string()));
                parameters.push(("to", to.to_string()));
            }
        }
        parameters
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.dataset.name, self.subject())
    }
}

fn dataset_name<S: Serializer>(dataset: &&'static Dataset, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(dataset.name)
}

fn dataset_by_name<'de, D: Deserializer<'de>>(from: D) -> Result<&'static Dataset, D::Error> {
    let name = String::deserialize(from)?;
    catalog::dataset(&name).ok_or_else(|| D::Error::custom(format!("no dataset {name:?}")))
}
