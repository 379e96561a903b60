//! The state that everyone who uses a key shares, and its transitions. Pure: the time is a
//! parameter.

use std::{cmp::min, collections::BTreeMap};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    CLOCKS, DAILY_AHEAD, Limits, SPAN, TRAVEL, USE,
    request::{Decision, Grant, Request, Unreported},
};
use crate::failure::Failure;
use findata_domain::Error;

/// How far all leases together reach into the future. A lease takes half of the rest.
/// If it took all of it, a client that once got a long lease would always get long ones.
const REACH: TimeDelta = TimeDelta::seconds(9);
/// The shortest lease (if there are enough callers) and the longest.
const SHORTEST_LEASE: TimeDelta = TimeDelta::milliseconds(500);
const LONGEST_LEASE: TimeDelta = TimeDelta::seconds(3);
/// Nobody leases permits that are further in the future than this.
const HORIZON: TimeDelta = TimeDelta::minutes(4);
/// A moment further in the future than this must have been written by a machine with a wrong clock:
/// the horizon, the longest pause that FMP may request and a lease at one call a minute add up to less.
const MAX_PLAUSIBLE: TimeDelta = TimeDelta::minutes(10);
/// Days before today that count towards FMP's bandwidth limit of 30 days.
const BYTE_DAYS: u64 = 30;

/// The shared state of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// The moment of the first permit that nobody has taken. All earlier ones are taken or lost.
    pub next: DateTime<Utc>,
    /// Until when on-demand runs hold permits. Scheduled runs get none before.
    pub on_demand_until: DateTime<Utc>,
    /// Why nobody may call, if so.
    pub stop: Option<Stop>,
    /// Usage by UTC day.
    pub days: BTreeMap<NaiveDate, Day>,
}

/// Why nobody may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stop {
    /// The message for the user.
    pub reason: String,
    /// When FMP answered so.
    pub at: DateTime<Utc>,
    /// When used-up bandwidth may be available again. Otherwise the stop applies to all runs begun
    /// before `at`.
    pub until: Option<DateTime<Utc>>,
    /// FMP refused access (403) and not the key (401), so another key does not help.
    #[serde(default)]
    pub access_refused: bool,
}

/// Usage on a UTC day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Day {
    /// Calls, including all permits of current leases.
    pub calls: u64,
    /// Bytes received.
    pub bytes: u64,
}

impl State {
    /// Grants permits in the future, each to one client only.
    pub(super) fn take(&mut self, request: &Request, limits: &Limits, now: DateTime<Utc>) -> Decision {
        if let Some(failure) = self.stopped(request.begun, now) {
            return Decision::Refused(failure);
        }
        self.settle(&request.unreported, now);
        if let Some(most) = limits.bytes {
            let bytes: u64 = self.days.values().map(|day| day.bytes).sum();
            // The bytes of calls in flight are not known yet: the last hundredth is reserved for
            // them.
            if bytes >= most - most / 100 {
                let text = format!("the FMP plan's {} MB in 30 days are used up", most / 1_000_000);
                return Decision::Refused(Failure::Local(Error::Budget(text)));
            }
        }
        if self.next > now + MAX_PLAUSIBLE {
            tracing::warn!(next = %self.next, "a machine with a wrong clock wrote the state of the rate limiter");
            self.next = now + SPAN;
        }
        let on_demand_first = self.on_demand_until - DAILY_AHEAD;
        if !request.on_demand && on_demand_first > now && self.on_demand_until < now + MAX_PLAUSIBLE {
            return Decision::Wait(on_demand_first);
        }
        if self.next > now + HORIZON {
            return Decision::Wait(self.next - HORIZON);
        }
        self.grant(request, limits, now)
    }

    fn grant(&mut self, request: &Request, limits: &Limits, now: DateTime<Utc>) -> Decision {
        let step = step(limits);
        let mut from = self.next.max(now);
        let mut calls = request.wanted.max(1);
        if !step.is_zero() {
            let length = ((REACH - (from - now)) / 2).clamp(SHORTEST_LEASE, LONGEST_LEASE);
            calls = calls.min(steps(length, step).max(1));
        }
        if let Some(most) = limits.per_day {
            // A call must not reach FMP on another day than its permit's: none is granted close to
            // midnight.
            let (dawn, dusk) = (CLOCKS, TimeDelta::days(1) - (USE + TRAVEL + CLOCKS));
            let of_day = |moment: DateTime<Utc>| moment - midnight(moment.date_naive());
            if of_day(from) >= dusk {
                from = midnight(from.date_naive() + Days::new(1));
            }
            from += (dawn - of_day(from)).max(TimeDelta::zero());
            if !step.is_zero() {
                calls = calls.min(steps(dusk - of_day(from), step).max(1));
            }
            let used = self.days.get(&from.date_naive()).map_or(0, |day| day.calls);
            calls = calls.min(most.saturating_sub(used));
            if calls == 0 {
                let text = format!("the FMP plan's {most} calls for {} (UTC) are used up", from.date_naive());
                return Decision::Refused(Failure::Local(Error::Budget(text)));
            }
        }
        let grant = Grant { from, step, calls };
        self.next = grant.until();
        self.days.entry(from.date_naive()).or_default().calls += calls;
        if request.on_demand {
            self.on_demand_until = self.next;
        }
        Decision::Granted(grant)
    }

    /// Adds a client's report, and drops days that no longer count.
    pub(super) fn settle(&mut self, report: &Unreported, now: DateTime<Utc>) {
        for (day, calls) in &report.unused {
            if let Some(day) = self.days.get_mut(day) {
                day.calls = day.calls.saturating_sub(*calls);
            }
        }
        let today = now.date_naive();
        self.days.entry(today).or_default().bytes += report.bytes;
        self.days
            .retain(|day, _| (today - Days::new(BYTE_DAYS)..=today + Days::new(1)).contains(day));
    }

    /// Takes back the permits from `first` to `until` unless somebody holds later ones. Returns
    /// whether it did.
    pub(super) fn give_back(
        &mut self,
        first: DateTime<Utc>,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> bool {
        let last = self.next == until && first < until;
        if last {
            self.next = first.max(now).min(until);
            self.on_demand_until = min(self.on_demand_until, self.next);
        }
        last
    }

    /// Grants no permits for some time, because FMP says that its limit is reached. Permits already
    /// granted expire.
    pub(super) fn pause(&mut self, pause: TimeDelta, now: DateTime<Utc>) {
        self.next = self.next.max(now + pause);
    }

    fn stopped(&self, begun: DateTime<Utc>, now: DateTime<Utc>) -> Option<Failure> {
        let stop = self.stop.as_ref()?;
        match stop.until {
            Some(until) => (now < until).then(|| Failure::BandwidthUsedUp(stop.reason.clone())),
            None if begun > stop.at => None,
            None if stop.access_refused => Some(Failure::RefusedAccess(stop.reason.clone())),
            None => Some(Failure::RefusedKey(stop.reason.clone())),
        }
    }
}

impl Stop {
    /// What the failure of one call means for all others: bandwidth may be available again on the
    /// next UTC day; a refused key stops the runs begun so far, since somebody may fix it before
    /// the next run.
    pub(super) fn of(failure: &Failure, now: DateTime<Utc>) -> Self {
        let tomorrow = midnight(now.date_naive() + Days::new(1)) + CLOCKS;
        Stop {
            reason: failure.to_string(),
            at: now,
            until: matches!(failure, Failure::BandwidthUsedUp(_)).then_some(tomorrow),
            access_refused: matches!(failure, Failure::RefusedAccess(_)),
        }
    }
}

/// The time between two permits, zero if calls per minute are not limited.
pub(super) fn step(limits: &Limits) -> TimeDelta {
    let span = SPAN.num_microseconds().unwrap_or_default();
    // Rounded up, so that permits are never too close.
    limits
        .per_minute
        .map_or(TimeDelta::zero(), |calls| TimeDelta::microseconds(span / i64::from(calls.max(1)) + 1))
}

fn steps(length: TimeDelta, step: TimeDelta) -> u64 {
    let micros = |delta: TimeDelta| delta.num_microseconds().unwrap_or_default();
    u64::try_from(micros(length) / micros(step).max(1)).unwrap_or_default()
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}
