//! The stop that ends the calls of all clients with the same key.

use chrono::{DateTime, Days, Utc};
use serde::{Deserialize, Serialize};

use super::{CLOCKS, time::midnight};
use crate::failure::Failure;

/// Why no client may call FMP with the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stop {
    /// The error message that users see.
    pub reason: String,
    /// When FMP sent the response that caused the stop.
    pub at: DateTime<Utc>,
    /// When bandwidth may be available again, if bandwidth was used up. Without a time, the stop
    /// applies to all runs begun at or before `at`.
    pub until: Option<DateTime<Utc>>,
    /// Whether FMP refused access (403) instead of the key (401), so that another key does not
    /// help.
    #[serde(default)]
    pub access_refused: bool,
}

impl Stop {
    /// The stop that follows from the failure of one call. Used-up bandwidth stops all runs until
    /// the next UTC day, when bandwidth may be available again. A refused key stops only the runs
    /// begun so far, because the key may be fixed before the next run.
    pub(super) fn of(failure: &Failure, now: DateTime<Utc>) -> Self {
        let tomorrow = midnight(now.date_naive() + Days::new(1)) + CLOCKS;
        Stop {
            reason: failure.to_string(),
            at: now,
            until: matches!(failure, Failure::BandwidthUsedUp(_)).then_some(tomorrow),
            access_refused: matches!(failure, Failure::RefusedAccess(_)),
        }
    }

    /// Returns the failure of a run's calls, or `None` if the stop does not apply to the run.
    /// `begun` is when the run began.
    pub(super) fn failure(&self, begun: DateTime<Utc>, now: DateTime<Utc>) -> Option<Failure> {
        let reason = self.reason.clone();
        match self.until {
            Some(until) => (now < until).then_some(Failure::BandwidthUsedUp(reason)),
            None if begun > self.at => None,
            None if self.access_refused => Some(Failure::RefusedAccess(reason)),
            None => Some(Failure::RefusedKey(reason)),
        }
    }
}
