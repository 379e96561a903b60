//! Which days of a price series are missing.

use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use findata_domain::{Error, Result, nyse_calendar};
use findata_pipeline::{freshness::Entry, run::Options};

use super::{Decision, EMPTY};

/// Prices of a symbol not seen before, in days.
const FIRST_HISTORY: Days = Days::new(5 * 365 + 2);
/// Days asked again at the end of a known series: FMP corrects its newest bars.
const OVERLAP: Days = Days::new(4);
/// Days of one price call: 15 years are under 3,800 bars, and FMP cuts at 5,000.
const WINDOW: Days = Days::new(15 * 365);
/// FMP may need this long after a close until a bar is there.
const SETTLING: Duration = Duration::hours(6);
/// How long a late bar is waited for between two tries.
const LATE_BAR: Duration = Duration::minutes(15);
/// Why the end of a known series is asked for.
pub(super) const CLOSED: &str = "a session closed since";

/// The days of prices that were asked for; without an end the newest closed session.
pub(super) fn price_range(options: &Options, now: DateTime<Utc>) -> Result<(Option<NaiveDate>, NaiveDate)> {
    let closed = nyse_calendar::last_closed_session(now);
    let to = options.prices_to.map_or(closed, |to| to.min(closed));
    match (options.prices_from, options.prices_to) {
        (Some(from), Some(to)) if from > to => {
            Err(Error::Reject(format!("prices from {from} to {to}: the end is before the start")))
        }
        (from, _) => Ok((from, to)),
    }
}

/// The parts of a price series that are missing.
pub(super) fn days(
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
        return vec![(first, to, Decision::Skip("no session has closed in these days"))];
    }
    if known.is_some_and(|k| k.refused && !full && now - k.fetched_at < EMPTY) {
        return vec![(first, to, Decision::Skip("not in the FMP plan within the last day"))];
    }
    let (Some(known), Some(covered)) = (known, covered) else {
        return fetch(first, to, "not fetched yet").collect();
    };
    if full {
        return fetch(first, to, "asked for in full").collect();
    }
    // With the newest days, so that the series comes in the calls of an ordinary day.
    if covered.from <= to && known.refetch.is_some_and(|again| again.on <= nyse_calendar::new_york_date(now)) {
        return fetch(covered.from.min(first), to, "a split or dividend came into effect since").collect();
    }
    let mut parts = Vec::new();
    if first < covered.from {
        parts.extend(fetch(first, covered.from - Days::new(1), "more history asked for"));
    }
    let asked_late_enough =
        now - known.fetched_at < LATE_BAR || known.fetched_at >= nyse_calendar::close_of(to) + SETTLING;
    let there = covered.newest.is_some_and(|newest| newest >= to) || (covered.to >= to && asked_late_enough);
    if !there {
        // From the newest bar on, so that the series has no gap, and from the newest of its own, since quotes tell less; an
        // empty series is asked for whole.
        let newest = covered.newest.map(|newest| newest.min(covered.last_own()));
        let start = newest.map_or(covered.from, |newest| newest - OVERLAP).max(covered.from);
        parts.extend(fetch(start.min(to), to, CLOSED));
    }
    if parts.is_empty() {
        parts.push((first, to, Decision::Skip(if known.empty { "empty within the last day" } else { "fresh" })));
    }
    parts
}

/// Splits a range into windows that FMP's cut cannot plan_limits.
fn windows(from: NaiveDate, to: NaiveDate) -> Vec<(NaiveDate, NaiveDate)> {
    let mut parts = Vec::new();
    let mut start = from;
    while start <= to {
        let end = (start + WINDOW).min(to);
        parts.push((start, end));
        start = end + Days::new(1);
    }
    parts
}
