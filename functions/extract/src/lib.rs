//! extract: turns a batch's tasks into landing files and a ledger entry.
//!
//! Rows are written to the landing files as answers arrive. Memory therefore holds only one answer
//! per call in flight and the batch's compressed files. The ledger entry names the valid files and
//! is written once: the first writer wins. An invocation that runs out of time stores its results
//! as a checkpoint, and the next invocation continues from it.

mod batch_writer;
mod bulk;
pub mod event;
pub mod journal;
mod limit;
mod quotes;

use std::{collections::BTreeMap, time::Instant};

use batch_writer::BatchWriter;
use findata_domain::{Error, Result, clock::Clock};
use findata_fmp::{Answer, Fmp};
use findata_pipeline::{
    landing::Landing,
    ledger::{self, BatchEntry},
    plan::{BatchMessage, FetchMode, Task},
    ports::stage::{self, Stage},
};
use futures::{StreamExt, stream};
use journal::Journal;

pub use limit::Limit;

/// Maximum number of successive invocations in which a batch of bulk files may only wait for the pause
/// between two files. An invocation lasts up to five minutes, and the pause is shorter, so this is a
/// fault. Without a limit, the batch would be queued forever.
pub const MAX_WAITS: u32 = 15;
/// Maximum number of successive invocations in which a batch may only wait for the shared call budget:
/// about a day. Other runs with the key may use the whole budget for hours.
pub const MAX_BUDGET_WAITS: u32 = 300;

/// The result of handling one message.
#[derive(Debug, PartialEq, Eq)]
pub enum BatchResult {
    /// The batch is recorded in the ledger.
    Done {
        /// Whether this call closed the run's fetch step, because the batch was the last one.
        closed: bool,
    },
    /// The time ran out. This message is for the remaining tasks.
    Rest(Box<BatchMessage>),
}

/// What one invocation did with a batch.
enum Attempt {
    /// Every task is recorded. The entry has the results that this invocation added.
    Complete(BatchEntry),
    /// The time ran out. The entry has the results so far.
    OutOfTime(BatchEntry),
    /// The time ran out before anything was done.
    NoProgress,
}

/// Fetches a batch, and closes the run's fetch step if the batch was the last one. Safe to repeat.
///
/// A task that fails is recorded and does not stop the others. If a call shows that no other call
/// can succeed, the batch ends: what was fetched is landed, and the other tasks are recorded as
/// failed.
///
/// With a journal, each answer is kept as it arrives, and a batch of bulk files ends after each
/// file with a checkpoint.
///
/// # Errors
/// The stage's errors, and `Retry` if the time ran out before a single task was done although the batch did
/// not wait, or if it waited too often: the message should be delivered again.
pub async fn handle(
    message: &BatchMessage,
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
    limit: impl Into<Limit>,
    journal: Option<&dyn Journal>,
) -> Result<BatchResult> {
    let limit = &limit.into();
    let (run, batch) = (&message.run_id, &message.batch);
    let is_bulk = batch.fetch_mode == FetchMode::BulkFile;
    let (started, waited_before) = (Instant::now(), fmp.stats().waited_seconds());
    // Only an invocation with a deadline has the client to itself.
    let usage = || {
        let mut usage = limit.deadline().map(|_| fmp.usage());
        if let Some(usage) = &mut usage {
            usage.budget.waited_seconds += message.waited_ms as f64 / 1e3;
        }
        usage
    };
    let key = ledger::batch_key(run, &batch.id);
    if stage.get(&key).await?.is_none() {
        let message = &ledger::resume_point(message, stage).await?;
        let mut entry = ledger::checkpoints(message, stage).await?;
        let tasks = ledger::tasks(message, stage).await?;
        let attempt = if is_bulk {
            bulk::attempt(message, &tasks, &entry, fmp, stage, clock, limit, journal).await?
        } else {
            attempt(message, ledger::pending(&tasks, &entry), fmp, stage, clock, limit, journal).await?
        };
        match attempt {
            Attempt::Complete(added) => {
                entry.add(BatchEntry { client: usage(), ..added });
                entry.bulk = None;
                if !stage::write_json_once(stage, &key, &entry).await? {
                    tracing::info!(run_id = %run, batch = batch.id, "another invocation recorded this batch first");
                }
            }
            Attempt::OutOfTime(checkpoint) => {
                let checkpoint = BatchEntry { client: usage(), ..checkpoint };
                let checkpoint_key = ledger::checkpoint_key(run, &batch.id, message.checkpoints);
                if !stage::write_json_once(stage, &checkpoint_key, &checkpoint).await? {
                    tracing::info!(run_id = %run, batch = batch.id, "another invocation wrote this checkpoint first");
                    // That invocation has queued the rest of the batch. If this one did so too, each
                    // of the other tasks would be requested twice.
                    return Ok(BatchResult::Done { closed: false });
                }
                let checkpoints = message.checkpoints + 1;
                let rest = BatchMessage { checkpoints, waits: 0, waited_ms: 0, ..message.clone() };
                return Ok(BatchResult::Rest(Box::new(rest)));
            }
            Attempt::NoProgress => {
                // Waiting for the shared call budget, or for the pause between two bulk files, is not a
                // failed attempt.
                let waited = fmp.stats().waited_seconds() - waited_before;
                let most = match waited > started.elapsed().as_secs_f64() / 2.0 {
                    true => MAX_BUDGET_WAITS,
                    false if is_bulk => MAX_WAITS,
                    false => 0,
                };
                if message.waits < most && !limit.is_stopped() {
                    ledger::note_wait(message, stage).await?;
                    let waited_ms = message.waited_ms + (waited * 1e3) as u64;
                    let rest = BatchMessage { waits: message.waits + 1, waited_ms, ..message.clone() };
                    return Ok(BatchResult::Rest(Box::new(rest)));
                }
                return Err(Error::retry(format!(
                    "time ran out before any task of batch {} was finished",
                    batch.id
                )));
            }
        }
    }
    Ok(BatchResult::Done { closed: ledger::close_after(message, stage).await? })
}

/// Fetches tasks and lands their rows.
async fn attempt(
    message: &BatchMessage,
    tasks: Vec<Task>,
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
    limit: &Limit,
    journal: Option<&dyn Journal>,
) -> Result<Attempt> {
    if limit.is_stopped() {
        return Ok(Attempt::NoProgress);
    }
    let started = Instant::now();
    let mut writer = BatchWriter::new(clock.now());
    let (tasks, follow_ups) = match message.batch.fetch_mode {
        FetchMode::BatchQuote => match limit.wait_for(quotes::fetch(tasks, fmp, &mut writer)).await {
            Some(fetched) => fetched?,
            None => return Ok(Attempt::NoProgress),
        },
        FetchMode::PerSymbol | FetchMode::BulkFile => (tasks, Vec::new()),
    };
    fetch_each(&mut writer, follow_ups, true, fmp, limit, journal).await?;
    let complete = fetch_each(&mut writer, tasks, false, fmp, limit, journal).await?;
    let mut entry = land(writer, BatchEntry::new(&message.batch.id), message, started, stage).await?;
    entry.pacing = fmp.pacing();
    Ok(match (complete, entry.tasks.is_empty()) {
        (true, _) => Attempt::Complete(entry),
        (false, false) => Attempt::OutOfTime(entry),
        (false, true) => Attempt::NoProgress,
    })
}

/// Fetches tasks with one call each, then the tasks that follow from their answers. Returns whether
/// all tasks were done in time. A follow-up task without an answer in time is recorded as failed,
/// because no later invocation would create it again.
async fn fetch_each(
    writer: &mut BatchWriter,
    mut tasks: Vec<Task>,
    mut are_follow_ups: bool,
    fmp: &Fmp,
    limit: &Limit,
    journal: Option<&dyn Journal>,
) -> Result<bool> {
    let mut complete = true;
    while !tasks.is_empty() {
        let may_wait = !are_follow_ups;
        let calls = tasks.into_iter().map(|task| async move {
            let answer = match limit.is_over() && may_wait {
                true => None,
                false => limit.wait_for(fmp.fetch(&task)).await,
            };
            (task, answer)
        });
        let mut answers = stream::iter(calls).buffer_unordered(fmp.most_in_flight());
        let mut follow_ups = Vec::new();
        while let Some((task, answer)) = answers.next().await {
            if let (Some(journal), Some(answer)) = (journal, &answer) {
                journal.keep(&task, answer);
            }
            match answer {
                Some(answer) => follow_ups.extend(writer.add_answer(task, answer)?),
                None if are_follow_ups => {
                    writer.add_answer(
                        task,
                        Answer::none(Error::retry("time ran out before the answer arrived")),
                    )?;
                }
                None => complete = false,
            }
        }
        (tasks, are_follow_ups) = (follow_ups, true);
    }
    Ok(complete)
}

/// Lands the writer's rows and adds its files and records to an entry.
async fn land(
    mut writer: BatchWriter,
    mut entry: BatchEntry,
    message: &BatchMessage,
    started: Instant,
    stage: &impl Stage,
) -> Result<BatchEntry> {
    for (_, landing) in std::mem::take::<BTreeMap<&str, Landing>>(&mut writer.landings) {
        entry.files.push(landing.land(stage, &message.run_id, &message.batch.id).await?);
    }
    entry.tasks.extend(writer.records);
    (entry.stop, entry.drift) = (writer.stop, writer.drift);
    entry.bars_by_call = writer.bars_by_call;
    entry.seconds = started.elapsed().as_secs_f64();
    Ok(entry)
}
