//! The ledger: what a run planned, what each batch did, and the writes that close its steps.
//!
//! A step is closed by a write on condition that nobody closed it before; that write is also the event which
//! starts the next step, so there is no gap between marking a step done and announcing it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::{
    bulk_progress::{BulkPhase, BulkProgress},
    landing::StagedFile,
    plan::{BatchMessage, FetchMode, Plan, Task, Window},
    ports::{
        bus::{Bus, Event},
        stage::{self, Stage},
    },
    run::RunId,
    summary::RowCounts,
    usage::Usage,
};
use findata_domain::{Error, Result, Symbol};

/// What became of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Rows came.
    Rows {
        /// How many, quarantined ones included.
        rows: u64,
        /// Newest date among them, for statements and datasets by day.
        newest: Option<chrono::NaiveDate>,
    },
    /// FMP answered, and has nothing.
    Empty,
    /// Not in the key's plan.
    NotInPlan {
        /// FMP's words.
        reason: String,
    },
    /// It failed.
    Failed {
        /// Why.
        reason: String,
        /// It was given up because the call budget ended.
        budget: bool,
    },
}

impl Outcome {
    /// It failed for a reason of its own.
    pub fn failed(reason: impl Into<String>) -> Self {
        Outcome::Failed { reason: reason.into(), budget: false }
    }

    /// There is no profile of a symbol.
    pub fn unknown_symbol() -> Self {
        Outcome::failed("unknown symbol: FMP has no profile of it; check the spelling (BRK-B, not BRK.B)")
    }

    /// Whether it says that FMP does not know the symbol.
    pub fn is_unknown_symbol(&self) -> bool {
        *self == Outcome::unknown_symbol()
    }

    /// Rows came, and none can be true.
    pub fn quarantined(first: &str) -> Self {
        Outcome::failed(format!("every row of the answer is quarantined; the first: {first}"))
    }
}

/// A task and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// The task.
    #[serde(flatten)]
    pub task: Task,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Calls it took.
    pub calls: u32,
    /// Bytes received for it.
    pub bytes: u64,
    /// When it was fetched, UTC.
    pub fetched_at: DateTime<Utc>,
    /// How it was answered.
    #[serde(default)]
    pub fetch_mode: FetchMode,
}

/// The ledger entry of a batch: written once, whoever is first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchEntry {
    /// The batch.
    pub batch: String,
    /// Every task of it.
    pub tasks: Vec<TaskRecord>,
    /// Its files.
    pub files: Vec<StagedFile>,
    /// Why the run must stop, where a call said so.
    pub stop: Option<String>,
    /// Fields of the catalog that an answer had in none of its rows, by dataset.
    pub drift: BTreeMap<String, BTreeSet<String>>,
    /// Seconds of work that it took.
    #[serde(default)]
    pub seconds: f64,
    /// Of a part: what bulk files told of the tasks that are not recorded yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk: Option<BulkProgress>,
}

impl BatchEntry {
    /// An entry of nothing yet.
    pub fn new(batch: &str) -> Self {
        BatchEntry {
            batch: batch.to_owned(),
            tasks: Vec::new(),
            files: Vec::new(),
            stop: None,
            drift: BTreeMap::new(),
            seconds: 0.0,
            bulk: None,
        }
    }

    /// Takes in a part of the same batch.
    pub fn add(&mut self, part: BatchEntry) {
        self.tasks.extend(part.tasks);
        self.files.extend(part.files);
        self.stop = self.stop.take().or(part.stop);
        for (dataset, fields) in part.drift {
            self.drift.entry(dataset).or_default().extend(fields);
        }
        self.seconds += part.seconds;
        // What the later part knows includes what the earlier one did.
        self.bulk = part.bulk.or(self.bulk.take());
    }
}

/// `staged.json`: everything is on the stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// The run.
    pub run_id: RunId,
    /// Its batches.
    pub batches: Vec<String>,
    /// Its files.
    pub files: Vec<StagedFile>,
}

/// `loaded.json`: everything is in the warehouse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// The run.
    pub run_id: RunId,
    /// Rows by dataset.
    pub rows: BTreeMap<String, RowCounts>,
    /// What loading used of the warehouse.
    #[serde(default)]
    pub warehouse: Usage,
    /// Seconds that it took.
    #[serde(default)]
    pub seconds: f64,
}

/// Why a function cannot go on with a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    /// What is wrong and how to mend it.
    pub reason: String,
    /// When it was first met, UTC.
    pub at: DateTime<Utc>,
}

/// Notes that a function cannot go on with a run until somebody mends something, and announces it the first time.
///
/// # Errors
/// The stage's and the bus's own.
pub async fn record_blocker(
    run: &RunId,
    function: &str,
    error: &Error,
    stage: &impl Stage,
    bus: &impl Bus,
    now: DateTime<Utc>,
) -> Result<()> {
    let trouble = Blocker { reason: error.to_string(), at: now };
    if stage::write_json_once(stage, &blocker_key(run, function), &trouble).await? {
        let reason = format!("{function}: {}", trouble.reason);
        bus.publish(Event::RunFailed { run_id: run.to_string(), reason }).await?;
    }
    Ok(())
}

/// Key of the plan.
pub fn plan_key(run: &RunId) -> String {
    format!("runs/{run}/plan.json")
}

/// Prefix of the batch entries.
pub fn batches_prefix(run: &RunId) -> String {
    format!("runs/{run}/batches/")
}

/// Key of a batch's entry.
pub fn batch_key(run: &RunId, batch: &str) -> String {
    format!("{}{batch}.json", batches_prefix(run))
}

/// Key of a part of a batch, which a delivery did before its time ended; from 0.
pub fn checkpoint_key(run: &RunId, batch: &str, part: u32) -> String {
    format!("runs/{run}/parts/{batch}-{part}.json")
}

/// Key of what is noted when a function cannot go on with a run until a person has mended something.
pub fn blocker_key(run: &RunId, function: &str) -> String {
    format!("runs/{run}/trouble/{function}.json")
}

/// Key of the count of a run's calls, where they are limited.
pub fn calls_key(run: &RunId) -> String {
    format!("runs/{run}/calls.json")
}

/// Key of the write that closes fetching.
pub fn staged_key(run: &RunId) -> String {
    format!("runs/{run}/staged.json")
}

/// Key of the write that closes loading.
pub fn loaded_key(run: &RunId) -> String {
    format!("runs/{run}/loaded.json")
}

/// Key of the summary.
pub fn summary_key(run: &RunId) -> String {
    format!("runs/{run}/summary.json")
}

/// Records a batch that could not be worked off as failed, so that its run still closes; says whether this call closed
/// fetching. What parts of it are there is kept. Safe to repeat.
///
/// # Errors
/// The stage's own.
pub async fn record_as_failed(
    message: &BatchMessage,
    reason: &str,
    stage: &impl Stage,
    now: DateTime<Utc>,
) -> Result<bool> {
    let message = &resume_point(message, stage).await?;
    let (run, batch) = (&message.run_id, &message.batch);
    let mut entry = checkpoints(message, stage).await?;
    let tasks = tasks(message, stage).await?;
    if let Some(bulk) = entry.bulk.take().filter(|bulk| bulk.phase != BulkPhase::FallingBack) {
        let pending = pending(&tasks, &entry);
        let told = bulk.records(&tasks, Some(&Outcome::failed(reason)));
        entry.tasks.extend(told.into_iter().filter(|record| pending.contains(&record.task)));
    }
    for task in pending(&tasks, &entry) {
        let outcome = Outcome::failed(reason);
        entry.tasks.push(TaskRecord {
            task,
            outcome,
            calls: 0,
            bytes: 0,
            fetched_at: now,
            fetch_mode: FetchMode::PerSymbol,
        });
    }
    stage::write_json_once(stage, &batch_key(run, &batch.id), &entry).await?;
    close_fetching(stage, run).await
}

/// The parts of a batch that are done, as one.
///
/// # Errors
/// `Retry` while a part that the message tells of is not there; the stage's own.
pub async fn checkpoints(message: &BatchMessage, stage: &impl Stage) -> Result<BatchEntry> {
    let (run, batch) = (&message.run_id, &message.batch);
    let mut entry = BatchEntry::new(&batch.id);
    for part in 0..message.checkpoints {
        let key = checkpoint_key(run, &batch.id, part);
        let done = stage::read_json(stage, &key).await?;
        entry.add(done.ok_or_else(|| Error::retry(format!("{key} is not on the stage yet")))?);
    }
    Ok(entry)
}

/// The message with the parts of its batch that are there, for a batch by bulk files: it may have been sent again from its
/// beginning, and no file is asked for twice.
///
/// # Errors
/// The stage's own.
pub async fn resume_point(message: &BatchMessage, stage: &impl Stage) -> Result<BatchMessage> {
    let (run, batch) = (&message.run_id, &message.batch);
    let mut message = message.clone();
    while batch.fetch_mode == FetchMode::BulkFile
        && stage.get(&checkpoint_key(run, &batch.id, message.checkpoints)).await?.is_some()
    {
        message.checkpoints += 1;
    }
    Ok(message)
}

/// The tasks of a message: its own, or those of the plan, for a batch that has too many for a message.
///
/// # Errors
/// `Retry` while the plan is not there; `Reject` when it has no such batch; the stage's own.
pub async fn tasks(message: &BatchMessage, stage: &impl Stage) -> Result<Vec<Task>> {
    let (run, batch) = (&message.run_id, &message.batch);
    if batch.fetch_mode != FetchMode::BulkFile || !batch.tasks.is_empty() {
        return Ok(batch.tasks.clone());
    }
    let planned = plan(stage, run).await?.batches.into_iter().find(|planned| planned.id == batch.id);
    planned.map(|planned| planned.tasks).ok_or_else(|| Error::Reject(format!("run {run} has no batch {}", batch.id)))
}

/// Tasks of which nothing is recorded.
pub fn pending(tasks: &[Task], entry: &BatchEntry) -> Vec<Task> {
    fn name(task: &Task) -> (&str, Option<&Symbol>, Window) {
        (task.dataset.name, task.symbol.as_ref(), task.window)
    }
    let done: HashSet<_> = entry.tasks.iter().map(|record| name(&record.task)).collect();
    tasks.iter().filter(|task| !done.contains(&name(task))).cloned().collect()
}

/// The run's plan.
///
/// # Errors
/// `Retry` while it is not there: a message can arrive before the plan is written.
pub async fn plan(stage: &impl Stage, run: &RunId) -> Result<Plan> {
    stage::read_json(stage, &plan_key(run))
        .await?
        .ok_or_else(|| Error::retry(format!("run {run} has no plan on the stage yet")))
}

/// All entries of a run, in the order of their names.
///
/// # Errors
/// The stage's own.
pub async fn entries(stage: &impl Stage, run: &RunId) -> Result<Vec<BatchEntry>> {
    let keys = stage.list(&batches_prefix(run)).await?;
    let read = stream::iter(keys).map(|key| async move { stage::read_json::<BatchEntry>(stage, &key).await });
    let found: Vec<_> = read.buffered(16).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// Closes fetching if every batch of the plan has its entry; says whether this call closed it.
///
/// # Errors
/// The stage's own.
pub async fn close_fetching(stage: &impl Stage, run: &RunId) -> Result<bool> {
    let plan = plan(stage, run).await?;
    let expected: BTreeSet<&str> =
        plan.batches.iter().map(|batch| batch.id.as_str()).chain(plan.landed.iter().map(String::as_str)).collect();
    let there: BTreeSet<String> = stage.list(&batches_prefix(run)).await?.into_iter().collect();
    if !expected.iter().all(|id| there.contains(&batch_key(run, id))) {
        return Ok(false);
    }
    // A try of fanout that was cut short may have left an entry that the plan does not know.
    let mut entries = entries(stage, run).await?;
    entries.retain(|entry| expected.contains(entry.batch.as_str()));
    let staged = Staged {
        run_id: run.clone(),
        batches: entries.iter().map(|e| e.batch.clone()).collect(),
        files: entries.into_iter().flat_map(|e| e.files).collect(),
    };
    stage::write_json_once(stage, &staged_key(run), &staged).await
}
