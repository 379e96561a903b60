//! load: copies a run's landing files into `raw` and `staging`, each file exactly once.
//!
//! For each dataset, load copies the files into the temporary table `incoming`, compares their row
//! counts with the ledger, and in one transaction inserts the new rows, quarantines the rejected
//! ones and lists the files in `ops.files`. A listed file is not loaded again, so load can be
//! repeated after a crash at any point.

mod ahead;
mod corrections;
pub mod event;
mod facts;
mod filers;
mod files;
mod price_refetch;
mod quarantine;
mod readmission;
pub mod refill;
mod restatements;
mod securities;
mod sql;
mod tick_sql;
pub mod ticks;
mod withdrawals;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use findata_domain::sql::literal;
use findata_domain::{Error, Result, catalog, clock::Clock, nyse_calendar, schema_version};
use findata_pipeline::{
    freshness,
    ledger::{self, BatchEntry, Loaded},
    plan::PlanOutline,
    ports::{
        stage::{self, Stage},
        warehouse::{Warehouse, roll_back_on_error},
    },
    run::RunId,
    summary::RowCounts,
    write_fence::WriteFence,
};

use filers::Reuse;
use files::{LoadedFiles, load_files, loaded_files};

/// The function's name in query tags and in the ledger.
const FUNCTION: &str = "load";

/// Loads a staged run and records the step as done. Idempotent.
///
/// # Errors
/// `Retry` while the run is not staged; `Stop` if a file's counts differ from the ledger; `Config` if the
/// tables belong to another version; the warehouse's and the stage's errors. A damaged landing file fails only its own tasks.
pub async fn handle(
    run: &RunId,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<Loaded> {
    // A damaged object counts as absent: loading again is safe and rewrites it.
    let loaded = stage::read_rebuildable(stage, &ledger::loaded_key(run), &mut Vec::new()).await?;
    if let Some(loaded) = loaded {
        return Ok(loaded);
    }
    let staged: ledger::Staged = stage::read_json(stage, &ledger::staged_key(run))
        .await?
        .ok_or_else(|| Error::retry(format!("run {run} is not staged yet")))?;
    let started = Instant::now();
    let outcome = load(run, &staged, stage, warehouse, clock).await;
    let usage = warehouse.take_usage().of(FUNCTION);
    // A failed attempt records its usage too. Its error takes precedence over an error of the
    // recording.
    let recorded = usage.record(run, FUNCTION, stage).await;
    let Outcome { rows, unchanged_files, damaged, notes } = outcome?;
    let loaded = Loaded {
        run_id: run.clone(),
        rows,
        unchanged_files,
        damaged,
        notes,
        warehouse: usage,
        seconds: started.elapsed().as_secs_f64(),
    };
    recorded?;
    stage::replace_json(stage, &ledger::loaded_key(run), &loaded).await?;
    Ok(loaded)
}

/// The result of loading a run, over all attempts.
struct Outcome {
    /// Row counts by dataset.
    rows: BTreeMap<String, RowCounts>,
    /// Keys of the files that changed nothing in the warehouse.
    unchanged_files: BTreeSet<String>,
    /// Why each damaged file cannot be loaded, by the file's key.
    damaged: BTreeMap<String, String>,
    /// Remarks for the user.
    notes: Vec<String>,
}

/// Loads the run's files that are not loaded yet, and records its tasks.
async fn load(
    run: &RunId,
    staged: &ledger::Staged,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<Outcome> {
    warehouse.begin_step(run, FUNCTION, "ledger");
    schema_version::require_current(&warehouse.query(schema_version::RECORDED).await?)?;
    let mut fence = WriteFence::read(FUNCTION, warehouse).await?;
    let today = nyse_calendar::new_york_date(clock.now());
    // Read before the entries, so that the text of a large plan is not in memory together with them.
    let plan: Option<PlanOutline> = stage::read_json(stage, &ledger::plan_key(run)).await?;
    // A batch that is not staged is not loaded, so its tasks must not count as fresh.
    let mut entries = ledger::entries(stage, run).await?;
    entries.retain(|entry| staged.batches.contains(&entry.batch));
    ahead::correct(run, &entries, clock.latest(), &mut fence, warehouse).await?;
    let answers = withdrawals::Answers::of(plan.as_ref(), &entries);
    let (securities, left) =
        securities::move_renamed(run, staged, &answers.renamed, &mut fence, warehouse).await?;
    if !left.is_empty() {
        freshness::forget_symbols(stage, &left).await?;
    }
    let LoadedFiles { wrong_days, damaged, reused } =
        load_files(run, staged, &answers, &securities, &mut fence, stage, warehouse, clock).await?;
    warehouse.begin_step(run, FUNCTION, "ledger");
    let corrections = plan.as_ref().and_then(|plan| plan.corrections.as_ref());
    corrections::apply(run, corrections, &mut fence, warehouse).await?;
    ledger::fail_tasks_of(&damaged, &mut entries);
    note_tasks(run, &entries, &mut fence, warehouse).await?;
    let records: Vec<_> = entries.iter().flat_map(|entry| &entry.tasks).collect();
    freshness::advance(stage, run, &records, clock.latest()).await?;
    let reused_symbols: BTreeSet<String> = reused.iter().map(|reuse| reuse.symbol.clone()).collect();
    if !reused_symbols.is_empty() {
        freshness::forget_symbols(stage, &reused_symbols).await?;
    }
    if records.iter().any(|record| price_refetch::is_affected_by(record.task.dataset)) {
        price_refetch::schedule(&wrong_days, today, clock.latest(), stage, warehouse).await?;
    }

    let mut rows: BTreeMap<String, RowCounts> = BTreeMap::new();
    let mut unchanged_files = BTreeSet::new();
    let missing = withdrawals::datasets(run, &answers, warehouse).await?;
    for (file, (dataset, counts)) in loaded_files(run, warehouse).await? {
        // A complete answer deletes the rows that it lacks, so its file may have an effect even
        // without new rows. So does an answer that lacks a statement.
        let may_withdraw = missing.contains(&dataset)
            || catalog::dataset(&dataset).is_none_or(|dataset| dataset.complete_answer);
        if counts.loaded == 0 && counts.quarantined == 0 && !may_withdraw {
            unchanged_files.insert(file);
        }
        let sum = rows.entry(dataset).or_default();
        sum.staged += counts.staged;
        sum.loaded += counts.loaded;
        sum.unchanged += counts.unchanged;
        sum.quarantined += counts.quarantined;
    }
    let notes = reused.iter().map(Reuse::note).collect();
    Ok(Outcome { rows, unchanged_files, damaged, notes })
}

/// Number of batches whose tasks are written at once. A batch has about 500 tasks, and the texts of
/// 50,000 tasks take 25 MB.
const BATCHES_PER_APPEND: usize = 100;

/// Writes the run's tasks to `ops.tasks`, replacing those of an earlier attempt. Each part is a
/// transaction, because the DuckDB session keeps the rows of an open transaction to repeat it. If
/// the function is killed between two parts, the next attempt replaces all of them.
async fn note_tasks(
    run: &RunId,
    entries: &[BatchEntry],
    fence: &mut WriteFence,
    warehouse: &mut impl Warehouse,
) -> Result<()> {
    let mut parts = entries.chunks(BATCHES_PER_APPEND);
    let first = parts.next().unwrap_or_default();
    let delete = format!("delete from ops.tasks where run_id = {}", literal(run.as_str()));
    append_tasks(run, Some(&delete), first, fence, warehouse).await?;
    for part in parts {
        append_tasks(run, None, part, fence, warehouse).await?;
    }
    Ok(())
}

/// Appends the tasks of batches to `ops.tasks`, after another statement of the same transaction.
async fn append_tasks(
    run: &RunId,
    before: Option<&str>,
    entries: &[BatchEntry],
    fence: &mut WriteFence,
    warehouse: &mut impl Warehouse,
) -> Result<()> {
    fence.begin(warehouse).await?;
    let written = async {
        if let Some(statement) = before {
            warehouse.execute(statement).await?;
        }
        if !entries.is_empty() {
            warehouse.append("ops.tasks", sql::tasks(run, entries)).await?;
        }
        warehouse.execute("commit").await
    };
    let written = written.await;
    roll_back_on_error(warehouse, written).await.map(|_| ())
}
