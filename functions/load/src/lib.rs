//! load: copies a run's landing files into `raw` and `staging`, each file exactly once.
//!
//! For each dataset, load copies the files into the temporary table `incoming`, compares their row
//! counts with the ledger, and in one transaction inserts the new rows, quarantines the rejected
//! ones and lists the files in `ops.files`. A listed file is not loaded again, so load can be
//! repeated after a crash at any point.

mod ahead;
pub mod event;
mod files;
mod price_refetch;
mod readmission;
pub mod refill;
mod restatements;
mod sql;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use findata_domain::sql::literal;
use findata_domain::{Error, Result, catalog, clock::Clock, nyse_calendar};
use findata_pipeline::{
    freshness,
    ledger::{self, BatchEntry, Loaded},
    ports::{
        stage::{self, Stage},
        warehouse::{Warehouse, roll_back_on_error},
    },
    run::RunId,
    summary::RowCounts,
    write_fence::WriteFence,
};

use files::{load_files, loaded_files};

/// The function's name in query tags and in the ledger.
const FUNCTION: &str = "load";

/// Loads a staged run and records the step as done. Idempotent.
///
/// # Errors
/// `Retry` while the run is not staged; `Stop` if a file's counts differ from the ledger; the
/// warehouse's and the stage's errors. A damaged landing file fails only its own tasks.
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
    let usage = warehouse.take_usage();
    // A failed attempt records its usage too. Its error takes precedence over an error of the
    // recording.
    let recorded = usage.record(run, FUNCTION, stage).await;
    let Outcome { rows, unchanged_files, damaged } = outcome?;
    let loaded = Loaded {
        run_id: run.clone(),
        rows,
        unchanged_files,
        damaged,
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
    /// For each damaged file, the reason.
    damaged: BTreeMap<String, String>,
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
    let mut fence = WriteFence::read(FUNCTION, warehouse).await?;
    let today = nyse_calendar::new_york_date(clock.now());
    // A batch that is not staged is not loaded, so its tasks must not count as fresh.
    let mut entries = ledger::entries(stage, run).await?;
    entries.retain(|entry| staged.batches.contains(&entry.batch));
    ahead::correct(run, &entries, clock.latest(), &mut fence, warehouse).await?;
    let (wrong_days, damaged) = load_files(run, staged, &mut fence, warehouse, clock).await?;
    warehouse.begin_step(run, FUNCTION, "ledger");
    ledger::fail_tasks_of(&damaged, &mut entries);
    note_tasks(run, &entries, &mut fence, warehouse).await?;
    let records: Vec<_> = entries.into_iter().flat_map(|entry| entry.tasks).collect();
    freshness::advance(stage, run, &records, clock.latest()).await?;
    if records.iter().any(|record| price_refetch::is_affected_by(record.task.dataset)) {
        price_refetch::schedule(&wrong_days, today, clock.latest(), stage, warehouse).await?;
    }

    let mut rows: BTreeMap<String, RowCounts> = BTreeMap::new();
    let mut unchanged_files = BTreeSet::new();
    for (file, (dataset, counts)) in loaded_files(run, warehouse).await? {
        // A complete answer deletes the rows that it lacks, so its file may have an effect even
        // without new rows.
        let may_withdraw = catalog::dataset(&dataset).is_none_or(|dataset| dataset.complete_answer);
        if counts.loaded == 0 && counts.quarantined == 0 && !may_withdraw {
            unchanged_files.insert(file);
        }
        let sum = rows.entry(dataset).or_default();
        sum.staged += counts.staged;
        sum.loaded += counts.loaded;
        sum.unchanged += counts.unchanged;
        sum.quarantined += counts.quarantined;
    }
    Ok(Outcome { rows, unchanged_files, damaged })
}

/// Loads the run's files that the warehouse does not have, and quarantined rows that can be loaded now. Returns the wrong days as
/// [`load_dataset`], and the damaged files with the reason.
async fn load_files(
    run: &RunId,
    staged: &ledger::Staged,
    fence: &mut WriteFence,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<(BTreeMap<String, NaiveDate>, BTreeMap<String, String>)> {
    let loaded = loaded_files(run, warehouse).await?;
    let mut wrong_days: BTreeMap<String, NaiveDate> = BTreeMap::new();
    let mut pending: Vec<StagedFile> =
        staged.files.iter().filter(|file| !loaded.contains_key(&file.key)).cloned().collect();
    let damaged = warehouse.damaged_files(&pending).await?;
    for reason in damaged.values() {
        tracing::warn!(%run, reason, "a landing file cannot be loaded: `retry` or the next run fetches its rows again");
    }
    pending.retain(|file| !damaged.contains_key(&file.key));
    for dataset in catalog::CATALOG {
        let files: Vec<StagedFile> =
            pending.iter().filter(|file| file.dataset == dataset.name).cloned().collect();
        // A list of the whole market withdraws the rows that it lacks, so its files are loaded together.
        let portion = match dataset.requests {
            Requests::Market => usize::MAX,
            _ => warehouse.files_per_load(),
        };
        for files in files.chunks(portion) {
            warehouse.begin_step(run, FUNCTION, dataset.name);
            for (symbol, day) in load_dataset(run, dataset, files, fence, warehouse, clock).await? {
                let newest = wrong_days.entry(symbol).or_insert(day);
                *newest = day.max(*newest);
            }
        }
    }
    warehouse.begin_step(run, FUNCTION, "readmission");
    readmission::readmit(fence, warehouse).await?;
    Ok((wrong_days, damaged))
}

/// Loads files of one dataset. Returns, by symbol, the newest day on which the prices that are stored
/// are wrong: the new data withdrew an event, or the bar is quarantined.
async fn load_dataset(
    run: &RunId,
    dataset: &'static Dataset,
    files: &[StagedFile],
    fence: &mut WriteFence,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<BTreeMap<String, NaiveDate>> {
    warehouse.copy_in(dataset, files).await?;
    compare_counts(files, &warehouse.query(sql::COUNTS).await?)?;
    let statements = [
        Some(sql::new_rows(dataset)),
        sql::withdrawn_rows(dataset),
        restatements::restated_rows(dataset),
    ];
    for statement in statements.into_iter().flatten() {
        warehouse.execute(&statement).await?;
    }
    fence.write(warehouse, &sql::transaction(dataset, run, files, clock.now())).await?;
    let wrong_days = if dataset == catalog::PRICES && files.iter().any(|file| file.quarantined > 0) {
        price_refetch::quarantined_bars(dataset, warehouse).await?
    } else {
        price_refetch::withdrawn_events(dataset, warehouse).await?
    };
    warehouse.release(&["incoming", "new_rows"]).await?;
    if sql::withdrawn_rows(dataset).is_some() {
        warehouse.release(&["withdrawn_rows"]).await?;
    }
    if restatements::restated_rows(dataset).is_some() {
        warehouse.release(&["restated_rows"]).await?;
    }
    Ok(wrong_days)
}

/// Compares every file's row counts with the ledger.
fn compare_counts(files: &[StagedFile], counts: &[Vec<Option<String>>]) -> Result<()> {
    let number = |cell: &Option<String>| cell.as_deref().and_then(|n| n.parse::<u64>().ok());
    let found: HashMap<&str, (Option<u64>, Option<u64>)> = counts
        .iter()
        .filter_map(|row| match row.as_slice() {
            [Some(file), rows, quarantined] => Some((file.as_str(), (number(rows), number(quarantined)))),
            _ => None,
        })
        .collect();
    for file in files.iter().filter(|f| f.rows > 0) {
        let counted = found.get(file.key.as_str()).copied().unwrap_or_default();
        if counted != (Some(file.rows), Some(file.quarantined)) {
            return Err(Error::Stop(format!(
                "{} has {} rows, {} of them quarantined, but the ledger has {} and {}: the file is damaged, fetch again with \
                 --full",
                file.key,
                counted.0.unwrap_or_default(),
                counted.1.unwrap_or_default(),
                file.rows,
                file.quarantined
            )));
        }
    }
    Ok(())
}

/// The loaded files of a run by key, with dataset and row counts.
async fn loaded_files(
    run: &RunId,
    warehouse: &mut impl Warehouse,
) -> Result<HashMap<String, (String, RowCounts)>> {
    let rows = warehouse.query(&sql::loaded_files(run)).await?;
    let number = |cell: &Option<String>| cell.as_deref().and_then(|n| n.parse().ok()).unwrap_or_default();
    let read = |row: Vec<Option<String>>| match row.as_slice() {
        [Some(file), Some(dataset), staged, loaded, unchanged, quarantined] => Some((
            file.clone(),
            (
                dataset.clone(),
                RowCounts {
                    staged: number(staged),
                    loaded: number(loaded),
                    unchanged: number(unchanged),
                    quarantined: number(quarantined),
                },
            ),
        )),
        _ => None,
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Writes the run's tasks to `ops.tasks`, replacing those of an earlier attempt.
async fn note_tasks(
    run: &RunId,
    entries: &[BatchEntry],
    fence: &mut WriteFence,
    warehouse: &mut impl Warehouse,
) -> Result<()> {
    fence.begin(warehouse).await?;
    let written = async {
        warehouse
            .execute(&format!("delete from ops.tasks where run_id = {}", literal(run.as_str())))
            .await?;
        warehouse.append("ops.tasks", sql::tasks(run, entries)).await?;
        warehouse.execute("commit").await
    };
    let written = written.await;
    roll_back_on_error(warehouse, written).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_missing_rows_fails_the_load() {
        let file = StagedFile {
            dataset: "prices".into(),
            key: "landing/prices/r/b.ndjson.gz".into(),
            rows: 3,
            quarantined: 1,
            fields: Some(0),
            bytes: 1,
            sha256: String::new(),
        };
        let count = |rows: &str| vec![vec![Some(file.key.clone()), Some(rows.into()), Some("1".into())]];
        assert!(compare_counts(std::slice::from_ref(&file), &count("3")).is_ok());
        assert!(compare_counts(std::slice::from_ref(&file), &count("2")).is_err());
        assert!(compare_counts(std::slice::from_ref(&file), &[]).is_err());
    }
}
