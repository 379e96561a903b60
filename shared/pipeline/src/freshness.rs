//! What was fetched when: the memory that makes the next plan small. One object a dataset on the stage,
//! moved on only after the rows are in the warehouse, so that nothing counts as fresh before it is safe.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ledger::{Outcome, TaskRecord},
    plan::{FetchMode, Window},
    ports::stage::{self, Stage},
};
use findata_domain::{
    Result,
    catalog::{CATALOG, Dataset},
    nyse_calendar,
};

/// The newest answer about one subject of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was fetched.
    pub fetched_at: DateTime<Utc>,
    /// FMP had nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty: bool,
    /// The key's plan did not include it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// FMP did not know the symbol.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// How many statements were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// End of the newest statement that came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<NaiveDate>,
    /// Days asked for, without a gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Days>,
    /// From when on these days are to be fetched again.
    #[serde(default, alias = "again", skip_serializing_if = "Option::is_none")]
    pub refetch: Option<Refetch>,
}

impl Entry {
    /// An answer that told nothing.
    fn nothing(fetched_at: DateTime<Utc>) -> Self {
        Entry {
            fetched_at,
            empty: false,
            refused: false,
            unknown: false,
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
    /// First day asked for.
    pub from: NaiveDate,
    /// Last day asked for.
    pub to: NaiveDate,
    /// Newest day that came.
    pub newest: Option<NaiveDate>,
    /// When the part of them was fetched that has been there longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Last day whose bar is of the series itself, where later ones came with quotes or bulk files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<NaiveDate>,
}

impl Days {
    /// Last day that was asked of the series itself.
    pub fn last_own(&self) -> NaiveDate {
        self.own.unwrap_or(self.to)
    }
}

/// A series that an event has made another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refetch {
    /// The first day on which it is to be fetched.
    pub on: NaiveDate,
    /// The days that were fetched since then, without a gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<(NaiveDate, NaiveDate)>,
}

impl Refetch {
    /// What is left of it once these days are fetched; nothing when they were the last of the whole.
    fn after(self, from: NaiveDate, to: NaiveDate, whole: Days) -> Option<Refetch> {
        let one = chrono::Days::new(1);
        let done = match self.done {
            Some((first, last)) if from <= last + one && first <= to + one => (first.min(from), last.max(to)),
            _ => (from, to),
        };
        (done.0 > whole.from || done.1 < whole.to).then_some(Refetch { done: Some(done), ..self })
    }
}

/// All subjects of a dataset.
pub type Subjects = BTreeMap<String, Entry>;

/// Everything that is known, by dataset.
#[derive(Debug, Clone, Default)]
pub struct FetchLog(BTreeMap<&'static str, Subjects>);

impl FetchLog {
    /// What is known about a subject.
    pub fn entry(&self, dataset: &Dataset, subject: &str) -> Option<&Entry> {
        self.0.get(dataset.name)?.get(subject)
    }

    /// Reads the book of every dataset.
    ///
    /// # Errors
    /// The stage's own.
    pub async fn read(stage: &impl Stage) -> Result<FetchLog> {
        let mut fetch_log = FetchLog::default();
        for dataset in CATALOG {
            if let Some(subjects) = stage::read_json(stage, &key(dataset.name)).await? {
                fetch_log.0.insert(dataset.name, subjects);
            }
        }
        Ok(fetch_log)
    }

    /// Notes an answer, for tests and for planning after a run in memory.
    pub fn note(&mut self, record: &TaskRecord) {
        merge(self.0.entry(record.task.dataset.name).or_default(), record);
    }

    /// As [`again`], in memory.
    pub fn refetch(&mut self, dataset: &Dataset, from: &BTreeMap<String, NaiveDate>) {
        fetch_again(self.0.entry(dataset.name).or_default(), from);
    }
}

/// Notes every answered task of a run. Called after its rows are committed.
///
/// # Errors
/// `Retry` when others keep changing the same object; the stage's own.
pub async fn advance(stage: &impl Stage, records: &[TaskRecord]) -> Result<()> {
    let mut by_dataset: BTreeMap<&str, Vec<&TaskRecord>> = BTreeMap::new();
    for record in records {
        by_dataset.entry(record.task.dataset.name).or_default().push(record);
    }
    for (dataset, mut records) in by_dataset {
        // Parts of one series in their order, so that each touches the one before.
        records.sort_by_key(|r| if let Window::Days { from, .. } = r.task.window { Some(from) } else { None });
        let merged = |subjects: &mut Subjects| records.iter().for_each(|record| merge(subjects, record));
        stage::change_json(stage, &key(dataset), merged).await?;
    }
    Ok(())
}

/// What is known of every subject of a dataset.
///
/// # Errors
/// The stage's own.
pub async fn subjects(stage: &impl Stage, dataset: &Dataset) -> Result<Subjects> {
    Ok(stage::read_json(stage, &key(dataset.name)).await?.unwrap_or_default())
}

/// Notes from when on the series of these subjects are to be fetched again; an earlier note holds.
///
/// # Errors
/// As for [`advance`].
pub async fn refetch(stage: &impl Stage, dataset: &Dataset, from: &BTreeMap<String, NaiveDate>) -> Result<()> {
    stage::change_json(stage, &key(dataset.name), |subjects| fetch_again(subjects, from)).await
}

fn fetch_again(subjects: &mut Subjects, from: &BTreeMap<String, NaiveDate>) {
    for (subject, on) in from {
        if let Some(entry) = subjects.get_mut(subject) {
            let refetch = entry.refetch.get_or_insert(Refetch { on: *on, done: None });
            refetch.on = refetch.on.min(*on);
        }
    }
}

fn key(dataset: &str) -> String {
    format!("state/freshness/{dataset}.json")
}

/// Puts one answer into the book; a failed task leaves no trace, so it is due again, unless FMP does not know its symbol.
fn merge(subjects: &mut Subjects, record: &TaskRecord) {
    let before = subjects.get(&record.task.subject()).cloned();
    let (empty, newest) = match &record.outcome {
        Outcome::Rows { newest, .. } => (false, *newest),
        Outcome::Empty => (true, None),
        Outcome::NotInPlan { .. } => {
            let (limit, newest, days, refetch) =
                before.map_or((None, None, None, None), |b| (b.limit, b.newest, b.days, b.refetch));
            let entry = Entry { refused: true, limit, newest, days, refetch, ..Entry::nothing(record.fetched_at) };
            subjects.insert(record.task.subject(), entry);
            return;
        }
        // What was only remembered is no later answer.
        Outcome::UnknownSymbol if record.calls > 0 || record.fetch_mode == FetchMode::BulkFile => {
            let fetched_at = record.fetched_at;
            subjects.insert(record.task.subject(), Entry { unknown: true, ..Entry::nothing(fetched_at) });
            return;
        }
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
            let own = (record.fetch_mode != FetchMode::PerSymbol).then(|| known.map_or(from, |known| known.last_own()));
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
    // An empty part of a longer series does not make the series empty.
    let empty = empty && days.is_none_or(|d| d.newest.is_none());
    // A run of an earlier day must not make what is known look older.
    let fetched_at = before.map_or(record.fetched_at, |b| b.fetched_at.max(record.fetched_at));
    let entry = Entry { empty, limit, newest: end, days, refetch, ..Entry::nothing(fetched_at) };
    subjects.insert(record.task.subject(), entry);
}

/// Two ranges as one where they touch. Where a part between them failed, the later one is kept and the earlier
/// is asked for again.
fn joined(known: Option<Days>, new: Days) -> Days {
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
        // The series itself, from where quotes began or before.
        None if new.to >= known.to && new.from <= known.last_own() + chrono::Days::new(1) => None,
        None => known.own,
    };
    Days { from: first.from, to: first.to.max(second.to), newest: known.newest.max(new.newest), since, own }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(from: &str, to: &str) -> Days {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        Days { from, to, newest: Some(to), since: None, own: None }
    }

    #[test]
    fn a_failed_part_leaves_no_hole_that_counts_as_fetched() {
        let (old, new) = (days("2000-01-01", "2004-12-31"), days("2010-01-01", "2026-11-20"));
        assert_eq!(joined(Some(old), new), new);
        assert_eq!(joined(Some(new), old), new);
        let between = days("2005-01-01", "2009-12-31");
        assert_eq!(joined(Some(joined(Some(old), between)), new), days("2000-01-01", "2026-11-20"));
    }

    #[test]
    fn a_series_is_fetched_again_once_all_of_it_is() {
        let whole = days("1995-01-01", "2026-11-20");
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let due = Refetch { on: day("2026-11-20"), done: None };
        let first = due.after(day("1995-01-01"), day("2009-12-31"), whole).unwrap();
        assert_eq!(first.after(day("2010-01-01"), day("2026-11-20"), whole), None);
        assert_eq!(due.after(day("1994-01-01"), day("2026-11-23"), whole), None);
        // A part between two others failed: the last part alone is not the whole.
        assert!(first.after(day("2020-01-01"), day("2026-11-20"), whole).is_some());
    }

    #[test]
    fn a_series_is_as_old_as_its_oldest_part() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().ok();
        let old = Days { since: at("2026-01-05T22:00:00Z"), ..days("2021-01-01", "2026-01-05") };
        let new = Days { since: at("2026-01-06T22:00:00Z"), ..days("2026-01-01", "2026-01-06") };
        assert_eq!(joined(Some(old), new).since, old.since);
        let whole = Days { since: new.since, ..days("2021-01-01", "2026-01-06") };
        assert_eq!(joined(Some(old), whole).since, new.since);
    }

    #[test]
    fn days_that_came_with_quotes_stay_known_until_the_series_itself_came_over_them() {
        let whole = days("2026-01-01", "2026-11-16");
        let quoted = |day: &str, own: &str| Days { own: own.parse().ok(), ..days(day, day) };
        let two =
            joined(Some(joined(Some(whole), quoted("2026-11-17", "2026-11-16"))), quoted("2026-11-18", "2026-11-16"));
        assert_eq!((two.last_own().to_string(), two.to.to_string()), ("2026-11-16".into(), "2026-11-18".into()));
        // A bar of its own behind them leaves them as they are; from before them on it is the series itself.
        let behind = joined(Some(two), days("2026-11-19", "2026-11-19"));
        assert_eq!(behind.last_own().to_string(), "2026-11-16");
        assert_eq!(joined(Some(behind), days("2026-11-13", "2026-11-19")).own, None);
    }
}
