//! Circuit breakers. If an endpoint keeps failing, the client calls it only to probe whether it
//! works again.
//!
//! Each endpoint has its own breaker. The breaker counts failures that a retry may fix and that the
//! endpoint itself causes: server errors, damaged bodies, no response. While the breaker is open,
//! only probes are sent. During the first eight seconds, other calls wait for a probe to succeed,
//! so a short outage fails no task. After that, other calls fail at once and are not retried.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use findata_domain::clock::TimeScale;

use super::failure::Failure;

/// Number of consecutive failures after which a breaker opens: two calls with five attempts each. A
/// single call must not open it, because the cause may be its symbol and not the endpoint.
pub(super) const FAILURES: u32 = 10;
/// Time from the opening of a breaker to the first probe. Each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two probes.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// After a breaker has opened, calls wait for a probe to succeed, but only during this time.
const PATIENCE: Duration = Duration::from_secs(8);

/// The decision on a call that the breaker does not reject.
#[derive(Debug, PartialEq, Eq)]
enum Admission {
    /// The call may be sent now.
    Go {
        /// Whether the call is a probe.
        probe: bool,
    },
    /// The call waits and asks again at this moment, because the outage may be short.
    Wait(Instant),
}

/// The breaker of one endpoint.
#[derive(Debug, Default)]
struct Breaker {
    /// Number of consecutive failures.
    failures: u32,
    /// The message of the last failure.
    message: String,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    since: Instant,
    /// The current pause between probes. After it, the next call is a probe, even if the last probe
    /// has not ended.
    pause: Duration,
    until: Instant,
}

impl Open {
    fn at(now: Instant, scale: TimeScale) -> Self {
        let pause = scale.wait(FIRST_PAUSE);
        Open { since: now, pause, until: now + pause }
    }
}

impl Breaker {
    fn ask(&mut self, endpoint: &str, now: Instant, scale: TimeScale) -> Result<Admission, Failure> {
        let patience = scale.wait(PATIENCE);
        let Some(open) = &mut self.open else {
            return Ok(Admission::Go { probe: false });
        };
        if now >= open.until + patience {
            // The state is outdated, because no call was made for a while. Treats the breaker as
            // just opened.
            *open = Open::at(now, scale);
            return Ok(Admission::Go { probe: true });
        }
        if now >= open.until {
            open.pause = (open.pause * 2).min(scale.wait(LONGEST_PAUSE));
            open.until = now + open.pause;
            return Ok(Admission::Go { probe: true });
        }
        let patience_ends = open.since + patience;
        if now < patience_ends {
            return Ok(Admission::Wait(open.until.min(patience_ends)));
        }
        let (failures, last) = (self.failures, &self.message);
        let message =
            format!("{endpoint} is suspended: {failures} calls in a row failed, the last with: {last}");
        Err(Failure::Transient { message, retry_after: Some(open.until - now) })
    }

    /// Whether the breaker is open and calls no longer wait for a probe. If so, calls are not
    /// retried.
    fn rejects_retries(&self, now: Instant, scale: TimeScale) -> bool {
        self.open.as_ref().is_some_and(|open| now >= open.since + scale.wait(PATIENCE))
    }

    fn failed(&mut self, message: String, now: Instant, scale: TimeScale) {
        self.failures = self.failures.saturating_add(1);
        self.message = message;
        if self.failures >= FAILURES {
            self.open.get_or_insert_with(|| Open::at(now, scale));
        }
    }
}

/// The breakers of all endpoints, and whether FMP responds at all.
#[derive(Debug, Default)]
pub(super) struct Breakers {
    all: Mutex<All>,
    /// Wakes waiting calls when a breaker closes.
    closed: Notify,
    /// Divides all pauses and time limits of the breakers.
    scale: TimeScale,
}

#[derive(Debug, Default)]
struct All {
    endpoints: HashMap<String, Breaker>,
    silence: Option<Silence>,
    /// Whether any call of this invocation got a response.
    answered: bool,
}

/// Consecutive calls, to any endpoint, that got no response.
#[derive(Debug)]
struct Silence {
    calls: u32,
    /// When the first of these calls ended.
    since: Instant,
    /// The endpoint of the first of these calls.
    endpoint: String,
    /// Whether the calls went to more than one endpoint.
    several: bool,
}

impl Breakers {
    /// Creates closed breakers whose pauses are divided by `scale`.
    pub(super) fn new(scale: TimeScale) -> Self {
        Breakers { scale, ..Breakers::default() }
    }

    /// Waits until a call may be made. Returns whether it is a probe.
    ///
    /// # Errors
    /// `Transient`, with the time to the next probe, if the breaker has been open for too long to
    /// wait for it.
    pub(super) async fn admit(&self, endpoint: &str) -> Result<bool, Failure> {
        loop {
            match self.ask(endpoint, tokio::time::Instant::now().into_std())? {
                Admission::Go { probe } => return Ok(probe),
                Admission::Wait(until) => {
                    drop(tokio::time::timeout_at(until.into(), self.closed.notified()).await)
                }
            }
        }
    }

    fn ask(&self, endpoint: &str, now: Instant) -> Result<Admission, Failure> {
        let mut all = self.all();
        all.endpoints
            .get_mut(endpoint)
            .map_or(Ok(Admission::Go { probe: false }), |breaker| breaker.ask(endpoint, now, self.scale))
    }

    /// Whether an endpoint's breaker is closed.
    pub(super) fn is_closed(&self, endpoint: &str) -> bool {
        self.all().endpoints.get(endpoint).is_none_or(|breaker| breaker.open.is_none())
    }

    /// Whether calls to an endpoint must not be retried at the moment.
    pub(super) fn rejects_retries(&self, endpoint: &str, now: Instant) -> bool {
        self.all()
            .endpoints
            .get(endpoint)
            .is_some_and(|breaker| breaker.rejects_retries(now, self.scale))
    }

    /// Records the outcome of a call.
    pub(super) fn record<T>(&self, endpoint: &str, outcome: &Result<T, Failure>, now: Instant) {
        let mut all = self.all();
        if let Err(Failure::NoAnswer(_)) = outcome {
            let first = || Silence {
                calls: 0,
                since: now,
                endpoint: endpoint.to_owned(),
                several: false,
            };
            let silence = all.silence.get_or_insert_with(first);
            silence.calls = silence.calls.saturating_add(1);
            silence.several |= silence.endpoint != endpoint;
        } else {
            (all.silence, all.answered) = (None, true);
        }
        match outcome {
            // The call limit belongs to the key, so this is not a failure of the endpoint.
            Err(Failure::CallLimit { .. }) => {}
            Err(failure) if failure.is_transient() => {
                let breaker = all.endpoints.entry(endpoint.to_owned()).or_default();
                let was_open = breaker.open.is_some();
                breaker.failed(failure.to_string(), now, self.scale);
                if breaker.open.is_some() && !was_open {
                    tracing::warn!(endpoint, reason = %failure, "the endpoint keeps failing, so its calls pause");
                }
            }
            // An endpoint that rejects a request works.
            _ => {
                if all.endpoints.remove(endpoint).is_some_and(|breaker| breaker.open.is_some()) {
                    tracing::info!(endpoint, "the endpoint works again");
                    self.closed.notify_waiters();
                }
            }
        }
    }

    /// Whether FMP or the network must be down, not just one endpoint: at least ten consecutive
    /// calls got no response for at least eight seconds. If the calls went to a single endpoint,
    /// the result is true only if no call of this invocation got a response.
    pub(super) fn nobody_answers(&self, now: Instant) -> bool {
        let all = self.all();
        all.silence.as_ref().is_some_and(|silence| {
            let long = silence.calls >= FAILURES && now >= silence.since + self.scale.wait(PATIENCE);
            long && (silence.several || !all.answered)
        })
    }

    /// Begins an invocation. Forgets whether FMP responded in previous invocations.
    pub(super) fn begin(&self) {
        let mut all = self.all();
        (all.silence, all.answered) = (None, false);
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
