//! Finds the days that are missing from a price series.

use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use findata_domain::{Error, Result, nyse_calendar};
use findata_pipeline::{freshness::Entry, run::Options};

use super::{
    AHEAD, Decision, EMPTY, EMPTY_TTL, FRESH, FULL, MORE_HISTORY, NOT_FETCHED, NOT_IN_PLAN, UNCONFIRMED,
};

/// Days of prices fetched for a new symbol: five years.
pub(super) const FIRST_HISTORY: Days = Days::new(5 * 365 + 2);
/// Days fetched again at the end of a known series, since FMP corrects its newest bars.
const OVERLAP: Days = Days::new(4);
/// Maximum days of one price call. 15 years have fewer than 3,800 bars, and FMP truncates at 5,000.
pub(super) const WINDOW: Days = Days::new(15 * 365);
/// How long FMP may take after a close to publish the session's bar.
const PUBLICATION_DELAY: Duration = Duration::hours(6);
/// Minimum pause between two requests for a late bar.
const LATE_BAR_PAUSE: Duration = Duration::minutes(15);
/// The reason for fetching the end of a known series.
pub(super) const SESSION_CLOSED: &str = "a session has closed since the last fetch";
const EVENT_TOOK_EFFECT: &str = "a split or dividend took effect since the last fetch";
const NO_SESSION: &str = "no session has closed in this range";

/// Returns the requested days of prices: the first day, if the request names it, and the last day,
/// which is at most the newest closed session.
pub(super) fn price_range(options: &Options, now: DateTime<Utc>) -> Result<(Option<NaiveDate>, NaiveDate)> {
    let closed = nyse_calendar::last_closed_session(now);
    let to = options.prices_to.map_or(closed, |to| to.min(closed));
    match (options.prices_from, options.prices_to) {
        (Some(from), Some(to)) if from > to => {
            Err(Error::Reject(format!("prices from {from} to {to}: the range ends before it starts")))
        }
        (from, _) => Ok((from, to)),
    }
}

/// Returns the missing ranges of a price series. If none is missing, returns one range with the
/// reason to skip it.
pub(super) fn missing_days(
    known: Option<&Entry>,
    (from, to): (Option<NaiveDate>, NaiveDate),
    full: bool,
    now: DateTime<Utc>,
) -> Vec<(NaiveDate, NaiveDate, Decision)> {
    let covered = known.and_then(|e| e.days);
    let first = from.or(covered.map(|c| c.from)).unwrap_or(to - FIRST_HISTORY);
    let fetch = |from: NaiveDate, to: NaiveDate, why: &'static str| {
        windows(from, to).into_iter().map(move |(from, to)| (from, to, Decision::Fetch(why)))
    };
    if first > to {
        return vec![(first, to, Decision::Skip(NO_SESSION))];
    }
    if known.is_some_and(|k| k.refused && !full && now - k.fetched_at < EMPTY_TTL) {
        return vec![(first, to, Decision::Skip(NOT_IN_PLAN))];
    }
    let (Some(known), Some(covered)) = (known, covered) else {
        return fetch(first, to, NOT_FETCHED).collect();
    };
    if full {
        return fetch(first, to, FULL).collect();
    }
    if known.is_undated() {
        // Fetch the whole series, because the day of receipt determines the split basis of a bar.
        return fetch(covered.from.min(first), to, AHEAD).collect();
    }
    // The history is fetched together with the newest days, so that the refetch needs no extra call
    // for a series of up to 15 years.
    let today = nyse_calendar::new_york_date(now);
    if covered.from <= to && known.refetch.is_some_and(|refetch| refetch.on <= today) {
        return fetch(covered.from.min(first), to, EVENT_TOOK_EFFECT).collect();
    }
    let mut missing = Vec::new();
    if first < covered.from {
        missing.extend(fetch(first, covered.from - Days::new(1), MORE_HISTORY));
    }
    // A bar that the last answer lacked is not requested again within [`LATE_BAR_PAUSE`], or if
    // that answer came more than [`PUBLICATION_DELAY`] after the close.
    let wait_for_bar = now - known.fetched_at < LATE_BAR_PAUSE
        || known.fetched_at >= nyse_calendar::close_of(to) + PUBLICATION_DELAY;
    let is_unconfirmed = !known.unconfirmed_in.is_empty();
    let is_covered = !is_unconfirmed
        && (covered.newest.is_some_and(|newest| newest >= to) || (covered.to >= to && wait_for_bar));
    if !is_covered {
        // The range starts before the newest bar, so that the series has no gap. Bars from quotes
        // lack fields, so only bars from the series itself count as newest. An empty series is
        // requested as a whole.
        let newest = covered.newest.map(|newest| newest.min(covered.last_own()));
        let start = newest.map_or(covered.from, |newest| newest - OVERLAP).max(covered.from);
        missing.extend(fetch(start.min(to), to, if is_unconfirmed { UNCONFIRMED } else { SESSION_CLOSED }));
    }
    if missing.is_empty() {
        missing.push((first, to, Decision::Skip(if known.empty { EMPTY } else { FRESH })));
    }
    missing
}

/// Splits a range into windows too short for FMP to truncate.
fn windows(from: NaiveDate, to: NaiveDate) -> Vec<(NaiveDate, NaiveDate)> {
    let mut windows = Vec::new();
    let mut start = from;
    while start <= to {
        let end = (start + WINDOW).min(to);
        windows.push((start, end));
        start = end + Days::new(1);
    }
    windows
}
