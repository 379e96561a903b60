//! The ledger: JSON objects on the stage that record a run's plan, the result of each batch, and
//! the end of each step.
//!
//! A conditional write closes a step; only one writer can succeed. The same write is the event that
//! starts the next step, so no failure can occur between closing a step and announcing it.

mod closing;
mod empty;
mod keys;
mod objects;
pub mod outcome;
mod repair;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    bulk_progress::BulkPhase,
    plan::{BatchMessage, FetchMode, Plan, PlanOutline, Task},
    ports::{
        bus::{Bus, Details, Event, NAMED},
        stage::{self, Stage},
    },
    run::{RunId, Step},
};
use findata_domain::{Error, Result};

pub use closing::{close_after, close_fetching};
pub use keys::{
    attempt_key, attempts_prefix, awaits_key, batch_key, batches_prefix, blocker_key, calls_key,
    checkpoint_key, checkpoints_prefix, late_key, loaded_key, loads_again, plan_key, request_key,
    retries_key, slice_key, slice_key_prefix, slices_prefix, staged_key, summary_key, wait_key,
};
pub use objects::{BatchEntry, Blocker, Loaded, Staged};
pub use outcome::{Outcome, TaskRecord};
pub use repair::repair;

/// Records a problem that stops a function's work on a run until a person fixes it. The first
/// record of a run and function also publishes `RunFailed`. Returns whether this is the first record.
///
/// # Errors
/// The stage's and the bus's errors.
pub async fn record_blocker(
    run: &RunId,
    function: &str,
    error: &Error,
    stage: &impl Stage,
    bus: &impl Bus,
    now: DateTime<Utc>,
    traceparent: Option<String>,
) -> Result<bool> {
    let step = if function == "load" { Step::Load } else { Step::Compute };
    let blocker = Blocker { reason: error.to_string(), at: now };
    let is_first = stage::write_json_once(stage, &blocker_key(run, function), &blocker).await?;
    if is_first {
        let details = Details { traceparent, ..waiting_details(run, stage).await };
        let (run_id, reason) = (run.to_string(), format!("{function}: {}", blocker.reason));
        bus.publish(Event::RunFailed { run_id, step, reason, details }).await?;
    }
    Ok(is_first)
}

/// The details of a run whose data waits: it affects every company of the plan. A missing or damaged plan
/// must not prevent the announcement.
pub async fn waiting_details(run: &RunId, stage: &impl Stage) -> Details {
    let details = Details::of_run(run);
    let Ok(plan) = plan_outline(stage, run).await else {
        return details;
    };
    let count = plan.symbols.len() as u64;
    let affected = plan.symbols.iter().take(NAMED).map(ToString::to_string).collect();
    Details { symbols: count, affected_symbols: count, affected, ..details }
}

/// Records the unfinished tasks of a batch as failed, so that its run can close. Keeps the results
/// of tasks that the batch's checkpoints record as finished. Returns whether this call closed the
/// fetch step. `failure` is the outcome of these tasks. Idempotent.
///
/// # Errors
/// The stage's errors.
pub async fn record_as_failed(
    message: &BatchMessage,
    failure: &Outcome,
    stage: &impl Stage,
    now: DateTime<Utc>,
) -> Result<bool> {
    let message = &resume_point(message, stage).await?;
    let (run, batch) = (&message.run_id, &message.batch);
    let mut entry = checkpoints(message, stage).await?;
    let tasks = tasks(message, stage).await?;
    if let Some(bulk) = entry.bulk.take().filter(|bulk| bulk.phase != BulkPhase::FallingBack) {
        let pending = pending(&tasks, &entry);
        let records = bulk.records(&tasks, Some(failure));
        entry.tasks.extend(records.into_iter().filter(|record| pending.contains(&record.task)));
    }
    for task in pending(&tasks, &entry) {
        let outcome = failure.clone();
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
    close_after(message, stage).await
}

/// Reads the checkpoints of a message's batch and merges them into one entry.
///
/// # Errors
/// `Retry` if the stage has fewer checkpoints than the message counts; the stage's errors.
pub async fn checkpoints(message: &BatchMessage, stage: &impl Stage) -> Result<BatchEntry> {
    let (run, batch) = (&message.run_id, &message.batch);
    let mut entry = BatchEntry::new(&batch.id);
    for number in 0..message.checkpoints {
        let key = checkpoint_key(run, &batch.id, number);
        let checkpoint = stage::read_json(stage, &key).await?;
        entry.add(checkpoint.ok_or_else(|| Error::retry(format!("{key} is not on the stage yet")))?);
    }
    Ok(entry)
}

/// Returns the message with the number of checkpoints that exist on the stage. The queue may deliver the
/// batch's first message again after checkpoints were written, and the sweeper sends that message again.
/// Its number is then too low, and the tasks of these checkpoints would be fetched twice.
///
/// # Errors
/// The stage's errors.
pub async fn resume_point(message: &BatchMessage, stage: &impl Stage) -> Result<BatchMessage> {
    let (run, batch) = (&message.run_id, &message.batch);
    let mut message = message.clone();
    while stage.get(&checkpoint_key(run, &batch.id, message.checkpoints)).await?.is_some() {
        message.checkpoints += 1;
    }
    Ok(message)
}

/// Records that a batch waited in one invocation. The sweeper sends a batch again only if its run makes no
/// progress, and a batch that waits would otherwise look lost.
///
/// # Errors
/// The stage's errors.
pub async fn note_wait(message: &BatchMessage, stage: &impl Stage) -> Result<()> {
    let key = wait_key(&message.run_id, &message.batch.id, message.waits);
    stage::write_json_once(stage, &key, &BatchEntry::new("")).await.map(|_| ())
}

/// Returns the tasks of a message. A bulk batch has too many for a message, so its tasks are read
/// from the plan.
///
/// # Errors
/// `Retry` while the plan is not on the stage; `Reject` if the plan does not contain the batch; the
/// stage's errors.
pub async fn tasks(message: &BatchMessage, stage: &impl Stage) -> Result<Vec<Task>> {
    let (run, batch) = (&message.run_id, &message.batch);
    if batch.fetch_mode != FetchMode::BulkFile || !batch.tasks.is_empty() {
        return Ok(batch.tasks.clone());
    }
    let planned = plan(stage, run).await?.batches.into_iter().find(|planned| planned.id == batch.id);
    planned
        .map(|planned| planned.tasks)
        .ok_or_else(|| Error::Reject(format!("run {run} has no batch {}", batch.id)))
}

/// Returns the tasks that have no record in the entry.
pub fn pending(tasks: &[Task], entry: &BatchEntry) -> Vec<Task> {
    let done: HashSet<_> = entry.tasks.iter().map(|record| record.task.identity()).collect();
    tasks.iter().filter(|task| !done.contains(&task.identity())).cloned().collect()
}

/// Records tasks as failed if their rows were in damaged files, so that the next run fetches them
/// again. `damaged` maps the key of each damaged file to the reason.
pub fn fail_tasks_of(damaged: &BTreeMap<String, String>, entries: &mut [BatchEntry]) {
    for entry in entries {
        for file in &entry.files {
            let Some(reason) = damaged.get(&file.key) else { continue };
            let of_file = |record: &&mut TaskRecord| {
                record.task.dataset.name == file.dataset && matches!(record.outcome, Outcome::Rows { .. })
            };
            entry
                .tasks
                .iter_mut()
                .filter(of_file)
                .for_each(|record| record.outcome = Outcome::failed(reason));
        }
    }
}

/// Reads the run's plan.
///
/// # Errors
/// `Retry` while the plan is not on the stage, because a message can arrive before the plan is
/// written; the stage's errors.
pub async fn plan(stage: &impl Stage, run: &RunId) -> Result<Plan> {
    stage::read_json(stage, &plan_key(run)).await?.ok_or_else(|| missing_plan(run))
}

/// Reads the run's plan without its batches.
///
/// # Errors
/// The errors of [`plan`].
pub async fn plan_outline(stage: &impl Stage, run: &RunId) -> Result<PlanOutline> {
    stage::read_json(stage, &plan_key(run)).await?.ok_or_else(|| missing_plan(run))
}

fn missing_plan(run: &RunId) -> Error {
    Error::retry(format!("the plan of run {run} is not on the stage yet"))
}

/// Reads all batch entries of a run, ordered by batch id. The module `empty` decides for each empty
/// answer in them whether it is accepted.
///
/// # Errors
/// The stage's errors.
pub async fn entries(stage: &impl Stage, run: &RunId) -> Result<Vec<BatchEntry>> {
    let keys = stage.list(&batches_prefix(run)).await?;
    let read = stream::iter(keys).map(|key| async move { stage::read_json::<BatchEntry>(stage, &key).await });
    let found: Vec<_> = read.buffered(16).try_collect().await?;
    let mut entries: Vec<_> = found.into_iter().flatten().collect();
    empty::judge(&mut entries);
    Ok(entries)
}

/// Returns the runs that have an object of this name, such as `loaded.json`. `keys` are the ledger
/// keys of all runs.
pub fn runs_with<'a>(object: &str, keys: impl IntoIterator<Item = &'a String>) -> BTreeSet<RunId> {
    let run =
        |key: &'a String| key.strip_prefix("runs/")?.strip_suffix(object)?.strip_suffix('/')?.parse().ok();
    keys.into_iter().filter_map(run).collect()
}
