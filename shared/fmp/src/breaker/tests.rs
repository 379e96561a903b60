//! The breakers, with a clock that goes when it is told to.

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
    let limit = crate::response::classify(reqwest::StatusCode::TOO_MANY_REQUESTS, b"Limit Reach").map(|_| ());
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
