//! What bulk files have told of a batch's tasks, between one delivery and the next.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ledger::{Outcome, TaskRecord},
    plan::{FetchMode, Task},
};

/// How far a batch is that comes by bulk files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkProgress {
    /// When its first file was asked for.
    pub begun: DateTime<Utc>,
    /// Files that are done, by name.
    pub done: BTreeSet<String>,
    /// The last of the parts is done, of a file in parts.
    #[serde(default)]
    pub last: bool,
    /// The files are not to be had with this key: its tasks are done each by a call.
    #[serde(default)]
    pub refused: bool,
    /// By task, in the batch's order.
    pub tasks: Vec<TaskProgress>,
    /// Tasks that follow from what the files told, done each by a call once no file is left.
    #[serde(default)]
    pub following: Vec<Task>,
}

/// What is known of one task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskProgress {
    /// Rows so far.
    pub rows: u64,
    /// Those of them that are not set aside.
    pub good: u64,
    /// Newest day among the good ones, of a dataset by day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<NaiveDate>,
    /// Why the first of those set aside is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// How it ended, where one of its files failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Outcome>,
    /// Calls that count as this task's: those of a file are the first task's that it serves.
    pub calls: u32,
    /// Bytes likewise.
    pub bytes: u64,
}

impl BulkProgress {
    /// That of a batch of so many tasks whose first file is about to be asked for.
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

    /// Ends those of these tasks that have not ended yet.
    pub fn end(&mut self, tasks: &[usize], outcome: &Outcome) {
        for task in tasks {
            if let Some(told) = self.tasks.get_mut(*task) {
                told.ended.get_or_insert_with(|| outcome.clone());
            }
        }
    }

    /// The records of the tasks once no file is left; or, for those that have not ended, once they are given up.
    pub fn records(&self, tasks: &[Task], given_up: Option<&Outcome>) -> Vec<TaskRecord> {
        let record = |(task, told): (&Task, &TaskProgress)| TaskRecord {
            task: task.clone(),
            outcome: told.ended.clone().or(given_up.cloned()).unwrap_or_else(|| told.outcome(task)),
            calls: told.calls,
            bytes: told.bytes,
            fetched_at: self.begun,
            fetch_mode: FetchMode::BulkFile,
        };
        tasks.iter().zip(&self.tasks).map(record).collect()
    }
}

impl TaskProgress {
    /// Adds what another file told.
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
