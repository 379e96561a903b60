//! One feed: since when each symbol is followed, and what there was about it.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use findata_domain::Symbol;
use serde::{Deserialize, Serialize};

/// What a feed says about a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It cannot say.
    Unknown,
    /// There is something new.
    Changed,
    /// There is nothing new.
    Unchanged,
}

/// What is asked of a feed.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The company.
    pub symbol: &'a Symbol,
    /// The symbol, with the cadence for filings.
    pub subject: &'a str,
    /// When FMP was asked about it.
    pub asked_at: DateTime<Utc>,
}

/// A feed as far as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeFeed {
    /// When it was last read.
    #[serde(default)]
    pub(super) read_at: Option<DateTime<Utc>>,
    /// Since when nothing about a symbol can have been missed.
    #[serde(default)]
    pub(super) follows: BTreeMap<Symbol, DateTime<Utc>>,
    /// The newest thing about a subject: a symbol, with the cadence for filings.
    #[serde(default)]
    pub(super) news: BTreeMap<String, Item>,
    /// Of a calendar, the events that it held, by symbol and day, as a hash of what was said of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) seen: BTreeMap<String, BTreeMap<NaiveDate, u64>>,
}

/// Something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Item {
    /// Since when it can be had.
    pub(super) at: DateTime<Utc>,
    /// The period's end, of a statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<NaiveDate>,
}

impl ChangeFeed {
    /// Whether it was read lately.
    pub(super) fn is_fresh(&self, lifetime: Duration, now: DateTime<Utc>) -> bool {
        self.read_at.is_some_and(|at| now - at < lifetime)
    }

    pub(super) fn read_now(&mut self, now: DateTime<Utc>) {
        self.read_at = self.read_at.map(|at| at.max(now));
    }

    /// Follows these symbols from now on, as far as it does not yet. What is asked about them from now on is newer.
    pub(super) fn follow(&mut self, symbols: &[Symbol], now: DateTime<Utc>) {
        for symbol in symbols {
            self.follows.entry(symbol.clone()).or_insert(now);
        }
    }

    /// Follows all anew: something may have been missed.
    pub(super) fn start_again(&mut self, now: DateTime<Utc>) {
        self.follows.values_mut().for_each(|since| *since = now);
    }

    /// Notes something new; the newest is kept.
    pub(super) fn note(&mut self, subject: &str, item: Item) {
        let kept = self.news.entry(subject.to_owned()).or_insert(item);
        if item.at >= kept.at {
            *kept = item;
        }
    }

    /// Takes in what another reading of the same feed told.
    pub(super) fn merge(&mut self, other: &ChangeFeed) {
        let kept = std::mem::take(self);
        let (newer, older) = if other.read_at > kept.read_at { (other.clone(), kept) } else { (kept, other.clone()) };
        *self = newer;
        for (symbol, since) in older.follows {
            self.follows.entry(symbol).or_insert(since);
        }
    }

    /// What it says about a symbol's subject that was asked about at a moment. `lag` is how long the answer may be behind the feed.
    pub fn verdict(&self, question: &Question<'_>, lifetime: Duration, lag: Duration, now: DateTime<Utc>) -> Verdict {
        let followed = self.follows.get(question.symbol).is_some_and(|since| *since <= question.asked_at);
        if !followed || !self.is_fresh(lifetime, now) {
            return Verdict::Unknown;
        }
        match self.news.get(question.subject) {
            Some(item) if item.at + lag > question.asked_at => Verdict::Changed,
            _ => Verdict::Unchanged,
        }
    }

    /// The newest thing about a subject: since when it can be had, and the end of its period.
    pub fn newest(&self, subject: &str) -> Option<(DateTime<Utc>, Option<NaiveDate>)> {
        self.news.get(subject).map(|item| (item.at, item.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_feed_proves_quiet_only_for_what_it_followed_without_a_gap() {
        let symbol: Symbol = "AAPL".parse().unwrap();
        let (day, two) = (Duration::days(1), at("2026-11-21T12:00:00Z"));
        let mut feed = ChangeFeed { read_at: Some(at("2026-11-20T12:00:00Z")), ..ChangeFeed::default() };
        feed.follow(std::slice::from_ref(&symbol), at("2026-11-20T12:00:00Z"));
        let told = |feed: &ChangeFeed, asked: &str, now| {
            let question = Question { symbol: &symbol, subject: "AAPL", asked_at: at(asked) };
            feed.verdict(&question, day, Duration::zero(), now)
        };
        assert_eq!(told(&feed, "2026-11-20T12:01:00Z", two), Verdict::Unknown, "not read for a day");
        feed.read_at = Some(two);
        assert_eq!(told(&feed, "2026-11-20T12:01:00Z", two), Verdict::Unchanged);
        assert_eq!(told(&feed, "2026-11-20T11:59:00Z", two), Verdict::Unknown, "asked before it was followed");
        feed.note("AAPL", Item { at: at("2026-11-21T09:00:00Z"), end: None });
        assert_eq!(told(&feed, "2026-11-20T12:01:00Z", two), Verdict::Changed);
        assert_eq!(told(&feed, "2026-11-21T09:00:00Z", two), Verdict::Unchanged, "asked since");
        let soon = Question { symbol: &symbol, subject: "AAPL", asked_at: at("2026-11-21T10:00:00Z") };
        assert_eq!(
            feed.verdict(&soon, day, Duration::hours(2), two),
            Verdict::Changed,
            "the answer may have been behind it"
        );
        feed.start_again(two);
        assert_eq!(told(&feed, "2026-11-21T09:00:00Z", two), Verdict::Unknown);
    }

    #[test]
    fn of_two_readings_the_later_holds_and_none_forgets_whom_it_follows() {
        let (a, b): (Symbol, Symbol) = ("A".parse().unwrap(), "B".parse().unwrap());
        let (first, second) = (at("2026-11-20T12:00:00Z"), at("2026-11-21T12:00:00Z"));
        let mut one = ChangeFeed { read_at: Some(first), ..ChangeFeed::default() };
        one.follow(std::slice::from_ref(&a), first);
        let mut two = ChangeFeed { read_at: Some(second), ..ChangeFeed::default() };
        two.follow(std::slice::from_ref(&b), second);
        for (mut kept, other) in [(one.clone(), &two), (two.clone(), &one)] {
            kept.merge(other);
            assert_eq!((kept.read_at, kept.follows.len()), (Some(second), 2));
            assert_eq!(kept.follows[&a], first);
        }
    }
}
