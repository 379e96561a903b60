//! Tests of the breakers, with a clock that the tests set.

use super::*;

const DOWN: &str = "FMP responded with 500";

/// Breakers, and the moment that the tests use as second 0.
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

    fn ask(&self, endpoint: &str, seconds: f64) -> Result<Admission, Failure> {
        self.breakers.ask(endpoint, self.at(seconds))
    }

    fn record(&self, endpoint: &str, outcome: Result<(), Failure>, seconds: f64) {
        self.breakers.record(endpoint, &outcome, self.at(seconds));
    }

    fn fail(&self, endpoint: &str, times: u32, seconds: f64) {
        (0..times).for_each(|_| self.record(endpoint, Err(Failure::transient(DOWN)), seconds));
    }

    fn silent(&self, endpoint: &str, seconds: f64) {
        self.record(endpoint, Err(Failure::NoAnswer("no answer".into())), seconds);
    }
}

const GO: Result<Admission, Failure> = Ok(Admission::Go { probe: false });
const PROBE: Result<Admission, Failure> = Ok(Admission::Go { probe: true });

#[test]
fn failures_in_a_row_open_only_their_own_endpoint() {
    let clock = Clock::new();
    clock.fail("splits", FAILURES - 1, 0.0);
    assert_eq!(clock.ask("splits", 0.0), GO);
    clock.record("splits", Ok(()), 0.0);
    clock.fail("splits", FAILURES - 1, 0.0);
    assert!(clock.breakers.is_closed("splits"), "a response in between resets the count");
    clock.fail("splits", 1, 0.0);
    assert!(!clock.breakers.is_closed("splits"));
    assert_eq!(clock.ask("splits", 0.0), Ok(Admission::Wait(clock.at(1.0))));
    assert_eq!(clock.ask("profile", 0.0), GO);
}

#[test]
fn call_limits_and_rejections_do_not_open_the_breaker() {
    let clock = Clock::new();
    for _ in 0..3 {
        clock.fail("splits", FAILURES - 1, 0.0);
        clock.record("splits", Err(Failure::NotOffered("404".into())), 0.0);
        clock.fail("splits", FAILURES - 1, 0.0);
        clock.record("splits", Err(Failure::NotInPlan("402".into())), 0.0);
    }
    let limit = crate::response::classify(reqwest::StatusCode::TOO_MANY_REQUESTS, b"Limit Reach").map(|_| ());
    (0..3 * FAILURES).for_each(|_| clock.record("splits", limit.clone(), 0.0));
    assert_eq!(clock.ask("splits", 0.0), GO);
    // A call limit does not reset the count either.
    clock.fail("splits", FAILURES - 1, 0.0);
    clock.record("splits", limit, 0.0);
    clock.fail("splits", 1, 0.0);
    assert!(!clock.breakers.is_closed("splits"));
}

#[test]
fn an_open_breaker_admits_one_probe_after_each_pause() {
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
    // An endpoint that is down for five minutes costs nine calls.
    assert_eq!(probes, [1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0, 183.0, 243.0]);
}

#[test]
fn calls_wait_for_the_first_probes_and_then_fail_at_once() {
    let clock = Clock::new();
    clock.fail("splits", FAILURES, 0.0);
    assert_eq!(clock.ask("splits", 1.0), PROBE);
    assert_eq!(clock.ask("splits", 1.0), Ok(Admission::Wait(clock.at(3.0))));
    assert_eq!((clock.ask("splits", 3.0), clock.ask("splits", 7.0)), (PROBE, PROBE));
    assert_eq!(clock.ask("splits", 7.0), Ok(Admission::Wait(clock.at(8.0))));
    let Err(Failure::Transient { message, retry_after }) = clock.ask("splits", 8.0) else {
        panic!("not rejected")
    };
    assert_eq!(
        message,
        "splits is suspended: 10 calls in a row failed, the last with: FMP responded with 500"
    );
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
    assert!(
        !clock.breakers.rejects_retries("splits", clock.at(7.9))
            && clock.breakers.rejects_retries("splits", clock.at(8.0))
    );
    assert_eq!(clock.ask("splits", 15.0), PROBE);
}

#[test]
fn a_successful_probe_closes_the_breaker() {
    let clock = Clock::new();
    clock.fail("splits", FAILURES, 0.0);
    assert_eq!(clock.ask("splits", 1.0), PROBE);
    clock.record("splits", Ok(()), 1.2);
    assert_eq!(clock.ask("splits", 1.2), GO);
    clock.fail("splits", FAILURES - 1, 1.3);
    assert_eq!(clock.ask("splits", 1.3), GO);
}

#[test]
fn a_probe_that_never_returns_does_not_block_the_next() {
    let clock = Clock::new();
    clock.fail("splits", FAILURES, 0.0);
    assert_eq!((clock.ask("splits", 1.0), clock.ask("splits", 3.0)), (PROBE, PROBE));
}

#[test]
fn an_open_breaker_without_calls_for_long_counts_as_just_opened() {
    let clock = Clock::new();
    clock.fail("splits", FAILURES, 0.0);
    assert_eq!(clock.ask("splits", 900.0), PROBE);
    assert_eq!(
        clock.ask("splits", 900.0),
        Ok(Admission::Wait(clock.at(901.0))),
        "a later batch waits instead of failing at once"
    );
}

#[test]
fn several_silent_endpoints_mean_that_fmp_is_down() {
    let clock = Clock::new();
    for endpoint in ["a", "b", "c", "d", "e", "f"] {
        clock.silent(endpoint, 0.0);
        clock.silent(endpoint, 0.1);
    }
    assert!(!clock.breakers.nobody_answers(clock.at(7.9)), "a short silence may pass");
    assert!(clock.breakers.nobody_answers(clock.at(8.0)));
    assert!(clock.breakers.is_closed("a"), "no single endpoint failed ten times");
    clock.record("g", Err(Failure::transient(DOWN)), 8.0);
    assert!(!clock.breakers.nobody_answers(clock.at(8.0)), "an error is a response too");
    clock.silent("a", 8.0);
    clock.silent("b", 8.0);
    assert!(!clock.breakers.nobody_answers(clock.at(60.0)), "a few calls are not enough");
}

#[test]
fn one_silent_endpoint_means_that_fmp_is_down_only_if_no_other_responded() {
    let clock = Clock::new();
    let silent = |from: f64| (0..FAILURES).for_each(|_| clock.silent("splits", from));
    silent(0.0);
    assert!(clock.breakers.nobody_answers(clock.at(8.0)));
    clock.record("profile", Ok(()), 8.0);
    silent(8.0);
    assert!(!clock.breakers.nobody_answers(clock.at(60.0)));
    clock.breakers.begin();
    silent(60.0);
    assert!(clock.breakers.nobody_answers(clock.at(68.0)));
}
