//! extract: a batch's tasks become landing files and a ledger entry.
//!
//! Rows go to the files as answers come, so that a batch holds one answer a call in flight and its compressed files,
//! whatever its size. The ledger entry is written once, whoever is first; it names the files that count. A delivery
//! whose time ends leaves what it did as a part, and the next one does the rest.

mod batch_writer;
mod bulk;
pub mod event;
mod quotes;

use std::{collections::BTreeMap, time::Instant};

use batch_writer::BatchWriter;
use findata_domain::{Error, Result, clock::Clock};
use findata_fmp::{Answer, Deadline, Fmp};
use findata_pipeline::{
    landing::Landing,
    ledger::{self, BatchEntry},
    plan::{BatchMessage, FetchMode, Task},
    ports::stage::{self, Stage},
};
use futures::{StreamExt, stream};

/// Calls of one batch in flight.
const IN_FLIGHT: usize = 64;
/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum BatchResult {
    /// Its batch has its entry in the ledger.
    Done {
        /// Whether this was the last batch, and this call closed fetching.
        closed: bool,
    },
    /// The time ended; this message is for the rest.
    Rest(Box<BatchMessage>),
}

/// Works a batch off and closes fetching if it was the last. Safe to repeat.
///
/// A task that fails is recorded and stops no other. A call that says that no other will work ends the batch: what
/// is there is landed, the rest is recorded as given up.
///
/// # Errors
/// The stage's own, and `Retry` when the time ended before a single task was done: the message should come again.
pub async fn handle(
    message: &BatchMessage,
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
    limit: Option<Deadline>,
) -> Result<BatchResult> {
    let (run, batch) = (&message.run_id, &message.batch);
    let key = ledger::batch_key(run, &batch.id);
    if stage.get(&key).await?.is_none() {
        let message = &ledger::resume_point(message, stage).await?;
        let mut entry = ledger::checkpoints(message, stage).await?;
        let tasks = ledger::tasks(message, stage).await?;
        let Delivery { part, whole, moved, calls } = match batch.fetch_mode {
            FetchMode::BulkFile => bulk::work_off(message, &tasks, &entry, fmp, stage, clock, limit).await?,
            FetchMode::PerSymbol | FetchMode::BatchQuote => {
                let todo = ledger::pending(&tasks, &entry);
                work_off(message, todo, fmp, stage, clock, limit).await?
            }
        };
        if !whole {
            let checkpoints = match (moved, calls) {
                (true, _) => message.checkpoints + 1,
                // It waited for its turn all the time, which is nobody's fault.
                (false, 0) if batch.fetch_mode == FetchMode::BulkFile => {
                    return Ok(BatchResult::Rest(Box::new(message.clone())));
                }
                (false, _) => {
                    return Err(Error::retry(format!("the time ended before a task of batch {} was done", batch.id)));
                }
            };
            if !stage::write_json_once(stage, &ledger::checkpoint_key(run, &batch.id, message.checkpoints), &part)
                .await?
            {
                tracing::info!(%run, batch = batch.id, "another delivery of this part was first");
                // It goes on with the rest; two at once would ask for each file twice.
                if batch.fetch_mode == FetchMode::BulkFile {
                    return Ok(BatchResult::Done { closed: false });
                }
            }
            return Ok(BatchResult::Rest(Box::new(BatchMessage { checkpoints, ..message.clone() })));
        }
        entry.add(part);
        entry.bulk = None;
        if !stage::write_json_once(stage, &key, &entry).await? {
            tracing::info!(%run, batch = batch.id, "another delivery of this batch was first");
        }
    }
    Ok(BatchResult::Done { closed: ledger::close_fetching(stage, run).await? })
}

/// What one delivery did.
struct Delivery {
    part: BatchEntry,
    /// Nothing is left.
    whole: bool,
    /// Something is done that need not be done again.
    moved: bool,
    /// Calls of which nothing came before the time ended.
    calls: u32,
}

/// Does tasks and lands their rows.
async fn work_off(
    message: &BatchMessage,
    todo: Vec<Task>,
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
    limit: Option<Deadline>,
) -> Result<Delivery> {
    let begun = Instant::now();
    let mut work = BatchWriter::new(clock.now());
    let (todo, following) = match message.batch.fetch_mode {
        FetchMode::BatchQuote => quotes::ask(todo, fmp, &mut work).await?,
        FetchMode::PerSymbol | FetchMode::BulkFile => (todo, Vec::new()),
    };
    each(&mut work, following, true, fmp, limit).await?;
    let whole = each(&mut work, todo, false, fmp, limit).await?;
    let part = land(work, BatchEntry::new(&message.batch.id), message, begun, stage).await?;
    Ok(Delivery { whole, moved: !part.tasks.is_empty(), calls: 0, part })
}

/// Does tasks, each by a call, and those that follow from them; says whether all were done. Tasks that follow from an answer
/// belong to its task and are recorded, whenever the time ends.
async fn each(
    work: &mut BatchWriter,
    mut todo: Vec<Task>,
    mut follows: bool,
    fmp: &Fmp,
    limit: Option<Deadline>,
) -> Result<bool> {
    let mut whole = true;
    while !todo.is_empty() {
        let first = !follows;
        let calls = todo.into_iter().map(|task| async move {
            let answer = match limit {
                None => Some(fmp.fetch(&task).await),
                Some(limit) if Instant::now() >= limit.begin && first => None,
                Some(limit) => tokio::time::timeout_at(limit.wait.into(), fmp.fetch(&task)).await.ok(),
            };
            (task, answer)
        });
        let mut answers = stream::iter(calls).buffer_unordered(IN_FLIGHT);
        let mut following = Vec::new();
        while let Some((task, answer)) = answers.next().await {
            match answer {
                Some(answer) => following.extend(work.take(task, answer)?),
                None if follows => {
                    work.take(task, Answer::none(Error::retry("the time ended before its answer")))?;
                }
                None => whole = false,
            }
        }
        (todo, follows) = (following, true);
    }
    Ok(whole)
}

/// Lands what the work has and adds it to a part.
async fn land(
    mut work: BatchWriter,
    mut part: BatchEntry,
    message: &BatchMessage,
    begun: Instant,
    stage: &impl Stage,
) -> Result<BatchEntry> {
    for (_, landing) in std::mem::take::<BTreeMap<&str, Landing>>(&mut work.landings) {
        part.files.push(landing.land(stage, &message.run_id, &message.batch.id).await?);
    }
    part.tasks.extend(work.records);
    (part.stop, part.drift) = (work.stop, work.drift);
    part.seconds = begun.elapsed().as_secs_f64();
    Ok(part)
}
