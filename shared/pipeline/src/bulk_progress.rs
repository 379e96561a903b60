//! The progress of a batch of bulk files. The batch's checkpoints carry it from one invocation to
//! the next.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ledger::outcome::{Outcome, TaskRecord},
    plan::{FetchMode, Task},
};

/// The next step of a batch of bulk files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkPhase {
    /// The next file is read.
    #[default]
    Fetching,
    /// All files are read. Tasks that the files do not cover, and follow-up tasks, take one call
    /// each.
    FilesRead,
    /// Every task takes one call, because FMP refuses the files or an invocation is too short to
    /// read them.
    FallingBack,
}

/// The progress of a batch of bulk files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkProgress {
    /// When the batch requested its first file.
    #[serde(alias = "begun")]
    pub started_at: DateTime<Utc>,
    /// The next step.
    #[serde(default)]
    pub phase: BulkPhase,
    /// Names of the files that are finished and not requested again.
    #[serde(alias = "done")]
    pub files_done: BTreeSet<String>,
    /// One element per task, in the batch's order.
    pub tasks: Vec<TaskProgress>,
    /// Follow-up tasks, which rows of the files triggered. Each takes one call after the last file.
    #[serde(default, alias = "following")]
    pub follow_ups: Vec<Task>,
}

/// What the files read so far contain for one task: counts of rows, dates, calls and bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskProgress {
    /// Number of rows, including rejected rows.
    pub rows: u64,
    /// Number of rows that passed every check.
    pub good: u64,
    /// Newest date among the good rows, for statements and daily datasets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<NaiveDate>,
    /// The reason of the first rejected row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// The task's outcome if one of its files failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Outcome>,
    /// Calls counted for this task. The calls for a file are counted for the first task that the
    /// file serves.
    pub calls: u32,
    /// Bytes received, counted for the same task as the calls.
    pub bytes: u64,
}

impl BulkProgress {
    /// The progress before the first file is requested; `tasks` is the number of tasks in the
    /// batch.
    pub fn new(tasks: usize, started_at: DateTime<Utc>) -> Self {
        BulkProgress {
            started_at,
            phase: BulkPhase::Fetching,
            files_done: BTreeSet::new(),
            tasks: vec![TaskProgress::default(); tasks],
            follow_ups: Vec::new(),
        }
    }

    /// Sets the outcome of these tasks, given by position. Tasks that already have an outcome keep
    /// it.
    pub fn end(&mut self, tasks: &[usize], outcome: &Outcome) {
        for task in tasks {
            if let Some(progress) = self.tasks.get_mut(*task) {
                progress.ended.get_or_insert_with(|| outcome.clone());
            }
        }
    }

    /// Returns the task records. A task without an outcome gets the outcome `given_up`. If that is
    /// `None`, the rows read so far decide the outcome.
    pub fn records(&self, tasks: &[Task], given_up: Option<&Outcome>) -> Vec<TaskRecord> {
        let record = |(task, progress): (&Task, &TaskProgress)| TaskRecord {
            task: task.clone(),
            outcome: progress.ended.clone().or(given_up.cloned()).unwrap_or_else(|| progress.outcome(task)),
            calls: progress.calls,
            bytes: progress.bytes,
            fetched_at: self.started_at,
            fetch_mode: FetchMode::BulkFile,
        };
        tasks.iter().zip(&self.tasks).map(record).collect()
    }
}

impl TaskProgress {
    /// Adds the data that another file contains for the task.
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
