//! What a client asks of the shared state and reports to it, and what it gets.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::failure::Failure;

/// A client's request for permits.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    /// Permits wanted, at least one.
    pub wanted: u64,
    /// The client works for an on-demand run.
    pub on_demand: bool,
    /// When its run began.
    pub begun: DateTime<Utc>,
    /// What it has done since its last write.
    pub unreported: Unreported,
}

/// What a client has done that the shared state does not contain yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unreported {
    /// Expired or returned permits, by the UTC day of their moment.
    pub unused: BTreeMap<NaiveDate, u64>,
    /// Bytes received.
    pub bytes: u64,
}

/// Permits for one client: the first at `from`, each further one a `step` later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grant {
    /// Moment of the first permit.
    pub from: DateTime<Utc>,
    /// Time between two permits.
    pub step: TimeDelta,
    /// Number of permits.
    pub calls: u64,
}

impl Unreported {
    /// Counts a permit that no call used.
    pub(super) fn note_unused(&mut self, moment: DateTime<Utc>) {
        *self.unused.entry(moment.date_naive()).or_default() += 1;
    }

    /// Removes what has been written to the shared state.
    pub(super) fn subtract(&mut self, reported: &Unreported) {
        self.bytes = self.bytes.saturating_sub(reported.bytes);
        for (day, calls) in &reported.unused {
            if let Some(left) = self.unused.get_mut(day) {
                *left = left.saturating_sub(*calls);
            }
        }
        self.unused.retain(|_, calls| *calls > 0);
    }
}

impl Grant {
    /// The moments of the permits.
    pub(super) fn moments(self) -> impl Iterator<Item = DateTime<Utc>> {
        (0..self.calls).map(move |i| self.from + self.step * i as i32)
    }

    /// One step after the last moment.
    pub(super) fn until(self) -> DateTime<Utc> {
        self.from + self.step * self.calls as i32
    }
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// The client has these permits.
    Granted(Grant),
    /// Ask again at this moment.
    Wait(DateTime<Utc>),
    /// No more permits in this run.
    Refused(Failure),
}
