//! The permits that one client currently holds.

use std::{collections::VecDeque, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

use super::request::{Grant, Unreported};
use crate::failure::Failure;
use findata_pipeline::run::RunId;

/// Refused calls within [`BURST_TIME`] that show that FMP refuses bursts.
const BURST: usize = 5;
const BURST_TIME: TimeDelta = TimeDelta::seconds(10);

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
    pub object_key: Arc<str>,
    pub context: Option<CallContext>,
    /// Grants with permits that no call has, oldest first.
    grants: VecDeque<Grant>,
    /// How much later permits become valid because the stage is slow.
    pub lead: TimeDelta,
    /// Calls of the run that were taken from its limit and that no call has.
    pub run_permits: u64,
    pub unreported: Unreported,
    /// When FMP refused calls because of a limit.
    refusals: VecDeque<DateTime<Utc>>,
    /// Why no further call may be made in this invocation.
    pub halted: Option<Failure>,
}

impl Lease {
    /// An empty lease for an FMP key. The key of the shared object contains its hash; the FMP key
    /// itself is not stored.
    pub(super) fn for_fmp_key(fmp_key: &str) -> Self {
        let hash = findata_domain::hash::sha256(fmp_key.as_bytes());
        let object_key = format!("state/budget/{}.json", hash.get(..16).unwrap_or_default());
        Lease { object_key: object_key.into(), ..Lease::default() }
    }

    /// An empty lease for another FMP key in the same run.
    pub(super) fn switch_to(&mut self, fmp_key: &str) {
        let (context, run_permits) = (self.context.take(), self.run_permits);
        *self = Lease { context, run_permits, ..Lease::for_fmp_key(fmp_key) };
    }

    /// The call limit of the run.
    pub(super) fn max_calls(&self) -> Option<u64> {
        self.context.as_ref().and_then(|context| context.max_calls)
    }

    /// Notes that FMP refused a call. Returns whether that makes a burst of refused calls.
    pub(super) fn is_refused_burst(&mut self, now: DateTime<Utc>) -> bool {
        self.refusals.retain(|at| now - *at < BURST_TIME);
        self.refusals.push_back(now);
        let is_burst = self.refusals.len() >= BURST;
        if is_burst {
            self.refusals.clear();
        }
        is_burst
    }

    /// Adds permits.
    pub(super) fn put(&mut self, grant: Grant) {
        match self.grants.iter_mut().find(|held| held.id == grant.id && held.from == grant.from) {
            Some(held) => held.calls += grant.calls,
            None => {
                let place = self.grants.partition_point(|held| held.from < grant.from);
                self.grants.insert(place, grant);
            }
        }
    }

    /// Takes one permit: a grant with one call.
    pub(super) fn take(&mut self, now: DateTime<Utc>) -> Option<Grant> {
        self.drop_expired(now);
        let held = self.grants.front_mut()?;
        held.calls -= 1;
        let taken = Grant { calls: 1, ..*held };
        self.grants.retain(|held| held.calls > 0);
        Some(taken)
    }

    /// Whether a permit can still be used.
    pub(super) fn has_permit(&self, now: DateTime<Utc>) -> bool {
        self.grants.iter().any(|held| held.is_valid(now))
    }

    /// Gives up all permits; the next report returns them.
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
