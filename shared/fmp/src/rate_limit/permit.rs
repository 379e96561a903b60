//! The permit for one call, and the count of waiting callers.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{RateLimiter, request::Grant};

/// The permit for one call. A permit that is dropped unused returns to the client's lease.
pub(crate) struct Permit<'a> {
    pub(super) rate_limiter: &'a RateLimiter,
    /// A grant of one call, and the key of the shared object that granted it. `None` if the FMP key
    /// has no limits.
    pub(super) granted: Option<(Grant, Arc<str>)>,
    /// Whether the permit counts towards the call limit of its run.
    pub(super) of_run: bool,
    /// Whether the permit returns to the lease when it is dropped.
    pub(super) returnable: bool,
}

impl Permit<'_> {
    /// Waits until the permit becomes valid. Returns `false` if the permit has expired by then.
    pub(super) async fn wait(&self) -> bool {
        let Some((grant, _)) = &self.granted else { return true };
        self.rate_limiter.sleep_until(grant.from).await;
        grant.is_valid(self.rate_limiter.time.now())
    }

    /// Consumes the permit, because the call is about to be sent.
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
        // If the FMP key was replaced in the meantime, the permit is lost.
        if let Some((grant, object_key)) = self.granted.take()
            && object_key == lease.object_key
        {
            lease.put(grant);
        }
    }
}

/// Guard that increments a counter until it is dropped.
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
