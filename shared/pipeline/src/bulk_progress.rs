//! How far a batch of bulk files has come, kept in its checkpoints from one invocation to the next.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ledger::outcome::{Outcome, TaskRecord},
    plan::{FetchMode, Task},
};

/// What a batch of bulk files does next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkPhase {
    /// Reads the next file.
    #[default]
    Fetching,
    /// No file is left. Tasks that the files cannot answer, and follow-up tasks, get one call each.
    FilesRead,
    /// FMP refuses the files, or they take longer than an invocation lasts: every task gets one
    /// call.
    FallingBack,
}

/// How far a batch of bulk files has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkProgress {
    /// When the batch requested its first file.
    #[serde(alias = "begun")]
    pub started_at: DateTime<Utc>,
    /// The next step.
    #[serde(default)]
    pub phase: BulkPhase,
    /// Names of the files that need not be requested again.
    #[serde(alias = "done")]
    pub files_done: BTreeSet<String>,
    /// One element per task, in the batch's order.
    pub tasks: Vec<TaskProgress>,
    /// Tasks that follow from rows of the files; each gets one call once no file is left.
    #[serde(default, alias = "following")]
    pub follow_ups: Vec<Task>,
}

/// What the files have contained for one task so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskProgress {
    /// Rows, including rejected ones.
    pub rows: u64,
    /// Rows that passed every check.
    pub good: u64,
    /// Newest day among the good rows, for statements and datasets by day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<NaiveDate>,
    /// Why the first rejected row was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// The task's outcome if one of its files failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Outcome>,
    /// Calls counted for this task: those of a file count for the first task that it serves.
    pub calls: u32,
    /// Bytes, counted like calls.
    pub bytes: u64,
}

impl BulkProgress {
    /// The progress of a batch of `tasks` tasks before its first file is requested.
    pub fn new(tasks: usize, started_at: DateTime<Utc>) -> Self {
        BulkProgress {
            started_at,
            phase: BulkPhase::Fetching,
            files_done: BTreeSet::new(),
            tasks: vec![TaskProgress::default(); tasks],
            follow_ups: Vec::new(),
        }
    }

    /// Sets the outcome of those of these tasks that have none yet.
    pub fn end(&mut self, tasks: &[usize], outcome: &Outcome) {
        for task in tasks {
            if let Some(progress) = self.tasks.get_mut(*task) {
                progress.ended.get_or_insert_with(|| outcome.clone());
            }
        }
    }

    /// The task records. A task without an outcome gets `given_up`, or without that, the outcome of
    /// the rows read.
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
    /// Adds what another file contained for the task.
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
