//! extract: a batch's tasks become landing files and a ledger entry.
//!
//! Rows go to the files as answers come, so that a batch holds one answer a call in flight and its compressed files,
//! whatever its size. The ledger entry is written once, whoever is first; it names the files that count.

mod work;

use std::collections::BTreeMap;

use findata_shared::{
    Result,
    clock::Clock,
    fmp::Fmp,
    landing::Landing,
    ledger::{self, BatchEntry, Outcome, TaskRecord},
    plan::{BatchMessage, Task},
    stage::{self, Stage},
};
use futures::{StreamExt, stream};
use work::Work;

/// Calls of one batch in flight.
const IN_FLIGHT: usize = 64;

/// Works a batch off and closes fetching if it was the last; says whether this call closed it. Safe to repeat.
///
/// A task that fails is recorded and stops no other. A call that says that no other will work ends the batch: what
/// is there is landed, the rest is recorded as given up.
///
/// # Errors
/// The stage's own: the message should come again.
pub async fn handle(message: &BatchMessage, fmp: &Fmp, stage: &impl Stage, clock: &impl Clock) -> Result<bool> {
    let (run, batch) = (&message.run_id, &message.batch);
    let key = ledger::batch_key(run, &batch.id);
    if stage.get(&key).await?.is_none() {
        let entry = work_off(message, fmp, stage, clock).await?;
        if !stage::write_json_once(stage, &key, &entry).await? {
            tracing::info!(%run, batch = batch.id, "another delivery of this batch was first");
        }
    }
    ledger::close_fetching(stage, run).await
}

async fn work_off(message: &BatchMessage, fmp: &Fmp, stage: &impl Stage, clock: &impl Clock) -> Result<BatchEntry> {
    let mut work = Work::new(clock.now());
    let mut todo = message.batch.tasks.clone();
    while !todo.is_empty() {
        let calls = todo.into_iter().map(|task| async {
            let answer = fmp.fetch(&task).await;
            (task, answer)
        });
        let mut answers = stream::iter(calls).buffer_unordered(IN_FLIGHT);
        let mut following = Vec::new();
        while let Some((task, answer)) = answers.next().await {
            following.extend(work.take(task, answer)?);
        }
        todo = following;
    }
    let mut files = Vec::new();
    for (_, landing) in std::mem::take::<BTreeMap<&str, Landing>>(&mut work.landings) {
        files.push(landing.land(stage, &message.run_id, &message.batch.id).await?);
    }
    Ok(BatchEntry { batch: message.batch.id.clone(), tasks: work.records, files, stop: work.stop, drift: work.drift })
}

/// Records a batch that could not be worked off as failed, so that its run still closes. Safe to repeat.
///
/// # Errors
/// The stage's own.
pub async fn give_up(message: &BatchMessage, reason: &str, stage: &impl Stage, clock: &impl Clock) -> Result<bool> {
    let failed = |task: &Task| TaskRecord {
        task: task.clone(),
        outcome: Outcome::Failed { reason: reason.into(), budget: false },
        calls: 0,
        bytes: 0,
        fetched_at: clock.now(),
    };
    let entry = BatchEntry {
        batch: message.batch.id.clone(),
        tasks: message.batch.tasks.iter().map(failed).collect(),
        files: Vec::new(),
        stop: None,
        drift: BTreeMap::new(),
    };
    stage::write_json_once(stage, &ledger::batch_key(&message.run_id, &message.batch.id), &entry).await?;
    ledger::close_fetching(stage, &message.run_id).await
}
