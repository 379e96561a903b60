//! A stop of everyone who uses a key.

use chrono::{DateTime, Days, Utc};
use serde::{Deserialize, Serialize};

use super::{CLOCKS, shared_state::midnight};
use crate::failure::Failure;

/// Why nobody may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stop {
    /// The message for the user.
    pub reason: String,
    /// When FMP answered so.
    pub at: DateTime<Utc>,
    /// When used-up bandwidth may be available again. Otherwise the stop applies to all runs begun
    /// before `at`.
    pub until: Option<DateTime<Utc>>,
    /// FMP refused access (403) and not the key (401), so another key does not help.
    #[serde(default)]
    pub access_refused: bool,
}

impl Stop {
    /// What the failure of one call means for all others: bandwidth may be available again on the
    /// next UTC day; a refused key stops the runs begun so far, since somebody may fix it before
    /// the next run.
    pub(super) fn of(failure: &Failure, now: DateTime<Utc>) -> Self {
        let tomorrow = midnight(now.date_naive() + Days::new(1)) + CLOCKS;
        Stop {
            reason: failure.to_string(),
            at: now,
            until: matches!(failure, Failure::BandwidthUsedUp(_)).then_some(tomorrow),
            access_refused: matches!(failure, Failure::RefusedAccess(_)),
        }
    }

    /// The failure of a run's calls, if the stop applies to it. `begun` is when the run began.
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
