//! One call that returns JSON: rate-limited, retried and classified.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use reqwest::header::HeaderValue;
use tokio::sync::SemaphorePermit;

use super::{Fmp, lock};
use crate::{failure::Failure, rate_limit::Permit};
use findata_domain::{Error, Result};
use findata_pipeline::plan::Task;

/// Attempts per call, including the first.
const MAX_ATTEMPTS: usize = 5;
/// Call-limit responses after which a call fails: two minutes of waiting.
const MAX_CALL_LIMITS: u32 = 8;

/// The result of a call.
#[derive(Debug)]
pub struct Answer {
    /// The rows' JSON, or `None` if FMP has no rows.
    pub body: Result<Option<Bytes>>,
    /// Calls made, including retries.
    pub calls: u32,
    /// Bytes on the wire.
    pub bytes: u64,
}

impl Answer {
    /// The result of a call that was not made.
    pub fn none(error: Error) -> Self {
        Answer { body: Err(error), calls: 0, bytes: 0 }
    }
}

/// What the attempts of one call used. It counts even if the call is cancelled.
#[derive(Default)]
pub(super) struct Usage {
    pub calls: AtomicU32,
    pub bytes: AtomicU64,
}

impl Fmp {
    /// Fetches the rows of one task.
    pub async fn fetch(&self, task: &Task) -> Answer {
        self.get(task.dataset.endpoint, &task.parameters()).await
    }

    /// Calls an endpoint.
    pub async fn get(&self, endpoint: &str, parameters: &[(&str, String)]) -> Answer {
        let usage = Usage::default();
        let probe = AtomicBool::new(false);
        let attempt = || self.attempt(endpoint, parameters, &probe, &usage);
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(20))
            .with_factor(3.0)
            .with_max_times(MAX_ATTEMPTS - 1)
            .with_jitter();
        let body = attempt
            .retry(backoff)
            .when(|f: &Failure| f.is_transient() && !self.breakers.rejects_retries(endpoint, Instant::now()))
            .adjust(|failure, delay| {
                let delay = delay.filter(|_| self.retry_budget.take())?;
                match failure {
                    Failure::Transient { retry_after: Some(pause), .. } => Some(delay.max(*pause)),
                    _ => Some(delay),
                }
            })
            .await;
        if let Err(failure) = &body {
            self.halt_if_needed(failure).await;
        }
        let bytes = usage.bytes.into_inner();
        self.rate_limiter.received(bytes);
        Answer {
            body: body.map_err(Error::from),
            calls: usage.calls.into_inner(),
            bytes,
        }
    }

    /// One attempt. Waiting for the call limit and renewing the key do not use up attempts.
    async fn attempt(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        probe: &AtomicBool,
        usage: &Usage,
    ) -> Result<Option<Bytes>, Failure> {
        let mut call_limits = 0;
        loop {
            let key = lock(&self.key).clone();
            match self.call(endpoint, parameters, &key, probe, usage).await {
                // The limit applies to everyone who uses the key: all calls wait for the cooldown.
                Err(Failure::CallLimit { message, retry_after }) => {
                    if call_limits == MAX_CALL_LIMITS {
                        return Err(Failure::Rejected(message));
                    }
                    call_limits += 1;
                    if let Some(pause) = self.cooldown.start(retry_after) {
                        self.rate_limiter.pause(pause).await;
                    }
                }
                Ok(body) => {
                    self.cooldown.reset();
                    return Ok(body);
                }
                Err(Failure::RefusedKey(_)) if self.renew_key(&key).await => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Sends one request as soon as that is allowed.
    async fn call(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        key: &HeaderValue,
        probe: &AtomicBool,
        usage: &Usage,
    ) -> Result<Option<Bytes>, Failure> {
        let (_slot, permit) = self.admit(endpoint, probe).await?;
        permit.use_up();
        let in_flight = self.stats.begin();
        self.retry_budget.note_call();
        usage.calls.fetch_add(1, Relaxed);
        let sent_at = Instant::now();
        let (bytes, outcome) = self.transport.exchange(endpoint, parameters, key).await;
        self.slots.note(sent_at.elapsed());
        usage.bytes.fetch_add(bytes, Relaxed);
        drop(in_flight);
        self.breakers.note(endpoint, &outcome, Instant::now());
        outcome.map_err(|failure| match failure {
            Failure::NoAnswer(_) => self.unreachable_or(failure),
            other => other,
        })
    }

    /// Waits until a call may be made. A probe stays the probe across its retries, so an endpoint
    /// that recovers on a retry closes the breaker.
    pub(super) async fn admit(
        &self,
        endpoint: &str,
        probe: &AtomicBool,
    ) -> Result<(SemaphorePermit<'_>, Permit<'_>), Failure> {
        let halted = || lock(&self.halted).clone();
        if let Some(failure) = halted() {
            return Err(failure);
        }
        loop {
            // The breaker comes before the slot, so that waiting for one endpoint does not delay
            // others.
            if !probe.load(Relaxed) {
                let admitted = self.breakers.admit(endpoint).await;
                probe.store(admitted.map_err(|failure| self.unreachable_or(failure))?, Relaxed);
            }
            let closed = |_| Failure::Local(Error::Stop("the client is closed".into()));
            let slot = self.slots.acquire().await.map_err(closed)?;
            let waiting_since = Instant::now();
            self.cooldown.wait().await;
            let permit = self.rate_limiter.permit().await;
            self.stats.waited(waiting_since.elapsed());
            let permit = permit?;
            if let Some(failure) = halted().filter(|failure| !failure.leaves_permits_valid()) {
                return Err(failure);
            }
            // Otherwise a cooldown started or the endpoint failed meanwhile, and the permit is
            // returned.
            if !self.cooldown.is_active() && (probe.load(Relaxed) || self.breakers.is_closed(endpoint)) {
                return Ok((slot, permit));
            }
        }
    }
}
