//! Breakers: an endpoint that fails again and again is left alone, until one call let through now and then gets an answer.
//!
//! Each endpoint has one of its own. It counts what would be tried again and is the endpoint's own: errors of the server,
//! broken bodies, silence. An open one costs no call but its probes. At first calls wait at it, about as long as one call's
//! tries take, so that what passes in a moment fails no task; after that they are refused at once, and nothing is tried again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::answer::is_call_limit;
use crate::{Error, Result};

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

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: &str = "FMP answered 500";

    /// Breakers and a clock that goes when it is told to.
    struct Clock {
        breakers: Breakers,
        begun: Instant,
    }

    impl Clock {
        fn new() -> Self {
            Clock { breakers: Breakers::default(), begun: Instant::now() }
        }

        fn at(&self, seconds: f64) -> Instant {
            self.begun + Duration::from_secs_f64(seconds)
        }

        fn ask(&self, endpoint: &str, seconds: f64) -> Result<Turn> {
            self.breakers.ask(endpoint, self.at(seconds))
        }

        fn note(&self, endpoint: &str, outcome: Result<()>, seconds: f64) {
            self.breakers.note(endpoint, &outcome, true, self.at(seconds));
        }

        fn fail(&self, endpoint: &str, times: u32, seconds: f64) {
            (0..times).for_each(|_| self.note(endpoint, Err(Error::retry(DOWN)), seconds));
        }

        fn silent(&self, endpoint: &str, seconds: f64) {
            self.breakers.note::<()>(endpoint, &Err(Error::retry("no answer")), false, self.at(seconds));
        }
    }

    const GO: Result<Turn> = Ok(Turn::Go { probe: false });
    const PROBE: Result<Turn> = Ok(Turn::Go { probe: true });

    #[test]
    fn it_opens_after_failures_in_a_row_and_for_its_endpoint_alone() {
        let clock = Clock::new();
        clock.fail("splits", FAILURES - 1, 0.0);
        assert_eq!(clock.ask("splits", 0.0), GO);
        clock.note("splits", Ok(()), 0.0);
        clock.fail("splits", FAILURES - 1, 0.0);
        assert!(clock.breakers.is_closed("splits"), "an answer in between begins the row anew");
        clock.fail("splits", 1, 0.0);
        assert!(!clock.breakers.is_closed("splits"));
        assert_eq!(clock.ask("splits", 0.0), Ok(Turn::Wait(clock.at(1.0))));
        assert_eq!(clock.ask("profile", 0.0), GO);
    }

    #[test]
    fn what_is_everybodys_or_an_answer_does_not_open_it() {
        let clock = Clock::new();
        for _ in 0..3 {
            clock.fail("splits", FAILURES - 1, 0.0);
            clock.note("splits", Err(Error::Reject("404".into())), 0.0);
            clock.fail("splits", FAILURES - 1, 0.0);
            clock.note("splits", Err(Error::NotInPlan("402".into())), 0.0);
        }
        let limit = crate::fmp::answer::classify(reqwest::StatusCode::TOO_MANY_REQUESTS, b"Limit Reach").map(|_| ());
        (0..3 * FAILURES).for_each(|_| clock.note("splits", limit.clone(), 0.0));
        assert_eq!(clock.ask("splits", 0.0), GO);
        // Nor does the limit break the row.
        clock.fail("splits", FAILURES - 1, 0.0);
        clock.note("splits", limit, 0.0);
        clock.fail("splits", 1, 0.0);
        assert!(!clock.breakers.is_closed("splits"));
    }

    #[test]
    fn an_open_one_lets_one_probe_through_after_each_pause() {
        let clock = Clock::new();
        clock.fail("splits", FAILURES, 0.0);
        let mut probes = Vec::new();
        for tenth in 0..3_000 {
            let now = f64::from(tenth) / 10.0;
            if clock.ask("splits", now) == PROBE {
                probes.push(now);
                clock.fail("splits", 1, now);
                assert_ne!(clock.ask("splits", now), PROBE);
            }
        }
        // So many calls cost five minutes of an endpoint that is down.
        assert_eq!(probes, [1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0, 183.0, 243.0]);
    }

    #[test]
    fn calls_wait_for_the_first_probes_and_are_refused_after_them() {
        let clock = Clock::new();
        clock.fail("splits", FAILURES, 0.0);
        assert_eq!(clock.ask("splits", 1.0), PROBE);
        assert_eq!(clock.ask("splits", 1.0), Ok(Turn::Wait(clock.at(3.0))));
        assert_eq!((clock.ask("splits", 3.0), clock.ask("splits", 7.0)), (PROBE, PROBE));
        assert_eq!(clock.ask("splits", 7.0), Ok(Turn::Wait(clock.at(8.0))));
        let Err(Error::Retry { reason, after }) = clock.ask("splits", 8.0) else { panic!("not refused") };
        assert_eq!(reason, "splits is left alone: 10 calls in a row failed, the last: FMP answered 500");
        assert_eq!(after, Some(Duration::from_secs(7)));
        assert!(!clock.breakers.given_up("splits", clock.at(7.9)) && clock.breakers.given_up("splits", clock.at(8.0)));
        assert_eq!(clock.ask("splits", 15.0), PROBE);
    }

    #[test]
    fn an_answer_to_a_probe_closes_it() {
        let clock = Clock::new();
        clock.fail("splits", FAILURES, 0.0);
        assert_eq!(clock.ask("splits", 1.0), PROBE);
        clock.note("splits", Ok(()), 1.2);
        assert_eq!(clock.ask("splits", 1.2), GO);
        clock.fail("splits", FAILURES - 1, 1.3);
        assert_eq!(clock.ask("splits", 1.3), GO);
    }

    #[test]
    fn a_probe_that_never_comes_back_holds_up_no_other() {
        let clock = Clock::new();
        clock.fail("splits", FAILURES, 0.0);
        assert_eq!((clock.ask("splits", 1.0), clock.ask("splits", 3.0)), (PROBE, PROBE));
    }

    #[test]
    fn what_is_known_grows_old() {
        let clock = Clock::new();
        clock.fail("splits", FAILURES, 0.0);
        assert_eq!(clock.ask("splits", 900.0), PROBE);
        assert_eq!(clock.ask("splits", 900.0), Ok(Turn::Wait(clock.at(901.0))), "a later batch is not refused unheard");
    }

    #[test]
    fn when_nobody_answers_anything_it_is_not_an_endpoint() {
        let clock = Clock::new();
        for endpoint in ["a", "b", "c", "d", "e", "f"] {
            clock.silent(endpoint, 0.0);
            clock.silent(endpoint, 0.1);
        }
        assert!(!clock.breakers.nobody_answers(clock.at(7.9)), "a moment of it may pass");
        assert!(clock.breakers.nobody_answers(clock.at(8.0)));
        assert!(clock.breakers.is_closed("a"), "no endpoint failed often");
        clock.note("g", Err(Error::retry(DOWN)), 8.0);
        assert!(!clock.breakers.nobody_answers(clock.at(8.0)), "an error is an answer too");
        clock.silent("a", 8.0);
        clock.silent("b", 8.0);
        assert!(!clock.breakers.nobody_answers(clock.at(60.0)), "a few calls are not enough");
    }

    #[test]
    fn one_silent_endpoint_is_fmp_only_where_no_other_has_answered() {
        let clock = Clock::new();
        let silent = |from: f64| (0..FAILURES).for_each(|_| clock.silent("splits", from));
        silent(0.0);
        assert!(clock.breakers.nobody_answers(clock.at(8.0)));
        clock.note("profile", Ok(()), 8.0);
        silent(8.0);
        assert!(!clock.breakers.nobody_answers(clock.at(60.0)));
        clock.breakers.begin();
        silent(60.0);
        assert!(clock.breakers.nobody_answers(clock.at(68.0)));
    }
}
