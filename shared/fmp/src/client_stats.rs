//! What the calls of one client came to.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counters of one client, shared by its calls.
#[derive(Debug, Default)]
pub struct ClientStats {
    calls: AtomicU64,
    in_flight: AtomicU64,
    peak: AtomicU64,
    opened: AtomicU64,
    waited_micros: AtomicU64,
}

impl ClientStats {
    /// Calls made, retries included.
    pub fn calls(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    /// Most calls at once.
    pub fn peak(&self) -> u64 {
        self.peak.load(Relaxed)
    }

    /// Connections opened.
    pub fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    /// Seconds that calls waited for the limit, added up.
    pub fn waited_seconds(&self) -> f64 {
        Duration::from_micros(self.waited_micros.load(Relaxed)).as_secs_f64()
    }

    pub(super) fn waited(&self, wait: Duration) {
        self.waited_micros.fetch_add(wait.as_micros() as u64, Relaxed);
    }

    pub(super) fn connection(&self) {
        self.opened.fetch_add(1, Relaxed);
    }

    /// Calls under way.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Relaxed)
    }

    /// Counts a call, which is under way until what it gives is dropped: also one that is given up.
    pub(super) fn begin(&self) -> UnderWay<'_> {
        self.calls.fetch_add(1, Relaxed);
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.peak.fetch_max(now, Relaxed);
        UnderWay(self)
    }
}

/// A call under way.
pub(super) struct UnderWay<'a>(&'a ClientStats);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}
