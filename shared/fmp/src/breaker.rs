//! Circuit breakers: an endpoint that keeps failing is not called, except for a probe now and then,
//! until it answers.
//!
//! Each endpoint has its own breaker. It counts failures that are worth a retry and that the
//! endpoint itself causes: server errors, damaged bodies, silence. While it is open, only probes
//! cost calls. At first, calls wait for the probes, about as long as the attempts of one call take,
//! so that a short outage fails no task. After that they fail at once and nothing is retried.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::failure::Failure;

/// Failures in a row that open a breaker: all attempts of two calls, so that one broken symbol does
/// not open it.
pub(super) const FAILURES: u32 = 10;
/// Time from opening to the first probe. Each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two probes.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long calls wait for an open breaker before they fail.
const PATIENCE: Duration = Duration::from_secs(8);

/// What a call that a breaker does not reject has to do.
#[derive(Debug, PartialEq, Eq)]
enum Admission {
    /// Call now.
    Go {
        /// The call tests whether the endpoint works again.
        probe: bool,
    },
    /// Ask again at this moment, because the outage may be short.
    Wait(Instant),
}

/// The breaker of one endpoint.
#[derive(Debug, Default)]
struct Breaker {
    /// Failures in a row.
    failures: u32,
    /// Message of the last failure.
    message: String,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    since: Instant,
    /// The current pause. When it ends, the next probe starts even if the last one has not
    /// returned.
    pause: Duration,
    until: Instant,
}

impl Open {
    fn at(now: Instant) -> Self {
        Open { since: now, pause: FIRST_PAUSE, until: now + FIRST_PAUSE }
    }
}

impl Breaker {
    fn ask(&mut self, endpoint: &str, now: Instant) -> Result<Admission, Failure> {
        let Some(open) = &mut self.open else {
            return Ok(Admission::Go { probe: false });
        };
        if now >= open.until + PATIENCE {
            // Nobody asked for so long that the state is out of date. Start again as if just
            // opened.
            *open = Open::at(now);
            return Ok(Admission::Go { probe: true });
        }
        if now >= open.until {
            open.pause = (open.pause * 2).min(LONGEST_PAUSE);
            open.until = now + open.pause;
            return Ok(Admission::Go { probe: true });
        }
        let patience_ends = open.since + PATIENCE;
        if now < patience_ends {
            return Ok(Admission::Wait(open.until.min(patience_ends)));
        }
        let (failures, last) = (self.failures, &self.message);
        let message = format!("{endpoint} is left alone: {failures} calls in a row failed, the last: {last}");
        Err(Failure::Transient { message, retry_after: Some(open.until - now) })
    }

    /// Whether it is open and calls no longer wait for it. Only new calls probe it then.
    fn rejects_retries(&self, now: Instant) -> bool {
        self.open.as_ref().is_some_and(|open| now >= open.since + PATIENCE)
    }

    fn failed(&mut self, message: String, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.message = message;
        if self.failures >= FAILURES {
            self.open.get_or_insert_with(|| Open::at(now));
        }
    }
}

/// The breakers of all endpoints, and whether FMP answers at all.
#[derive(Debug, Default)]
pub(super) struct Breakers {
    all: Mutex<All>,
    /// Wakes waiting calls when a breaker closes.
    closed: Notify,
}

#[derive(Debug, Default)]
struct All {
    endpoints: HashMap<String, Breaker>,
    silence: Option<Silence>,
    /// Whether any call of this invocation was answered.
    answered: bool,
}

/// A row of calls, to any endpoint, that were not answered.
#[derive(Debug)]
struct Silence {
    calls: u32,
    /// When the first of them ended.
    since: Instant,
    /// The endpoint of the first.
    endpoint: String,
    /// Whether another endpoint is silent too.
    several: bool,
}

impl Breakers {
    /// Waits until a call may be made. Returns whether it is a probe.
    ///
    /// # Errors
    /// `Transient`, with the time to the next probe, if the breaker is open and waiting no longer
    /// helps.
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
            .map_or(Ok(Admission::Go { probe: false }), |breaker| breaker.ask(endpoint, now))
    }

    /// Whether an endpoint's breaker is closed.
    pub(super) fn is_closed(&self, endpoint: &str) -> bool {
        self.all().endpoints.get(endpoint).is_none_or(|breaker| breaker.open.is_none())
    }

    /// Whether calls to an endpoint are not retried for now.
    pub(super) fn rejects_retries(&self, endpoint: &str, now: Instant) -> bool {
        self.all().endpoints.get(endpoint).is_some_and(|breaker| breaker.rejects_retries(now))
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
            // The limit belongs to the key and says nothing about the endpoint.
            Err(Failure::CallLimit { .. }) => {}
            Err(failure) if failure.is_transient() => {
                let breaker = all.endpoints.entry(endpoint.to_owned()).or_default();
                let was_open = breaker.open.is_some();
                breaker.failed(failure.to_string(), now);
                if breaker.open.is_some() && !was_open {
                    tracing::warn!(endpoint, reason = %failure, "the endpoint keeps failing: calls pause");
                }
            }
            // An endpoint that rejects a request works too.
            _ => {
                if all.endpoints.remove(endpoint).is_some_and(|breaker| breaker.open.is_some()) {
                    tracing::info!(endpoint, "the endpoint works again");
                    self.closed.notify_waiters();
                }
            }
        }
    }

    /// Whether so many calls have gone unanswered for so long that FMP or the network must be down,
    /// not just an endpoint. If only one endpoint is silent, this holds only as long as no other
    /// has answered.
    pub(super) fn nobody_answers(&self, now: Instant) -> bool {
        let all = self.all();
        all.silence.as_ref().is_some_and(|silence| {
            let long = silence.calls >= FAILURES && now >= silence.since + PATIENCE;
            long && (silence.several || !all.answered)
        })
    }

    /// Begins an invocation, which finds out anew whether FMP answers.
    pub(super) fn begin(&self) {
        let mut all = self.all();
        (all.silence, all.answered) = (None, false);
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
