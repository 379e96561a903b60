//! What was fetched when: the memory that makes the next plan small. One object a dataset on the stage,
//! moved on only after the rows are in the warehouse, so that nothing counts as fresh before it is safe.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    catalog::{CATALOG, Dataset},
    ledger::{Outcome, TaskRecord},
    plan::Window,
    stage::{self, Stage},
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
    /// How many statements were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Days asked for, without a gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Days>,
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
}

/// All subjects of a dataset.
pub type Subjects = BTreeMap<String, Entry>;

/// Everything that is known, by dataset.
#[derive(Debug, Clone, Default)]
pub struct Book(BTreeMap<&'static str, Subjects>);

impl Book {
    /// What is known about a subject.
    pub fn entry(&self, dataset: &Dataset, subject: &str) -> Option<&Entry> {
        self.0.get(dataset.name)?.get(subject)
    }

    /// Reads the book of every dataset.
    ///
    /// # Errors
    /// The stage's own.
    pub async fn read(stage: &impl Stage) -> Result<Book> {
        let mut book = Book::default();
        for dataset in CATALOG {
            if let Some(subjects) = stage::read_json(stage, &key(dataset.name)).await? {
                book.0.insert(dataset.name, subjects);
            }
        }
        Ok(book)
    }

    /// Notes an answer, for tests and for planning after a run in memory.
    pub fn note(&mut self, record: &TaskRecord) {
        merge(self.0.entry(record.task.dataset.name).or_default(), record);
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
    for (dataset, records) in by_dataset {
        advance_one(stage, &key(dataset), &records).await?;
    }
    Ok(())
}

async fn advance_one(stage: &impl Stage, key: &str, records: &[&TaskRecord]) -> Result<()> {
    const TRIES: usize = 20;
    for _ in 0..TRIES {
        let before = stage.get(key).await?;
        let mut subjects: Subjects = match &before {
            None => Subjects::new(),
            Some(object) => stage::from_json(key, &object.body)?,
        };
        for record in records {
            merge(&mut subjects, record);
        }
        let body = stage::to_json(&subjects)?;
        let written = match before {
            None => stage.put_if_absent(key, body).await?,
            Some(object) => stage.put_if_match(key, body, &object.etag).await?,
        };
        if written {
            return Ok(());
        }
    }
    Err(Error::retry(format!("{key} on the stage kept changing")))
}

fn key(dataset: &str) -> String {
    format!("state/freshness/{dataset}.json")
}

/// Puts one answer into the book; a failed task leaves no trace, so it is due again.
fn merge(subjects: &mut Subjects, record: &TaskRecord) {
    let before = subjects.get(&record.task.subject());
    let (empty, newest) = match &record.outcome {
        Outcome::Rows { newest, .. } => (false, *newest),
        Outcome::Empty => (true, None),
        Outcome::NotInPlan { .. } => {
            let (limit, days) = before.map_or((None, None), |b| (b.limit, b.days));
            let entry = Entry { fetched_at: record.fetched_at, empty: false, refused: true, limit, days };
            subjects.insert(record.task.subject(), entry);
            return;
        }
        Outcome::Failed { .. } => return,
    };
    let (limit, days) = match record.task.window {
        Window::All => (None, None),
        Window::Newest { limit, .. } => (Some(limit), None),
        Window::Days { from, to } => {
            let known = before.and_then(|e| e.days);
            (None, Some(joined(known, Days { from, to, newest })))
        }
    };
    // An empty part of a longer series does not make the series empty.
    let empty = empty && days.is_none_or(|d| d.newest.is_none());
    // A run of an earlier day must not make what is known look older.
    let fetched_at = before.map_or(record.fetched_at, |b| b.fetched_at.max(record.fetched_at));
    subjects.insert(record.task.subject(), Entry { fetched_at, empty, refused: false, limit, days });
}

/// Two ranges as one where they touch. Where a part between them failed, the later one is kept and the earlier
/// is asked for again.
fn joined(known: Option<Days>, new: Days) -> Days {
    let Some(known) = known else { return new };
    let (first, second) = if known.from <= new.from { (known, new) } else { (new, known) };
    if second.from > first.to + chrono::Days::new(1) {
        return second;
    }
    Days { from: first.from, to: first.to.max(second.to), newest: known.newest.max(new.newest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(from: &str, to: &str) -> Days {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        Days { from, to, newest: Some(to) }
    }

    #[test]
    fn a_failed_part_leaves_no_hole_that_counts_as_fetched() {
        let (old, new) = (days("2000-01-01", "2004-12-31"), days("2010-01-01", "2026-11-20"));
        assert_eq!(joined(Some(old), new), new);
        assert_eq!(joined(Some(new), old), new);
        let between = days("2005-01-01", "2009-12-31");
        assert_eq!(joined(Some(joined(Some(old), between)), new), days("2000-01-01", "2026-11-20"));
    }
}
