//! Repairs the damaged objects of an open run, so that the run can finish with the data that is
//! intact.

use super::{
    BatchEntry, Outcome, TaskRecord, batch_key, batches_prefix, checkpoints_prefix, closing, plan, plan_key,
    staged_key,
};
use crate::{
    plan::{Batch, FetchMode, Plan},
    ports::stage::{self, Stage},
    run::{Options, RunId},
};
use chrono::{DateTime, Utc};
use findata_domain::{Error, Result};

/// Replaces the damaged objects of a run and returns their keys. Afterwards handlers can read every
/// object of the run.
///
/// - A damaged batch entry is replaced by an entry in which every task failed, so the next run
///   fetches the tasks again.
/// - A damaged checkpoint is replaced by an empty checkpoint.
/// - A damaged plan is rebuilt from the batch entries. The run's options are lost, so the run loads
///   its rows but computes no figures; the next run computes them.
///
/// # Errors
/// The stage's errors.
pub async fn repair(run: &RunId, stage: &impl Stage, now: DateTime<Utc>) -> Result<Vec<String>> {
    let mut repaired = Vec::new();
    let (mut intact, mut damaged) = (Vec::new(), Vec::new());
    for key in stage.list(&batches_prefix(run)).await? {
        match stage::read_json::<BatchEntry>(stage, &key).await {
            Ok(entry) => intact.extend(entry),
            Err(Error::Damaged(reason)) => damaged.push((key, reason)),
            Err(error) => return Err(error),
        }
    }
    let plan = match plan(stage, run).await {
        Err(Error::Damaged(reason)) => {
            let plan = rebuilt(run, &intact, &reason);
            stage::replace_json(stage, &plan_key(run), &plan).await?;
            repaired.push(plan_key(run));
            plan
        }
        other => other?,
    };
    for (key, reason) in damaged {
        let planned = plan.batches.iter().find(|batch| batch_key(run, &batch.id) == key);
        // Nothing reads an entry that the plan does not list, so such an entry needs no name.
        let mut entry = BatchEntry::new(planned.map_or("", |batch| &batch.id));
        entry.tasks = planned.into_iter().flat_map(|batch| failed(batch, &reason, now)).collect();
        stage::replace_json(stage, &key, &entry).await?;
        repaired.push(key);
    }
    for key in stage.list(&checkpoints_prefix(run)).await? {
        if let Err(Error::Damaged(_)) = stage::read_json::<BatchEntry>(stage, &key).await {
            stage::replace_json(stage, &key, &BatchEntry::new("")).await?;
            repaired.push(key);
        }
    }
    if let Err(Error::Damaged(_)) = stage::read_json::<super::Staged>(stage, &staged_key(run)).await {
        let staged = closing::rebuilt(stage, run).await?;
        stage::replace_json(stage, &staged_key(run), &staged).await?;
        repaired.push(staged_key(run));
    }
    Ok(repaired)
}

fn failed(batch: &Batch, reason: &str, now: DateTime<Utc>) -> Vec<TaskRecord> {
    let record = |task: &crate::plan::Task| TaskRecord {
        task: task.clone(),
        outcome: Outcome::failed(reason),
        calls: 0,
        bytes: 0,
        fetched_at: now,
        fetch_mode: FetchMode::PerSymbol,
    };
    batch.tasks.iter().map(record).collect()
}

/// Builds a plan from the tasks that the entries record.
fn rebuilt(run: &RunId, entries: &[BatchEntry], reason: &str) -> Plan {
    let tasks = |entry: &BatchEntry| entry.tasks.iter().map(|record| record.task.clone()).collect();
    let batch = |entry: &BatchEntry| Batch {
        id: entry.batch.clone(),
        fetch_mode: FetchMode::PerSymbol,
        tasks: tasks(entry),
    };
    let mut symbols: Vec<_> = entries
        .iter()
        .flat_map(|entry| &entry.tasks)
        .filter_map(|record| record.task.symbol.clone())
        .collect();
    symbols.sort();
    symbols.dedup();
    Plan {
        symbols,
        notes: vec![format!("the plan was rebuilt from the batches that were recorded: {reason}")],
        batches: entries.iter().map(batch).collect(),
        ..Plan::without_tasks(run, Options { skip_analytics: true, ..Options::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::entries;
    use super::*;
    use crate::plan::{Task, Window};
    use crate::{ledger::Staged, ports::stage::memory::MemoryStage};
    use findata_domain::catalog;

    fn batch() -> Batch {
        let task = Task::new(catalog::PROFILE, Some("AAPL".parse().unwrap()), Window::All);
        Batch {
            id: "b00001".into(),
            fetch_mode: FetchMode::PerSymbol,
            tasks: vec![task],
        }
    }

    #[tokio::test]
    async fn every_damaged_object_of_a_run_is_replaced() {
        let (stage, run) = (MemoryStage::default(), "r1".parse::<RunId>().unwrap());
        let batch = batch();
        let mut entry = BatchEntry::new("b00001");
        entry.tasks = failed(&batch, "no answer", DateTime::default());
        stage::write_json_once(&stage, &batch_key(&run, "b00001"), &entry).await.unwrap();
        for key in [
            plan_key(&run),
            batch_key(&run, "b00002"),
            staged_key(&run),
            "runs/r1/parts/b00003-0.json".into(),
        ] {
            stage.put_if_absent(&key, "".into()).await.unwrap();
        }
        let repaired = repair(&run, &stage, DateTime::default()).await.unwrap();
        assert_eq!(repaired.len(), 4, "{repaired:?}");
        assert_eq!(plan(&stage, &run).await.unwrap().batches, [batch]);
        let staged: Staged = stage::read_json(&stage, &staged_key(&run)).await.unwrap().unwrap();
        assert_eq!(staged.batches, ["b00001"]);
        assert!(entries(&stage, &run).await.is_ok());
        assert!(repair(&run, &stage, DateTime::default()).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_tasks_of_a_damaged_entry_fail() {
        let (stage, run) = (MemoryStage::default(), "r1".parse::<RunId>().unwrap());
        let batch = batch();
        let task = batch.tasks[0].clone();
        let plan = Plan { batches: vec![batch], ..rebuilt(&run, &[], "") };
        stage::write_json_once(&stage, &plan_key(&run), &plan).await.unwrap();
        stage.put_if_absent(&batch_key(&run, "b00001"), "{".into()).await.unwrap();
        assert_eq!(repair(&run, &stage, DateTime::default()).await.unwrap(), [batch_key(&run, "b00001")]);
        let entries = entries(&stage, &run).await.unwrap();
        assert!(entries[0].tasks[0].task == task && entries[0].tasks[0].outcome.failure_reason().is_some());
    }
}
