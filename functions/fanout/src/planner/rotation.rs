//! Datasets that are asked for in turn: on one day in so many, which a symbol's name decides, so that every day has its share.

use chrono::{DateTime, Datelike, Utc};
use findata_domain::{
    Symbol,
    catalog::{self, Dataset, Freshness},
    hash, nyse_calendar,
};
use findata_pipeline::{
    freshness::{Entry, FetchLog},
    plan::Cadence,
};

use super::Decision;

const COMPARED: &str = "compared within the last 90 days; --reconcile asks again";
const REFUSED: &str = "not in the FMP plan within the last 90 days; --reconcile asks again";

/// Days from one turn to the next, for a dataset that is asked for in turn.
pub(super) fn days(dataset: &Dataset) -> Option<u32> {
    match dataset.freshness {
        Freshness::Rotating { days, .. } => Some(days),
        Freshness::For(_) | Freshness::UntilNextClose => None,
    }
}

/// What is known of a symbol's quarters, without which there are no figures of ours to compare.
pub(super) fn quarters<'a>(fetch_log: &'a FetchLog, symbol: &Symbol) -> Option<&'a Entry> {
    fetch_log
        .entry(catalog::INCOME_STATEMENT, &format!("{symbol}:{}", Cadence::Quarter.as_str()))
        .filter(|entry| !entry.empty)
}

/// Whether it is a symbol's turn.
pub(super) fn decide(
    symbol: &Symbol,
    known: Option<&Entry>,
    quarters: Option<&Entry>,
    days: u32,
    now: DateTime<Utc>,
) -> Decision {
    let today = nyse_calendar::new_york_date(now);
    let age = |entry: &Entry| (today - nyse_calendar::new_york_date(entry.fetched_at)).num_days();
    let turn = u64::from(today.num_days_from_ce().unsigned_abs()) % u64::from(days);
    // Quarters of today came with this day's first run: a run right after it asks for nothing.
    if quarters.is_none_or(|q| age(q) < 1) {
        Decision::Leave("compared once quarters are there since an earlier day; --reconcile asks at once")
    } else if let Some(known) = known.filter(|k| age(k) < i64::from(days)) {
        Decision::Leave(if known.refused { REFUSED } else { COMPARED })
    } else if hash::number(symbol.as_str()) % u64::from(days) == turn {
        Decision::Fetch("in turn, once in 90 days")
    } else {
        Decision::Leave("in turn, once in 90 days; --reconcile asks at once")
    }
}
