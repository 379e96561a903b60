//! Entries of the fetch log.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::run::RunId;

/// The newest answer for one subject of a dataset: a symbol or, for statements, a symbol and a
/// cadence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When the answer was fetched.
    pub fetched_at: DateTime<Utc>,
    /// Whether the answer contains no rows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty: bool,
    /// Whether the FMP plan of the API key did not include the request.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// Whether FMP did not know the symbol.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// Whether FMP does not offer the rows: its answers stay empty, although it has other data of
    /// the company.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_offered: bool,
    /// The runs since the last accepted answer that received an empty answer which was not accepted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unconfirmed_in: BTreeSet<RunId>,
    /// Number of statements requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Period end of the newest statement received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<NaiveDate>,
    /// The unbroken range of days that were requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Days>,
    /// The pending refetch, if a split or dividend changed the series.
    #[serde(default, alias = "again", skip_serializing_if = "Option::is_none")]
    pub refetch: Option<Refetch>,
}

/// The value of `fetched_at` in an entry that counts as never fetched.
pub const UNDATED: DateTime<Utc> = DateTime::UNIX_EPOCH;

impl Entry {
    /// An entry with a time and no other detail.
    pub(super) fn bare(fetched_at: DateTime<Utc>) -> Self {
        Entry {
            fetched_at,
            empty: false,
            refused: false,
            unknown: false,
            not_offered: false,
            unconfirmed_in: BTreeSet::new(),
            limit: None,
            newest: None,
            days: None,
            refetch: None,
        }
    }
}

/// An unbroken range of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    /// First day requested.
    pub from: NaiveDate,
    /// Last day requested.
    pub to: NaiveDate,
    /// Newest day for which a row was received.
    pub newest: Option<NaiveDate>,
    /// The earliest time at which a part of the range was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Last day fetched from the price-series endpoint; set only if later bars were taken from
    /// quotes or bulk files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<NaiveDate>,
}

impl Days {
    /// Last day fetched from the endpoint of the price series.
    pub fn last_own(&self) -> NaiveDate {
        self.own.unwrap_or(self.to)
    }
}

/// A pending refetch of a price series, whose adjusted prices changed after a split or dividend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refetch {
    /// First day on which to fetch the series again.
    pub on: NaiveDate,
    /// First and last day fetched since `on`, without a gap between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<(NaiveDate, NaiveDate)>,
}

impl Refetch {
    /// Returns the rest of the refetch after the days from `from` to `to` were fetched, or `None`
    /// if all days of `whole` have been fetched again.
    pub(super) fn after(self, from: NaiveDate, to: NaiveDate, whole: Days) -> Option<Refetch> {
        let one = chrono::Days::new(1);
        let done = match self.done {
            Some((first, last)) if from <= last + one && first <= to + one => (first.min(from), last.max(to)),
            _ => (from, to),
        };
        (done.0 > whole.from || done.1 < whole.to).then_some(Refetch { done: Some(done), ..self })
    }
}
