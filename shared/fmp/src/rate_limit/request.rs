//! What a client asks of the shared state and reports to it, and what it gets.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::USE;
use crate::failure::Failure;

/// A client's request for permits.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    /// A random number that distinguishes this client from others.
    pub client: u32,
    /// Calls that wait for a permit, at least one.
    pub waiting: u64,
    /// Permits that the client can use, including those for calls that will probably follow.
    pub wanted: u64,
    /// The client works for an on-demand run.
    pub on_demand: bool,
    /// When its run began.
    pub begun: DateTime<Utc>,
    /// How long its last write took, if the stage is slow. The permits become valid this much
    /// later, because they would expire during the write otherwise.
    pub lead: TimeDelta,
    /// What it has done since its last write.
    pub unreported: Unreported,
}

/// What a client has done that the shared state does not contain yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unreported {
    /// Expired or returned permits, by the grant that they come from.
    pub unused: BTreeMap<GrantId, u64>,
    /// Bytes received.
    pub bytes: u64,
}

/// Identifies the grants that share a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GrantId {
    /// The moment under which it is recorded.
    pub moment: DateTime<Utc>,
    /// Whether the grants were made to an on-demand run.
    pub on_demand: bool,
}

/// Permits for one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grant {
    pub id: GrantId,
    /// When the permits become valid.
    pub from: DateTime<Utc>,
    /// Number of permits.
    pub calls: u64,
}

impl Unreported {
    /// Counts permits that no call used.
    pub(super) fn note_unused(&mut self, grant: &Grant) {
        *self.unused.entry(grant.id).or_default() += grant.calls;
    }

    /// Removes what has been written to the shared state.
    pub(super) fn subtract(&mut self, reported: &Unreported) {
        self.bytes = self.bytes.saturating_sub(reported.bytes);
        for (grant, calls) in &reported.unused {
            if let Some(left) = self.unused.get_mut(grant) {
                *left = left.saturating_sub(*calls);
            }
        }
        self.unused.retain(|_, calls| *calls > 0);
    }
}

impl Grant {
    /// Whether the permits may still be used.
    pub(super) fn is_valid(&self, now: DateTime<Utc>) -> bool {
        now <= self.from + USE
    }
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// The client has these permits.
    Granted(Grant),
    /// Ask again at this moment, plus a random part of a duration so that not all clients ask at
    /// once.
    Wait(DateTime<Utc>, std::time::Duration),
    /// No more permits in this run.
    Refused(Failure),
}
