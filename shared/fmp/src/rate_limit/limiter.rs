//! The rate limiter of one client: gives the client's calls the permits that it has taken from the
//! shared budget.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    CallContext, Limits, Time,
    lease::Lease,
    permit::{Counted, Permit},
    shared_object::Jitter,
    shared_state::State,
    stop::Stop,
};
use crate::{client_stats::ClientStats, failure::Failure};
use findata_domain::Result;
use findata_pipeline::ports::stage::ObjectStore;

/// One client's access to the shared call budget.
pub(crate) struct RateLimiter {
    pub(super) limits: Limits,
    pub(super) store: Box<dyn ObjectStore>,
    pub(super) time: Box<dyn Time>,
    pub(super) jitter: Jitter,
    /// A random number that identifies this client in the shared state.
    pub(super) client: u32,
    /// Counts the calls in flight. For each of them, the client requests one more permit, because
    /// another call probably follows.
    pub(super) stats: Arc<ClientStats>,
    lease: Mutex<Lease>,
    /// Locked by the one caller that takes permits for all waiting callers.
    pub(super) refilling: tokio::sync::Mutex<()>,
    /// Number of callers that wait for a permit.
    pub(super) waiting: AtomicU64,
    /// Whether calls of this invocation are spread evenly, because FMP refused a burst that the
    /// plan allows.
    paced: AtomicBool,
}

impl RateLimiter {
    pub(crate) fn new(
        limits: Limits,
        fmp_key: &str,
        store: Box<dyn ObjectStore>,
        time: Box<dyn Time>,
        stats: Arc<ClientStats>,
    ) -> Self {
        let jitter = Jitter::new();
        RateLimiter {
            limits,
            store,
            time,
            client: jitter.number() as u32,
            jitter,
            stats,
            lease: Mutex::new(Lease::for_fmp_key(fmp_key)),
            refilling: tokio::sync::Mutex::default(),
            waiting: AtomicU64::new(0),
            paced: AtomicBool::new(false),
        }
    }

    /// Replaces the random numbers by reproducible ones.
    #[cfg(test)]
    pub(super) fn with_seed(self, seed: u64) -> Self {
        let jitter = Jitter::with_seed(seed);
        RateLimiter { client: jitter.number() as u32, jitter, ..self }
    }

    /// Moves the shared objects to another store.
    pub(crate) fn with_store(self, store: Box<dyn ObjectStore>) -> Self {
        RateLimiter { store, ..self }
    }

    /// Begins an invocation. Clears the failure that stopped the previous invocation, because its
    /// cause may have passed.
    pub(crate) fn begin(&self, context: &CallContext) {
        let mut lease = self.lease();
        if lease.context.as_ref().is_none_or(|before| before.run != context.run) {
            // The permits belonged to the previous run, whose last invocation has returned them.
            lease.run_permits = 0;
        }
        lease.halted = None;
        lease.context = Some(context.clone());
        self.note_paced(false);
    }

    /// Switches to another FMP key, which has its own budget.
    pub(crate) fn use_key(&self, fmp_key: &str) {
        self.lease().switch_to(fmp_key);
    }

    /// Waits for the permit of one call. Safe to cancel.
    ///
    /// # Errors
    /// The failure that stopped the key or the run; the stage's errors.
    pub(crate) async fn permit(&self) -> Result<Permit<'_>, Failure> {
        if !self.limits.any() && self.lease().max_calls().is_none() {
            return Ok(Permit {
                rate_limiter: self,
                granted: None,
                of_run: false,
                returnable: false,
            });
        }
        loop {
            let permit = self.reserve().await?;
            // A permit that expired before this task was woken is replaced by another one.
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

    /// Takes a permit from the lease. Drops permits that have expired.
    fn take_permit(&self) -> Option<Permit<'_>> {
        let now = self.time.now();
        let mut lease = self.lease();
        let of_run = lease.max_calls().is_some();
        if of_run && lease.run_permits == 0 {
            return None;
        }
        let granted = if self.limits.any() {
            Some((lease.take(now)?, Arc::clone(&lease.object_key)))
        } else {
            None
        };
        if of_run {
            lease.run_permits -= 1;
        }
        Some(Permit { rate_limiter: self, granted, of_run, returnable: true })
    }

    /// Whether the lease has a valid permit.
    pub(super) fn has_permit(&self) -> bool {
        let now = self.time.now();
        let lease = self.lease();
        let run_allows = lease.max_calls().is_none() || lease.run_permits > 0;
        run_allows && (!self.limits.any() || lease.has_permit(now))
    }

    pub(super) fn note_paced(&self, is_paced: bool) {
        self.paced.store(is_paced, Relaxed);
    }

    /// Why the calls of this invocation are spread evenly; `None` if they are not.
    pub(crate) fn pacing(&self) -> Option<String> {
        let reason = "FMP refused calls that the plan allows, so the calls with this key are spread evenly \
                      until 0:00 UTC; use --fmp-burst to limit how many calls are made at once";
        self.paced.load(Relaxed).then(|| reason.to_owned())
    }

    /// Counts bytes received from FMP towards the bandwidth limit.
    pub(crate) fn received(&self, bytes: u64) {
        if self.limits.any() {
            self.lease().unreported.bytes += bytes;
        }
    }

    /// Pauses all clients with the same key, after FMP responded that the call limit is reached.
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
            tracing::warn!(%error, "cannot tell other clients with the key that FMP's call limit is reached");
        }
    }

    /// Counts a call whose first attempt FMP refused because of a limit. Several such calls within
    /// a short time show that FMP refuses bursts. Then the calls of all clients with the key are
    /// spread evenly.
    pub(crate) async fn refused(&self) {
        if self.limits.per_minute.is_none() || !self.lease().is_refused_burst(self.time.now()) {
            return;
        }
        let paced = self.change_state(|state, now| {
            let was_paced = state.is_paced(now);
            state.pace(&self.limits, now);
            (state.is_paced(now), state.is_paced(now) != was_paced)
        });
        match paced.await {
            Ok(is_paced) => self.note_paced(is_paced),
            Err(error) => {
                tracing::warn!(%error, "cannot tell other clients with the key that FMP refuses bursts")
            }
        }
    }

    /// Stops all clients with the same key, after a response that means that no call can succeed.
    pub(crate) async fn stop(&self, failure: &Failure) {
        // Several calls in flight may fail this way. Only the first one changes the shared state.
        if !self.limits.any() || self.lease().halted.replace(failure.clone()).is_some() {
            return;
        }
        let stopped = self.change_state(|state, now| {
            state.stop = Some(Stop::of(failure, now));
            ((), true)
        });
        if let Err(error) = stopped.await {
            tracing::warn!(%error, "cannot tell other clients with the key to stop");
        }
    }

    /// Changes the key's shared state. `change` returns its result and whether to write the state.
    pub(super) async fn change_state<R: Clone>(
        &self,
        mut change: impl FnMut(&mut State, DateTime<Utc>) -> (R, bool),
    ) -> Result<R> {
        let key = Arc::clone(&self.lease().object_key);
        self.change(&key, |state: &mut State| change(state, self.time.now())).await
    }

    /// Waits until the limiter's clock reaches a moment. Reads the clock again after each sleep,
    /// because the clock may have been adjusted.
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
