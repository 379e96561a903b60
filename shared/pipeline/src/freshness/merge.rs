//! Merges an answer into the fetch log.

use chrono::{DateTime, Utc};
use findata_domain::nyse_calendar;

use super::{Days, Entry, Subjects, UNDATED};
use crate::{
    ledger::{Outcome, TaskRecord},
    plan::{FetchMode, Window},
    run::RunId,
};

/// Records one answer. A failed task is not recorded, so the next run fetches it again. Two kinds
/// of failure are recorded: an unknown symbol, and an empty answer that was not accepted.
pub(super) fn merge(subjects: &mut Subjects, run: &RunId, record: &TaskRecord, latest: DateTime<Utc>) {
    let mut before = subjects.get(&record.task.subject()).cloned();
    if let Some(before) = &mut before {
        before.correct(latest.max(record.fetched_at));
    }
    let (empty, newest) = match &record.outcome {
        Outcome::Rows { newest, .. } => (false, *newest),
        Outcome::Empty | Outcome::NotOffered { .. } => (true, None),
        Outcome::UnexpectedlyEmpty { .. } => {
            let mut entry = before.unwrap_or_else(|| Entry { empty: true, ..Entry::bare(UNDATED) });
            entry.note_unconfirmed(run);
            subjects.insert(record.task.subject(), entry);
            return;
        }
        Outcome::NotInPlan { .. } => {
            let (limit, newest, days, refetch) =
                before.map_or((None, None, None, None), |b| (b.limit, b.newest, b.days, b.refetch));
            let entry = Entry {
                refused: true,
                limit,
                newest,
                days,
                refetch,
                ..Entry::bare(record.fetched_at)
            };
            subjects.insert(record.task.subject(), entry);
            return;
        }
        Outcome::UnknownSymbol if record.calls > 0 || record.fetch_mode == FetchMode::BulkFile => {
            let fetched_at = record.fetched_at;
            subjects.insert(record.task.subject(), Entry { unknown: true, ..Entry::bare(fetched_at) });
            return;
        }
        // Without a call, this outcome repeats an earlier answer, whose time must stay.
        Outcome::UnknownSymbol | Outcome::Failed { .. } => return,
    };
    let mut refetch = before.as_ref().and_then(|e| e.refetch);
    let (mut limit, mut end, mut days) = (None, None, None);
    match record.task.window {
        Window::All => {}
        Window::Newest { limit: asked, .. } => {
            limit = Some(asked);
            end = newest.max(before.as_ref().and_then(|b| b.newest));
        }
        Window::Days { from, to } => {
            let known = before.as_ref().and_then(|e| e.days);
            let own = (record.fetch_mode != FetchMode::PerSymbol)
                .then(|| known.map_or(from, |known| known.last_own()));
            let mut whole = joined(known, Days { from, to, newest, since: Some(record.fetched_at), own });
            if let Some(event) = refetch.filter(|a| a.on <= nyse_calendar::new_york_date(record.fetched_at)) {
                refetch = event.after(from, to, whole);
                if refetch.is_none() {
                    whole.since = Some(record.fetched_at);
                }
            }
            days = Some(whole);
        }
    }
    let not_offered = matches!(record.outcome, Outcome::NotOffered { .. });
    // A series with rows is not empty, even if this part of it is.
    let empty = empty && days.is_none_or(|d| d.newest.is_none());
    // If a run of an earlier day is loaded late, keep the later time.
    let fetched_at = before.map_or(record.fetched_at, |b| b.fetched_at.max(record.fetched_at));
    let entry = Entry {
        empty,
        not_offered,
        limit,
        newest: end,
        days,
        refetch,
        ..Entry::bare(fetched_at)
    };
    subjects.insert(record.task.subject(), entry);
}

/// Joins two ranges of days that touch or overlap. A gap between them means that a request failed.
/// In this case, returns only the later range, so that the earlier range is fetched again.
pub(super) fn joined(known: Option<Days>, new: Days) -> Days {
    let Some(known) = known else { return new };
    let (first, second) = if known.from <= new.from { (known, new) } else { (new, known) };
    if second.from > first.to + chrono::Days::new(1) {
        return second;
    }
    let whole = new.from <= known.from && new.to >= known.to;
    let since = match (known.since, new.since) {
        (Some(known), Some(new)) if !whole => Some(known.min(new)),
        (Some(known), None) => Some(known),
        (_, new) => new,
    };
    let own = match new.own {
        Some(own) => Some(own),
        // This answer of the series endpoint covers all days that were taken from quotes.
        None if new.to >= known.to && new.from <= known.last_own() + chrono::Days::new(1) => None,
        None => known.own,
    };
    Days {
        from: first.from,
        to: first.to.max(second.to),
        newest: known.newest.max(new.newest),
        since,
        own,
    }
}
