//! The cheapest proof that what is there still holds, for a key whose calls are limited.
//!
//! What is older than its time to live is asked for only where a feed tells of something new, or where no feed can tell. What a
//! feed does not tell (a corrected bar, an amended statement, a new name) comes when a symbol's turn comes: once in so many
//! days, on a day of its own, so that every day has its share.

use chrono::{DateTime, Datelike, Days, Duration, NaiveDate, Utc};
use findata_domain::{
    Symbol,
    catalog::{self, ChangeSource, Dataset},
    hash, nyse_calendar,
};
use findata_pipeline::{
    freshness::{Entry, FetchLog},
    plan::{Cadence, Task},
};

use super::Decision;
use crate::market::{CALENDAR_FRESH, ChangeFeed, FILINGS_FRESH, Market, Question, Verdict};

/// A profile of a symbol's own: quotes tell price and market cap, prices their newest bar.
const PROFILE_TURN: i64 = 30;
/// A price series of its own, where bars come with quotes: those have no VWAP, and FMP corrects bars.
const PRICES_TURN: i64 = 90;
/// Events: the calendars see a week back and two months ahead.
const EVENTS_TURN: i64 = 120;
/// Statements without any news: a company that reports does so within that time.
const STATEMENTS_TURN: i64 = 100;
/// A report that came so long after a period's end is about a later one: companies file within 90 days of a quarter, and the
/// quickest report eight days after the next.
const LATER_QUARTER: i64 = 92;
/// And so long after a fiscal year's end: the next one has ended, with weeks to close its books.
const LATER_YEAR: i64 = 370;
/// A statement that was announced is waited for so long.
const AWAITED: i64 = 60;
/// A series without a bar for so long is asked for once a week.
const SILENT: i64 = 14;

/// The answer about a symbol may be behind the market's calendar: its event is asked about once more, a day later.
const CALENDAR_AHEAD: Duration = Duration::hours(20);

const QUIET: &str = "no news of it since";
const WAITS: &str = "waits for its turn, once in 30 days";

/// Decides about what is older than its time to live, where a feed or a turn can; `None` where its age does.
pub(super) fn decide(
    dataset: &Dataset,
    task: &Task,
    cadence: Option<Cadence>,
    known: &Entry,
    market: &Market,
    now: DateTime<Utc>,
) -> Option<Decision> {
    let symbol = task.symbol.as_ref()?;
    let question = Question { symbol, subject: symbol.as_str(), asked_at: known.fetched_at };
    let calendar = |feed: &ChangeFeed| feed.verdict(&question, CALENDAR_FRESH, CALENDAR_AHEAD, now);
    let told = match dataset.change_feed {
        Some(ChangeSource::Quotes) if is_turn(symbol, known.fetched_at, PROFILE_TURN, now) => return None,
        Some(ChangeSource::Quotes) => return Some(Decision::Skip(WAITS)),
        Some(ChangeSource::DividendCalendar) => calendar(&market.news.dividends),
        Some(ChangeSource::SplitCalendar) => calendar(&market.news.splits),
        Some(ChangeSource::Filings) => return statements(symbol, &task.subject(), cadence?, known, market, now),
        None => return None,
    };
    match told {
        Verdict::Changed => Some(Decision::Fetch("the market's calendar tells of it")),
        Verdict::Unchanged if !is_turn(symbol, known.fetched_at, EVENTS_TURN, now) => Some(Decision::Skip(QUIET)),
        Verdict::Unchanged | Verdict::Unknown => None,
    }
}

fn statements(
    symbol: &Symbol,
    subject: &str,
    cadence: Cadence,
    known: &Entry,
    market: &Market,
    now: DateTime<Utc>,
) -> Option<Decision> {
    let (filings, reports) = (&market.news.filings, &market.news.reports);
    let age = now - known.fetched_at;
    let asked_at = known.fetched_at;
    let tells = |feed: &ChangeFeed, subject: &str| {
        feed.verdict(&Question { symbol, subject, asked_at }, FILINGS_FRESH, Duration::zero(), now)
    };
    let told = match tells(filings, subject) {
        Verdict::Unknown => {
            let followed = tells(reports, symbol.as_str());
            match reports.newest(symbol.as_str()).and_then(|(_, on)| on) {
                _ if followed == Verdict::Unknown => Verdict::Unknown,
                Some(on) if is_awaited(on, cadence, known, age, now) => Verdict::Changed,
                _ => Verdict::Unchanged,
            }
        }
        // FMP's feed may be ahead of its statements.
        Verdict::Unchanged => match filings.newest(subject) {
            Some((at, Some(end))) if known.newest.is_some_and(|newest| end > newest + Days::new(14)) => {
                if (now - at).num_days() < AWAITED { Verdict::Changed } else { Verdict::Unchanged }
            }
            _ => Verdict::Unchanged,
        },
        Verdict::Changed => Verdict::Changed,
    };
    match told {
        Verdict::Changed => Some(Decision::Fetch("the company has reported")),
        Verdict::Unchanged if age.num_days() < STATEMENTS_TURN => Some(Decision::Skip(QUIET)),
        // Fiscal years come once a year.
        Verdict::Unchanged if cadence == Cadence::Annual && age.num_days() < LATER_YEAR => Some(Decision::Skip(QUIET)),
        Verdict::Unchanged | Verdict::Unknown => None,
    }
}

/// Whether results announced on a day are of a period that has not come yet, and it is time to look again: daily for a week,
/// then more and more seldom.
fn is_awaited(on: NaiveDate, cadence: Cadence, known: &Entry, age: Duration, now: DateTime<Utc>) -> bool {
    let later = match cadence {
        Cadence::Annual => LATER_YEAR,
        Cadence::Quarter => LATER_QUARTER,
    };
    // Of a company without statements a report may be the first.
    let new =
        known.newest.map_or(nyse_calendar::close_of(on) > known.fetched_at, |newest| (on - newest).num_days() > later);
    let since = (nyse_calendar::new_york_date(now) - on).num_days();
    let pause = match since {
        ..7 => Duration::hours(20),
        7..30 => Duration::days(3),
        _ => Duration::days(7),
    };
    new && since < AWAITED && (age >= pause || known.fetched_at < nyse_calendar::close_of(on))
}

/// Whether it is a symbol's day: one in so many, by its name, or the last that it may wait.
fn is_turn(symbol: &Symbol, fetched_at: DateTime<Utc>, days: i64, now: DateTime<Utc>) -> bool {
    let today = nyse_calendar::new_york_date(now);
    let age = (today - nyse_calendar::new_york_date(fetched_at)).num_days();
    let turn = i64::from(today.num_days_from_ce()) % days;
    let own = (hash::number(symbol.as_str()) % days.unsigned_abs()) as i64;
    age >= days || (age >= 1 && own == turn)
}

/// Whether the only bar that is missing of a series is one that a quote tells: that of the session which closed last.
pub(super) fn comes_with_a_quote(
    symbol: &Symbol,
    fetch_log: &FetchLog,
    to: NaiveDate,
    market: &Market,
    now: DateTime<Utc>,
) -> Option<NaiveDate> {
    if quotes_refused(symbol, fetch_log, now) {
        return None;
    }
    let known = fetch_log.entry(catalog::PRICES, symbol.as_str())?;
    let days = known.days?;
    let newest = days.newest?;
    let today = nyse_calendar::new_york_date(now);
    let again = known.refetch.is_some_and(|again| again.on <= today);
    let quoted = market.has_quotes(now)
        && to == nyse_calendar::last_closed_session(now)
        && now >= nyse_calendar::close_of(to) + SETTLED
        && now < nyse_calendar::next_opening(to);
    let own = nyse_calendar::close_of(days.last_own());
    let alone = newest < to && nyse_calendar::sessions(newest, to) == 1;
    (quoted && alone && !again && !is_turn(symbol, own, PRICES_TURN, now)).then(|| newest + Days::new(1))
}

/// Whether FMP refused a symbol's quote lately.
pub(super) fn quotes_refused(symbol: &Symbol, fetch_log: &FetchLog, now: DateTime<Utc>) -> bool {
    let known = fetch_log.entry(catalog::QUOTES, symbol.as_str());
    known.is_some_and(|quote| quote.refused && now - quote.fetched_at < Duration::days(1))
}

/// Quotes stand still so long after a close.
const SETTLED: Duration = Duration::minutes(15);

/// Whether a series that no bar comes to any more was asked for lately.
pub(super) fn is_silent(known: Option<&Entry>, to: NaiveDate, now: DateTime<Utc>) -> bool {
    let Some((known, newest)) = known.and_then(|known| Some((known, known.days?.newest?))) else { return false };
    (to - newest).num_days() > SILENT && now - known.fetched_at < Duration::days(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// Quarters whose newest ended on a day, asked for at a moment.
    fn quarters(newest: &str, fetched_at: &str) -> Entry {
        serde_json::from_value(serde_json::json!({"fetched_at": fetched_at, "newest": newest, "limit": 8})).unwrap()
    }

    #[test]
    fn results_of_a_later_quarter_are_waited_for_more_and_more_seldom() {
        let awaited = |on: &str, known: &Entry, now: &str| {
            let (on, now) = (on.parse().unwrap(), at(now));
            is_awaited(on, Cadence::Quarter, known, now - known.fetched_at, now)
        };
        let known = quarters("2026-08-31", "2026-12-01T23:00:00Z");
        assert!(awaited("2026-12-09", &known, "2026-12-09T23:00:00Z"), "a hundred days after the last quarter's end");
        assert!(!awaited("2026-09-24", &known, "2026-12-09T23:00:00Z"), "that was the quarter which is there");
        // Asked on the day, and nothing came: daily for a week, then every third day.
        let asked = quarters("2026-08-31", "2026-12-09T23:00:00Z");
        assert!(!awaited("2026-12-09", &asked, "2026-12-10T05:00:00Z"));
        assert!(awaited("2026-12-09", &asked, "2026-12-10T23:00:00Z"));
        let later = quarters("2026-08-31", "2026-12-20T23:00:00Z");
        assert!(!awaited("2026-12-09", &later, "2026-12-21T23:00:00Z"));
        assert!(awaited("2026-12-09", &later, "2026-12-23T23:00:00Z"));
        assert!(!awaited("2026-12-09", &later, "2027-02-20T23:00:00Z"), "it will not come any more");
        let there = quarters("2026-11-30", "2026-12-10T23:00:00Z");
        assert!(!awaited("2026-12-09", &there, "2026-12-12T23:00:00Z"));
    }

    #[test]
    fn every_symbol_has_its_turn_once_in_so_many_days() {
        let symbol: Symbol = "AAPL".parse().unwrap();
        let start = at("2026-11-20T22:00:00Z");
        let mut fetched = start;
        let mut turns = Vec::new();
        for day in 0..100 {
            let now = start + Duration::days(day);
            if is_turn(&symbol, fetched, PROFILE_TURN, now) {
                fetched = now;
                turns.push(day);
            }
        }
        assert!(turns.len() >= 3 && turns[0] >= 1, "{turns:?}");
        assert!(turns.windows(2).all(|pair| pair[1] - pair[0] == PROFILE_TURN), "{turns:?}");
    }
}
