//! The state that all clients with the same key share, and its transitions. The code does no I/O
//! and receives the time as a parameter.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    BUCKET, CLOCKS, Limits, SPAN, TRAVEL, USE,
    clients::Clients,
    request::{Decision, Grant, GrantId, Request, Unreported},
    stop::Stop,
    time::midnight,
    window::{Kind, Rule, Window},
};
use crate::failure::Failure;
use findata_domain::Error;

/// While an on-demand run is active, scheduled runs get the limit divided by this number.
const SCHEDULED_SHARE: u64 = 10;
/// A client that took permits within the last minute waits until it can get at least the limit
/// divided by this number. Otherwise it would get single permits, each with a write, while the
/// window is nearly full.
const SMALLEST_GRANT: u64 = 100;
/// Clients that wait for the same moment spread their next requests over this time, multiplied by
/// the number of clients if that is known.
const SPREAD: Duration = Duration::from_millis(60);
/// Longest pause. FMP's `Retry-After` may request two minutes.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(3);
/// Days before today that count towards FMP's bandwidth limit of 30 days.
const BYTE_DAYS: u64 = 30;

/// The shared state of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// Recent grants. `None` if an earlier build wrote the state.
    pub window: Option<Window>,
    /// Clients of an earlier build may take permits only from this moment on.
    pub next: DateTime<Utc>,
    /// Clients that requested permits within the last minute.
    pub clients: Clients,
    /// No permits are granted before this moment, because FMP responded that its limit is reached.
    pub paused_until: DateTime<Utc>,
    /// Until when calls are spread evenly, because FMP refused a burst that the plan allows. `None`
    /// if FMP refused no burst.
    pub paced_until: Option<DateTime<Utc>>,
    /// Why no client may call FMP; `None` if calls are allowed.
    pub stop: Option<Stop>,
    /// Calls and bytes by UTC day.
    pub days: BTreeMap<NaiveDate, Day>,
}

/// Calls and bytes of one UTC day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Day {
    /// Number of calls made, plus permits that clients have not used yet.
    pub calls: u64,
    /// Bytes received.
    pub bytes: u64,
}

impl State {
    /// Decides on a request for permits. The second result says whether the state has to be
    /// written. If so, the new state includes the client's report.
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
            // Reserves the last hundredth for calls in flight, whose bytes are not known yet.
            if bytes >= most - most / 100 {
                let text =
                    format!("the FMP plan's bandwidth of {} MB in 30 days is used up", most / 1_000_000);
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
                let text = format!(
                    "all {per_day} calls that the FMP plan allows on {} (UTC) are used up",
                    from.date_naive()
                );
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
        // The more clients share the key, the smaller is each grant.
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

    /// The rules for a request of an on-demand or a scheduled run.
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
            // Keeps the plan's rate in a shorter interval, rounded up to whole buckets.
            let buckets =
                (SPAN.num_milliseconds() as u64 * burst).div_ceil(limit * BUCKET.num_milliseconds() as u64);
            rules.push(Rule { limit: burst, span: BUCKET * buckets as i32, ..all });
        }
        rules
    }

    /// The maximum number of calls made at once; `None` if only the limit per minute applies.
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

    /// Returns the bytes that count towards FMP's bandwidth limit.
    pub(super) fn bytes(&self, now: DateTime<Utc>) -> u64 {
        let oldest = now.date_naive() - Days::new(BYTE_DAYS);
        self.days.range(oldest..).map(|(_, day)| day.bytes).sum()
    }

    /// Adds a client's report to the state. Drops grants, clients and days that no longer count.
    pub(super) fn settle(&mut self, report: &Unreported, limits: &Limits, now: DateTime<Utc>) {
        let from_earlier_build = self.window.is_none();
        let window = self.window.get_or_insert_default();
        if from_earlier_build && self.next > now - SPAN {
            // The earlier build may have granted all calls of the minute before `next`.
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

    /// Suspends grants for some time, after FMP responded that its limit is reached.
    pub(super) fn pause(&mut self, pause: TimeDelta, now: DateTime<Utc>) {
        let until = now + pause.min(LONGEST_PAUSE);
        if until > self.paused_until || self.paused_until > now + LONGEST_PAUSE {
            self.paused_until = until;
        }
    }

    /// Spreads the calls evenly until the next UTC day, after FMP refused a burst. Changes nothing
    /// if the window is full, because then the plan's limit explains the refusal. Otherwise the key
    /// has a limit that FMP does not document.
    pub(super) fn pace(&mut self, limits: &Limits, now: DateTime<Utc>) {
        let used = self.window.as_ref().map_or(0, |w| w.used(Kind::All, SPAN, Window::moment(now)));
        if limits.per_minute.is_some_and(|limit| used < limit.into()) {
            self.paced_until = Some(midnight(now.date_naive() + Days::new(1)));
        }
    }

    /// Whether calls are spread evenly.
    pub(super) fn is_paced(&self, now: DateTime<Utc>) -> bool {
        self.paced_until.is_some_and(|until| now < until && until <= now + TimeDelta::days(1))
    }
}

/// Returns when the new UTC day has begun by all clocks, if a call with a permit valid from `from`
/// might reach FMP before or after midnight. Returns `None` if the call's day is certain.
fn midnight_nearby(from: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (today, tomorrow) =
        (midnight(from.date_naive()) + CLOCKS, midnight(from.date_naive() + Days::new(1)));
    if from < today {
        Some(today)
    } else {
        (from >= tomorrow - (USE + TRAVEL + CLOCKS)).then_some(tomorrow + CLOCKS)
    }
}
