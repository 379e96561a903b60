//! The object that all who have a key share, and what may happen to it. Pure: the time is a parameter.

use std::{cmp::min, collections::BTreeMap};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{CLOCKS, DAILY_AHEAD, Limits, SPAN, TRAVEL, USE};
use findata_domain::Error;

/// All leases together reach so far ahead of now. A lease is half of what is left of that: with the whole, a worker that once
/// got a long one would get long ones for ever.
const REACH: TimeDelta = TimeDelta::seconds(9);
/// The shortest lease, where there is work for it, and the longest.
const SHORTEST: TimeDelta = TimeDelta::milliseconds(500);
const LONGEST: TimeDelta = TimeDelta::seconds(3);
/// Nobody takes permits that are further ahead than this.
const HORIZON: TimeDelta = TimeDelta::minutes(4);
/// What is further ahead than this was written by a machine with a wrong clock: horizon, the longest pause that FMP may ask
/// for and a lease at one call a minute are less.
const WRONG: TimeDelta = TimeDelta::minutes(10);
/// Days before today in the 30 that FMP's limit of bytes is about.
const BYTE_DAYS: u64 = 30;

/// The budget of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// The moment of the next permit that nobody has. All before it are taken or gone.
    pub next: DateTime<Utc>,
    /// Until when a run on demand has permits: runs of every day take none while that lies ahead.
    pub on_demand_until: DateTime<Utc>,
    /// Why nobody may call.
    pub stop: Option<Stop>,
    /// What was used, by UTC day.
    pub days: BTreeMap<NaiveDate, Day>,
}

/// Why nobody may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stop {
    /// FMP's words.
    pub reason: String,
    /// When FMP said so.
    pub at: DateTime<Utc>,
    /// Until when it holds; without that for all work that was begun before.
    pub until: Option<DateTime<Utc>>,
}

/// What was used on a UTC day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Day {
    /// Calls; those of leases that are under way are among them.
    pub calls: u64,
    /// Bytes received.
    pub bytes: u64,
}

/// What a worker wants, and what it has to tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask {
    /// Permits, at least one.
    pub wanted: u64,
    /// It works for a run on demand.
    pub on_demand: bool,
    /// When its run began.
    pub begun: DateTime<Utc>,
    /// What it did since it last wrote.
    pub used: Used,
}

/// What a worker did that the object does not know yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Used {
    /// Permits without a call, by the UTC day of their moment.
    pub unused: BTreeMap<NaiveDate, u64>,
    /// Bytes received.
    pub bytes: u64,
}

/// Permits of one worker: one at `from`, and one a `step` later each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    /// The first one's moment.
    pub from: DateTime<Utc>,
    /// Between two.
    pub step: TimeDelta,
    /// How many.
    pub calls: u64,
}

impl Used {
    /// A permit was not used.
    pub(super) fn note_unused(&mut self, moment: DateTime<Utc>) {
        *self.unused.entry(moment.date_naive()).or_default() += 1;
    }

    /// The object knows this now.
    pub(super) fn subtract(&mut self, told: &Used) {
        self.bytes = self.bytes.saturating_sub(told.bytes);
        for (day, calls) in &told.unused {
            if let Some(left) = self.unused.get_mut(day) {
                *left = left.saturating_sub(*calls);
            }
        }
        self.unused.retain(|_, calls| *calls > 0);
    }
}

impl Lease {
    /// Their moments.
    pub(super) fn moments(self) -> impl Iterator<Item = DateTime<Utc>> {
        (0..self.calls).map(move |i| self.from + self.step * i as i32)
    }

    /// The moment after the last.
    pub(super) fn until(self) -> DateTime<Utc> {
        self.from + self.step * self.calls as i32
    }
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taken {
    /// Permits.
    Permits(Lease),
    /// None before that moment.
    Wait(DateTime<Utc>),
    /// None in this run.
    Refused(Error),
}

impl State {
    /// Gives permits of the future, each once.
    pub(super) fn take(&mut self, ask: &Ask, limits: &Limits, now: DateTime<Utc>) -> Taken {
        if let Some(error) = self.stopped(ask.begun, now) {
            return Taken::Refused(error);
        }
        self.settle(&ask.used, now);
        if let Some(most) = limits.bytes {
            let bytes: u64 = self.days.values().map(|day| day.bytes).sum();
            // What calls under way bring is only known when they have ended: the last hundredth is left for them.
            if bytes >= most - most / 100 {
                let text = format!("the FMP plan's {} MB of 30 days are used up", most / 1_000_000);
                return Taken::Refused(Error::Budget(text));
            }
        }
        if self.next > now + WRONG {
            tracing::warn!(next = %self.next, "the budget on the stage was written by a machine with a wrong clock");
            self.next = now + SPAN;
        }
        let urgent = self.on_demand_until - DAILY_AHEAD;
        if !ask.on_demand && urgent > now && self.on_demand_until < now + WRONG {
            return Taken::Wait(urgent);
        }
        if self.next > now + HORIZON {
            return Taken::Wait(self.next - HORIZON);
        }
        self.lease(ask, limits, now)
    }

    fn lease(&mut self, ask: &Ask, limits: &Limits, now: DateTime<Utc>) -> Taken {
        let step = step(limits);
        let mut from = self.next.max(now);
        let mut calls = ask.wanted.max(1);
        if !step.is_zero() {
            let long = ((REACH - (from - now)) / 2).clamp(SHORTEST, LONGEST);
            calls = calls.min(steps(long, step).max(1));
        }
        if let Some(most) = limits.per_day {
            // A call must not count for another day than its permit: none is given close to midnight.
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
                let text = format!("the FMP plan's {most} calls of {} (UTC) are used up", from.date_naive());
                return Taken::Refused(Error::Budget(text));
            }
        }
        let lease = Lease { from, step, calls };
        self.next = lease.until();
        self.days.entry(from.date_naive()).or_default().calls += calls;
        if ask.on_demand {
            self.on_demand_until = self.next;
        }
        Taken::Permits(lease)
    }

    /// Notes what was used, and forgets what is too old to matter.
    pub(super) fn settle(&mut self, used: &Used, now: DateTime<Utc>) {
        for (day, calls) in &used.unused {
            if let Some(day) = self.days.get_mut(day) {
                day.calls = day.calls.saturating_sub(*calls);
            }
        }
        let today = now.date_naive();
        self.days.entry(today).or_default().bytes += used.bytes;
        self.days.retain(|day, _| (today - Days::new(BYTE_DAYS)..=today + Days::new(1)).contains(day));
    }

    /// Takes permits back, from the moment `first` on, unless somebody has later ones; says whether it did.
    pub(super) fn give_back(&mut self, first: DateTime<Utc>, until: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let last = self.next == until && first < until;
        if last {
            self.next = first.max(now).min(until);
            self.on_demand_until = min(self.on_demand_until, self.next);
        }
        last
    }

    /// FMP said that its limit is reached: no permits for a time; those under way run out.
    pub(super) fn slow(&mut self, pause: TimeDelta, now: DateTime<Utc>) {
        self.next = self.next.max(now + pause);
    }

    fn stopped(&self, begun: DateTime<Utc>, now: DateTime<Utc>) -> Option<Error> {
        let stop = self.stop.as_ref()?;
        match stop.until {
            Some(until) => (now < until).then(|| Error::Budget(stop.reason.clone())),
            None => (begun <= stop.at).then(|| Error::Stop(stop.reason.clone())),
        }
    }
}

impl Stop {
    /// What an error of one call means for all others: bandwidth may be there again on the next UTC day, a refused key
    /// may be mended by a person before the next run.
    pub(super) fn of(error: &Error, now: DateTime<Utc>) -> Self {
        let tomorrow = midnight(now.date_naive() + Days::new(1)) + CLOCKS;
        Stop { reason: error.to_string(), at: now, until: matches!(error, Error::Budget(_)).then_some(tomorrow) }
    }
}

/// Between two permits; nothing where calls are not limited by the minute.
pub(super) fn step(limits: &Limits) -> TimeDelta {
    let span = SPAN.num_microseconds().unwrap_or_default();
    // Rounded up, so that they never lie too near.
    limits.per_minute.map_or(TimeDelta::zero(), |calls| TimeDelta::microseconds(span / i64::from(calls.max(1)) + 1))
}

fn steps(long: TimeDelta, step: TimeDelta) -> u64 {
    let micros = |delta: TimeDelta| delta.num_microseconds().unwrap_or_default();
    u64::try_from(micros(long) / micros(step).max(1)).unwrap_or_default()
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}
