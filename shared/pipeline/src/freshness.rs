//! The fetch log: when each dataset of each symbol was fetched, so that the next plan skips fresh
//! data.
//!
//! The stage holds one object per dataset. A run updates these objects only after its rows are
//! committed to the warehouse, so data never counts as fresh before it is stored safely.

mod correction;
mod entry;
mod merge;
mod prior;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    ledger::{Outcome, TaskRecord},
    plan::Window,
    ports::stage::{self, Stage},
    run::RunId,
};
pub use entry::{Days, Entry, Refetch, UNDATED};
use findata_domain::{
    Result,
    catalog::{self, CATALOG, Dataset},
};
use merge::merge;

/// The entries of a dataset by subject: a symbol or, for statements, a symbol and a cadence.
pub type Subjects = BTreeMap<String, Entry>;

/// The fetch log of every dataset.
#[derive(Debug, Clone, Default)]
pub struct FetchLog(BTreeMap<&'static str, Subjects>);

impl FetchLog {
    /// Returns the entry of a subject.
    pub fn entry(&self, dataset: &Dataset, subject: &str) -> Option<&Entry> {
        self.0.get(dataset.name)?.get(subject)
    }

    /// Reads the log of every dataset from the stage. Corrects entries with times after `latest`:
    /// the clock of the machine that wrote them was ahead. A damaged object counts as absent and
    /// adds a message to `notes`.
    ///
    /// # Errors
    /// The stage's errors.
    pub async fn read(
        stage: &impl Stage,
        latest: DateTime<Utc>,
        notes: &mut Vec<String>,
    ) -> Result<FetchLog> {
        let mut fetch_log = FetchLog::default();
        for dataset in CATALOG {
            let stored = stage::read_rebuildable(stage, &key(dataset.name), notes).await?;
            if let Some(subjects) = stored {
                fetch_log.0.insert(dataset.name, corrected(subjects, latest));
            }
        }
        Ok(fetch_log)
    }

    /// Records the result of a task in memory, for tests and simulated runs.
    pub fn record(&mut self, run: &RunId, record: &TaskRecord) {
        let subjects = self.0.entry(record.task.dataset.name).or_default();
        merge(subjects, run, record, record.fetched_at);
    }

    /// Corrects entries with times after `latest`, which a clock that was ahead has written.
    #[must_use]
    pub fn corrected(self, latest: DateTime<Utc>) -> FetchLog {
        FetchLog(self.0.into_iter().map(|(name, subjects)| (name, corrected(subjects, latest))).collect())
    }

    /// Removes the entries of a symbol in memory; the function [`forget_symbols`] removes them on the
    /// stage.
    pub fn forget(&mut self, symbol: &str) {
        for subjects in self.0.values_mut() {
            subjects.retain(|subject, _| symbol_of(subject) != symbol);
        }
    }

    /// Schedules a refetch in memory; the function [`refetch`] schedules it on the stage.
    pub fn refetch(&mut self, dataset: &Dataset, from: &BTreeMap<String, NaiveDate>) {
        schedule_refetch(self.0.entry(dataset.name).or_default(), from);
    }
}

/// Records the result of every answered task of a run. Call it after the run's rows are committed.
/// Corrects entries with times after `latest`: the clock of the machine that wrote them was ahead.
///
/// # Errors
/// `Retry` if concurrent writers keep changing the same object; the stage's errors.
pub async fn advance(
    stage: &impl Stage,
    run: &RunId,
    records: &[&TaskRecord],
    latest: DateTime<Utc>,
) -> Result<()> {
    let mut by_dataset: BTreeMap<&str, Vec<&TaskRecord>> = BTreeMap::new();
    for record in records.iter().copied() {
        by_dataset.entry(record.task.dataset.name).or_default().push(record);
    }
    for (dataset, mut records) in by_dataset {
        // Merge the parts of a series in the order of their days: each part must adjoin the part
        // before it.
        records.sort_by_key(|r| {
            if let Window::Days { from, .. } = r.task.window {
                Some(from)
            } else {
                None
            }
        });
        let merged = |subjects: &mut Subjects| {
            records.iter().for_each(|record| merge(subjects, run, record, latest));
        };
        stage::change_rebuildable(stage, &key(dataset), merged).await?;
    }
    // Only a profile answer triggers a follow-up task. If a follow-up failed, the profile must be
    // fetched again to trigger it once more.
    let failed = |r: &&&TaskRecord| r.task.dataset.follow_up && matches!(r.outcome, Outcome::Failed { .. });
    let unanswered: BTreeSet<String> = records.iter().filter(failed).map(|r| r.task.subject()).collect();
    if unanswered.is_empty() {
        return Ok(());
    }
    forget(stage, catalog::PROFILE.name, &unanswered).await
}

/// Reads the entries of a dataset. Corrects entries with times after `latest`: the clock of the
/// machine that wrote them was ahead.
///
/// # Errors
/// The stage's errors.
pub async fn subjects(stage: &impl Stage, dataset: &Dataset, latest: DateTime<Utc>) -> Result<Subjects> {
    let stored = stage::read_rebuildable(stage, &key(dataset.name), &mut Vec::new()).await?;
    Ok(corrected(stored.unwrap_or_default(), latest))
}

/// Corrects entries with times after `latest`. The result takes less memory than a map that was read entry by entry,
/// whose nodes are half full.
fn corrected(subjects: Subjects, latest: DateTime<Utc>) -> Subjects {
    let correct = |(subject, mut entry): (String, Entry)| {
        entry.correct(latest);
        (subject, entry)
    };
    subjects.into_iter().map(correct).collect()
}

/// Schedules a refetch of the subjects' price series on the given days or later. If an earlier day
/// is already scheduled for a subject, that day stays.
///
/// # Errors
/// The errors of [`advance`].
pub async fn refetch(
    stage: &impl Stage,
    dataset: &Dataset,
    from: &BTreeMap<String, NaiveDate>,
) -> Result<()> {
    stage::change_rebuildable(stage, &key(dataset.name), |subjects| schedule_refetch(subjects, from)).await
}

/// Deletes the entries of these subjects from the log of a dataset, so that the next run fetches
/// the subjects again.
///
/// # Errors
/// The errors of [`advance`].
pub async fn forget(stage: &impl Stage, dataset: &str, forgotten: &BTreeSet<String>) -> Result<()> {
    let change = |subjects: &mut Subjects| subjects.retain(|subject, _| !forgotten.contains(subject));
    stage::change_rebuildable(stage, &key(dataset), change).await
}

/// Deletes all entries of these symbols, so that the next run fetches the symbols as if it had never
/// fetched them.
///
/// # Errors
/// The errors of [`advance`].
pub async fn forget_symbols(stage: &impl Stage, symbols: &BTreeSet<String>) -> Result<()> {
    for dataset in CATALOG {
        let key = key(dataset.name);
        let stored: Option<Subjects> = stage::read_rebuildable(stage, &key, &mut Vec::new()).await?;
        let is_forgotten = |subject: &str| symbols.contains(symbol_of(subject));
        if stored.is_some_and(|subjects| subjects.keys().any(|subject| is_forgotten(subject))) {
            let change = |subjects: &mut Subjects| subjects.retain(|subject, _| !is_forgotten(subject));
            stage::change_rebuildable(stage, &key, change).await?;
        }
    }
    Ok(())
}

/// The symbol of a subject such as `AAPL` or `AAPL:annual`.
fn symbol_of(subject: &str) -> &str {
    subject.split(':').next().unwrap_or_default()
}

fn schedule_refetch(subjects: &mut Subjects, from: &BTreeMap<String, NaiveDate>) {
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

#[cfg(test)]
mod tests;
