//! The permits that one client currently holds.

use std::{collections::VecDeque, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

use super::request::{Grant, Unreported};
use crate::failure::Failure;
use findata_pipeline::run::RunId;

/// Number of refused calls within [`BURST_TIME`] that shows that FMP refuses bursts.
const BURST: usize = 5;
const BURST_TIME: TimeDelta = TimeDelta::seconds(10);

/// The run for which a client makes calls.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The run's id. Scheduled runs give way to on-demand runs.
    pub run: RunId,
    /// When the run began, by the system clock (not the planning clock).
    pub begun: DateTime<Utc>,
    /// Limit on the calls of the run, including retries, over all processes that work for the run.
    pub max_calls: Option<u64>,
}

/// The unused permits of one client, and the usage that is not yet written to the shared object.
#[derive(Default)]
pub(super) struct Lease {
    /// Key of the shared object.
    pub object_key: Arc<str>,
    pub context: Option<CallContext>,
    /// Grants with unused permits, oldest first.
    grants: VecDeque<Grant>,
    /// How long after the request new permits become valid. Zero, unless the last write to the stage
    /// was slow.
    pub lead: TimeDelta,
    /// Unused calls that this client has taken from the run's call limit.
    pub run_permits: u64,
    pub unreported: Unreported,
    /// Times of the recent calls that FMP refused because of a limit.
    refusals: VecDeque<DateTime<Utc>>,
    /// The failure after which this invocation makes no further calls.
    pub halted: Option<Failure>,
}

/// Returns the key of the shared object of an FMP key. It contains a hash of the FMP key, because the
/// FMP key itself must not be stored.
pub(super) fn object_key(fmp_key: &str) -> String {
    let hash = findata_domain::hash::sha256(fmp_key.as_bytes());
    format!("state/budget/{}.json", hash.get(..16).unwrap_or_default())
}

impl Lease {
    /// Creates an empty lease for an FMP key.
    pub(super) fn for_fmp_key(fmp_key: &str) -> Self {
        Lease { object_key: object_key(fmp_key).into(), ..Lease::default() }
    }

    /// Replaces the lease by an empty one for another FMP key. The run stays the same.
    pub(super) fn switch_to(&mut self, fmp_key: &str) {
        let (context, run_permits) = (self.context.take(), self.run_permits);
        *self = Lease { context, run_permits, ..Lease::for_fmp_key(fmp_key) };
    }

    /// The call limit of the run; `None` without a limit.
    pub(super) fn max_calls(&self) -> Option<u64> {
        self.context.as_ref().and_then(|context| context.max_calls)
    }

    /// Records that FMP refused a call. Returns whether enough recent calls were refused to
    /// conclude that FMP refuses bursts.
    pub(super) fn is_refused_burst(&mut self, now: DateTime<Utc>) -> bool {
        self.refusals.retain(|at| now - *at < BURST_TIME);
        self.refusals.push_back(now);
        let is_burst = self.refusals.len() >= BURST;
        if is_burst {
            self.refusals.clear();
        }
        is_burst
    }

    /// Adds the permits of a grant to the lease.
    pub(super) fn put(&mut self, grant: Grant) {
        match self.grants.iter_mut().find(|held| held.id == grant.id && held.from == grant.from) {
            Some(held) => held.calls += grant.calls,
            None => {
                let place = self.grants.partition_point(|held| held.from < grant.from);
                self.grants.insert(place, grant);
            }
        }
    }

    /// Takes one valid permit, as a grant of one call.
    pub(super) fn take(&mut self, now: DateTime<Utc>) -> Option<Grant> {
        self.drop_expired(now);
        let held = self.grants.front_mut()?;
        held.calls -= 1;
        let taken = Grant { calls: 1, ..*held };
        self.grants.retain(|held| held.calls > 0);
        Some(taken)
    }

    /// Whether the lease has a permit that has not expired.
    pub(super) fn has_permit(&self, now: DateTime<Utc>) -> bool {
        self.grants.iter().any(|held| held.is_valid(now))
    }

    /// Removes all permits from the lease. The next report to the shared state returns them.
    pub(super) fn give_up(&mut self) {
        for grant in self.grants.drain(..) {
            self.unreported.note_unused(&grant);
        }
    }

    fn drop_expired(&mut self, now: DateTime<Utc>) {
        while let Some(grant) = self.grants.pop_front_if(|held| !held.is_valid(now)) {
            self.unreported.note_unused(&grant);
        }
    }
}
