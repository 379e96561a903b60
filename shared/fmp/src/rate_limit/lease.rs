//! The permits that one client currently holds.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use super::request::Unreported;
use crate::failure::Failure;
use findata_pipeline::run::RunId;

/// The run that calls belong to.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The run. A scheduled one lets others go first.
    pub run: RunId,
    /// When it began, by the real clock.
    pub begun: DateTime<Utc>,
    /// Hard limit on the calls of the run, retries included, over all processes that work for it.
    pub max_calls: Option<u64>,
}

/// The permits of one client, and what it has not yet written to the shared object.
#[derive(Default)]
pub(super) struct Lease {
    /// Key of the shared object.
    pub object_key: String,
    pub context: Option<CallContext>,
    /// Moments of the permits that no call has, in order.
    pub permits: VecDeque<DateTime<Utc>>,
    /// End of the last lease.
    pub until: DateTime<Utc>,
    /// Calls of the run that were taken from its limit and that no call has.
    pub run_permits: u64,
    pub unreported: Unreported,
    /// Why no further call may be made in this invocation.
    pub halted: Option<Failure>,
}

impl Lease {
    /// An empty lease for an FMP key. The key of the shared object contains its hash; the FMP key
    /// itself is not stored.
    pub(super) fn for_fmp_key(fmp_key: &str) -> Self {
        let hash = findata_domain::hash::sha256(fmp_key.as_bytes());
        let object_key = format!("state/budget/{}.json", hash.get(..16).unwrap_or_default());
        Lease { object_key, ..Lease::default() }
    }

    /// The call limit of the run.
    pub(super) fn max_calls(&self) -> Option<u64> {
        self.context.as_ref().and_then(|context| context.max_calls)
    }

    /// Puts a permit back in its place.
    pub(super) fn put(&mut self, moment: DateTime<Utc>) {
        let place = self.permits.partition_point(|other| *other < moment);
        self.permits.insert(place, moment);
    }

    /// The first moment from which on no permit of the lease was given to a call; the end of the
    /// lease if the last permit was.
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
