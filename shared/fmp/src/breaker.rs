//! Breakers: an endpoint that fails again and again is left alone, until one call let through now and then gets an answer.
//!
//! Each endpoint has one of its own. It counts what would be tried again and is the endpoint's own: errors of the server,
//! broken bodies, silence. An open one costs no call but its probes. At first calls wait at it, about as long as one call's
//! tries take, so that what passes in a moment fails no task; after that they are refused at once, and nothing is tried again.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::response::is_call_limit;
use findata_domain::{Error, Result};

/// Failures in a row that open it: all tries of two calls, so that one broken symbol among good ones does not.
pub(super) const FAILURES: u32 = 10;
/// From opening to the first probe; each further pause is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two probes.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long calls wait at an open one before they are refused.
const PATIENCE: Duration = Duration::from_secs(8);

/// What a breaker says to a call that it does not refuse.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// It may be made.
    Go {
        /// To find out whether the endpoint works again.
        probe: bool,
    },
    /// Whether it passes is not known yet; ask again at that moment.
    Wait(Instant),
}

/// That of one endpoint.
#[derive(Debug, Default)]
struct Breaker {
    /// In a row.
    failures: u32,
    /// Why the last one failed.
    reason: String,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    since: Instant,
    /// The current pause; a probe that has not come back at its end is no longer waited for.
    pause: Duration,
    until: Instant,
}

impl Open {
    fn at(now: Instant) -> Self {
        Open { since: now, pause: FIRST_PAUSE, until: now + FIRST_PAUSE }
    }
}

impl Breaker {
    fn ask(&mut self, endpoint: &str, now: Instant) -> Result<Turn> {
        let Some(open) = &mut self.open else { return Ok(Turn::Go { probe: false }) };
        if now >= open.until + PATIENCE {
            // Nobody asked for so long that what is known is old: others wait for this probe, as for the first.
            *open = Open::at(now);
            return Ok(Turn::Go { probe: true });
        }
        if now >= open.until {
            open.pause = (open.pause * 2).min(LONGEST_PAUSE);
            open.until = now + open.pause;
            return Ok(Turn::Go { probe: true });
        }
        let patient = open.since + PATIENCE;
        if now < patient {
            return Ok(Turn::Wait(open.until.min(patient)));
        }
        let (failures, last) = (self.failures, &self.reason);
        let reason = format!("{endpoint} is left alone: {failures} calls in a row failed, the last: {last}");
        Err(Error::Retry { reason, after: Some(open.until - now) })
    }

    /// Whether it was waited for in vain: only new calls probe it then.
    fn given_up(&self, now: Instant) -> bool {
        self.open.as_ref().is_some_and(|open| now >= open.since + PATIENCE)
    }

    fn failed(&mut self, reason: &str, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        reason.clone_into(&mut self.reason);
        if self.failures >= FAILURES {
            self.open.get_or_insert_with(|| Open::at(now));
        }
    }
}

/// Those of all endpoints, and whether anybody answers at all.
#[derive(Debug, Default)]
pub(super) struct Breakers {
    all: Mutex<All>,
    /// Tells those who wait that one has closed.
    closed: Notify,
}

#[derive(Debug, Default)]
struct All {
    endpoints: HashMap<String, Breaker>,
    silence: Option<Silence>,
    /// Whether a call of this piece of work got an answer.
    answered: bool,
}

/// Calls in a row, whatever their endpoint, that nobody answered.
#[derive(Debug)]
struct Silence {
    calls: u32,
    /// When the first of them ended.
    since: Instant,
    /// Its endpoint.
    endpoint: String,
    /// Whether another one was silent too.
    several: bool,
}

impl Breakers {
    /// Waits until a call may be made; whether it is a probe.
    ///
    /// # Errors
    /// `Retry`, with the time to the next probe, when its endpoint is open and was waited for.
    pub(super) async fn admit(&self, endpoint: &str) -> Result<bool> {
        loop {
            match self.ask(endpoint, Instant::now())? {
                Turn::Go { probe } => return Ok(probe),
                Turn::Wait(until) => drop(tokio::time::timeout_at(until.into(), self.closed.notified()).await),
            }
        }
    }

    fn ask(&self, endpoint: &str, now: Instant) -> Result<Turn> {
        let mut all = self.all();
        all.endpoints.get_mut(endpoint).map_or(Ok(Turn::Go { probe: false }), |breaker| breaker.ask(endpoint, now))
    }

    /// Whether nothing is wrong with an endpoint.
    pub(super) fn is_closed(&self, endpoint: &str) -> bool {
        self.all().endpoints.get(endpoint).is_none_or(|breaker| breaker.open.is_none())
    }

    /// Whether no call is tried again at an endpoint.
    pub(super) fn given_up(&self, endpoint: &str, now: Instant) -> bool {
        self.all().endpoints.get(endpoint).is_some_and(|breaker| breaker.given_up(now))
    }

    /// Notes what a call came to, and whether somebody answered it.
    pub(super) fn note<T>(&self, endpoint: &str, outcome: &Result<T>, answered: bool, now: Instant) {
        let mut all = self.all();
        if answered {
            (all.silence, all.answered) = (None, true);
        } else {
            let first = || Silence { calls: 0, since: now, endpoint: endpoint.to_owned(), several: false };
            let silence = all.silence.get_or_insert_with(first);
            silence.calls = silence.calls.saturating_add(1);
            silence.several |= silence.endpoint != endpoint;
        }
        match outcome {
            // The limit is everybody's: it says nothing of the endpoint.
            Err(Error::Retry { reason, .. }) if is_call_limit(reason) => {}
            Err(Error::Retry { reason, .. }) => {
                let breaker = all.endpoints.entry(endpoint.to_owned()).or_default();
                let was_open = breaker.open.is_some();
                breaker.failed(reason, now);
                if breaker.open.is_some() && !was_open {
                    tracing::warn!(endpoint, reason, "it fails again and again and is left alone for a while");
                }
            }
            // Also one that refuses what it was asked works.
            _ => {
                if all.endpoints.remove(endpoint).is_some_and(|breaker| breaker.open.is_some()) {
                    tracing::info!(endpoint, "it works again");
                    self.closed.notify_waiters();
                }
            }
        }
    }

    /// Whether nobody has answered for so many calls and so long that it is not an endpoint that is down, but FMP or the
    /// network. That one endpoint alone is silent says so only where no other has answered before.
    pub(super) fn nobody_answers(&self, now: Instant) -> bool {
        let all = self.all();
        all.silence.as_ref().is_some_and(|silence| {
            let long = silence.calls >= FAILURES && now >= silence.since + PATIENCE;
            long && (silence.several || !all.answered)
        })
    }

    /// Begins another piece of work, which finds out for itself whether somebody answers.
    pub(super) fn begin(&self) {
        let mut all = self.all();
        (all.silence, all.answered) = (None, false);
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
