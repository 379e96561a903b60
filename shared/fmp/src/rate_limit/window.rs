//! The window: the grants of the last 63 s, by timestamp.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{BUCKET, CLOCKS, MAX_LEAD, SPAN};

/// All grants with the same timestamp: the timestamp, the calls granted to on-demand runs, and the
/// calls granted to scheduled runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Bucket(#[serde(with = "chrono::serde::ts_milliseconds")] DateTime<Utc>, u64, u64);

impl Bucket {
    fn calls(&self, kind: Kind) -> u64 {
        match kind {
            Kind::All => self.1 + self.2,
            Kind::Scheduled => self.2,
        }
    }
}

/// Which calls a rule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    All,
    Scheduled,
}

/// A rule: at most `limit` calls of a kind in any interval of length `span`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub kind: Kind,
    pub limit: u64,
    pub span: TimeDelta,
    /// When the rule ends; `None` if it does not end.
    pub until: Option<DateTime<Utc>>,
}

/// Recent grants, oldest first. There are at most 64 s / [`BUCKET`] buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Window(Vec<Bucket>);

impl Window {
    /// The timestamp of a grant made at this time: the time rounded down to [`BUCKET`].
    pub(super) fn moment(at: DateTime<Utc>) -> DateTime<Utc> {
        at.duration_trunc(BUCKET).unwrap_or(at)
    }

    /// Adds granted calls to the bucket with their timestamp.
    pub(super) fn add(&mut self, moment: DateTime<Utc>, on_demand: bool, calls: u64) {
        let place = self.0.partition_point(|bucket| bucket.0 < moment);
        if self.0.get(place).is_none_or(|bucket| bucket.0 != moment) {
            self.0.insert(place, Bucket(moment, 0, 0));
        }
        if let Some(bucket) = self.0.get_mut(place) {
            *(if on_demand { &mut bucket.1 } else { &mut bucket.2 }) += calls;
        }
    }

    /// Subtracts calls that were granted but not made from the bucket with their timestamp.
    pub(super) fn give_back(&mut self, moment: DateTime<Utc>, on_demand: bool, calls: u64) {
        if let Some(bucket) = self.0.iter_mut().find(|bucket| bucket.0 == moment) {
            let granted = if on_demand { &mut bucket.1 } else { &mut bucket.2 };
            *granted = granted.saturating_sub(calls);
        }
    }

    /// Drops grants that no longer count. A machine with a wrong clock may have recorded grants
    /// with future timestamps. They get the current timestamp instead, which is safe because they
    /// were made earlier.
    pub(super) fn tidy(&mut self, now: DateTime<Utc>) {
        // The clock of another machine may be behind this machine's clock.
        let oldest = now - SPAN - CLOCKS;
        self.0.retain(|bucket| bucket.0 > oldest && bucket.calls(Kind::All) > 0);
        let plausible = self.0.partition_point(|bucket| bucket.0 <= now + CLOCKS + MAX_LEAD);
        let future = self.0.split_off(plausible);
        if !future.is_empty() {
            tracing::warn!(
                "the rate limiter's state has grants in the future: the clock of another machine is wrong"
            );
        }
        for bucket in future {
            self.add(Window::moment(now), true, bucket.1);
            self.add(Window::moment(now), false, bucket.2);
        }
    }

    /// The calls of a kind within `span` before a grant at `moment`. Grants with later timestamps
    /// count too, because they come from machines whose clocks are ahead.
    pub(super) fn used(&self, kind: Kind, span: TimeDelta, moment: DateTime<Utc>) -> u64 {
        let counted = self.0.iter().filter(|bucket| bucket.0 > moment - span);
        counted.map(|bucket| bucket.calls(kind)).sum()
    }

    /// How many more calls a rule allows at this moment.
    pub(super) fn room(&self, rule: &Rule, moment: DateTime<Utc>) -> u64 {
        rule.limit.saturating_sub(self.used(rule.kind, rule.span, moment))
    }

    /// When a rule will allow this many calls, if no other client takes permits until then.
    pub(super) fn room_at(&self, rule: &Rule, calls: u64, moment: DateTime<Utc>) -> DateTime<Utc> {
        let mut room = self.room(rule, moment);
        let mut at = moment;
        for bucket in self.0.iter().filter(|bucket| bucket.0 > moment - rule.span) {
            if room >= calls {
                break;
            }
            room += bucket.calls(rule.kind);
            at = bucket.0 + rule.span;
        }
        rule.until.map_or(at, |until| at.min(until))
    }
}
