//! Closes the fetch step. Every delivery of a batch checks whether it was the last one, so this
//! module reads only the parts of the plan and of the batch entries that it needs. With 50,000
//! symbols, the plan is a text of 45 MB with 550,000 tasks.

use std::collections::BTreeSet;

use findata_domain::Result;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::{Staged, batch_key, batches_prefix, missing_plan, plan_key, staged_key};
use crate::{
    landing::StagedFile,
    plan::BatchMessage,
    ports::stage::{self, Stage},
    run::RunId,
};

/// The part of a [`Plan`](crate::plan::Plan) that names its batches.
#[derive(Deserialize)]
struct PlannedBatches {
    batches: Vec<PlannedBatch>,
    landed: Vec<String>,
    #[serde(default)]
    traceparent: Option<String>,
}

#[derive(Deserialize)]
struct PlannedBatch {
    id: String,
}

impl PlannedBatches {
    async fn read(stage: &impl Stage, run: &RunId) -> Result<Self> {
        stage::read_json(stage, &plan_key(run)).await?.ok_or_else(|| missing_plan(run))
    }

    /// Returns the ids, including those of the batches that fanout recorded itself.
    fn ids(&self) -> BTreeSet<&str> {
        let planned = self.batches.iter().map(|batch| batch.id.as_str());
        planned.chain(self.landed.iter().map(String::as_str)).collect()
    }
}

/// The part of a [`BatchEntry`](super::BatchEntry) that `staged.json` repeats.
#[derive(Deserialize)]
struct EntryFiles {
    batch: String,
    files: Vec<StagedFile>,
}

/// Closes the fetch step after the entry of a message's batch was written, if it was the last one.
/// Reads the plan only if enough entries exist. Returns whether this call closed the step.
///
/// # Errors
/// The errors of [`close_fetching`].
pub async fn close_after(message: &BatchMessage, stage: &impl Stage) -> Result<bool> {
    let run = &message.run_id;
    let existing = stage.list(&batches_prefix(run)).await?;
    if message.batches.is_some_and(|batches| existing.len() < batches) {
        return Ok(false);
    }
    close(stage, run, existing, message.traceparent.clone()).await
}

/// Closes the fetch step if every batch of the plan has its entry. Returns whether this call closed
/// the step.
///
/// # Errors
/// `Retry` while the plan is not on the stage; the stage's errors.
pub async fn close_fetching(stage: &impl Stage, run: &RunId) -> Result<bool> {
    close(stage, run, stage.list(&batches_prefix(run)).await?, None).await
}

async fn close(
    stage: &impl Stage,
    run: &RunId,
    existing: Vec<String>,
    traceparent: Option<String>,
) -> Result<bool> {
    let mut planned = PlannedBatches::read(stage, run).await?;
    planned.traceparent = traceparent.or(planned.traceparent);
    let existing: BTreeSet<String> = existing.into_iter().collect();
    if !planned.ids().iter().all(|id| existing.contains(&batch_key(run, id))) {
        return Ok(false);
    }
    let staged = staged(run, &planned, existing, stage).await?;
    stage::write_json_once(stage, &staged_key(run), &staged).await
}

/// Builds `staged.json` from the plan and the entries on the stage.
///
/// # Errors
/// `Retry` while the plan is not on the stage; the stage's errors.
pub(super) async fn rebuilt(stage: &impl Stage, run: &RunId) -> Result<Staged> {
    let planned = PlannedBatches::read(stage, run).await?;
    staged(run, &planned, stage.list(&batches_prefix(run)).await?, stage).await
}

/// Builds the `staged.json` that closes the fetch step: the plan's batches and their files.
async fn staged(
    run: &RunId,
    planned: &PlannedBatches,
    keys: impl IntoIterator<Item = String>,
    stage: &impl Stage,
) -> Result<Staged> {
    let read = stream::iter(keys).map(|key| async move { stage::read_json::<EntryFiles>(stage, &key).await });
    let found: Vec<_> = read.buffered(16).try_collect().await?;
    // An interrupted attempt of fanout may have left an entry that the plan does not list.
    let ids = planned.ids();
    let entries: Vec<_> =
        found.into_iter().flatten().filter(|entry| ids.contains(entry.batch.as_str())).collect();
    Ok(Staged {
        run_id: run.clone(),
        batches: entries.iter().map(|entry| entry.batch.clone()).collect(),
        files: entries.into_iter().flat_map(|entry| entry.files).collect(),
        traceparent: planned.traceparent.clone(),
    })
}
