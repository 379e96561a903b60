//! The state that everyone who uses a key shares, and its transitions. Pure: the time is a
//! parameter.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    BUCKET, CLOCKS, Limits, SPAN, TRAVEL, USE,
    clients::Clients,
    request::{Decision, Grant, GrantId, Request, Unreported},
    stop::Stop,
    window::{Kind, Rule, Window},
};
use crate::failure::Failure;
use findata_domain::Error;

/// Scheduled runs keep one call in this many while an on-demand run is active.
const SCHEDULED_SHARE: u64 = 10;
/// A client that has permits and needs more waits until it can get one in this many of the limit's
/// calls, so that a full window is not handed out in single permits.
const SMALLEST_GRANT: u64 = 100;
/// Clients that wait for the same moment spread over this time; where their number is known, over
/// this time for each of them.
const SPREAD: Duration = Duration::from_millis(60);
/// No pause is longer: FMP may ask for two minutes.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(3);
/// Days before today that count towards FMP's bandwidth limit of 30 days.
const BYTE_DAYS: u64 = 30;

/// The shared state of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// Recent grants. `None` if an earlier build wrote the state.
    pub window: Option<Window>,
    /// For earlier builds, which grant permits from this moment on.
    pub next: DateTime<Utc>,
    /// Clients with recent requests.
    pub clients: Clients,
    /// No calls before, because FMP said that its limit is reached.
    pub paused_until: DateTime<Utc>,
    /// Calls are paced until then, because FMP refused a burst that the plan allows.
    pub paced_until: Option<DateTime<Utc>>,
    /// Why nobody may call, if so.
    pub stop: Option<Stop>,
    /// Usage by UTC day.
    pub days: BTreeMap<NaiveDate, Day>,
}

/// Usage on a UTC day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Day {
    /// Calls, including all permits that clients hold.
    pub calls: u64,
    /// Bytes received.
    pub bytes: u64,
}

impl State {
    /// Grants permits, or says when to ask again. The second result says whether the state has to
    /// be written; if so, it includes what the client reported.
    pub(super) fn take(
        &mut self,
        request: &Request,
        limits: &Limits,
        now: DateTime<Utc>,
    ) -> (Decision, bool) {
        let refused = |failure| (Decision::Refused(failure), false);
        if let Some(failure) = self.stop.as_ref().and_then(|stop| stop.failure(request.begun, now)) {
            return refused(failure);
        }
        // An earlier build may have granted permits up to `next`.
        if self.window.is_none() && self.next > now && self.next <= now + LONGEST_PAUSE {
            return (Decision::Wait(self.next, SPREAD), false);
        }
        self.settle(&request.unreported, limits, now);
        if let Some(most) = limits.bytes {
            let bytes: u64 = self.days.values().map(|day| day.bytes).sum();
            // The bytes of calls in flight are not known yet: the last hundredth is reserved for
            // them.
            if bytes >= most - most / 100 {
                let text = format!("the FMP plan's {} MB in 30 days are used up", most / 1_000_000);
                return refused(Failure::Local(Error::Budget(text)));
            }
        }
        let from = now + request.lead;
        let mut most = request.wanted.max(request.waiting);
        if let Some(per_day) = limits.per_day {
            if let Some(dawn) = midnight_nearby(from) {
                return (Decision::Wait(dawn, SPREAD), false);
            }
            let used = self.days.get(&from.date_naive()).map_or(0, |day| day.calls);
            most = most.min(per_day.saturating_sub(used));
            if most == 0 {
                let text =
                    format!("the FMP plan's {per_day} calls for {} (UTC) are used up", from.date_naive());
                return refused(Failure::Local(Error::Budget(text)));
            }
        }
        if self.paused_until > now && self.paused_until <= now + LONGEST_PAUSE {
            return (Decision::Wait(self.paused_until, SPREAD), false);
        }
        self.grant(request, most, limits, from, now)
    }

    fn grant(
        &mut self,
        request: &Request,
        most: u64,
        limits: &Limits,
        from: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> (Decision, bool) {
        let moment = Window::moment(from);
        let Some(limit) = limits.per_minute.map(u64::from) else {
            return (self.granted(request, most, from, now), true);
        };
        let rules = self.rules(request.on_demand, limit, limits, now);
        let window = self.window.get_or_insert_default();
        let room = rules.iter().map(|rule| window.room(rule, moment)).min().unwrap_or(most);
        // Each grant is smaller, the more clients share the key.
        let clients = self.clients.count(request.client, request.on_demand);
        let mut share = (room / clients).max(limit / (2 * clients)).max(1);
        let least = rules.iter().map(|rule| rule.limit).min().unwrap_or(limit);
        let needed = if self.clients.knows(request.client) {
            request.waiting.min(limit / SMALLEST_GRANT).min(share).min(least).max(1)
        } else {
            1
        };
        let rest = self.clients.rest_of_share(request.client, request.on_demand, limit, now);
        share = rest.map_or(share, |(calls, _)| share.min(calls));
        if room >= needed && share > 0 {
            return (self.granted(request, most.min(share).min(room), from, now), true);
        }
        let lacking = rules.iter().filter(|rule| window.room(rule, moment) < needed);
        let others_until = rest.filter(|(calls, _)| *calls == 0).map(|(_, until)| until);
        let until = lacking.map(|rule| window.room_at(rule, needed, moment)).chain(others_until).max();
        let until = (until.unwrap_or(moment) - request.lead).max(now);
        let written = self.clients.waits(request.client, request.on_demand, until, now);
        (Decision::Wait(until, SPREAD * clients as u32), written)
    }

    /// What limits a request of a kind of run.
    fn rules(&self, on_demand: bool, limit: u64, limits: &Limits, now: DateTime<Utc>) -> Vec<Rule> {
        let all = Rule { kind: Kind::All, limit, span: SPAN, until: None };
        let mut rules = vec![all];
        let share = limit.div_ceil(SCHEDULED_SHARE);
        match self.clients.active_until(!on_demand, now) {
            None => {}
            until if on_demand => {
                let used =
                    self.window.as_ref().map_or(0, |w| w.used(Kind::Scheduled, SPAN, Window::moment(now)));
                rules.push(Rule { limit: limit - share.saturating_sub(used), until, ..all });
            }
            until => rules.push(Rule { kind: Kind::Scheduled, limit: share, until, ..all }),
        }
        if let Some(burst) = self.burst(limits, now).filter(|burst| *burst < limit) {
            // The same rate, in a shorter interval; in whole buckets.
            let buckets =
                (SPAN.num_milliseconds() as u64 * burst).div_ceil(limit * BUCKET.num_milliseconds() as u64);
            rules.push(Rule { limit: burst, span: BUCKET * buckets as i32, ..all });
        }
        rules
    }

    /// The most calls at once.
    fn burst(&self, limits: &Limits, now: DateTime<Utc>) -> Option<u64> {
        let paced = limits.per_minute.filter(|_| self.is_paced(now)).map(|limit| limit.div_ceil(60));
        let burst = [limits.burst, paced].into_iter().flatten().min()?;
        Some(u64::from(burst.max(1)))
    }

    fn granted(
        &mut self,
        request: &Request,
        calls: u64,
        from: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Decision {
        let id = GrantId { moment: Window::moment(from), on_demand: request.on_demand };
        self.window.get_or_insert_default().add(id.moment, id.on_demand, calls);
        self.next = id.moment + SPAN;
        self.clients.granted(request.client, request.on_demand, calls, now);
        self.days.entry(from.date_naive()).or_default().calls += calls;
        Decision::Granted(Grant { id, from, calls })
    }

    /// Adds a client's report, and drops what no longer counts.
    pub(super) fn settle(&mut self, report: &Unreported, limits: &Limits, now: DateTime<Utc>) {
        let from_earlier_build = self.window.is_none();
        let window = self.window.get_or_insert_default();
        if from_earlier_build && self.next > now - SPAN {
            // It may have used up the minute before `next`.
            let moment = Window::moment(self.next.min(now));
            window.add(moment, true, limits.per_minute.unwrap_or_default().into());
        }
        for (grant, calls) in &report.unused {
            window.give_back(grant.moment, grant.on_demand, *calls);
            if let Some(day) = self.days.get_mut(&grant.moment.date_naive()) {
                day.calls = day.calls.saturating_sub(*calls);
            }
        }
        window.tidy(now);
        self.clients.tidy(now);
        let today = now.date_naive();
        self.days.entry(today).or_default().bytes += report.bytes;
        self.days
            .retain(|day, _| (today - Days::new(BYTE_DAYS)..=today + Days::new(1)).contains(day));
    }

    /// Grants no permits for some time, because FMP says that its limit is reached.
    pub(super) fn pause(&mut self, pause: TimeDelta, now: DateTime<Utc>) {
        let until = now + pause.min(LONGEST_PAUSE);
        if until > self.paused_until || self.paused_until > now + LONGEST_PAUSE {
            self.paused_until = until;
        }
    }

    /// Paces the calls of this UTC day if the plan allows more calls than were granted within the
    /// last minute: FMP refused a burst, so the key has a limit that FMP does not document.
    pub(super) fn pace(&mut self, limits: &Limits, now: DateTime<Utc>) {
        let used = self.window.as_ref().map_or(0, |w| w.used(Kind::All, SPAN, Window::moment(now)));
        if limits.per_minute.is_some_and(|limit| used < limit.into()) {
            self.paced_until = Some(midnight(now.date_naive() + Days::new(1)));
        }
    }

    /// Whether calls are paced.
    pub(super) fn is_paced(&self, now: DateTime<Utc>) -> bool {
        self.paced_until.is_some_and(|until| now < until && until <= now + TimeDelta::days(1))
    }
}

/// The moment at which a UTC day has begun by all clocks, if a call with a permit of `from` could
/// reach FMP on the other side of midnight.
fn midnight_nearby(from: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (today, tomorrow) =
        (midnight(from.date_naive()) + CLOCKS, midnight(from.date_naive() + Days::new(1)));
    if from < today {
        Some(today)
    } else {
        (from >= tomorrow - (USE + TRAVEL + CLOCKS)).then_some(tomorrow + CLOCKS)
    }
}

pub(super) fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}
