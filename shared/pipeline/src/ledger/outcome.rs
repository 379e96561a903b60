//! How a task ended, and its stored form.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::plan::{FetchMode, Task};
use findata_domain::Error;

/// Reason shown for [`Outcome::UnknownSymbol`].
const UNKNOWN_SYMBOL: &str =
    "unknown symbol: FMP has no profile for it; check the spelling (BRK-B, not BRK.B)";

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub enum Outcome {
    /// FMP's answer contains rows.
    Rows {
        /// Number of rows, including quarantined rows.
        rows: u64,
        /// Newest date among the rows that passed every check; `None` for a dataset without dates.
        newest: Option<NaiveDate>,
    },
    /// FMP's answer contains no rows.
    Empty,
    /// FMP's answer contains no rows, although rows are expected. Counts as a failure; the next run
    /// requests them again.
    UnexpectedlyEmpty {
        /// Why rows are expected.
        reason: String,
    },
    /// FMP has other data of the company, but its answers for this task stay empty.
    NotOffered {
        /// The evidence for this outcome.
        reason: String,
    },
    /// The FMP plan of the API key does not include the request.
    NotInPlan {
        /// FMP's explanation.
        reason: String,
    },
    /// FMP has no profile for the symbol. Counts as a failure.
    UnknownSymbol,
    /// The task failed for any other reason.
    Failed {
        /// Why the task failed, in one line.
        reason: String,
        /// Whether the task was abandoned because the run reached its call limit.
        budget: bool,
        /// Whether the cause can pass, such as an outage of FMP, so that a retry of the run may help.
        can_pass: bool,
    },
}

impl Outcome {
    /// A failure with a cause that stays, other than the run's call limit.
    pub fn failed(reason: impl Into<String>) -> Self {
        Outcome::Failed { reason: reason.into(), budget: false, can_pass: false }
    }

    /// A failure with a cause that can pass.
    pub fn failed_for_now(reason: impl Into<String>) -> Self {
        Outcome::Failed { reason: reason.into(), budget: false, can_pass: true }
    }

    /// A failure because of an error; `reason` describes it.
    pub fn of_error(error: &Error, reason: impl Into<String>) -> Self {
        Outcome::Failed {
            reason: reason.into(),
            budget: matches!(error, Error::Budget(_) | Error::CallLimit(_)),
            can_pass: error.can_pass(),
        }
    }

    /// A failure because every row of the answer is quarantined; `first` is the reason of the first
    /// row.
    pub fn quarantined(first: &str) -> Self {
        Outcome::failed(format!("every row of the answer is quarantined; the first: {first}"))
    }

    /// Returns whether the task failed for a reason that can pass.
    pub fn can_pass(&self) -> bool {
        matches!(self, Outcome::Failed { can_pass: true, .. })
    }

    /// Returns why the task failed, in one line, or `None` if it did not fail.
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

/// The JSON form of an outcome. It stores an unknown symbol as a failure with a flag, because older
/// builds can read failures and ignore the flag.
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
        can_pass: bool,
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
            // Builds up to commit bd277a3 wrote no flag. Only the beginning of the reason
            // identifies an unknown symbol in their records.
            Stored::Failed { reason, unknown_symbol, .. }
                if unknown_symbol || reason.starts_with("unknown symbol: ") =>
            {
                Outcome::UnknownSymbol
            }
            Stored::Failed { reason, budget, can_pass, .. } => Outcome::Failed { reason, budget, can_pass },
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
                can_pass: false,
                unknown_symbol: true,
            },
            Outcome::Failed { reason, budget, can_pass } => {
                Stored::Failed { reason, budget, can_pass, unknown_symbol: false }
            }
        }
    }
}

/// A task and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// The task.
    #[serde(flatten)]
    pub task: Task,
    /// How the task ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Calls made for the task, including retries. A call that serves several tasks is counted for
    /// one of them only.
    pub calls: u32,
    /// Bytes received for the task.
    pub bytes: u64,
    /// When the task was fetched, UTC.
    pub fetched_at: DateTime<Utc>,
    /// How the task was fetched.
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
            Outcome::of_error(&Error::Budget("used up".into()), "timeout"),
            Outcome::of_error(&Error::retry("503"), "503"),
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
