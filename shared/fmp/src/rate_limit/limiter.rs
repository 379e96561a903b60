//! The rate limiter of one client: hands the permits of its lease to its calls.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    CallContext, Limits, Time, USE,
    lease::Lease,
    permit::{Counted, Permit},
    shared_object::Jitter,
    shared_state::{State, Stop},
};
use crate::{client_stats::ClientStats, failure::Failure};
use findata_domain::Result;
use findata_pipeline::ports::stage::ObjectStore;

/// The shared call budget as one client sees it.
pub(crate) struct RateLimiter {
    pub(super) limits: Limits,
    pub(super) store: Box<dyn ObjectStore>,
    pub(super) time: Box<dyn Time>,
    pub(super) jitter: Jitter,
    /// Knows the calls in flight, after each of which another one follows.
    pub(super) stats: Arc<ClientStats>,
    lease: Mutex<Lease>,
    /// Held by the one caller that leases permits for all.
    pub(super) leasing: tokio::sync::Mutex<()>,
    /// Callers without a permit.
    pub(super) waiting: AtomicU64,
    /// Callers without a permit, and those whose permit is not valid yet.
    pub(super) requesting: AtomicU64,
}

impl RateLimiter {
    pub(crate) fn new(
        limits: Limits,
        fmp_key: &str,
        store: Box<dyn ObjectStore>,
        time: Box<dyn Time>,
        stats: Arc<ClientStats>,
    ) -> Self {
        RateLimiter {
            limits,
            store,
            time,
            jitter: Jitter::new(),
            stats,
            lease: Mutex::new(Lease::for_fmp_key(fmp_key)),
            leasing: tokio::sync::Mutex::default(),
            waiting: AtomicU64::new(0),
            requesting: AtomicU64::new(0),
        }
    }

    /// The same limiter with reproducible random numbers.
    #[cfg(test)]
    pub(super) fn with_seed(self, seed: u64) -> Self {
        RateLimiter { jitter: Jitter::with_seed(seed), ..self }
    }

    /// The same limiter with its shared objects in another store.
    pub(crate) fn with_store(self, store: Box<dyn ObjectStore>) -> Self {
        RateLimiter { store, ..self }
    }

    /// Begins an invocation: clears what stopped the previous one, since it may have passed.
    pub(crate) fn begin(&self, context: &CallContext) {
        let mut lease = self.lease();
        if lease.context.as_ref().is_none_or(|before| before.run != context.run) {
            // They belong to the other run, whose last invocation has returned them.
            lease.run_permits = 0;
        }
        lease.halted = None;
        lease.context = Some(context.clone());
    }

    /// Switches to another FMP key, which has its own budget.
    pub(crate) fn use_key(&self, fmp_key: &str) {
        let mut lease = self.lease();
        let (context, run_permits) = (lease.context.take(), lease.run_permits);
        *lease = Lease { context, run_permits, ..Lease::for_fmp_key(fmp_key) };
    }

    /// Waits until a call may be made. Safe to cancel.
    ///
    /// # Errors
    /// The failure after which the key or the run may make no more calls; the stage's errors.
    pub(crate) async fn permit(&self) -> Result<Permit<'_>, Failure> {
        if !self.limits.any() && self.lease().max_calls().is_none() {
            return Ok(Permit {
                rate_limiter: self,
                moment: None,
                of_run: false,
                returnable: false,
            });
        }
        let _requesting = Counted::new(&self.requesting);
        loop {
            let permit = self.reserve().await?;
            // Otherwise it expired before this task was woken.
            if permit.wait().await {
                return Ok(permit);
            }
        }
    }

    async fn reserve(&self) -> Result<Permit<'_>, Failure> {
        let _waiting = Counted::new(&self.waiting);
        loop {
            match self.take_permit() {
                Some(permit) => return Ok(permit),
                None => self.refill().await?,
            }
        }
    }

    /// Takes a permit of the lease and drops those that have expired.
    fn take_permit(&self) -> Option<Permit<'_>> {
        let now = self.time.now();
        let mut lease = self.lease();
        while let Some(moment) = lease.permits.front().copied()
            && moment + USE < now
        {
            lease.permits.pop_front();
            lease.unreported.note_unused(moment);
        }
        let of_run = lease.max_calls().is_some();
        if of_run && lease.run_permits == 0 {
            return None;
        }
        let moment = if self.limits.any() {
            Some(lease.permits.pop_front()?)
        } else {
            None
        };
        if of_run {
            lease.run_permits -= 1;
        }
        Some(Permit { rate_limiter: self, moment, of_run, returnable: true })
    }

    /// Whether the lease has a permit that is still valid.
    pub(super) fn has_permit(&self) -> bool {
        let now = self.time.now();
        let lease = self.lease();
        let run_allows = lease.max_calls().is_none() || lease.run_permits > 0;
        run_allows && (!self.limits.any() || lease.permits.back().is_some_and(|moment| *moment + USE >= now))
    }

    /// Counts received bytes.
    pub(crate) fn received(&self, bytes: u64) {
        if self.limits.any() {
            self.lease().unreported.bytes += bytes;
        }
    }

    /// Pauses everyone who uses the key, because FMP says that the call limit is reached.
    pub(crate) async fn pause(&self, pause: Duration) {
        if !self.limits.any() {
            return;
        }
        let pause = TimeDelta::from_std(pause).unwrap_or_default();
        let paused = self.change_state(|state, now| {
            state.pause(pause, now);
            ((), true)
        });
        if let Err(error) = paused.await {
            tracing::warn!(%error, "cannot tell other clients that FMP's call limit is reached");
        }
    }

    /// Stops everyone who uses the key, because FMP says that no call will succeed.
    pub(crate) async fn stop(&self, failure: &Failure) {
        // The first of the calls in flight reports it for all of them.
        if !self.limits.any() || self.lease().halted.replace(failure.clone()).is_some() {
            return;
        }
        let stopped = self.change_state(|state, now| {
            state.stop = Some(Stop::of(failure, now));
            ((), true)
        });
        if let Err(error) = stopped.await {
            tracing::warn!(%error, "cannot tell other clients that FMP refuses the key");
        }
    }

    /// Changes the shared state of the key.
    pub(super) async fn change_state<R: Clone>(
        &self,
        mut change: impl FnMut(&mut State, DateTime<Utc>) -> (R, bool),
    ) -> Result<R> {
        let key = self.lease().object_key.clone();
        self.change(&key, |state: &mut State| change(state, self.time.now())).await
    }

    /// Waits for a moment of the clock that permits refer to. The clock may be adjusted meanwhile.
    pub(super) async fn sleep_until(&self, moment: DateTime<Utc>) {
        while let Ok(left) = (moment - self.time.now()).to_std()
            && !left.is_zero()
        {
            self.time.sleep(left).await;
        }
    }

    pub(super) fn lease(&self) -> MutexGuard<'_, Lease> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
