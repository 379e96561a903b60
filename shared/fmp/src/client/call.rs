//! One call that returns JSON: rate-limited, retried and classified.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use bytes::Bytes;
use reqwest::header::HeaderValue;
use tokio::{sync::SemaphorePermit, time::Instant};

use super::{Fmp, lock, now, patience::Patience};
use crate::{call_limit::PATIENCE, failure::Failure, rate_limit::Permit};
use findata_domain::{Error, Result};
use findata_pipeline::plan::Task;

/// Attempts per call, including the first.
const MAX_ATTEMPTS: usize = 5;
/// Longest time of one call: its requests, the pauses between them, and its waits for breakers and call limits. Waiting
/// for the rate limiter is not part of it, since that depends on how many calls were planned.
pub const MAX_CALL_TIME: Duration = PATIENCE;

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

/// The state of one call between its attempts.
pub(super) struct CallState {
    /// The call probes an endpoint whose breaker is open.
    probe: bool,
    pub patience: Patience,
}

impl CallState {
    /// A call that may take this long.
    pub(super) fn new(most: Duration) -> Self {
        CallState { probe: false, patience: Patience::new(most) }
    }
}

impl Fmp {
    /// Fetches the rows of one task.
    pub async fn fetch(&self, task: &Task) -> Answer {
        self.get(task.dataset.endpoint, &task.parameters()).await
    }

    /// Calls an endpoint. All requests and pauses together take at most [`MAX_CALL_TIME`]; waiting for the rate limiter
    /// comes on top.
    pub async fn get(&self, endpoint: &str, parameters: &[(&str, String)]) -> Answer {
        let usage = Usage::default();
        let mut state = CallState::new(MAX_CALL_TIME);
        let body = self.attempts(endpoint, parameters, &usage, &mut state).await;
        self.stats.took(state.patience.spent());
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

    /// Attempts until one succeeds or no other makes sense. Waiting for the call limit and renewing the key do not use
    /// up attempts.
    async fn attempts(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        usage: &Usage,
        state: &mut CallState,
    ) -> Result<Option<Bytes>, Failure> {
        let (mut limits, mut delays) = (0, delays());
        loop {
            let key = lock(&self.key).clone();
            let outcome = self.call(endpoint, parameters, &key, usage, state).await;
            self.note_answer(endpoint, &outcome);
            match outcome {
                Err(Failure::CallLimit { message, retry_after }) => {
                    limits += 1;
                    let pause = self.limited(endpoint, limits, message, retry_after, &state.patience).await?;
                    self.wait_for_limit(self.call_limits.sleep(endpoint, pause), state).await?;
                }
                Err(Failure::RefusedKey(_)) if self.renew_key(&key).await => {}
                Err(failure) if failure.is_transient() => {
                    let Some(pause) = self.delay(endpoint, &failure, &mut delays, &state.patience) else {
                        return Err(failure);
                    };
                    let (paused, waited) = state.patience.spend(self.pause(pause)).await;
                    self.stats.waited_to_retry(waited);
                    paused?;
                }
                other => return other,
            }
        }
    }

    /// The pause before another attempt, if there is to be one.
    fn delay(
        &self,
        endpoint: &str,
        failure: &Failure,
        delays: &mut ExponentialBackoff,
        patience: &Patience,
    ) -> Option<Duration> {
        if self.breakers.rejects_retries(endpoint, now()) {
            return None;
        }
        let delay = delays.next()?;
        let pause = match failure {
            Failure::Transient { retry_after: Some(pause), .. } => delay.max(*pause),
            _ => delay,
        };
        (patience.allows(pause) && self.retry_budget.take()).then_some(pause)
    }

    /// Sends one request as soon as that is allowed.
    async fn call(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        key: &HeaderValue,
        usage: &Usage,
        state: &mut CallState,
    ) -> Result<Option<Bytes>, Failure> {
        let (_slot, permit) = self.admit(endpoint, state).await?;
        permit.use_up();
        let in_flight = self.stats.begin();
        self.retry_budget.note_call();
        usage.calls.fetch_add(1, Relaxed);
        let sent_at = Instant::now();
        let exchanged = state.patience.bound(self.transport.exchange(endpoint, parameters, key)).await;
        self.slots.record(sent_at.elapsed());
        let (bytes, outcome) = exchanged.unwrap_or_else(|_| {
            let text = format!("no complete answer within {} of attempts", minutes(state.patience.most()));
            (0, Err(Failure::NoAnswer(text)))
        });
        usage.bytes.fetch_add(bytes, Relaxed);
        drop(in_flight);
        self.breakers.record(endpoint, &outcome, now());
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
        state: &mut CallState,
    ) -> Result<(SemaphorePermit<'_>, Permit<'_>), Failure> {
        if let Some(failure) = self.halted() {
            return Err(failure);
        }
        loop {
            // Breaker and endpoint come before the slot, so that waiting for one endpoint does not
            // delay others.
            if !state.probe {
                let (admitted, waited) =
                    state.patience.spend(self.unless_halted(self.breakers.admit(endpoint))).await;
                self.stats.waited_to_retry(waited);
                state.probe = admitted?.map_err(|failure| self.unreachable_or(failure))?;
            }
            self.wait_for_limit(self.call_limits.wait_for_endpoint(endpoint), state).await?;
            if self.call_limits.is_exhausted(endpoint) {
                return Err(self.exhausted(endpoint));
            }
            let closed = |_| Failure::Local(Error::Stop("the client is closed".into()));
            let slot = self.unless_halted(self.slots.acquire()).await?.map_err(closed)?;
            self.wait_for_limit(self.call_limits.wait_for_key(endpoint), state).await?;
            let waiting_since = Instant::now();
            let permit = self.unless_halted(self.rate_limiter.permit()).await;
            self.stats.waited(waiting_since.elapsed());
            let permit = permit??;
            // Otherwise a cooldown started or the endpoint failed meanwhile, and the permit is
            // returned.
            if !self.call_limits.holds_back(endpoint) && (state.probe || self.breakers.is_closed(endpoint)) {
                return Ok((slot, permit));
            }
        }
    }

    /// Pauses.
    pub(super) async fn pause(&self, pause: Duration) -> Result<(), Failure> {
        self.unless_halted(tokio::time::sleep(pause)).await
    }
}

/// The pauses between attempts.
fn delays() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(20))
        .with_factor(3.0)
        .with_max_times(MAX_ATTEMPTS - 1)
        .with_jitter()
        .build()
}

/// A bound, for a message.
pub(super) fn minutes(time: Duration) -> String {
    format!("{} minutes", time.as_secs() / 60)
}
