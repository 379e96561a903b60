//! The JSON objects of the ledger: batch entries, `staged.json`, `loaded.json` and blockers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::TaskRecord;
use crate::{
    bulk_progress::BulkProgress,
    landing::StagedFile,
    run::RunId,
    summary::{ClientUsage, RowCounts},
    usage::Usage,
};

/// The ledger entry of a batch, or one of the batch's checkpoints. Written once: later writes are
/// ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchEntry {
    /// The batch's id.
    pub batch: String,
    /// All tasks of the batch. In a checkpoint: the tasks finished since the previous checkpoint.
    pub tasks: Vec<TaskRecord>,
    /// The batch's landing files.
    pub files: Vec<StagedFile>,
    /// Why the run must stop, if an answer of FMP requires it.
    pub stop: Option<String>,
    /// By dataset, the catalog fields that were missing from every row of an answer.
    pub drift: BTreeMap<String, BTreeSet<String>>,
    /// Price bars that `batch-quote` did not supply, counted by reason. Each took a separate call.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bars_by_call: BTreeMap<String, u64>,
    /// Why the rate limiter slowed down the calls, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pacing: Option<String>,
    /// Seconds spent on the batch.
    #[serde(default)]
    pub seconds: f64,
    /// How the invocations that fetched the batch used their FMP client. `None` on a laptop, where batches
    /// share a client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientUsage>,
    /// In a checkpoint of an unfinished bulk batch: the batch's progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk: Option<BulkProgress>,
}

impl BatchEntry {
    /// An entry without tasks.
    pub fn new(batch: &str) -> Self {
        BatchEntry {
            batch: batch.to_owned(),
            tasks: Vec::new(),
            files: Vec::new(),
            stop: None,
            drift: BTreeMap::new(),
            bars_by_call: BTreeMap::new(),
            pacing: None,
            seconds: 0.0,
            client: None,
            bulk: None,
        }
    }

    /// Merges a later checkpoint of the same batch into this entry.
    pub fn add(&mut self, checkpoint: BatchEntry) {
        self.tasks.extend(checkpoint.tasks);
        self.files.extend(checkpoint.files);
        self.stop = self.stop.take().or(checkpoint.stop);
        for (dataset, fields) in checkpoint.drift {
            self.drift.entry(dataset).or_default().extend(fields);
        }
        for (reason, bars) in checkpoint.bars_by_call {
            *self.bars_by_call.entry(reason).or_default() += bars;
        }
        self.pacing = self.pacing.take().or(checkpoint.pacing);
        self.seconds += checkpoint.seconds;
        if let Some(added) = &checkpoint.client {
            self.client.get_or_insert_default().add(added);
        }
        // A later checkpoint repeats the bulk progress of the earlier checkpoints, so it replaces
        // theirs.
        self.bulk = checkpoint.bulk.or(self.bulk.take());
    }
}

/// `staged.json`: its existence means that all rows of the run are on the stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// Id of the run.
    pub run_id: RunId,
    /// Ids of the run's batches.
    pub batches: Vec<String>,
    /// The run's landing files.
    pub files: Vec<StagedFile>,
    /// The W3C trace context of the batch that closed the fetch step, if traces are on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// `loaded.json`: its existence means that all rows of the run are in the warehouse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// Id of the run.
    pub run_id: RunId,
    /// Row counts by dataset.
    pub rows: BTreeMap<String, RowCounts>,
    /// Keys of the landing files that changed nothing in the warehouse. A rebuild of the warehouse
    /// does not need these files.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unchanged_files: BTreeSet<String>,
    /// Keys of the landing files that were not loaded because they are damaged or missing, with the
    /// reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub damaged: BTreeMap<String, String>,
    /// Remarks for the user, such as symbols that another company has taken over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Warehouse usage of the load step.
    #[serde(default)]
    pub warehouse: Usage,
    /// Duration of the load step in seconds.
    #[serde(default)]
    pub seconds: f64,
}

impl Loaded {
    /// The `loaded.json` of a run without rows.
    pub fn empty(run: &RunId) -> Self {
        Loaded {
            run_id: run.clone(),
            rows: BTreeMap::new(),
            unchanged_files: BTreeSet::new(),
            damaged: BTreeMap::new(),
            notes: Vec::new(),
            warehouse: Usage::default(),
            seconds: 0.0,
        }
    }
}

/// A problem that stops a function's work on a run until a person fixes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    /// What is wrong and how to fix it.
    pub reason: String,
    /// When the problem first occurred, UTC.
    pub at: DateTime<Utc>,
}
