//! A change feed. It contains the time from which it has followed each symbol, and each symbol's
//! newest change.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use findata_domain::{
    Symbol,
    clock::{is_ahead, is_recent},
};
use serde::{Deserialize, Serialize};

/// Whether a symbol's data has changed, according to a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The feed does not cover the time since the data was fetched.
    Unknown,
    /// The feed reports a change since the data was fetched.
    Changed,
    /// The feed proves that nothing has changed since the data was fetched.
    Unchanged,
}

/// A question to a feed: has one symbol's data changed since it was fetched?
#[derive(Debug, Clone, Copy)]
pub struct FeedQuery<'a> {
    /// The company.
    pub symbol: &'a Symbol,
    /// The key under which the feed records changes of the data: the symbol or, for filings,
    /// `symbol:cadence`.
    pub subject: &'a str,
    /// When the data was fetched.
    pub fetched_at: DateTime<Utc>,
}

/// The state of a feed after its last reading, stored under `state/market`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeFeed {
    /// When the feed was last read.
    #[serde(default)]
    pub(super) read_at: Option<DateTime<Utc>>,
    /// For each symbol, the time since which the feed has missed no change.
    #[serde(default, alias = "follows")]
    pub(super) followed_since: BTreeMap<Symbol, DateTime<Utc>>,
    /// The newest change by subject, which is a symbol or, for filings, `symbol:cadence`.
    #[serde(default, alias = "news")]
    pub(super) changes: BTreeMap<String, Change>,
    /// For a calendar: a hash of its events by symbol and day.
    #[serde(default, alias = "seen", skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) events: BTreeMap<String, BTreeMap<NaiveDate, u64>>,
}

/// A change of a subject's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    /// When the changed data became available.
    pub(super) at: DateTime<Utc>,
    /// End of a statement's period, or the day on which results were announced.
    #[serde(default, alias = "end", skip_serializing_if = "Option::is_none")]
    pub(super) day: Option<NaiveDate>,
}

impl ChangeFeed {
    /// Whether the feed was read less than `ttl` ago.
    pub(super) fn is_fresh(&self, ttl: Duration, now: DateTime<Utc>) -> bool {
        self.read_at.is_some_and(|at| is_recent(at, ttl, now))
    }

    /// Treats the feed as read at `now` without a call. A feed that was never read stays unread.
    pub(super) fn assume_unchanged_until(&mut self, now: DateTime<Utc>) {
        self.read_at = self.read_at.map(|at| at.max(now));
    }

    /// Follows these symbols from `now` on. Earlier changes do not matter, because data fetched
    /// after `now` contains them. A symbol that the feed already follows keeps its start time.
    pub(super) fn follow(&mut self, symbols: &[Symbol], now: DateTime<Utc>) {
        for symbol in symbols {
            self.followed_since.entry(symbol.clone()).or_insert(now);
        }
    }

    /// Resets a feed that was read while a clock was ahead of `now`: it counts as never read, and
    /// proves nothing about data fetched before `now`.
    pub(super) fn correct(&mut self, now: DateTime<Utc>) {
        let moments = self.read_at.iter().chain(self.followed_since.values());
        if moments.copied().any(|moment| is_ahead(moment, now)) {
            self.read_at = None;
            self.events.clear();
            self.changes.retain(|_, change| !is_ahead(change.at, now));
            self.restart(now);
        }
    }

    /// Restarts following all symbols at `now`, since a change may have been missed.
    pub(super) fn restart(&mut self, now: DateTime<Utc>) {
        self.followed_since.values_mut().for_each(|since| *since = now);
    }

    /// Records a change. Only the newest one is kept.
    pub(super) fn record(&mut self, subject: &str, change: Change) {
        let kept = self.changes.entry(subject.to_owned()).or_insert(change);
        if change.at >= kept.at {
            *kept = change;
        }
    }

    /// Merges another reading of the same feed. Keeps the later reading, and the symbols that
    /// either reading follows.
    pub(super) fn merge(&mut self, other: &ChangeFeed) {
        let kept = std::mem::take(self);
        let (newer, older) = if other.read_at > kept.read_at {
            (other.clone(), kept)
        } else {
            (kept, other.clone())
        };
        *self = newer;
        for (symbol, since) in older.followed_since {
            self.followed_since.entry(symbol).or_insert(since);
        }
    }

    /// Whether data has changed since it was fetched. `ttl` is how long a reading of the feed
    /// counts as fresh; `lag` is how far FMP's answer for the symbol may lag behind the feed.
    pub fn verdict(
        &self,
        query: &FeedQuery<'_>,
        ttl: Duration,
        lag: Duration,
        now: DateTime<Utc>,
    ) -> Verdict {
        let followed = self.followed_since.get(query.symbol).is_some_and(|since| *since <= query.fetched_at);
        if !followed || !self.is_fresh(ttl, now) {
            return Verdict::Unknown;
        }
        match self.changes.get(query.subject) {
            Some(change) if change.at + lag > query.fetched_at => Verdict::Changed,
            _ => Verdict::Unchanged,
        }
    }

    /// The newest change of a subject: the time at which it became available, and its day.
    pub fn newest(&self, subject: &str) -> Option<(DateTime<Utc>, Option<NaiveDate>)> {
        self.changes.get(subject).map(|change| (change.at, change.day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_feed_proves_no_change_only_for_symbols_followed_without_a_gap() {
        let symbol: Symbol = "AAPL".parse().unwrap();
        let (day, two) = (Duration::days(1), at("2026-11-21T12:00:00Z"));
        let mut feed = ChangeFeed {
            read_at: Some(at("2026-11-20T12:00:00Z")),
            ..ChangeFeed::default()
        };
        feed.follow(std::slice::from_ref(&symbol), at("2026-11-20T12:00:00Z"));
        let verdict = |feed: &ChangeFeed, fetched: &str, now| {
            let query = FeedQuery { symbol: &symbol, subject: "AAPL", fetched_at: at(fetched) };
            feed.verdict(&query, day, Duration::zero(), now)
        };
        assert_eq!(verdict(&feed, "2026-11-20T12:01:00Z", two), Verdict::Unknown, "not read for a day");
        feed.read_at = Some(two);
        assert_eq!(verdict(&feed, "2026-11-20T12:01:00Z", two), Verdict::Unchanged);
        assert_eq!(
            verdict(&feed, "2026-11-20T11:59:00Z", two),
            Verdict::Unknown,
            "fetched before the symbol was followed"
        );
        feed.record("AAPL", Change { at: at("2026-11-21T09:00:00Z"), day: None });
        assert_eq!(verdict(&feed, "2026-11-20T12:01:00Z", two), Verdict::Changed);
        assert_eq!(verdict(&feed, "2026-11-21T09:00:00Z", two), Verdict::Unchanged, "fetched since");
        let soon = FeedQuery {
            symbol: &symbol,
            subject: "AAPL",
            fetched_at: at("2026-11-21T10:00:00Z"),
        };
        assert_eq!(
            feed.verdict(&soon, day, Duration::hours(2), two),
            Verdict::Changed,
            "the answer may lag behind the feed"
        );
        feed.restart(two);
        assert_eq!(verdict(&feed, "2026-11-21T09:00:00Z", two), Verdict::Unknown);
    }

    #[test]
    fn a_feed_read_while_a_clock_was_ahead_starts_anew() {
        let symbol: Symbol = "AAPL".parse().unwrap();
        let (ahead, now) = (at("2099-01-04T23:00:00Z"), at("2026-11-21T12:00:00Z"));
        let mut feed = ChangeFeed { read_at: Some(ahead), ..ChangeFeed::default() };
        feed.follow(std::slice::from_ref(&symbol), ahead);
        feed.record("AAPL", Change { at: ahead, day: None });
        feed.record("MSFT", Change { at: at("2026-11-20T21:00:00Z"), day: None });
        let as_read = feed.clone();
        feed.correct(ahead);
        assert_eq!(feed, as_read, "by its own clock the feed is not ahead");
        assert!(!feed.is_fresh(Duration::hours(6), now));
        feed.correct(now);
        assert_eq!((feed.read_at, feed.followed_since[&symbol]), (None, now));
        assert_eq!((feed.newest("AAPL"), feed.newest("MSFT").is_some()), (None, true));
    }

    #[test]
    fn merging_keeps_the_later_reading_and_all_followed_symbols() {
        let (a, b): (Symbol, Symbol) = ("A".parse().unwrap(), "B".parse().unwrap());
        let (first, second) = (at("2026-11-20T12:00:00Z"), at("2026-11-21T12:00:00Z"));
        let mut one = ChangeFeed { read_at: Some(first), ..ChangeFeed::default() };
        one.follow(std::slice::from_ref(&a), first);
        let mut two = ChangeFeed { read_at: Some(second), ..ChangeFeed::default() };
        two.follow(std::slice::from_ref(&b), second);
        for (mut kept, other) in [(one.clone(), &two), (two.clone(), &one)] {
            kept.merge(other);
            assert_eq!((kept.read_at, kept.followed_since.len()), (Some(second), 2));
            assert_eq!(kept.followed_since[&a], first);
        }
    }
}
