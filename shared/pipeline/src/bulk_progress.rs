//! Progress of a bulk batch, kept between deliveries of its message.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ledger::{Outcome, TaskRecord},
    plan::{FetchMode, Task},
};

/// Progress of a batch that is fetched by bulk files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkProgress {
    /// When its first file was requested, UTC.
    pub begun: DateTime<Utc>,
    /// Names of the finished files.
    pub done: BTreeSet<String>,
    /// For a file in numbered parts: the last part is done.
    #[serde(default)]
    pub last: bool,
    /// FMP refused the files to this key: its tasks fall back to one call each.
    #[serde(default)]
    pub refused: bool,
    /// Progress by task, in the batch's order.
    pub tasks: Vec<TaskProgress>,
    /// Tasks that follow from the files' rows, fetched by one call each after the last file.
    #[serde(default)]
    pub following: Vec<Task>,
}

/// Progress of one task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskProgress {
    /// Rows so far, quarantined ones included.
    pub rows: u64,
    /// Rows that are not quarantined.
    pub good: u64,
    /// Newest day among the good rows of a dated dataset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<NaiveDate>,
    /// Why the first quarantined row was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// How the task ended, if one of its files failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Outcome>,
    /// Calls counted for this task: a file's calls count for the first task that it serves.
    pub calls: u32,
    /// Bytes, counted likewise.
    pub bytes: u64,
}

impl BulkProgress {
    /// The start: a batch of `tasks` tasks, before its first file.
    pub fn new(tasks: usize, begun: DateTime<Utc>) -> Self {
        BulkProgress {
            begun,
            done: BTreeSet::new(),
            last: false,
            refused: false,
            tasks: vec![TaskProgress::default(); tasks],
            following: Vec::new(),
        }
    }

    /// Sets the outcome of those of these tasks (by index) that have none yet.
    pub fn end(&mut self, tasks: &[usize], outcome: &Outcome) {
        for task in tasks {
            if let Some(progress) = self.tasks.get_mut(*task) {
                progress.ended.get_or_insert_with(|| outcome.clone());
            }
        }
    }

    /// The records of the tasks after the last file. `abandoned` is the outcome of unfinished tasks if the batch is given
    /// up.
    pub fn records(&self, tasks: &[Task], abandoned: Option<&Outcome>) -> Vec<TaskRecord> {
        let record = |(task, progress): (&Task, &TaskProgress)| TaskRecord {
            task: task.clone(),
            outcome: progress.ended.clone().or(abandoned.cloned()).unwrap_or_else(|| progress.outcome(task)),
            calls: progress.calls,
            bytes: progress.bytes,
            fetched_at: self.begun,
            fetch_mode: FetchMode::BulkFile,
        };
        tasks.iter().zip(&self.tasks).map(record).collect()
    }
}

impl TaskProgress {
    /// Adds the progress that another file made.
    pub fn add(&mut self, file: TaskProgress) {
        self.rows += file.rows;
        self.good += file.good;
        self.newest = self.newest.max(file.newest);
        self.rejected = self.rejected.take().or(file.rejected);
    }

    fn outcome(&self, task: &Task) -> Outcome {
        match (self.rows, self.good) {
            (0, _) if task.dataset.empty_if_unknown => Outcome::UnknownSymbol,
            (0, _) => Outcome::Empty,
            (_, 0) => Outcome::quarantined(self.rejected.as_deref().unwrap_or_default()),
            (rows, _) => Outcome::Rows { rows, newest: self.newest },
        }
    }
}
