//! Deletes objects of old, closed runs that a rebuild of the warehouse does not need: checkpoints,
//! call counts, and landing files that changed nothing. Objects that a rebuild needs are never
//! deleted.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use findata_domain::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::{
    ledger::{self, Loaded, Staged},
    ports::stage::{self, Stage},
    run::RunId,
};

/// Key of the object that records the day of the last pruning.
const LAST: &str = "state/pruned.json";

#[derive(Debug, Default, Serialize, Deserialize)]
struct Last {
    on: Option<NaiveDate>,
}

/// Counts of removed runs and objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Number of runs whose objects were all removed.
    pub runs: u64,
    /// Number of removed objects in the ledger and in `landing/`.
    pub objects: u64,
}

/// Prunes the runs that started before `before`. Does nothing if objects were already pruned today.
///
/// # Errors
/// The stage's errors.
pub async fn prune_daily(stage: &impl Stage, before: DateTime<Utc>, now: DateTime<Utc>) -> Result<Pruned> {
    let today = Some(now.date_naive());
    if matches!(stage::read_json::<Last>(stage, LAST).await, Ok(Some(last)) if last.on == today) {
        return Ok(Pruned::default());
    }
    let pruned = prune(stage, before).await?;
    stage::replace_json(stage, LAST, &Last { on: today }).await?;
    Ok(pruned)
}

/// Prunes the runs that started before `before`. Can be interrupted and repeated.
///
/// - Of a run that changed the warehouse, keeps the landing files with changes and the objects
///   needed to load them again: the plan, batch entries, `staged.json`, `loaded.json` and
///   `summary.json`.
/// - Of a run that changed nothing, or that was abandoned before it was loaded, keeps nothing.
/// - Skips open runs and runs with a damaged object.
///
/// # Errors
/// The stage's errors.
pub async fn prune(stage: &impl Stage, before: DateTime<Utc>) -> Result<Pruned> {
    let of_landing = |key: &String| key.split('/').nth(2)?.parse().ok();
    let of_ledger = |key: &String| key.split('/').nth(1)?.parse().ok();
    let mut landing = by_run(stage.list("landing/").await?, of_landing);
    let mut pruned = Pruned::default();
    for (run, keys) in by_run(stage.list("runs/").await?, of_ledger) {
        let is_old = run.started().is_some_and(|started| started < before);
        if !is_old || !keys.contains(&ledger::summary_key(&run)) {
            continue;
        }
        let needed = match needed_files(&run, stage).await {
            Ok(needed) => needed,
            Err(Error::Damaged(_)) => continue,
            Err(error) => return Err(error),
        };
        let mut removed = landing.remove(&run).unwrap_or_default();
        removed.retain(|key| !needed.contains(key));
        if needed.is_empty() {
            pruned.runs += 1;
            removed.extend(keys);
        } else {
            removed.extend(keys.into_iter().filter(|key| !ledger::loads_again(&run, key)));
        }
        // Delete landing files first. If the deletion is interrupted, `loaded.json` still lists the
        // remaining files as not needed.
        pruned.objects += removed.len() as u64;
        stage.delete(&removed).await?;
    }
    Ok(pruned)
}

/// Returns the keys of a closed run's landing files that changed the warehouse.
async fn needed_files(run: &RunId, stage: &impl Stage) -> Result<HashSet<String>> {
    let staged: Option<Staged> = stage::read_json(stage, &ledger::staged_key(run)).await?;
    let loaded: Option<Loaded> = stage::read_json(stage, &ledger::loaded_key(run)).await?;
    let (Some(staged), Some(loaded)) = (staged, loaded) else {
        return Ok(HashSet::new());
    };
    let files = staged.files.into_iter().map(|file| file.key);
    Ok(files.filter(|key| !loaded.unchanged_files.contains(key)).collect())
}

fn by_run(keys: Vec<String>, run: impl Fn(&String) -> Option<RunId>) -> BTreeMap<RunId, Vec<String>> {
    let mut runs: BTreeMap<RunId, Vec<String>> = BTreeMap::new();
    for key in keys {
        if let Some(run) = run(&key) {
            runs.entry(run).or_default().push(key);
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{landing::StagedFile, ports::stage::memory::MemoryStage};

    fn file(key: &str) -> StagedFile {
        StagedFile {
            dataset: "prices".into(),
            key: key.into(),
            rows: 1,
            quarantined: 0,
            fields: Some(0),
            bytes: 1,
            sha256: String::new(),
        }
    }

    /// Writes the objects of a run with two landing files and a checkpoint.
    async fn write_run(
        stage: &MemoryStage,
        run: &RunId,
        loaded: bool,
        unchanged_files: &[usize],
        closed: bool,
    ) {
        let files: Vec<String> = (0..2).map(|i| format!("landing/prices/{run}/b{i}.ndjson.gz")).collect();
        for key in &files {
            stage.put_if_absent(key, "x".into()).await.unwrap();
        }
        let staged = Staged {
            run_id: run.clone(),
            batches: vec!["b0".into()],
            files: files.iter().map(|key| file(key)).collect(),
            traceparent: None,
        };
        stage::write_json_once(stage, &ledger::staged_key(run), &staged).await.unwrap();
        for key in
            [ledger::checkpoint_key(run, "b0", 0), ledger::batch_key(run, "b0"), ledger::calls_key(run)]
        {
            stage.put_if_absent(&key, "{}".into()).await.unwrap();
        }
        if loaded {
            let unchanged_files: BTreeSet<String> =
                unchanged_files.iter().map(|i| files[*i].clone()).collect();
            let loaded = Loaded { unchanged_files, ..Loaded::empty(run) };
            stage::write_json_once(stage, &ledger::loaded_key(run), &loaded).await.unwrap();
        }
        if closed {
            stage.put_if_absent(&ledger::summary_key(run), "{}".into()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn old_runs_keep_only_what_a_rebuild_needs() {
        let stage = MemoryStage::default();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let old = |salt| RunId::new(at("2026-01-05T21:00:00Z"), salt);
        let (news, nothing, given_up, open) = (old(1), old(2), old(3), old(4));
        let young = RunId::new(at("2026-06-05T21:00:00Z"), 5);
        write_run(&stage, &news, true, &[1], true).await;
        write_run(&stage, &nothing, true, &[0, 1], true).await;
        write_run(&stage, &given_up, false, &[], true).await;
        write_run(&stage, &open, true, &[0, 1], false).await;
        write_run(&stage, &young, true, &[0, 1], true).await;
        let before = |run: &RunId| {
            let (stage, run) = (stage.clone(), run.clone());
            async move {
                let keys =
                    [stage.list("landing/").await.unwrap(), stage.list("runs/").await.unwrap()].concat();
                keys.into_iter().filter(|key| key.contains(run.as_str())).collect::<Vec<_>>()
            }
        };
        let untouched = (before(&open).await, before(&young).await);
        let pruned = prune(&stage, at("2026-03-01T00:00:00Z")).await.unwrap();
        assert_eq!(pruned.runs, 2);
        let left: Vec<String> = before(&news).await;
        let kept = [
            format!("landing/prices/{news}/b0.ndjson.gz"),
            ledger::batch_key(&news, "b0"),
            ledger::loaded_key(&news),
            ledger::staged_key(&news),
            ledger::summary_key(&news),
        ];
        assert_eq!(left, kept);
        assert!(before(&nothing).await.is_empty() && before(&given_up).await.is_empty());
        assert_eq!((before(&open).await, before(&young).await), untouched);
        assert_eq!(prune(&stage, at("2026-03-01T00:00:00Z")).await.unwrap(), Pruned::default());
    }

    #[tokio::test]
    async fn pruning_happens_once_a_day() {
        let stage = MemoryStage::default();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (before, now) = (at("2026-03-01T00:00:00Z"), at("2026-06-01T12:00:00Z"));
        for (now, pruned) in [(now, 1), (now, 0), (at("2026-06-02T12:00:00Z"), 1)] {
            let run = RunId::new(at("2026-01-05T21:00:00Z"), fastrand::u32(..));
            write_run(&stage, &run, false, &[], true).await;
            // The second pruning of a day removes nothing. The next day removes both runs.
            let found = prune_daily(&stage, before, now).await.unwrap().runs;
            assert_eq!(found.min(1), pruned);
        }
    }
}
