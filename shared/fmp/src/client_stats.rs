//! Counters of a client's calls, connections and waiting time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// Counters of one client. All its calls update them.
#[derive(Debug, Default)]
pub struct ClientStats {
    calls: AtomicU64,
    in_flight: AtomicU64,
    failed: AtomicU64,
    peak: AtomicU64,
    opened: AtomicU64,
    waited_micros: AtomicU64,
    limit_answers: AtomicU64,
    limit_micros: AtomicU64,
    retry_micros: AtomicU64,
    longest_micros: AtomicU64,
}

impl ClientStats {
    /// Requests sent, including retries.
    pub fn calls(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    /// Calls that failed although a request was sent, after all their retries. An endpoint that the FMP plan
    /// does not include is not a failure.
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// The highest number of calls that were in flight at the same time.
    pub fn peak(&self) -> u64 {
        self.peak.load(Relaxed)
    }

    /// Connections opened.
    pub fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    /// Seconds spent waiting for the rate limiter, summed over all calls.
    pub fn waited_seconds(&self) -> f64 {
        seconds(&self.waited_micros)
    }

    /// Number of responses that reported that the call limit is reached.
    pub fn limit_answers(&self) -> u64 {
        self.limit_answers.load(Relaxed)
    }

    /// Seconds that calls waited because of call-limit responses, summed over all calls.
    pub fn limit_seconds(&self) -> f64 {
        seconds(&self.limit_micros)
    }

    /// Seconds that calls waited before retries and for open breakers, summed over all calls.
    pub fn retry_seconds(&self) -> f64 {
        seconds(&self.retry_micros)
    }

    /// Duration of the longest call in seconds, without its waits for the rate limiter.
    pub fn longest_seconds(&self) -> f64 {
        seconds(&self.longest_micros)
    }

    /// Starts to measure the peak and the longest call again.
    pub(super) fn reset_maxima(&self) {
        self.peak.store(self.in_flight(), Relaxed);
        self.longest_micros.store(0, Relaxed);
    }

    pub(super) fn call_failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(super) fn waited(&self, wait: Duration) {
        add(&self.waited_micros, wait);
    }

    /// Starts to measure a wait for the rate limiter. The wait is counted when the returned guard is dropped,
    /// which also happens if the call is cancelled.
    pub(super) fn wait(&self) -> Waiting<'_> {
        Waiting { stats: self, since: Instant::now() }
    }

    pub(super) fn limit_answer(&self) {
        self.limit_answers.fetch_add(1, Relaxed);
    }

    pub(super) fn waited_for_limit(&self, wait: Duration) {
        add(&self.limit_micros, wait);
    }

    pub(super) fn waited_to_retry(&self, wait: Duration) {
        add(&self.retry_micros, wait);
    }

    pub(super) fn took(&self, time: Duration) {
        self.longest_micros.fetch_max(time.as_micros() as u64, Relaxed);
    }

    pub(super) fn connection(&self) {
        self.opened.fetch_add(1, Relaxed);
    }

    /// Calls in flight.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Relaxed)
    }

    /// Counts a call. The call is in flight until the returned guard is dropped, which also happens if
    /// the call is cancelled.
    pub(super) fn begin(&self) -> InFlight<'_> {
        self.calls.fetch_add(1, Relaxed);
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.peak.fetch_max(now, Relaxed);
        InFlight(self)
    }
}

fn seconds(micros: &AtomicU64) -> f64 {
    Duration::from_micros(micros.load(Relaxed)).as_secs_f64()
}

/// Adds a wait. Ignores waits under a millisecond, which are measurement overhead.
fn add(micros: &AtomicU64, time: Duration) {
    if time < Duration::from_millis(1) {
        return;
    }
    micros.fetch_add(time.as_micros() as u64, Relaxed);
}

/// Guard of a call that waits for the rate limiter.
pub(super) struct Waiting<'a> {
    stats: &'a ClientStats,
    since: Instant,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.stats.waited(self.since.elapsed());
    }
}

/// Guard of a call in flight.
pub(super) struct InFlight<'a>(&'a ClientStats);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}
