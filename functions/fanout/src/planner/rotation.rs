//! Datasets that are fetched in rotation: each symbol once per period, on a day derived from a hash
//! of its name, so that the calls spread evenly over the days.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use findata_domain::{
    Symbol,
    catalog::{self, Dataset, Freshness},
    hash, nyse_calendar,
};
use findata_pipeline::{
    freshness::{Entry, FetchLog},
    plan::Cadence,
};

use super::{Decision, UNCONFIRMED};

const DUE: &str = "due in the 90-day rotation";
const NOT_DUE: &str = "not due in the 90-day rotation; --reconcile fetches it now";
const COMPARED: &str = "compared within the last 90 days; --reconcile fetches it now";
const REFUSED: &str = "not in the FMP plan (checked within the last 90 days); --reconcile checks again";
const NO_QUARTERS: &str =
    "compared from the day after the first quarterly statements; --reconcile fetches it now";

/// Returns the period of a dataset's rotation in days, or `None` if the dataset is not fetched in
/// rotation.
pub(super) fn period_days(dataset: &Dataset) -> Option<u32> {
    match dataset.freshness {
        Freshness::Rotating { days, .. } => Some(days),
        Freshness::For(_) | Freshness::UntilNextClose => None,
    }
}

/// Returns the fetch log's entry for a symbol's quarterly statements. Without them, findata has no
/// figures to compare with FMP's ratios.
pub(super) fn quarters<'a>(fetch_log: &'a FetchLog, symbol: &Symbol) -> Option<&'a Entry> {
    fetch_log
        .entry(catalog::INCOME_STATEMENT, &format!("{symbol}:{}", Cadence::Quarter.as_str()))
        .filter(|entry| !entry.empty)
}

/// Decides about a dataset in rotation: it is fetched if today is the symbol's day.
pub(super) fn decide(
    symbol: &Symbol,
    known: Option<&Entry>,
    quarters: Option<&Entry>,
    period_days: u32,
    now: DateTime<Utc>,
) -> Decision {
    let today = nyse_calendar::new_york_date(now);
    let age = |entry: &Entry| (today - nyse_calendar::new_york_date(entry.fetched_at)).num_days();
    // If the quarterly statements were fetched today, the ratios wait until tomorrow. Otherwise a
    // second run on the same day would fetch them.
    if quarters.is_none_or(|q| age(q) < 1) {
        Decision::Omit(NO_QUARTERS)
    } else if known.is_some_and(|known| !known.unconfirmed_in.is_empty()) {
        Decision::Fetch(UNCONFIRMED)
    } else if let Some(known) = known.filter(|k| age(k) < i64::from(period_days)) {
        Decision::Omit(if known.refused { REFUSED } else { COMPARED })
    } else if is_day_of(symbol, today, period_days) {
        Decision::Fetch(DUE)
    } else {
        Decision::Omit(NOT_DUE)
    }
}

/// Whether a day is the symbol's day in a rotation of `period_days`.
pub(super) fn is_day_of(symbol: &Symbol, day: NaiveDate, period_days: u32) -> bool {
    let period = u64::from(period_days);
    hash::number(symbol.as_str()) % period == u64::from(day.num_days_from_ce().unsigned_abs()) % period
}
