//! Announces runs that take longer than expected, and data that has become stale.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, Duration, Utc};
use findata_domain::{Result, clock::TimeScale};
use findata_pipeline::{
    ledger,
    ports::{
        bus::{Bus, Details, Event},
        stage::{self, Stage},
    },
    run::{RunId, Status, Step},
    summary::Summary,
};

use crate::sweep::Runs;

/// When the sweeper acts on a delay.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watch {
    /// How long a run may be open; `None` to announce no late run.
    pub late_after: Option<Duration>,
    /// How long no run may publish data; `None` to announce no stale data.
    pub stale_after: Option<Days>,
    /// Divides the time that an open step has before it is recovered, and the delays of retries.
    pub time_scale: TimeScale,
}

impl Watch {
    /// Announces a run that is open for too long, once.
    ///
    /// # Errors
    /// The stage's and the bus's errors.
    pub(crate) async fn check_open(
        self,
        run: &RunId,
        step: Step,
        keys: &BTreeSet<String>,
        stage: &impl Stage,
        bus: &impl Bus,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let (Some(limit), Some(started)) = (self.late_after, run.started()) else {
            return Ok(());
        };
        let key = ledger::late_key(run);
        if now - started < limit || keys.contains(&key) {
            return Ok(());
        }
        let details = match step {
            Step::Fetch => missing_batches(run, keys, stage).await?,
            Step::Plan | Step::Load | Step::Compute => ledger::waiting_details(run, stage).await,
        };
        // The announcement comes first: it may be repeated, but not lost.
        bus.publish(Event::RunLate { run_id: run.to_string(), step, details }).await?;
        stage.put_if_absent(&key, "{}".into()).await?;
        Ok(())
    }

    /// Announces on each day that the data is stale. `runs` are the runs of the last days.
    ///
    /// # Errors
    /// The stage's and the bus's errors.
    pub(crate) async fn check_fresh(
        self,
        runs: &Runs,
        stage: &impl Stage,
        bus: &impl Bus,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let Some(limit) = self.stale_after else {
            return Ok(());
        };
        let (published, oldest) = (newest_published(runs, stage).await?, now - limit);
        if published.as_ref().and_then(RunId::started).is_some_and(|started| started > oldest) {
            return Ok(());
        }
        let key = format!("state/stale/{}.json", now.format("%Y%m%d"));
        if stage.get(&key).await?.is_some() {
            return Ok(());
        }
        // The listing of all runs is long. It is read only if the last days have no published run.
        let all = stage.list("runs/").await?;
        let mut ledgers = Runs::new();
        for key in all {
            if let Some(run) = key.split('/').nth(1).and_then(|run| run.parse().ok()) {
                ledgers.entry(run).or_default().insert(key);
            }
        }
        let last = newest_published(&ledgers, stage).await?;
        // Nothing is stale before the first run.
        if let Some(run) = last.filter(|run| run.started().is_some_and(|started| started <= oldest)) {
            let details = ledger::waiting_details(&run, stage).await;
            bus.publish(Event::DataStale { run_id: run.to_string(), details }).await?;
            stage.put_if_absent(&key, "{}".into()).await?;
        }
        Ok(())
    }
}

/// The newest run that has published its figures. A run that the sweeper has closed as failed may have loaded its data.
async fn newest_published(runs: &Runs, stage: &impl Stage) -> Result<Option<RunId>> {
    let is_closed = |(run, keys): &(&RunId, &BTreeSet<String>)| {
        keys.contains(&ledger::loaded_key(run)) && keys.contains(&ledger::summary_key(run))
    };
    for (run, _) in runs.iter().rev().filter(is_closed) {
        let summary: Option<Summary> =
            stage::read_rebuildable(stage, &ledger::summary_key(run), &mut Vec::new()).await?;
        if summary.is_some_and(|summary| summary.status != Status::Failed) {
            return Ok(Some(run.clone()));
        }
    }
    Ok(None)
}

/// The companies and datasets of the batches that have not arrived.
async fn missing_batches(run: &RunId, keys: &BTreeSet<String>, stage: &impl Stage) -> Result<Details> {
    let plan = ledger::plan(stage, run).await?;
    let missing = plan.batches.iter().filter(|batch| !keys.contains(&ledger::batch_key(run, &batch.id)));
    let tasks = missing.flat_map(|batch| &batch.tasks);
    let tasks = tasks.map(|task| (task.symbol.as_ref().map(|symbol| symbol.as_str()), task.dataset.name));
    Ok(Details {
        symbols: plan.symbols.len() as u64,
        ..Details::of_run(run).affecting(tasks)
    })
}
