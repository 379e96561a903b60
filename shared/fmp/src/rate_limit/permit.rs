//! The permit for one call, and the count of waiting callers.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{RateLimiter, request::Grant};

/// The permit for one call. It returns to its lease unless it is used up.
pub(crate) struct Permit<'a> {
    pub(super) rate_limiter: &'a RateLimiter,
    /// The call that was granted, with the key of the shared object, or `None` if the key has no
    /// limits.
    pub(super) granted: Option<(Grant, Arc<str>)>,
    /// It counts towards the call limit of its run.
    pub(super) of_run: bool,
    /// It returns to its lease when dropped.
    pub(super) returnable: bool,
}

impl Permit<'_> {
    /// Waits until it is valid. Returns `false` if it has expired by then.
    pub(super) async fn wait(&self) -> bool {
        let Some((grant, _)) = &self.granted else { return true };
        self.rate_limiter.sleep_until(grant.from).await;
        grant.is_valid(self.rate_limiter.time.now())
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
        let mut lease = self.rate_limiter.lease();
        lease.run_permits += u64::from(self.of_run);
        // A permit of an FMP key that was replaced meanwhile is lost.
        if let Some((grant, object_key)) = self.granted.take()
            && object_key == lease.object_key
        {
            lease.put(grant);
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
