//! Decides from change feeds, if the key's calls are limited: data that is older than its time to
//! live is fetched only if a feed reports a change, or if no feed covers it.
//!
//! Changes that no feed reports (a corrected bar, an amended statement, a new name) arrive by
//! rotation: each symbol is fetched once per period, on a day derived from its name, so that the
//! calls spread evenly over the days.

use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use findata_domain::{
    Symbol,
    catalog::{self, ChangeSource, Dataset},
    nyse_calendar,
};
use findata_pipeline::{
    freshness::{Entry, FetchLog},
    plan::{Cadence, Task},
};

use super::{Decision, rotation};
use crate::market::{CALENDAR_TTL, ChangeFeed, FILINGS_TTL, FeedQuery, Market, Verdict};

/// Rotation period of profiles, in days. In between, quotes supply price and market cap.
const PROFILE_ROTATION: u32 = 30;
/// Rotation period, in days, of price series whose bars come from quotes. Such bars lack the VWAP,
/// and FMP corrects bars later.
const PRICES_ROTATION: u32 = 90;
/// Rotation period of dividends and splits, in days. The calendars cover only a week back and two
/// months ahead.
const EVENTS_ROTATION: u32 = 120;
/// Days after which quarterly statements are fetched even without a reported change. Every company
/// reports within that time.
const STATEMENTS_MAX_AGE: i64 = 100;
/// Results announced more than this many days after a quarter's end belong to a later quarter.
/// Companies file within 90 days, and the earliest report comes eight days after the next quarter's
/// end.
const LATER_QUARTER: i64 = 92;
/// Results announced more than this many days after a fiscal year's end may belong to the next
/// fiscal year, which has ended by then.
const LATER_YEAR: i64 = 370;
/// Days for which the planner keeps requesting an announced statement that FMP does not have yet.
const REPORT_WAIT: i64 = 60;
/// Days without a new bar after which a price series is requested only once a week.
const SILENT_AFTER: i64 = 14;
/// Time after a close until quotes stop changing.
const QUOTES_SETTLE: Duration = Duration::minutes(15);
/// How far FMP's answer for a symbol may lag behind the market calendar. An event is therefore
/// requested again a day later.
const CALENDAR_LAG: Duration = Duration::hours(20);

const EVENT_LISTED: &str = "the market calendar lists a new or changed event";
const REPORTED: &str = "the company has reported new results";
const NO_CHANGE: &str = "no change reported since the last fetch";
const PROFILE_NOT_DUE: &str = "not due in the 30-day rotation of profiles";

/// Decides about data that is older than its time to live. Returns `None` if neither a feed nor a
/// rotation decides; the caller then decides by age.
pub(super) fn decide(
    dataset: &Dataset,
    task: &Task,
    cadence: Option<Cadence>,
    known: &Entry,
    market: &Market,
    now: DateTime<Utc>,
) -> Option<Decision> {
    let symbol = task.symbol.as_ref()?;
    let query = FeedQuery {
        symbol,
        subject: symbol.as_str(),
        fetched_at: known.fetched_at,
    };
    let calendar = |feed: &ChangeFeed| feed.verdict(&query, CALENDAR_TTL, CALENDAR_LAG, now);
    let verdict = match dataset.change_feed {
        Some(ChangeSource::Quotes) if is_due(symbol, known.fetched_at, PROFILE_ROTATION, now) => return None,
        Some(ChangeSource::Quotes) => return Some(Decision::Skip(PROFILE_NOT_DUE)),
        Some(ChangeSource::DividendCalendar) => calendar(&market.feeds.dividends),
        Some(ChangeSource::SplitCalendar) => calendar(&market.feeds.splits),
        Some(ChangeSource::Filings) => {
            return statements(symbol, &task.subject(), cadence?, known, market, now);
        }
        None => return None,
    };
    match verdict {
        Verdict::Changed => Some(Decision::Fetch(EVENT_LISTED)),
        Verdict::Unchanged if !is_due(symbol, known.fetched_at, EVENTS_ROTATION, now) => {
            Some(Decision::Skip(NO_CHANGE))
        }
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
    let (filings, reports) = (&market.feeds.filings, &market.feeds.reports);
    let fetched_at = known.fetched_at;
    let age = now - fetched_at;
    let verdict = |feed: &ChangeFeed, subject: &str| {
        feed.verdict(&FeedQuery { symbol, subject, fetched_at }, FILINGS_TTL, Duration::zero(), now)
    };
    let verdict = match verdict(filings, subject) {
        Verdict::Unknown => {
            let from_reports = verdict(reports, symbol.as_str());
            match reports.newest(symbol.as_str()).and_then(|(_, on)| on) {
                _ if from_reports == Verdict::Unknown => Verdict::Unknown,
                Some(on) if is_awaited(on, cadence, known, age, now) => Verdict::Changed,
                _ => Verdict::Unchanged,
            }
        }
        // The feed may list a statement before FMP returns it.
        Verdict::Unchanged => match filings.newest(subject) {
            Some((at, Some(end))) if known.newest.is_some_and(|newest| end > newest + Days::new(14)) => {
                if (now - at).num_days() < REPORT_WAIT {
                    Verdict::Changed
                } else {
                    Verdict::Unchanged
                }
            }
            _ => Verdict::Unchanged,
        },
        Verdict::Changed => Verdict::Changed,
    };
    // A company reports a fiscal year only once a year, so annual statements may be older.
    let max_age = if cadence == Cadence::Annual {
        LATER_YEAR
    } else {
        STATEMENTS_MAX_AGE
    };
    match verdict {
        Verdict::Changed => Some(Decision::Fetch(REPORTED)),
        Verdict::Unchanged if age.num_days() < max_age => Some(Decision::Skip(NO_CHANGE)),
        Verdict::Unchanged | Verdict::Unknown => None,
    }
}

/// Whether to request a statement whose results were announced on the day `announced`. The
/// statement must be later than the newest known one, and the pause since the last request must be
/// over: a day in the first week, then three days until day 30, then a week.
fn is_awaited(
    announced: NaiveDate,
    cadence: Cadence,
    known: &Entry,
    age: Duration,
    now: DateTime<Utc>,
) -> bool {
    let later = match cadence {
        Cadence::Annual => LATER_YEAR,
        Cadence::Quarter => LATER_QUARTER,
    };
    let is_later_period = match known.newest {
        Some(newest) => (announced - newest).num_days() > later,
        // Without known statements, any report that was announced after the last fetch is a later
        // one.
        None => nyse_calendar::close_of(announced) > known.fetched_at,
    };
    let days_since = (nyse_calendar::new_york_date(now) - announced).num_days();
    let pause = match days_since {
        ..7 => Duration::hours(20),
        7..30 => Duration::days(3),
        _ => Duration::days(7),
    };
    let is_time = age >= pause || known.fetched_at < nyse_calendar::close_of(announced);
    is_later_period && days_since < REPORT_WAIT && is_time
}

/// Whether a symbol is due in a rotation: today is its day, or its last fetch is a whole period
/// ago.
fn is_due(symbol: &Symbol, fetched_at: DateTime<Utc>, period_days: u32, now: DateTime<Utc>) -> bool {
    let today = nyse_calendar::new_york_date(now);
    let age = (today - nyse_calendar::new_york_date(fetched_at)).num_days();
    age >= i64::from(period_days) || (age >= 1 && rotation::is_day_of(symbol, today, period_days))
}

/// Returns the first missing day of a price series if only the bar of the last closed session is
/// missing and a quote can supply it.
pub(super) fn bar_from_quote(
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
    let needs_refetch = known.refetch.is_some_and(|refetch| refetch.on <= today);
    let quote_is_final = market.has_batch_quotes(now)
        && to == nyse_calendar::last_closed_session(now)
        && now >= nyse_calendar::close_of(to) + QUOTES_SETTLE
        && now < nyse_calendar::next_opening(to);
    let series_fetched_at = nyse_calendar::close_of(days.last_own());
    let one_missing = newest < to && nyse_calendar::sessions(newest, to) == 1;
    let is_due = is_due(symbol, series_fetched_at, PRICES_ROTATION, now);
    (quote_is_final && one_missing && !needs_refetch && !is_due).then(|| newest + Days::new(1))
}

/// Whether FMP refused a symbol's quote within the last day.
pub(super) fn quotes_refused(symbol: &Symbol, fetch_log: &FetchLog, now: DateTime<Utc>) -> bool {
    let known = fetch_log.entry(catalog::QUOTES, symbol.as_str());
    known.is_some_and(|quote| quote.refused && now - quote.fetched_at < Duration::days(1))
}

/// Whether a series has had no new bar for two weeks and was requested within the last week.
pub(super) fn is_silent(known: Option<&Entry>, to: NaiveDate, now: DateTime<Utc>) -> bool {
    let Some((known, newest)) = known.and_then(|known| Some((known, known.days?.newest?))) else {
        return false;
    };
    (to - newest).num_days() > SILENT_AFTER && now - known.fetched_at < Duration::days(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// Returns a fetch log entry for quarterly statements, the newest of which ends on the day
    /// `newest`.
    fn quarters(newest: &str, fetched_at: &str) -> Entry {
        serde_json::from_value(serde_json::json!({"fetched_at": fetched_at, "newest": newest, "limit": 8}))
            .unwrap()
    }

    #[test]
    fn announced_results_are_requested_less_and_less_often() {
        let awaited = |on: &str, known: &Entry, now: &str| {
            let (on, now) = (on.parse().unwrap(), at(now));
            is_awaited(on, Cadence::Quarter, known, now - known.fetched_at, now)
        };
        let known = quarters("2026-08-31", "2026-12-01T23:00:00Z");
        assert!(
            awaited("2026-12-09", &known, "2026-12-09T23:00:00Z"),
            "a hundred days after the last quarter's end"
        );
        assert!(!awaited("2026-09-24", &known, "2026-12-09T23:00:00Z"), "that quarter is known already");
        // FMP did not have the new quarter on the day of the announcement. It is requested daily
        // for a week, then every third day.
        let same_day = quarters("2026-08-31", "2026-12-09T23:00:00Z");
        assert!(!awaited("2026-12-09", &same_day, "2026-12-10T05:00:00Z"));
        assert!(awaited("2026-12-09", &same_day, "2026-12-10T23:00:00Z"));
        let later = quarters("2026-08-31", "2026-12-20T23:00:00Z");
        assert!(!awaited("2026-12-09", &later, "2026-12-21T23:00:00Z"));
        assert!(awaited("2026-12-09", &later, "2026-12-23T23:00:00Z"));
        assert!(!awaited("2026-12-09", &later, "2027-02-20T23:00:00Z"), "given up after 60 days");
        let arrived = quarters("2026-11-30", "2026-12-10T23:00:00Z");
        assert!(!awaited("2026-12-09", &arrived, "2026-12-12T23:00:00Z"));
    }

    #[test]
    fn a_symbol_is_due_exactly_once_per_rotation() {
        let symbol: Symbol = "AAPL".parse().unwrap();
        let start = at("2026-11-20T22:00:00Z");
        let mut fetched = start;
        let mut due_days = Vec::new();
        for day in 0..100 {
            let now = start + Duration::days(day);
            if is_due(&symbol, fetched, PROFILE_ROTATION, now) {
                fetched = now;
                due_days.push(day);
            }
        }
        assert!(due_days.len() >= 3 && due_days[0] >= 1, "{due_days:?}");
        assert!(
            due_days.windows(2).all(|pair| pair[1] - pair[0] == i64::from(PROFILE_ROTATION)),
            "{due_days:?}"
        );
    }
}
