//! The object's transitions, one at a time.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Limits,
    shared_state::{Ask, Day, Lease, State, Stop, Taken, Used},
};
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

fn ask(wanted: u64) -> Ask {
    Ask { wanted, on_demand: true, begun: noon(), ..Ask::default() }
}

fn lease(state: &mut State, ask: &Ask, limits: &Limits, now: DateTime<Utc>) -> Lease {
    match state.take(ask, limits, now) {
        Taken::Permits(lease) => lease,
        other => panic!("{other:?}"),
    }
}

#[test]
fn leases_follow_each_other_and_shrink_with_what_is_taken() {
    let mut state = State::default();
    let first = lease(&mut state, &ask(1_000), &limits(300), noon());
    assert_eq!((first.from, first.calls), (noon(), 14));
    let second = lease(&mut state, &ask(1_000), &limits(300), noon());
    assert_eq!(second.from, first.until());
    let lengths: Vec<u64> = (0..4).map(|_| lease(&mut state, &ask(1_000), &limits(300), noon()).calls).collect();
    assert_eq!(lengths, [7, 4, 2, 2], "half a second at least");
    assert_eq!(lease(&mut state, &ask(1), &limits(300), noon()).calls, 1, "no more than wanted");
}

#[test]
fn no_two_permits_are_nearer_than_a_step() {
    for per_minute in [1, 7, 250, 300, 750, 3_000] {
        let (mut state, mut now) = (State::default(), noon());
        let mut moments = Vec::new();
        for i in 0..200 {
            if let Taken::Permits(lease) = state.take(&ask(i % 40 + 1), &limits(per_minute), now) {
                moments.extend(lease.moments());
            }
            now += TimeDelta::milliseconds(i as i64 * 37 % 900);
        }
        let near = moments.windows(per_minute as usize + 1).find(|w| w[per_minute as usize] - w[0] < super::SPAN);
        assert_eq!(near, None, "{per_minute} a minute");
    }
}

#[test]
fn runs_of_every_day_wait_while_one_on_demand_has_permits() {
    let mut state = State::default();
    let daily = Ask { on_demand: false, ..ask(100) };
    lease(&mut state, &daily, &limits(300), noon());
    let urgent = lease(&mut state, &ask(100), &limits(300), noon());
    let wait = urgent.until() - super::DAILY_AHEAD;
    assert_eq!(state.take(&daily, &limits(300), noon()), Taken::Wait(wait));
    assert_eq!(lease(&mut state, &daily, &limits(300), wait).from, urgent.until(), "no time is lost");
}

#[test]
fn a_day_has_its_calls_and_none_comes_near_midnight() {
    let free = Limits { per_day: Some(250), ..limits(300) };
    let mut state = State::default();
    state.days.insert(noon().date_naive(), Day { calls: 248, bytes: 0 });
    let back = Ask { used: Used { unused: [(noon().date_naive(), 1)].into(), bytes: 5 }, ..ask(10) };
    assert_eq!(lease(&mut state, &back, &free, noon()).calls, 3, "one was given back");
    assert!(matches!(state.take(&ask(1), &free, noon()), Taken::Refused(Error::Budget(_))));
    let evening = at("2026-11-24T23:59:58.500Z");
    let next = lease(&mut state, &ask(10), &free, evening);
    assert_eq!((next.from, next.calls), (at("2026-11-25T00:00:00.250Z"), 10), "it is tomorrow's");
    let mut state = State::default();
    let last = lease(&mut state, &ask(100), &free, at("2026-11-24T23:59:57Z"));
    assert!(last.until() <= at("2026-11-24T23:59:58.200Z"), "{last:?}");
}

#[test]
fn bytes_of_thirty_days_have_an_end() {
    let starter = Limits { bytes: Some(1_000_000), ..limits(300) };
    let mut state = State::default();
    state.days.insert("2026-10-24".parse().unwrap(), Day { calls: 1, bytes: 900_000 });
    state.days.insert("2026-10-25".parse().unwrap(), Day { calls: 1, bytes: 900_000 });
    let used = |bytes| Ask { used: Used { bytes, ..Used::default() }, ..ask(1) };
    lease(&mut state, &used(80_000), &starter, noon());
    assert_eq!(state.days.len(), 2, "what is older than 30 days is forgotten");
    assert!(matches!(state.take(&used(10_000), &starter, noon()), Taken::Refused(Error::Budget(_))));
    lease(&mut state, &ask(1), &starter, noon() + TimeDelta::days(1));
}

#[test]
fn a_stop_is_everybodys() {
    let stop = Stop::of(&Error::Budget("bandwidth".into()), noon());
    let mut state = State { stop: Some(stop), ..State::default() };
    assert_eq!(state.take(&ask(1), &limits(300), noon()), Taken::Refused(Error::Budget("bandwidth".into())));
    lease(&mut state, &ask(1), &limits(300), at("2026-11-25T00:00:01Z"));
    state.stop = Some(Stop::of(&Error::Stop("refused".into()), noon()));
    assert_eq!(state.take(&ask(1), &limits(300), noon()), Taken::Refused(Error::Stop("refused".into())));
    let later = Ask { begun: noon() + TimeDelta::minutes(1), ..ask(1) };
    lease(&mut state, &later, &limits(300), noon() + TimeDelta::minutes(1));
}

#[test]
fn a_pause_holds_all_permits_off() {
    let mut state = State::default();
    state.slow(TimeDelta::seconds(30), noon());
    assert_eq!(lease(&mut state, &ask(1), &limits(300), noon()).from, noon() + TimeDelta::seconds(30));
}

#[test]
fn what_a_wrong_clock_wrote_is_not_waited_for() {
    let mut state = State { next: noon() + TimeDelta::days(30), ..State::default() };
    assert_eq!(lease(&mut state, &ask(1), &limits(300), noon()).from, noon() + super::SPAN);
}

#[test]
fn permits_go_back_while_nobody_has_later_ones() {
    let mut state = State::default();
    let first = lease(&mut state, &ask(10), &limits(300), noon());
    let unused = first.from + first.step * 4;
    state.give_back(unused, first.until(), noon());
    assert_eq!((state.next, state.on_demand_until), (unused, unused));
    let second = lease(&mut state, &ask(10), &limits(300), noon());
    state.give_back(first.from, first.until(), noon());
    assert_eq!(state.next, second.until(), "too late");
}

#[test]
fn the_object_is_small_and_readable() {
    let mut state = State::default();
    for day in 0..60 {
        let used = Used { bytes: 123_456_789, ..Used::default() };
        lease(&mut state, &Ask { used, ..ask(750) }, &limits(3_000), noon() + TimeDelta::days(day));
    }
    state.stop = Some(Stop::of(&Error::Stop("x".repeat(200)), noon()));
    let json = serde_json::to_string(&state).unwrap();
    assert!(json.len() < 2_500, "{} bytes", json.len());
    assert_eq!(serde_json::from_str::<State>(&json).unwrap(), state);
    assert_eq!(serde_json::from_str::<State>("{}").unwrap(), State::default());
}
