//! load: a run's landing files become rows of `raw` and `staging`, effectively once.
//!
//! Each dataset is copied into the temporary table `incoming`, its counts are compared with the ledger file by file,
//! and one transaction brings in what is new, sets aside what is quarantined and notes the files. A file that is
//! noted is not loaded again, so the function may be repeated after a crash anywhere.

pub mod event;
mod price_refetch;
mod restatements;
mod sql;

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use chrono::NaiveDate;
use findata_domain::{
    Error, Result,
    catalog::{self, Dataset},
    clock::Clock,
    nyse_calendar,
};
use findata_models::literal;
use findata_pipeline::{
    freshness,
    landing::StagedFile,
    ledger::{self, BatchEntry, Loaded},
    ports::{
        stage::{self, Stage},
        warehouse::{Warehouse, roll_back_on_error},
    },
    run::RunId,
    summary::RowCounts,
    write_fence::WriteFence,
};

/// Its name in query tags and in the ledger.
const FUNCTION: &str = "load";

/// Loads a staged run and closes the step. Safe to repeat.
///
/// # Errors
/// `Retry` while the run is not staged; `Stop` when a file does not hold what the ledger says; the warehouse's and the
/// stage's own.
pub async fn handle(
    run: &RunId,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<Loaded> {
    if let Some(loaded) = stage::read_json(stage, &ledger::loaded_key(run)).await? {
        return Ok(loaded);
    }
    let staged: ledger::Staged = stage::read_json(stage, &ledger::staged_key(run))
        .await?
        .ok_or_else(|| Error::retry(format!("run {run} is not staged yet")))?;
    let begun = Instant::now();
    let done = load(run, &staged, stage, warehouse, clock).await;
    let usage = warehouse.take_usage();
    // A try that failed leaves its trace too; its own error is the one to tell.
    let traced = usage.note(run, FUNCTION, stage).await;
    let loaded = Loaded { run_id: run.clone(), rows: done?, warehouse: usage, seconds: begun.elapsed().as_secs_f64() };
    traced?;
    stage::write_json_once(stage, &ledger::loaded_key(run), &loaded).await?;
    Ok(loaded)
}

/// Brings the files in that are not noted yet; the counts of all files.
async fn load(
    run: &RunId,
    staged: &ledger::Staged,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<BTreeMap<String, RowCounts>> {
    warehouse.begin_step(run, FUNCTION, "ledger");
    let mut turn = WriteFence::read(FUNCTION, warehouse).await?;
    let noted = noted(run, warehouse).await?;
    let today = nyse_calendar::new_york_date(clock.now());
    let mut withdrawn = BTreeMap::new();
    for dataset in catalog::CATALOG {
        let open = |f: &&StagedFile| f.dataset == dataset.name && !noted.contains_key(&f.key);
        let files: Vec<StagedFile> = staged.files.iter().filter(open).cloned().collect();
        if !files.is_empty() {
            warehouse.begin_step(run, FUNCTION, dataset.name);
            withdrawn.extend(load_dataset(run, dataset, &files, &mut turn, warehouse, clock).await?);
        }
    }
    warehouse.begin_step(run, FUNCTION, "ledger");
    // What is not staged is not loaded, so it must not count as fresh.
    let mut entries = ledger::entries(stage, run).await?;
    entries.retain(|entry| staged.batches.contains(&entry.batch));
    note_tasks(run, &entries, &mut turn, warehouse).await?;
    let records: Vec<_> = entries.into_iter().flat_map(|entry| entry.tasks).collect();
    freshness::advance(stage, &records).await?;
    if records.iter().any(|record| price_refetch::concerns(record.task.dataset)) {
        price_refetch::note(&withdrawn, today, stage, warehouse).await?;
    }

    let mut rows: BTreeMap<String, RowCounts> = BTreeMap::new();
    for (dataset, counts) in self::noted(run, warehouse).await?.into_values() {
        let sum = rows.entry(dataset).or_default();
        sum.staged += counts.staged;
        sum.loaded += counts.loaded;
        sum.unchanged += counts.unchanged;
        sum.quarantined += counts.quarantined;
    }
    Ok(rows)
}

/// Loads one dataset's files; says which symbols lost an event with them, and of which day.
async fn load_dataset(
    run: &RunId,
    dataset: &'static Dataset,
    files: &[StagedFile],
    turn: &mut WriteFence,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<BTreeMap<String, NaiveDate>> {
    warehouse.copy_in(dataset, files).await?;
    compare(files, &warehouse.query(sql::COUNTS).await?)?;
    let steps = [Some(sql::fresh(dataset)), sql::departed(dataset), restatements::against_older(dataset)];
    for statement in steps.into_iter().flatten() {
        warehouse.execute(&statement).await?;
    }
    turn.write(warehouse, &sql::publish(dataset, run, files, clock.now())).await?;
    let withdrawn = price_refetch::withdrawn(dataset, warehouse).await?;
    warehouse.release(&["incoming", "fresh"]).await?;
    if sql::departed(dataset).is_some() {
        warehouse.release(&["departed"]).await?;
    }
    if restatements::against_older(dataset).is_some() {
        warehouse.release(&["restated"]).await?;
    }
    Ok(withdrawn)
}

/// Compares every file's rows with the ledger.
fn compare(files: &[StagedFile], counts: &[Vec<Option<String>>]) -> Result<()> {
    let number = |cell: &Option<String>| cell.as_deref().and_then(|n| n.parse::<u64>().ok());
    let found: HashMap<&str, (Option<u64>, Option<u64>)> = counts
        .iter()
        .filter_map(|row| match row.as_slice() {
            [Some(file), rows, quarantined] => Some((file.as_str(), (number(rows), number(quarantined)))),
            _ => None,
        })
        .collect();
    for file in files.iter().filter(|f| f.rows > 0) {
        let got = found.get(file.key.as_str()).copied().unwrap_or_default();
        if got != (Some(file.rows), Some(file.quarantined)) {
            return Err(Error::Stop(format!(
                "{} holds {} rows, {} of them quarantined; its ledger says {} and {}: the file is damaged, fetch again with --full",
                file.key,
                got.0.unwrap_or_default(),
                got.1.unwrap_or_default(),
                file.rows,
                file.quarantined
            )));
        }
    }
    Ok(())
}

/// Files of the run that are loaded, by key.
async fn noted(run: &RunId, warehouse: &mut impl Warehouse) -> Result<HashMap<String, (String, RowCounts)>> {
    let rows = warehouse.query(&sql::noted(run)).await?;
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

/// Notes the run's tasks, replacing those of an earlier try.
async fn note_tasks(
    run: &RunId,
    entries: &[BatchEntry],
    turn: &mut WriteFence,
    warehouse: &mut impl Warehouse,
) -> Result<()> {
    turn.begin(warehouse).await?;
    let noted = async {
        warehouse.execute(&format!("delete from ops.tasks where run_id = {}", literal(run.as_str()))).await?;
        warehouse.append("ops.tasks", sql::tasks(run, entries)).await?;
        warehouse.execute("commit").await
    };
    let noted = noted.await;
    roll_back_on_error(warehouse, noted).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_lost_rows_fails_the_load() {
        let file = StagedFile {
            dataset: "prices".into(),
            key: "landing/prices/r/b.ndjson.gz".into(),
            rows: 3,
            quarantined: 1,
            bytes: 1,
            sha256: String::new(),
        };
        let count = |rows: &str| vec![vec![Some(file.key.clone()), Some(rows.into()), Some("1".into())]];
        assert!(compare(std::slice::from_ref(&file), &count("3")).is_ok());
        assert!(compare(std::slice::from_ref(&file), &count("2")).is_err());
        assert!(compare(std::slice::from_ref(&file), &[]).is_err());
    }
}
