//! How a task ended, and its stored form.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::plan::{FetchMode, Task};

/// Reason shown for [`Outcome::UnknownSymbol`].
const UNKNOWN_SYMBOL: &str =
    "unknown symbol: FMP has no profile for it; check the spelling (BRK-B, not BRK.B)";

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub enum Outcome {
    /// FMP sent rows.
    Rows {
        /// Number of rows, quarantined ones included.
        rows: u64,
        /// Newest date among the good rows of a dated dataset.
        newest: Option<NaiveDate>,
    },
    /// FMP answered without rows.
    Empty,
    /// FMP answered without rows where rows are expected. Counts as a failure; the next run asks
    /// again.
    UnexpectedlyEmpty {
        /// Why rows are expected.
        reason: String,
    },
    /// FMP has other data of the company, but keeps answering without rows.
    NotOffered {
        /// How this was found out.
        reason: String,
    },
    /// The key's plan does not include the request.
    NotInPlan {
        /// FMP's explanation.
        reason: String,
    },
    /// FMP has no profile for the symbol. Counts as a failure.
    UnknownSymbol,
    /// The task failed for any other reason.
    Failed {
        /// Why, in one line.
        reason: String,
        /// The task was abandoned because the run's call limit was reached.
        budget: bool,
    },
}

impl Outcome {
    /// A failure that the call limit did not cause.
    pub fn failed(reason: impl Into<String>) -> Self {
        Outcome::Failed { reason: reason.into(), budget: false }
    }

    /// Every row of the answer is quarantined; `first` is the first row's reason.
    pub fn quarantined(first: &str) -> Self {
        Outcome::failed(format!("every row of the answer is quarantined; the first: {first}"))
    }

    /// Why the task failed, in one line; `None` if it did not fail.
    pub fn failure_reason(&self) -> Option<&str> {
        match self {
            Outcome::UnknownSymbol => Some(UNKNOWN_SYMBOL),
            Outcome::UnexpectedlyEmpty { reason } | Outcome::Failed { reason, .. } => Some(reason),
            Outcome::Rows { .. }
            | Outcome::Empty
            | Outcome::NotOffered { .. }
            | Outcome::NotInPlan { .. } => None,
        }
    }
}

/// An outcome as JSON. An unknown symbol is a failure with a flag, which older builds ignore.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Stored {
    Rows {
        rows: u64,
        newest: Option<NaiveDate>,
    },
    Empty,
    UnexpectedlyEmpty {
        reason: String,
    },
    NotOffered {
        reason: String,
    },
    NotInPlan {
        reason: String,
    },
    Failed {
        reason: String,
        budget: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unknown_symbol: bool,
    },
}

impl From<Stored> for Outcome {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Rows { rows, newest } => Outcome::Rows { rows, newest },
            Stored::Empty => Outcome::Empty,
            Stored::UnexpectedlyEmpty { reason } => Outcome::UnexpectedlyEmpty { reason },
            Stored::NotOffered { reason } => Outcome::NotOffered { reason },
            Stored::NotInPlan { reason } => Outcome::NotInPlan { reason },
            // Builds up to commit bd277a3 wrote no flag: their only mark is the beginning of the reason.
            Stored::Failed { reason, unknown_symbol, .. }
                if unknown_symbol || reason.starts_with("unknown symbol: ") =>
            {
                Outcome::UnknownSymbol
            }
            Stored::Failed { reason, budget, .. } => Outcome::Failed { reason, budget },
        }
    }
}

impl From<Outcome> for Stored {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Rows { rows, newest } => Stored::Rows { rows, newest },
            Outcome::Empty => Stored::Empty,
            Outcome::UnexpectedlyEmpty { reason } => Stored::UnexpectedlyEmpty { reason },
            Outcome::NotOffered { reason } => Stored::NotOffered { reason },
            Outcome::NotInPlan { reason } => Stored::NotInPlan { reason },
            Outcome::UnknownSymbol => Stored::Failed {
                reason: UNKNOWN_SYMBOL.into(),
                budget: false,
                unknown_symbol: true,
            },
            Outcome::Failed { reason, budget } => Stored::Failed { reason, budget, unknown_symbol: false },
        }
    }
}

/// A task and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// The task.
    #[serde(flatten)]
    pub task: Task,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Calls made for it, retries included. A call that serves several tasks counts for one of them.
    pub calls: u32,
    /// Bytes received for it.
    pub bytes: u64,
    /// When it was fetched, UTC.
    pub fetched_at: DateTime<Utc>,
    /// How it was fetched.
    #[serde(default, alias = "way")]
    pub fetch_mode: FetchMode,
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    #[test]
    fn every_outcome_survives_its_stored_form() {
        for outcome in [
            Outcome::Rows { rows: 3, newest: "2026-11-20".parse().ok() },
            Outcome::Empty,
            Outcome::UnexpectedlyEmpty { reason: "rows before".into() },
            Outcome::NotOffered { reason: "three times".into() },
            Outcome::NotInPlan { reason: "402".into() },
            Outcome::UnknownSymbol,
            Outcome::Failed { reason: "timeout".into(), budget: true },
        ] {
            let stored = serde_json::to_value(&outcome).unwrap();
            assert_eq!(serde_json::from_value::<Outcome>(stored.clone()).unwrap(), outcome, "{stored}");
        }
    }

    #[test]
    fn a_stored_record_of_the_previous_build_is_read() {
        let record = |reason: &str| {
            json!({
                "dataset": "profile", "symbol": "AAPPL", "window": "all", "outcome": "failed", "reason": reason,
                "budget": false, "calls": 1, "bytes": 2, "fetched_at": "2026-11-20T22:00:00Z", "fetch_mode": "each",
            })
        };
        let read = |reason: &str| serde_json::from_value::<TaskRecord>(record(reason)).unwrap();
        let reason = "unknown symbol: FMP has no profile of it; check the spelling (BRK-B, not BRK.B)";
        assert_eq!(read(reason).outcome, Outcome::UnknownSymbol);
        assert_eq!(read("timeout").outcome, Outcome::failed("timeout"));
    }

    #[test]
    fn older_builds_can_read_an_unknown_symbol() {
        let stored = serde_json::to_value(Outcome::UnknownSymbol).unwrap();
        assert_eq!(stored["outcome"], "failed");
        assert_eq!(stored["reason"], UNKNOWN_SYMBOL);
        assert_eq!(stored["budget"], false);
    }
}
