//! The journal keeps the answers of a batch until the batch is recorded, so that a killed process
//! does not lose calls that are already paid for.
//!
//! On a laptop each answer is appended to a file as it arrives. If the process is killed, the next
//! run lands those answers as a checkpoint ([`recover`]), and only the calls that were in flight are
//! made again. Lambda needs no journal: an invocation writes a checkpoint before its time runs out.

use std::{collections::HashSet, time::Instant};

use chrono::{DateTime, Utc};
use findata_domain::{Error, Result};
use findata_fmp::Answer;
use findata_pipeline::{
    ledger::{self, BatchEntry},
    plan::{BatchMessage, Task},
    ports::stage::{self, Stage},
};

use crate::{batch_writer::BatchWriter, land};

/// Keeps the answers of one batch until the batch is recorded.
pub trait Journal: Send + Sync {
    /// Stores an answer. A failure is only logged: if the process is killed later, the next run
    /// repeats the call.
    fn keep(&self, task: &Task, answer: &Answer);
}

/// Lands the answers that a journal kept for an interrupted batch, as a checkpoint of the batch.
/// `fetched_at` is when the batch began. Makes no call; safe to repeat.
///
/// # Errors
/// The stage's errors.
pub async fn recover(
    message: &BatchMessage,
    answers: Vec<(Task, Answer)>,
    fetched_at: DateTime<Utc>,
    stage: &impl Stage,
) -> Result<()> {
    let (run, batch) = (&message.run_id, &message.batch);
    if stage.get(&ledger::batch_key(run, &batch.id)).await?.is_some() {
        return Ok(());
    }
    let started = Instant::now();
    let message = ledger::resume_point(message, stage).await?;
    let recorded = ledger::checkpoints(&message, stage).await?;
    let owned = |task: &Task| (task.dataset.name, task.symbol.clone(), task.window);
    let mut done: HashSet<_> = recorded.tasks.iter().map(|record| owned(&record.task)).collect();
    let mut writer = BatchWriter::new(fetched_at);
    let mut follow_ups = Vec::new();
    for (task, answer) in answers {
        if done.insert(owned(&task)) {
            follow_ups.extend(writer.add_answer(task, answer)?);
        }
    }
    if writer.records.is_empty() {
        return Ok(());
    }
    // A follow-up is created only by the answer of its task, so it is recorded with that task even
    // without an answer.
    for task in follow_ups {
        if done.insert(owned(&task)) {
            writer.add_answer(task, Answer::none(Error::retry("the run was interrupted")))?;
        }
    }
    let entry = land(writer, BatchEntry::new(&batch.id), &message, started, stage).await?;
    let key = ledger::checkpoint_key(run, &batch.id, message.checkpoints);
    stage::write_json_once(stage, &key, &entry).await.map(|_| ())
}
