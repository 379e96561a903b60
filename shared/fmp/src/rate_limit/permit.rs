//! The permit for one call, and the count of waiting callers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use chrono::{DateTime, Utc};

use super::{RateLimiter, USE};

/// The permit for one call. It returns to its lease unless it is used up.
pub(crate) struct Permit<'a> {
    pub(super) rate_limiter: &'a RateLimiter,
    /// When it becomes valid, or `None` if the key has no limits.
    pub(super) moment: Option<DateTime<Utc>>,
    /// It counts towards the call limit of its run.
    pub(super) of_run: bool,
    /// It returns to its lease when dropped.
    pub(super) returnable: bool,
}

impl Permit<'_> {
    /// Waits for its moment. Returns `false` if it has expired by then.
    pub(super) async fn wait(&self) -> bool {
        let Some(moment) = self.moment else { return true };
        self.rate_limiter.sleep_until(moment).await;
        self.rate_limiter.time.now() <= moment + USE
    }

    /// The call is made.
    pub(crate) fn use_up(mut self) {
        self.returnable = false;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.returnable {
            return;
        }
        let now = self.rate_limiter.time.now();
        let mut lease = self.rate_limiter.lease();
        lease.run_permits += u64::from(self.of_run);
        match self.moment {
            None => {}
            Some(moment) if moment + USE < now => lease.unreported.note_unused(moment),
            Some(moment) => lease.put(moment),
        }
    }
}

/// Counts a caller as long as it lives.
pub(super) struct Counted<'a>(&'a AtomicU64);

impl<'a> Counted<'a> {
    pub(super) fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Relaxed);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
