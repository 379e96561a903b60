//! Tests of the transitions of the shared state.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Limits, MAX_LEAD, SPAN,
    request::{Decision, Grant, Request, Unreported},
    shared_state::{Day, State},
    stop::Stop,
};
use crate::failure::Failure;
use findata_domain::Error;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn noon() -> DateTime<Utc> {
    at("2026-11-24T12:00:00Z")
}

fn seconds(seconds: f64) -> TimeDelta {
    TimeDelta::milliseconds((seconds * 1e3) as i64)
}

fn limits(per_minute: u32) -> Limits {
    Limits { per_minute: Some(per_minute), ..Limits::default() }
}

fn request(wanted: u64) -> Request {
    Request {
        client: 1,
        waiting: wanted,
        wanted,
        on_demand: true,
        begun: noon(),
        ..Request::default()
    }
}

fn grant(state: &mut State, request: &Request, limits: &Limits, now: DateTime<Utc>) -> Grant {
    match state.take(request, limits, now) {
        (Decision::Granted(grant), true) => grant,
        other => panic!("{other:?}"),
    }
}

/// How long a request has to wait.
fn wait(state: &mut State, request: &Request, limits: &Limits, now: DateTime<Utc>) -> TimeDelta {
    match state.take(request, limits, now).0 {
        Decision::Wait(until, _) => until - now,
        other => panic!("{other:?}"),
    }
}

#[test]
fn grants_are_made_at_once_until_the_window_is_full() {
    let mut state = State::default();
    let first = grant(&mut state, &request(200), &limits(300), noon());
    assert_eq!((first.from, first.calls), (noon(), 200));
    let rest = grant(&mut state, &request(200), &limits(300), noon() + seconds(1.0));
    assert_eq!(rest.calls, 100);
    assert_eq!(wait(&mut state, &request(1), &limits(300), noon() + seconds(10.0)), SPAN - seconds(10.0));
    assert_eq!(grant(&mut state, &request(500), &limits(300), noon() + SPAN).calls, 200);
    assert_eq!(grant(&mut state, &request(500), &limits(300), noon() + SPAN + seconds(1.0)).calls, 100);
}

#[test]
fn grants_with_timestamps_in_the_future_count() {
    let mut state = State::default();
    grant(&mut state, &request(200), &limits(300), noon() + seconds(0.25));
    let behind = Request { client: 2, ..request(200) };
    assert_eq!(grant(&mut state, &behind, &limits(300), noon()).calls, 75, "half of the shared limit");
    // 63 s after noon, a grant with a timestamp of noon + 0.25 s is only 62.75 s old.
    state = State::default();
    grant(&mut state, &request(300), &limits(300), noon() + seconds(0.25));
    assert_eq!(wait(&mut state, &behind, &limits(300), noon() + SPAN), seconds(0.25));
}

#[test]
fn grants_shrink_with_the_number_of_clients() {
    let mut state = State::default();
    let calls: Vec<u64> = (0..9)
        .map(|client| grant(&mut state, &Request { client, ..request(128) }, &limits(750), noon()).calls)
        .collect();
    assert_eq!(calls, [128, 128, 128, 93, 75, 62, 53, 46, 37]);
    // A client that has used its share waits until the other client has got its share.
    let mut state = State::default();
    let first = grant(&mut state, &request(300), &limits(300), noon());
    let other = Request { client: 2, ..request(50) };
    assert_eq!(wait(&mut state, &other, &limits(300), noon()), SPAN);
    let unused = Unreported { unused: [(first.id, 100)].into(), bytes: 0 };
    let now = noon() + seconds(1.0);
    state.settle(&unused, &limits(300), now);
    assert_eq!(wait(&mut state, &request(300), &limits(300), now), SPAN - seconds(1.0));
    assert_eq!(grant(&mut state, &other, &limits(300), now).calls, 50);
    assert_eq!(grant(&mut state, &request(300), &limits(300), now).calls, 50);
}

#[test]
fn the_daily_limit_is_enforced_and_no_permit_is_valid_close_to_midnight() {
    let free = Limits { per_day: Some(250), ..limits(300) };
    let mut state = State::default();
    state.days.insert(noon().date_naive(), Day { calls: 240, bytes: 0 });
    let first = grant(&mut state, &request(8), &free, noon());
    let unused = [(first.id, 1)].into();
    let back = Request { unreported: Unreported { unused, bytes: 5 }, ..request(10) };
    assert_eq!(grant(&mut state, &back, &free, noon()).calls, 3, "one permit was returned");
    assert!(matches!(
        state.take(&request(1), &free, noon()).0,
        Decision::Refused(Failure::Local(Error::Budget(_)))
    ));
    let mut wait_at = |text| wait(&mut state, &request(1), &free, at(text));
    assert_eq!(
        wait_at("2026-11-24T23:59:58.500Z"),
        seconds(1.75),
        "the call may reach FMP on the next day"
    );
    assert_eq!(wait_at("2026-11-25T00:00:00.100Z"), seconds(0.15), "another clock may be behind");
    assert_eq!(grant(&mut state, &request(10), &free, at("2026-11-25T00:00:00.250Z")).calls, 10);
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
        state.take(&used(10_000), &starter, noon()).0,
        Decision::Refused(Failure::Local(Error::Budget(_)))
    ));
    grant(&mut state, &request(1), &starter, noon() + TimeDelta::days(1));
}

#[test]
fn a_stop_applies_to_every_client() {
    let stop = Stop::of(&Failure::BandwidthUsedUp("bandwidth".into()), noon());
    let mut state = State { stop: Some(stop), ..State::default() };
    assert_eq!(
        state.take(&request(1), &limits(300), noon()).0,
        Decision::Refused(Failure::BandwidthUsedUp("bandwidth".into()))
    );
    grant(&mut state, &request(1), &limits(300), at("2026-11-25T00:00:01Z"));
    state.stop = Some(Stop::of(&Failure::RefusedKey("refused".into()), noon()));
    assert_eq!(
        state.take(&request(1), &limits(300), noon()).0,
        Decision::Refused(Failure::RefusedKey("refused".into()))
    );
    let later = Request { begun: noon() + TimeDelta::minutes(1), ..request(1) };
    grant(&mut state, &later, &limits(300), noon() + TimeDelta::minutes(1));
}

#[test]
fn a_pause_delays_all_calls_and_a_refused_burst_paces_them() {
    let mut state = State::default();
    grant(&mut state, &request(300), &limits(300), noon());
    state.pause(seconds(30.0), noon());
    state.pace(&limits(300), noon());
    assert!(!state.is_paced(noon()), "the window is full");
    let other = Request { client: 2, ..request(100) };
    assert_eq!(wait(&mut state, &other, &limits(300), noon()), seconds(30.0));
    // Two minutes later.
    let now = noon() + seconds(120.0);
    grant(&mut state, &request(100), &limits(300), now);
    state.pace(&limits(300), now);
    let state_of_others: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
    assert_eq!(state_of_others, state);
    let now = now + seconds(2.0);
    assert_eq!(grant(&mut state, &request(100), &limits(300), now).calls, 5, "five a second");
    assert!(wait(&mut state, &request(100), &limits(300), now) <= seconds(1.5));
    assert!(state.is_paced(at("2026-11-24T23:59:59Z")) && !state.is_paced(at("2026-11-25T00:00:01Z")));
}

#[test]
fn grants_with_a_timestamp_far_in_the_future_count_from_now_on() {
    let wrong = noon() + TimeDelta::days(30);
    let mut state = State::default();
    grant(&mut state, &request(200), &limits(300), wrong);
    state.pause(seconds(30.0), wrong);
    assert_eq!(grant(&mut state, &request(200), &limits(300), noon()).calls, 100);
    assert_eq!(wait(&mut state, &request(200), &limits(300), noon() + seconds(1.0)), SPAN - seconds(1.0));
    assert_eq!(grant(&mut state, &request(300), &limits(300), noon() + SPAN).calls, 300);
}

#[test]
fn unused_permits_are_returned_to_their_grant() {
    let mut state = State::default();
    let first = grant(&mut state, &request(300), &limits(300), noon());
    let unused = |calls| Unreported { unused: [(first.id, calls)].into(), bytes: 0 };
    state.settle(&unused(100), &limits(300), noon() + seconds(1.0));
    assert_eq!(grant(&mut state, &request(300), &limits(300), noon() + seconds(2.0)).calls, 100);
    // A grant that has left the window frees no calls.
    state.settle(&unused(100), &limits(300), noon() + SPAN + seconds(1.0));
    assert_eq!(grant(&mut state, &request(300), &limits(300), noon() + SPAN + seconds(1.0)).calls, 200);
}

#[test]
fn a_slow_stage_makes_permits_valid_later() {
    let mut state = State::default();
    let slow = Request { lead: MAX_LEAD, ..request(300) };
    let first = grant(&mut state, &slow, &limits(300), noon());
    assert_eq!(first.from, noon() + MAX_LEAD);
    assert_eq!(wait(&mut state, &request(1), &limits(300), noon()), SPAN + MAX_LEAD);
}

#[test]
fn the_state_of_an_earlier_build_counts_as_a_used_minute() {
    let earlier = r#"{"by": 7, "next": "2026-11-24T12:00:03Z", "on_demand_until": "2026-11-24T12:00:03Z",
                      "stop": null, "days": {"2026-11-24": {"calls": 9, "bytes": 5}}}"#;
    let mut state: State = serde_json::from_str(earlier).unwrap();
    assert_eq!(
        wait(&mut state, &request(1), &limits(300), noon()),
        seconds(3.0),
        "the earlier build's permits end then"
    );
    let now = noon() + seconds(3.0);
    assert_eq!(wait(&mut state, &request(1), &limits(300), now), SPAN);
    assert_eq!(grant(&mut state, &request(300), &limits(300), now + SPAN).calls, 300);
    assert_eq!(state.days[&noon().date_naive()], Day { calls: 309, bytes: 5 });
    assert_eq!(state.next, now + SPAN * 2, "an earlier build grants none of this minute's permits");
    let mut state: State = serde_json::from_str(&earlier.replace(":03Z", ":00Z")).unwrap();
    grant(&mut state, &request(1), &limits(300), noon() + SPAN);
}

#[test]
fn the_shared_state_is_small_and_survives_json() {
    let mut state = State::default();
    for day in 0..40 {
        let bytes = Unreported { bytes: 123_456_789, ..Unreported::default() };
        let now = noon() + TimeDelta::days(day);
        grant(&mut state, &Request { unreported: bytes, ..request(1) }, &limits(3_000), now);
    }
    // Forty clients take single permits for two windows.
    let (mut now, end) = (noon() + TimeDelta::days(40), noon() + TimeDelta::days(40) + SPAN * 2);
    let mut client = 0;
    while now < end {
        client = (client + 1) % 40;
        let request = Request { client: u32::MAX - client, ..request(1) };
        let _ = state.take(&request, &limits(3_000), now);
        now += TimeDelta::milliseconds(60);
    }
    state.stop = Some(Stop::of(&Failure::RefusedKey("x".repeat(200)), noon()));
    let json = serde_json::to_string(&state).unwrap();
    assert!(json.len() < 13_000, "{} bytes", json.len());
    assert_eq!(serde_json::from_str::<State>(&json).unwrap(), state);
    assert_eq!(serde_json::from_str::<State>("{}").unwrap(), State::default());
}
