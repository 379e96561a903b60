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
    /// Read the next file.
    #[default]
    Fetching,
    /// All files are read. Make one call for each task that the files do not cover and for each
    /// follow-up task.
    FilesRead,
    /// Make one call for each task, because FMP refuses the files or an invocation is too short to
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
    /// Names of the files that are processed and need no further request.
    #[serde(alias = "done")]
    pub files_done: BTreeSet<String>,
    /// Progress of each task, in the order of the batch.
    pub tasks: Vec<TaskProgress>,
    /// Additional tasks that rows of the files made necessary. Each takes one call after the last
    /// file.
    #[serde(default, alias = "following")]
    pub follow_ups: Vec<Task>,
}

/// The progress of one task: its rows in the files read so far, and the calls and bytes counted for
/// it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskProgress {
    /// Number of rows, including rejected rows.
    pub rows: u64,
    /// Number of rows that passed every check.
    pub good: u64,
    /// Newest date among the rows that passed every check; only for statements and daily datasets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<NaiveDate>,
    /// Why the first rejected row was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// The task's outcome if one of its files failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Outcome>,
    /// Number of calls. The calls for a file are counted for the first of the tasks that need the
    /// file.
    pub calls: u32,
    /// Bytes received. The bytes of a file are counted for the same task as its calls.
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

    /// Sets the outcome of the tasks at these positions. A task that already has an outcome keeps
    /// it.
    pub fn end(&mut self, tasks: &[usize], outcome: &Outcome) {
        for task in tasks {
            if let Some(progress) = self.tasks.get_mut(*task) {
                progress.ended.get_or_insert_with(|| outcome.clone());
            }
        }
    }

    /// Returns the record of each task. A task without an outcome gets the outcome `given_up` or,
    /// if `given_up` is `None`, the outcome that follows from the rows read so far.
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
    /// Adds the row counts and the newest date that another file contains for the task.
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
