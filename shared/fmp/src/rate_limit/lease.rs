//! What one client has of the budget, between two looks at it.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use super::shared_state::Used;
use findata_domain::Error;
use findata_pipeline::run::RunId;

/// What calls are made for.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The run; a scheduled one lets others go first.
    pub run: RunId,
    /// When it began, by the real clock.
    pub begun: DateTime<Utc>,
    /// Hard limit of its calls, retries included, whoever makes them.
    pub max_calls: Option<u64>,
}

/// What one client has.
#[derive(Default)]
pub(super) struct Lease {
    /// The object's key.
    pub key: String,
    pub work: Option<CallContext>,
    /// Moments of permits that no call has, in order.
    pub permits: VecDeque<DateTime<Utc>>,
    /// Where the last lease ends.
    pub until: DateTime<Utc>,
    /// Calls of the run that were taken and that no call has.
    pub credit: u64,
    /// What the object does not know yet.
    pub used: Used,
    /// Why this work may make no further call.
    pub ended: Option<Error>,
}

impl Lease {
    /// Nothing yet, of an FMP key. The object's key has its hash; the key itself is nowhere.
    pub(super) fn of(key: &str) -> Self {
        let hash = findata_domain::hash::sha256(key.as_bytes());
        let key = format!("state/budget/{}.json", hash.get(..16).unwrap_or_default());
        Lease { key, ..Lease::default() }
    }

    /// The limit of its run's calls.
    pub(super) fn most(&self) -> Option<u64> {
        self.work.as_ref().and_then(|work| work.max_calls)
    }

    /// Puts a permit among the others.
    pub(super) fn put(&mut self, moment: DateTime<Utc>) {
        let place = self.permits.partition_point(|other| *other < moment);
        self.permits.insert(place, moment);
    }

    /// The first of the permits after which none was given to a call; where the lease ends if the last one was.
    pub(super) fn first_of_tail(&self, step: TimeDelta) -> DateTime<Utc> {
        let mut first = self.until;
        for moment in self.permits.iter().rev() {
            if *moment != first - step {
                break;
            }
            first = *moment;
        }
        first
    }
}
