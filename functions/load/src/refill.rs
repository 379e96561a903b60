//! Refills a warehouse that is older than its stage, or new, from the landing files. Makes no call.
//!
//! The stage says which answers are fresh, so rows that only the stage has would not be fetched
//! again. Such a warehouse is a backup that was put back, or a new file in place of a damaged one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use findata_domain::{Error, Result, clock::Clock};
use findata_pipeline::{
    freshness,
    landing::StagedFile,
    ledger::{self, Outcome, Staged},
    ports::{
        stage::{self, Stage},
        warehouse::Warehouse,
    },
    run::RunId,
    write_fence::WriteFence,
};

use crate::{FUNCTION, load_files, note_tasks};

/// What a refill did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Refilled {
    /// The runs whose files were loaded, in order.
    pub runs: Vec<RunId>,
    /// Damaged or missing files, with the reason. What they held is due again.
    pub damaged: BTreeMap<String, String>,
}

/// Loads the runs that the stage has loaded before and the warehouse does not have, oldest first.
/// `loaded` are the runs with a `loaded.json`. Figures are left to analytics. Safe to repeat.
///
/// # Errors
/// The warehouse's and the stage's errors.
pub async fn refill(
    loaded: &BTreeSet<RunId>,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<Refilled> {
    let mut refilled = Refilled::default();
    // A run's tasks are written after its files are loaded, and ops.runs has the runs without tasks.
    let known = warehouse.query("select run_id from ops.tasks union select run_id from ops.runs").await?;
    let known: BTreeSet<String> = known.into_iter().filter_map(|row| row.into_iter().next()?).collect();
    for run in loaded.iter().filter(|run| !known.contains(run.as_str())) {
        let mut staged = stage::read_json::<Staged>(stage, &ledger::staged_key(run)).await;
        if let Err(Error::Damaged(reason)) = &staged {
            let repaired = ledger::repair(run, stage, clock.now()).await?;
            tracing::warn!(%run, reason, ?repaired, "repaired a run");
            staged = stage::read_json(stage, &ledger::staged_key(run)).await;
        }
        let Some(staged) = staged? else { continue };
        tracing::warn!(%run, "the warehouse does not have this run: loading it from the stage");
        warehouse.begin_step(run, FUNCTION, "refill");
        let mut fence = WriteFence::read(FUNCTION, warehouse).await?;
        let (_, damaged) = load_files(run, &staged, &mut fence, warehouse, clock).await?;
        let mut entries = ledger::entries(stage, run).await?;
        entries.retain(|entry| staged.batches.contains(&entry.batch));
        ledger::fail_tasks_of(&damaged, &mut entries);
        forget(&damaged, &entries, &staged, stage).await?;
        note_tasks(run, &entries, &mut fence, warehouse).await?;
        refilled.runs.push(run.clone());
        refilled.damaged.extend(damaged);
    }
    Ok(refilled)
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
