//! Loads a run's landing files, one dataset after the other.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use findata_domain::{
    Error, Result,
    catalog::{self, Dataset, Requests},
    clock::Clock,
};
use findata_pipeline::{
    batch::Batch,
    landing::StagedFile,
    ledger,
    ports::{
        stage::{self, Stage},
        warehouse::Warehouse,
    },
    run::RunId,
    summary::RowCounts,
    time_limit::TimeLimit,
    write_fence::WriteFence,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    FUNCTION,
    facts::Facts,
    filers::{self, Reuse},
    price_refetch, readmission, restatements,
    securities::{self, Securities},
    sql,
    withdrawals::{self, Answers},
};

/// Most files per transaction if the session has a time limit: 5,000 companies, which an XS warehouse is expected
/// to load in a few minutes.
const FILES_PER_SLICE: usize = 100;

/// Divides the number of files per slice after the second attempt that finishes no slice, and after each further one.
const SLICE_DIVISOR: usize = 4;

/// What the object of a loaded slice contains.
#[derive(Debug, Default, Serialize, Deserialize)]
struct LoadedSlice {
    /// By symbol, the newest day whose prices may be wrong (see [`load_dataset`]).
    wrong_days: BTreeMap<String, NaiveDate>,
}

/// The result of loading the files of a run.
pub(crate) struct LoadedFiles {
    /// By symbol, the newest day whose prices may be wrong (see [`load_dataset`]).
    pub wrong_days: BTreeMap<String, NaiveDate>,
    /// Why each damaged file cannot be loaded, by the file's key.
    pub damaged: BTreeMap<String, String>,
    /// The symbols that unrelated companies have taken over.
    pub reused: Vec<Reuse>,
}

/// Loads the run's files that the warehouse does not have, and rows quarantined by earlier builds
/// that this build accepts.
#[expect(clippy::too_many_arguments, reason = "everything that a load depends on")]
pub(crate) async fn load_files(
    run: &RunId,
    staged: &ledger::Staged,
    answers: &Answers,
    securities: &Securities,
    fence: &mut WriteFence,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<LoadedFiles> {
    let loaded = loaded_files(run, warehouse).await?;
    let mut wrong_days = wrong_days_of_slices(run, stage).await?;
    let mut limit = TimeLimit::new(warehouse.ends_at());
    let mut pending: Vec<StagedFile> =
        staged.files.iter().filter(|file| !loaded.contains_key(&file.key)).cloned().collect();
    let damaged = warehouse.damaged_files(&pending).await?;
    for reason in damaged.values() {
        tracing::warn!(run_id = %run, reason, "a landing file cannot be loaded: `retry` or the next run fetches its rows again");
    }
    pending.retain(|file| !damaged.contains_key(&file.key));
    let portion = match warehouse.ends_at() {
        Some(_) if !pending.is_empty() => {
            warehouse.files_per_load().min(files_per_slice(run, loaded.len(), stage).await?)
        }
        _ => warehouse.files_per_load(),
    };
    for dataset in catalog::CATALOG {
        let files: Vec<StagedFile> =
            pending.iter().filter(|file| file.dataset == dataset.name).cloned().collect();
        // A list of the whole market deletes the rows that it lacks, so its files must be loaded
        // together.
        let portion = match dataset.requests {
            Requests::Market => usize::MAX,
            _ => portion,
        };
        for files in files.chunks(portion) {
            limit.begin()?;
            warehouse.begin_step(run, FUNCTION, dataset.name);
            let days =
                load_dataset(run, dataset, files, answers, securities, fence, stage, warehouse, clock).await;
            add_newest(&mut wrong_days, days.map_err(|error| limit.error(error))?);
            limit.end();
        }
    }
    limit.begin()?;
    warehouse.begin_step(run, FUNCTION, "readmission");
    readmission::readmit(fence, warehouse).await?;
    let has_profiles = staged.files.iter().any(|file| file.dataset == catalog::PROFILE.name);
    let reused = match has_profiles {
        true => filers::decide(run, fence, warehouse).await?,
        false => Vec::new(),
    };
    Ok(LoadedFiles { wrong_days, damaged, reused })
}

/// Returns how many files of a dataset an attempt loads at a time, and records the attempt. `loaded` is the number of
/// loaded files: attempts that begin with the same number have finished no slice since.
async fn files_per_slice(run: &RunId, loaded: usize, stage: &impl Stage) -> Result<usize> {
    let before = stage.list(&ledger::attempts_prefix(run, FUNCTION, loaded)).await?.len();
    stage::write_json_once(stage, &ledger::attempt_key(run, FUNCTION, loaded, before), &json!({})).await?;
    // The first attempt may have failed for any reason.
    let too_large = u32::try_from(before.saturating_sub(1)).unwrap_or(u32::MAX);
    Ok((FILES_PER_SLICE / SLICE_DIVISOR.saturating_pow(too_large)).max(1))
}

/// Keeps the newest day of each symbol.
fn add_newest(wrong_days: &mut BTreeMap<String, NaiveDate>, others: BTreeMap<String, NaiveDate>) {
    for (symbol, day) in others {
        let newest = wrong_days.entry(symbol).or_insert(day);
        *newest = day.max(*newest);
    }
}

/// Returns the wrong days that earlier invocations have stored with their slices.
async fn wrong_days_of_slices(run: &RunId, stage: &impl Stage) -> Result<BTreeMap<String, NaiveDate>> {
    let mut wrong_days = BTreeMap::new();
    for key in stage.list(&ledger::slice_key_prefix(run, FUNCTION)).await? {
        let slice: Option<LoadedSlice> = stage::read_rebuildable(stage, &key, &mut Vec::new()).await?;
        add_newest(&mut wrong_days, slice.unwrap_or_default().wrong_days);
    }
    Ok(wrong_days)
}

/// Stores the wrong days of files before these count as loaded, because no later invocation reads the files again.
/// With a time limit, the object also shows that the step makes progress.
async fn store_slice(
    run: &RunId,
    dataset: &Dataset,
    files: &[StagedFile],
    wrong_days: &BTreeMap<String, NaiveDate>,
    stage: &impl Stage,
    warehouse: &impl Warehouse,
) -> Result<()> {
    let batch = files.first().and_then(|file| file.key.rsplit('/').next()?.split('.').next());
    match batch {
        Some(batch) if warehouse.ends_at().is_some() || !wrong_days.is_empty() => {
            let key = ledger::slice_key(run, FUNCTION, &format!("{}-{batch}", dataset.name));
            stage::replace_json(stage, &key, &LoadedSlice { wrong_days: wrong_days.clone() }).await
        }
        _ => Ok(()),
    }
}

/// Loads files of one dataset. Returns, by symbol, the newest day on which an event was withdrawn
/// or a bar was quarantined. Either may mean that the stored prices are wrong.
#[expect(clippy::too_many_arguments, reason = "everything that a load depends on")]
async fn load_dataset(
    run: &RunId,
    dataset: &'static Dataset,
    files: &[StagedFile],
    answers: &Answers,
    securities: &Securities,
    fence: &mut WriteFence,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<BTreeMap<String, NaiveDate>> {
    warehouse.expect_rows(files.iter().map(|file| file.rows).sum())?;
    let repeated = securities.has_renamed().then(|| securities::repeated_versions(dataset)).flatten();
    let copies = warehouse.copies(dataset.columns, files);
    let mut batch = Batch::new(warehouse);
    for statement in copies.into_iter().chain([sql::new_rows(dataset)]) {
        batch.execute("", statement).await?;
    }
    for statement in repeated.iter().flat_map(|(before, _)| before) {
        batch.execute("", statement.clone()).await?;
    }
    let statements = [sql::withdrawn_rows(dataset), restatements::restated_rows(dataset)];
    for statement in statements.into_iter().flatten() {
        batch.execute("", statement).await?;
    }
    batch.run().await?;
    let whole_answers = withdrawals::whole_answers(dataset, answers, files);
    let any_missing = withdrawals::any_missing(dataset, &whole_answers);
    let has_quarantined = files.iter().any(|file| file.quarantined > 0);
    let facts = Facts::read(dataset, has_quarantined, any_missing.as_deref(), warehouse).await?;
    compare_counts(files, &facts.counts)?;
    let missing = match facts.any_missing {
        true => withdrawals::compare(dataset, run, answers, &whole_answers, warehouse).await?,
        false => Vec::new(),
    };
    let rehash = repeated.map(|(_, transaction)| transaction.to_vec()).unwrap_or_default();
    let statements = [
        filers::record(facts.filers, run)?,
        rehash.clone(),
        sql::transaction(dataset, run, files, facts.any_restated, clock.now()),
        missing.clone(),
    ]
    .concat();
    let wrong_days = price_refetch::days(facts.wrong_days);
    store_slice(run, dataset, files, &wrong_days, stage, warehouse).await?;
    fence.write(warehouse, &statements).await?;
    if !rehash.is_empty() {
        warehouse.release(&["repeated_rows"]).await?;
    }
    if !missing.is_empty() {
        withdrawals::release(warehouse).await?;
    }
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
pub(crate) fn compare_counts(files: &[StagedFile], counts: &[Vec<Option<String>>]) -> Result<()> {
    let number = |cell: &Option<String>| cell.as_deref().and_then(|n| n.parse::<u64>().ok());
    let found: HashMap<&str, (Option<u64>, Option<u64>)> = counts
        .iter()
        .filter_map(|row| match row.as_slice() {
            [Some(file), rows, quarantined, ..] => Some((file.as_str(), (number(rows), number(quarantined)))),
            _ => None,
        })
        .collect();
    for file in files.iter().filter(|f| f.rows > 0) {
        let counted = found.get(file.key.as_str()).copied().unwrap_or_default();
        if counted != (Some(file.rows), Some(file.quarantined)) {
            return Err(Error::Stop(format!(
                "{} has {} rows, {} of them quarantined, but the ledger lists {} rows, {} of them quarantined: the file is damaged, fetch it again with \
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

/// Returns the loaded files of a run: for each file's key, the dataset and the row counts.
pub(crate) async fn loaded_files(
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
