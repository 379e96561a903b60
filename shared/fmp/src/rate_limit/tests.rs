//! The transitions of the shared state.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Limits,
    request::{Decision, Grant, Request, Unreported},
    shared_state::{Day, State, Stop},
};
use crate::failure::Failure;
use findata_domain::Error;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn noon() -> DateTime<Utc> {
    at("2026-11-24T12:00:00Z")
}

fn limits(per_minute: u32) -> Limits {
    Limits { per_minute: Some(per_minute), ..Limits::default() }
}

fn request(wanted: u64) -> Request {
    Request { wanted, on_demand: true, begun: noon(), ..Request::default() }
}

fn grant(state: &mut State, request: &Request, limits: &Limits, now: DateTime<Utc>) -> Grant {
    match state.take(request, limits, now) {
        Decision::Granted(grant) => grant,
        other => panic!("{other:?}"),
    }
}

#[test]
fn leases_follow_each_other_and_get_shorter() {
    let mut state = State::default();
    let first = grant(&mut state, &request(1_000), &limits(300), noon());
    assert_eq!((first.from, first.calls), (noon(), 14));
    let second = grant(&mut state, &request(1_000), &limits(300), noon());
    assert_eq!(second.from, first.until());
    let lengths: Vec<u64> =
        (0..4).map(|_| grant(&mut state, &request(1_000), &limits(300), noon()).calls).collect();
    assert_eq!(lengths, [7, 4, 2, 2], "half a second at least");
    assert_eq!(grant(&mut state, &request(1), &limits(300), noon()).calls, 1, "no more than wanted");
}

#[test]
fn no_two_permits_are_closer_than_a_step() {
    for per_minute in [1, 7, 250, 300, 750, 3_000] {
        let (mut state, mut now) = (State::default(), noon());
        let mut moments = Vec::new();
        for i in 0..200 {
            if let Decision::Granted(grant) = state.take(&request(i % 40 + 1), &limits(per_minute), now) {
                moments.extend(grant.moments());
            }
            now += TimeDelta::milliseconds(i as i64 * 37 % 900);
        }
        let near = moments
            .windows(per_minute as usize + 1)
            .find(|w| w[per_minute as usize] - w[0] < super::SPAN);
        assert_eq!(near, None, "{per_minute} a minute");
    }
}

#[test]
fn scheduled_runs_wait_while_an_on_demand_run_holds_permits() {
    let mut state = State::default();
    let daily = Request { on_demand: false, ..request(100) };
    grant(&mut state, &daily, &limits(300), noon());
    let urgent = grant(&mut state, &request(100), &limits(300), noon());
    let wait = urgent.until() - super::DAILY_AHEAD;
    assert_eq!(state.take(&daily, &limits(300), noon()), Decision::Wait(wait));
    assert_eq!(grant(&mut state, &daily, &limits(300), wait).from, urgent.until(), "no time is lost");
}

#[test]
fn the_daily_limit_holds_and_no_permit_is_close_to_midnight() {
    let free = Limits { per_day: Some(250), ..limits(300) };
    let mut state = State::default();
    state.days.insert(noon().date_naive(), Day { calls: 248, bytes: 0 });
    let back = Request {
        unreported: Unreported { unused: [(noon().date_naive(), 1)].into(), bytes: 5 },
        ..request(10)
    };
    assert_eq!(grant(&mut state, &back, &free, noon()).calls, 3, "one was returned");
    assert!(matches!(
        state.take(&request(1), &free, noon()),
        Decision::Refused(Failure::Local(Error::Budget(_)))
    ));
    let evening = at("2026-11-24T23:59:58.500Z");
    let next = grant(&mut state, &request(10), &free, evening);
    assert_eq!(
        (next.from, next.calls),
        (at("2026-11-25T00:00:00.250Z"), 10),
        "it belongs to the next day"
    );
    let mut state = State::default();
    let last = grant(&mut state, &request(100), &free, at("2026-11-24T23:59:57Z"));
    assert!(last.until() <= at("2026-11-24T23:59:58.200Z"), "{last:?}");
}

#[test]
fn the_bytes_of_thirty_days_are_limited() {
    let starter = Limits { bytes: Some(1_000_000), ..limits(300) };
    let mut state = State::default();
    state.days.insert("2026-10-24".parse().unwrap(), Day { calls: 1, bytes: 900_000 });
    state.days.insert("2026-10-25".parse().unwrap(), Day { calls: 1, bytes: 900_000 });
    let used = |bytes| Request {
        unreported: Unreported { bytes, ..Unreported::default() },
        ..request(1)
    };
    grant(&mut state, &used(80_000), &starter, noon());
    assert_eq!(state.days.len(), 2, "days older than 30 are dropped");
    assert!(matches!(
        state.take(&used(10_000), &starter, noon()),
        Decision::Refused(Failure::Local(Error::Budget(_)))
    ));
    grant(&mut state, &request(1), &starter, noon() + TimeDelta::days(1));
}

#[test]
fn a_stop_applies_to_every_client() {
    let stop = Stop::of(&Failure::BandwidthUsedUp("bandwidth".into()), noon());
    let mut state = State { stop: Some(stop), ..State::default() };
    assert_eq!(
        state.take(&request(1), &limits(300), noon()),
        Decision::Refused(Failure::BandwidthUsedUp("bandwidth".into()))
    );
    grant(&mut state, &request(1), &limits(300), at("2026-11-25T00:00:01Z"));
    state.stop = Some(Stop::of(&Failure::RefusedKey("refused".into()), noon()));
    assert_eq!(
        state.take(&request(1), &limits(300), noon()),
        Decision::Refused(Failure::RefusedKey("refused".into()))
    );
    let later = Request { begun: noon() + TimeDelta::minutes(1), ..request(1) };
    grant(&mut state, &later, &limits(300), noon() + TimeDelta::minutes(1));
}

#[test]
fn a_pause_delays_all_permits() {
    let mut state = State::default();
    state.pause(TimeDelta::seconds(30), noon());
    assert_eq!(grant(&mut state, &request(1), &limits(300), noon()).from, noon() + TimeDelta::seconds(30));
}

#[test]
fn a_moment_written_by_a_wrong_clock_is_ignored() {
    let mut state = State { next: noon() + TimeDelta::days(30), ..State::default() };
    assert_eq!(grant(&mut state, &request(1), &limits(300), noon()).from, noon() + super::SPAN);
}

#[test]
fn permits_can_be_returned_while_nobody_holds_later_ones() {
    let mut state = State::default();
    let first = grant(&mut state, &request(10), &limits(300), noon());
    let unused = first.from + first.step * 4;
    state.give_back(unused, first.until(), noon());
    assert_eq!((state.next, state.on_demand_until), (unused, unused));
    let second = grant(&mut state, &request(10), &limits(300), noon());
    state.give_back(first.from, first.until(), noon());
    assert_eq!(state.next, second.until(), "too late");
}

#[test]
fn the_shared_state_is_small_and_survives_json() {
    let mut state = State::default();
    for day in 0..60 {
        let used = Unreported { bytes: 123_456_789, ..Unreported::default() };
        grant(
            &mut state,
            &Request { unreported: used, ..request(750) },
            &limits(3_000),
            noon() + TimeDelta::days(day),
        );
    }
    state.stop = Some(Stop::of(&Failure::RefusedKey("x".repeat(200)), noon()));
    let json = serde_json::to_string(&state).unwrap();
    assert!(json.len() < 2_500, "{} bytes", json.len());
    assert_eq!(serde_json::from_str::<State>(&json).unwrap(), state);
    assert_eq!(serde_json::from_str::<State>("{}").unwrap(), State::default());
}
