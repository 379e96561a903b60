//! The right to one call, and the callers that wait for it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use chrono::{DateTime, Utc};

use super::{RateLimiter, USE};

/// The right to one call. It goes back where it came from unless it is used.
pub(crate) struct Permit<'a> {
    pub(super) budget: &'a RateLimiter,
    /// From when on it may be used; always, where calls are not limited by time.
    pub(super) moment: Option<DateTime<Utc>>,
    /// It counts for the limit of a run.
    pub(super) of_run: bool,
    /// It goes back when dropped.
    pub(super) held: bool,
}

impl Permit<'_> {
    /// Waits for its moment; `false` when that has passed.
    pub(super) async fn comes(&self) -> bool {
        let Some(moment) = self.moment else { return true };
        self.budget.sleep_until(moment).await;
        self.budget.time.now() <= moment + USE
    }

    /// The call is made.
    pub(crate) fn used(mut self) {
        self.held = false;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.held {
            return;
        }
        let now = self.budget.time.now();
        let mut local = self.budget.local();
        local.credit += u64::from(self.of_run);
        match self.moment {
            None => {}
            Some(moment) if moment + USE < now => local.used.note_unused(moment),
            Some(moment) => local.put(moment),
        }
    }
}

/// A caller, counted as long as it lives.
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
