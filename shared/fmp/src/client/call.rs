//! Makes one JSON call: waits for permits and pauses, sends requests, and retries failures.

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
use findata_domain::{Error, Result, clock::TimeScale};
use findata_pipeline::plan::Task;

/// Maximum number of attempts per call, including the first.
const MAX_ATTEMPTS: usize = 5;
/// Time limit of one call, including its requests, the pauses between them, and its waits for breakers and call limits.
/// Waiting for the rate limiter is excluded, because that time depends on the number of planned calls.
pub const MAX_CALL_TIME: Duration = PATIENCE;
/// Time limit of [`Fmp::get_once`].
const ONE_REQUEST: Duration = Duration::from_secs(30);

/// The result of a call.
#[derive(Debug)]
pub struct Answer {
    /// The rows as JSON, or `None` if FMP has no rows.
    pub body: Result<Option<Bytes>>,
    /// Requests sent, including retries.
    pub calls: u32,
    /// Bytes received, before decompression.
    pub bytes: u64,
}

impl Answer {
    /// Creates the result of a call that was not made because of `error`.
    pub fn none(error: Error) -> Self {
        Answer { body: Err(error), calls: 0, bytes: 0 }
    }
}

/// The requests and bytes of one call. They are counted even if the call is cancelled.
#[derive(Default)]
pub(super) struct Usage {
    pub calls: AtomicU32,
    pub bytes: AtomicU64,
}

/// The state that one call keeps between its attempts.
pub(super) struct CallState {
    /// Whether the call is a probe of an endpoint whose breaker is open.
    probe: bool,
    pub patience: Patience,
}

impl CallState {
    /// Creates the state of a call with the time limit `most`.
    pub(super) fn new(most: Duration) -> Self {
        CallState { probe: false, patience: Patience::new(most) }
    }
}

impl Fmp {
    /// Fetches the rows of one task.
    pub async fn fetch(&self, task: &Task) -> Answer {
        self.get(task.dataset.endpoint, &task.parameters()).await
    }

    /// Calls an endpoint. All requests and pauses together take at most [`MAX_CALL_TIME`], plus the time that the call
    /// waits for the rate limiter.
    pub async fn get(&self, endpoint: &str, parameters: &[(&str, String)]) -> Answer {
        let usage = Usage::default();
        let mut state = CallState::new(self.time_scale.wait(MAX_CALL_TIME));
        let body = self.attempts(endpoint, parameters, &usage, &mut state).await;
        self.stats.took(state.patience.spent());
        if let Err(failure) = &body {
            self.halt_if_needed(failure).await;
        }
        let bytes = usage.bytes.into_inner();
        self.rate_limiter.received(bytes);
        let (body, calls) = (body.map_err(Error::from), usage.calls.into_inner());
        if calls > 0 && body.as_ref().is_err_and(|error| !matches!(error, Error::NotInPlan(_))) {
            self.stats.call_failed();
        }
        Answer { body, calls, bytes }
    }

    /// Sends one request, without retries or waiting for a limit, for a check of the key. The request does not
    /// count against the shared call budget unless the client shares one.
    pub async fn get_once(&self, endpoint: &str, parameters: &[(&str, String)]) -> Answer {
        let usage = Usage::default();
        let mut state = CallState::new(ONE_REQUEST);
        let key = lock(&self.key).clone();
        let body = self.call(endpoint, parameters, &key, &usage, &mut state).await;
        Answer {
            body: body.map_err(Error::from),
            calls: usage.calls.into_inner(),
            bytes: usage.bytes.into_inner(),
        }
    }

    /// Makes attempts until one succeeds or a further attempt would not help. Repeating a call after a call-limit
    /// response or with a renewed key does not count as an attempt.
    async fn attempts(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        usage: &Usage,
        state: &mut CallState,
    ) -> Result<Option<Bytes>, Failure> {
        let (mut limits, mut delays) = (0, delays(self.time_scale));
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

    /// The pause before the next attempt; `None` if the call is not retried.
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

    /// Waits until a request may be sent, then sends it.
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
            let text =
                format!("no complete response within {}, including retries", minutes(state.patience.most()));
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

    /// Waits until a request may be sent: for the breaker, cooldowns, a free slot and a permit. A call
    /// that is a probe remains one when it is retried, so a successful retry closes the breaker.
    pub(super) async fn admit(
        &self,
        endpoint: &str,
        state: &mut CallState,
    ) -> Result<(SemaphorePermit<'_>, Permit<'_>), Failure> {
        if let Some(failure) = self.halted() {
            return Err(failure);
        }
        loop {
            // Waits for the breaker and the endpoint's cooldown before taking a slot. Otherwise, calls
            // to a suspended endpoint would occupy slots that other endpoints need.
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
            let closed = |_| Failure::Local(Error::Stop("the FMP client is closed".into()));
            let slot = self.unless_halted(self.slots.acquire()).await?.map_err(closed)?;
            self.wait_for_limit(self.call_limits.wait_for_key(endpoint), state).await?;
            let waiting = self.stats.wait();
            let permit = self.unless_halted(self.rate_limiter.permit()).await;
            drop(waiting);
            let permit = permit??;
            // If a cooldown started or the breaker opened in the meantime, drops the permit, which
            // returns it, and waits again.
            if !self.call_limits.holds_back(endpoint) && (state.probe || self.breakers.is_closed(endpoint)) {
                return Ok((slot, permit));
            }
        }
    }

    /// Waits for `pause`. Ends early if the client halts.
    pub(super) async fn pause(&self, pause: Duration) -> Result<(), Failure> {
        self.unless_halted(tokio::time::sleep(pause)).await
    }
}

/// The backoff between the attempts of a call.
fn delays(scale: TimeScale) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(scale.wait(Duration::from_millis(200)))
        .with_max_delay(scale.wait(Duration::from_secs(20)))
        .with_factor(3.0)
        .with_max_times(MAX_ATTEMPTS - 1)
        .with_jitter()
        .build()
}

/// Formats a time limit for a message.
pub(super) fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds / 60),
    }
}
