//! Reloads runs that are missing in the warehouse. Reads their landing files and does not call FMP.
//!
//! A warehouse lacks runs if it is a restored backup, or a new file in place of a damaged one. The
//! fetch log on the stage counts the data of these runs as fresh, so no later run would fetch it
//! again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use findata_domain::{Error, Result, catalog, clock::Clock};
use findata_pipeline::{
    freshness,
    landing::StagedFile,
    ledger::{self, BatchEntry, Loaded, Outcome, Staged},
    plan::PlanOutline,
    ports::{
        stage::{self, Stage},
        warehouse::Warehouse,
    },
    run::RunId,
    write_fence::WriteFence,
};

use crate::{
    FUNCTION, ahead, corrections,
    files::{LoadedFiles, load_files},
    note_tasks, securities,
    withdrawals::Answers,
};

/// Returns the runs that the warehouse does not have, oldest first. `loaded` has the runs with a
/// `loaded.json`.
///
/// # Errors
/// The warehouse's errors.
pub async fn missing_runs(
    mut loaded: BTreeSet<RunId>,
    warehouse: &mut impl Warehouse,
) -> Result<BTreeSet<RunId>> {
    // A run is in `ops.tasks` once all its files are loaded. `ops.runs` also has the runs without
    // tasks.
    let known = warehouse.query("select run_id from ops.tasks union select run_id from ops.runs").await?;
    let known: BTreeSet<String> = known.into_iter().filter_map(|row| row.into_iter().next()?).collect();
    loaded.retain(|run| !known.contains(run.as_str()));
    Ok(loaded)
}

/// Loads a run that was already loaded into an earlier warehouse. Returns when its newest answer
/// was fetched. Computes no figures. The next run fetches the data of damaged files again. Safe to
/// repeat.
///
/// # Errors
/// The warehouse's and the stage's errors.
pub async fn refill_run(
    run: &RunId,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<Option<DateTime<Utc>>> {
    let mut recorded = read(run, stage).await;
    let mut repaired = Vec::new();
    if let Err(Error::Damaged(reason)) = &recorded {
        repaired = ledger::repair(run, stage, clock.now()).await?;
        tracing::warn!(run_id = %run, reason, objects = repaired.len(), "repaired the ledger of a run");
        recorded = read(run, stage).await;
    }
    let Some((mut staged, mut entries)) = recorded? else {
        return Ok(None);
    };
    // Files that changed nothing may have been pruned, so they are not loaded.
    let loaded = stage::read_rebuildable::<Loaded>(stage, &ledger::loaded_key(run), &mut Vec::new()).await?;
    if let Some(loaded) = loaded {
        staged.files.retain(|file| !loaded.unchanged_files.contains(&file.key));
    }
    tracing::info!(run_id = %run, "loading a run that the warehouse does not have");
    warehouse.begin_step(run, FUNCTION, "refill");
    let mut fence = WriteFence::read(FUNCTION, warehouse).await?;
    ahead::correct_again(run, &entries, &mut fence, warehouse).await?;
    let plan: Option<PlanOutline> = stage::read_json(stage, &ledger::plan_key(run)).await?;
    let answers = Answers::of(plan.as_ref(), &entries);
    let (securities, _) =
        securities::move_renamed(run, &staged, &answers.renamed, &mut fence, warehouse).await?;
    let LoadedFiles { damaged, .. } =
        load_files(run, &staged, &answers, &securities, &mut fence, stage, warehouse, clock).await?;
    let corrections = plan.as_ref().and_then(|plan| plan.corrections.as_ref());
    corrections::apply(run, corrections, &mut fence, warehouse).await?;
    let mut affected: BTreeSet<&str> = datasets_of(&damaged, &staged);
    if !repaired.is_empty() {
        // A repaired entry may have lost files that it listed before, so the failed tasks of all
        // its datasets are fetched again.
        affected.extend(entries.iter().flat_map(|entry| &entry.tasks).map(|record| record.task.dataset.name));
    }
    ledger::fail_tasks_of(&damaged, &mut entries);
    forget_failed(&affected, &entries, stage).await?;
    if !affected.is_empty() {
        forget_market_caps(&entries, stage).await?;
    }
    note_tasks(run, &entries, &mut fence, warehouse).await?;
    Ok(entries.iter().flat_map(|entry| &entry.tasks).map(|record| record.fetched_at).max())
}

/// Reads the stage's record of a run: `staged.json` and the entries of its batches.
async fn read(run: &RunId, stage: &impl Stage) -> Result<Option<(Staged, Vec<BatchEntry>)>> {
    let Some(staged) = stage::read_json::<Staged>(stage, &ledger::staged_key(run)).await? else {
        return Ok(None);
    };
    let mut entries = ledger::entries(stage, run).await?;
    entries.retain(|entry| staged.batches.contains(&entry.batch));
    Ok(Some((staged, entries)))
}

/// Returns the datasets that have damaged files.
fn datasets_of<'a>(damaged: &BTreeMap<String, String>, staged: &'a Staged) -> BTreeSet<&'a str> {
    let is_damaged = |file: &&StagedFile| damaged.contains_key(&file.key);
    staged.files.iter().filter(is_damaged).map(|file| file.dataset.as_str()).collect()
}

/// Removes the failed tasks of these datasets from the fetch log, so that the next run fetches them
/// again.
async fn forget_failed(datasets: &BTreeSet<&str>, entries: &[BatchEntry], stage: &impl Stage) -> Result<()> {
    for name in datasets {
        let records = entries.iter().flat_map(|entry| &entry.tasks).filter(|record| {
            record.task.dataset.name == *name && matches!(record.outcome, Outcome::Failed { .. })
        });
        let subjects: BTreeSet<String> = records.map(|record| record.task.subject()).collect();
        freshness::forget(stage, name, &subjects).await?;
    }
    Ok(())
}

/// Removes the market caps of the run's symbols from the fetch log. Those of single days come with
/// profiles and quotes, so no failed task shows that they are lost. The next run fetches them all.
async fn forget_market_caps(entries: &[BatchEntry], stage: &impl Stage) -> Result<()> {
    let records = entries.iter().flat_map(|entry| &entry.tasks);
    let subjects: BTreeSet<String> = records.map(|record| record.task.subject()).collect();
    freshness::forget(stage, catalog::MARKET_CAPS.name, &subjects).await
}
