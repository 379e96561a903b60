//! A client's request to the shared state, the report in it, and the decision on it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::USE;
use crate::failure::Failure;

/// A client's request for permits.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    /// A random number that identifies the client.
    pub client: u32,
    /// Number of calls that wait for a permit; at least one.
    pub waiting: u64,
    /// Permits that the client can use, including those for calls that will probably follow.
    pub wanted: u64,
    /// Whether the client works for an on-demand run.
    pub on_demand: bool,
    /// When the client's run began.
    pub begun: DateTime<Utc>,
    /// Delay before the permits become valid. If the stage is slow, this is the time that the
    /// client's last write took, because the permits would expire during the write otherwise.
    pub lead: TimeDelta,
    /// Usage since the client's last write.
    pub unreported: Unreported,
}

/// Usage of a client that the shared state does not contain yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unreported {
    /// Number of permits that no call used, by grant.
    pub unused: BTreeMap<GrantId, u64>,
    /// Bytes received from FMP.
    pub bytes: u64,
}

/// Identifies the grants that the window counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GrantId {
    /// The timestamp of the grants.
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
    /// Counts the permits of a grant that no call used.
    pub(super) fn note_unused(&mut self, grant: &Grant) {
        *self.unused.entry(grant.id).or_default() += grant.calls;
    }

    /// Subtracts a report that has been written to the shared state.
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
    /// Whether the permits have not expired yet.
    pub(super) fn is_valid(&self, now: DateTime<Utc>) -> bool {
        now <= self.from + USE
    }
}

/// The decision on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// The client gets these permits.
    Granted(Grant),
    /// The client has to repeat the request at this moment, plus a random part of the duration. The
    /// random part keeps clients from repeating their requests at the same time.
    Wait(DateTime<Utc>, std::time::Duration),
    /// The run gets no more permits.
    Refused(Failure),
}
