//! Refills a warehouse that is older than its stage, or new, from the landing files. Makes no call.
//!
//! The stage says which answers are fresh, so rows that only the stage has would not be fetched
//! again. Such a warehouse is a backup that was put back, or a new file in place of a damaged one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use findata_domain::{Error, Result, clock::Clock};
use findata_pipeline::{
    freshness,
    landing::StagedFile,
    ledger::{self, Loaded, Outcome, Staged},
    ports::{
        stage::{self, Stage},
        warehouse::Warehouse,
    },
    run::RunId,
    write_fence::WriteFence,
};

use crate::{FUNCTION, load_files, note_tasks};

/// Those of the runs with a `loaded.json` that the warehouse does not have, oldest first.
///
/// # Errors
/// The warehouse's errors.
pub async fn missing_runs(
    mut loaded: BTreeSet<RunId>,
    warehouse: &mut impl Warehouse,
) -> Result<BTreeSet<RunId>> {
    // A run's tasks are written after its files are loaded, and ops.runs has the runs without tasks.
    let known = warehouse.query("select run_id from ops.tasks union select run_id from ops.runs").await?;
    let known: BTreeSet<String> = known.into_iter().filter_map(|row| row.into_iter().next()?).collect();
    loaded.retain(|run| !known.contains(run.as_str()));
    Ok(loaded)
}

/// Loads a run that the stage has loaded before. Returns when its newest answer was fetched. Figures
/// are left to analytics; what damaged files held is due again. Safe to repeat.
///
/// # Errors
/// The warehouse's and the stage's errors.
pub async fn refill_run(
    run: &RunId,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<Option<DateTime<Utc>>> {
    let mut staged = stage::read_json::<Staged>(stage, &ledger::staged_key(run)).await;
    if let Err(Error::Damaged(reason)) = &staged {
        let repaired = ledger::repair(run, stage, clock.now()).await?;
        tracing::warn!(%run, reason, ?repaired, "repaired a run");
        staged = stage::read_json(stage, &ledger::staged_key(run)).await;
    }
    let Some(mut staged) = staged? else {
        return Ok(None);
    };
    // Files that brought nothing new may have been pruned.
    if let Ok(Some(loaded)) = stage::read_json::<Loaded>(stage, &ledger::loaded_key(run)).await {
        staged.files.retain(|file| !loaded.without_news.contains(&file.key));
    }
    tracing::info!(%run, "loading a run that the warehouse does not have");
    warehouse.begin_step(run, FUNCTION, "refill");
    let mut fence = WriteFence::read(FUNCTION, warehouse).await?;
    let (_, damaged) = load_files(run, &staged, &mut fence, warehouse, clock).await?;
    for reason in damaged.values() {
        tracing::warn!(reason, "a file cannot be loaded from the stage: its rows are fetched again");
    }
    let mut entries = ledger::entries(stage, run).await?;
    entries.retain(|entry| staged.batches.contains(&entry.batch));
    ledger::fail_tasks_of(&damaged, &mut entries);
    forget(&damaged, &entries, &staged, stage).await?;
    note_tasks(run, &entries, &mut fence, warehouse).await?;
    Ok(entries.iter().flat_map(|entry| &entry.tasks).map(|record| record.fetched_at).max())
}

/// Makes the answers that were in damaged files due again.
async fn forget(
    damaged: &BTreeMap<String, String>,
    entries: &[ledger::BatchEntry],
    staged: &Staged,
    stage: &impl Stage,
) -> Result<()> {
    let by_key: HashMap<&str, &StagedFile> = staged.files.iter().map(|f| (f.key.as_str(), f)).collect();
    let datasets: BTreeSet<&str> = damaged
        .keys()
        .filter_map(|key| Some(by_key.get(key.as_str())?.dataset.as_str()))
        .collect();
    for name in datasets {
        let records = entries.iter().flat_map(|entry| &entry.tasks).filter(|record| {
            record.task.dataset.name == name && matches!(record.outcome, Outcome::Failed { .. })
        });
        let subjects: BTreeSet<String> = records.map(|record| record.task.subject()).collect();
        freshness::forget(stage, name, &subjects).await?;
    }
    Ok(())
}
