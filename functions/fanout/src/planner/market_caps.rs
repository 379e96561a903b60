//! Decides about the history of market caps: one call per symbol, in plans that include it. Later
//! days come from profiles and quotes.

use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use findata_pipeline::{freshness::Entry, run::Options};

use super::{
    AHEAD, Decision, FULL, MORE_HISTORY, NOT_FETCHED, UNCONFIRMED,
    prices::{FIRST_HISTORY, WINDOW},
};
use crate::market::Market;

const NOT_INCLUDED: &str = "the FMP plan does not include market caps of past days";
const LATER_DAYS: &str = "later days come from profiles and quotes";
const NOT_LISTED: &str = "no session has closed in this range";
/// How long a refusal of a symbol is trusted.
const REFUSED_TTL: Duration = Duration::days(30);

/// Returns the days to fetch, and whether to fetch them. A range has at most 15 years, so that one
/// call is enough.
pub(super) fn decide(
    known: Option<&Entry>,
    options: &Options,
    (from, to): (Option<NaiveDate>, NaiveDate),
    market: &Market,
    now: DateTime<Utc>,
) -> (NaiveDate, NaiveDate, Decision) {
    let covered = known.and_then(|known| known.days);
    let first = from.or(covered.map(|days| days.from)).unwrap_or(to - FIRST_HISTORY).max(to - WINDOW);
    let decision = |decision| (first, to, decision);
    if !options.plan_limits.market_cap_history || market.refuses_market_caps(now) {
        return decision(Decision::Omit(NOT_INCLUDED));
    }
    if first > to {
        return decision(Decision::Skip(NOT_LISTED));
    }
    let Some(known) = known else {
        return decision(Decision::Fetch(NOT_FETCHED));
    };
    let is_named = !options.datasets.is_empty();
    match covered {
        _ if options.full => decision(Decision::Fetch(FULL)),
        _ if known.refused && now - known.fetched_at < REFUSED_TTL => decision(Decision::Omit(NOT_INCLUDED)),
        _ if !known.unconfirmed_in.is_empty() => decision(Decision::Fetch(UNCONFIRMED)),
        _ if known.is_undated() => decision(Decision::Fetch(AHEAD)),
        None => decision(Decision::Fetch(NOT_FETCHED)),
        Some(days) if first < days.from => (first, days.from - Days::new(1), Decision::Fetch(MORE_HISTORY)),
        Some(days) if is_named && days.to < to => (days.to, to, Decision::Fetch(MORE_HISTORY)),
        Some(_) => decision(Decision::Skip(LATER_DAYS)),
    }
}
