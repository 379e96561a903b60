//! Brings the warehouse up to date and finishes interrupted runs, before a new run starts.

use std::{collections::BTreeSet, sync::Arc};

use findata_analytics::HostMetrics;
use findata_domain::{Error, Result, clock::Clock, nyse_calendar};
use findata_extract::journal;
use findata_load::refill;
use findata_pipeline::{
    binding::bind_warehouse,
    ledger::{self, Outcome},
    plan::BatchMessage,
    ports::{
        stage::{self, Stage},
        warehouse::Warehouse,
    },
    run::RunId,
    summary::Summary,
};

use super::Host;
use crate::bus::LocalBus;

impl<S: Stage + Clone + 'static, W: Warehouse, C: Clock + 'static> Host<S, W, C> {
    /// Brings the warehouse up to date with the stage: loads the runs that it lacks, and finishes
    /// interrupted runs.
    pub(super) async fn continue_earlier_runs(&mut self, run: &RunId, bus: &LocalBus) -> Result<()> {
        let keys: BTreeSet<String> = self.stage.list("runs/").await?.into_iter().collect();
        let mut open = ledger::runs_with("plan.json", &keys);
        open.retain(|run| !keys.contains(&ledger::summary_key(run)));
        // A billed warehouse is not used before there is data to load, so that it resumes only
        // once.
        if !self.warehouse.is_billed() || !open.is_empty() {
            bind_warehouse(&self.stage, &mut self.warehouse, run).await?;
            findata_analytics::refuse_earlier_day(
                nyse_calendar::new_york_date(self.clock.now()),
                &mut self.warehouse,
            )
            .await?;
            self.refill(ledger::runs_with("loaded.json", &keys)).await?;
        }
        self.finish_interrupted(open, &keys, bus).await
    }

    /// Loads the runs that have a `loaded.json` on the stage but are missing in the warehouse, and
    /// computes their figures.
    pub(super) async fn refill(&mut self, loaded: BTreeSet<RunId>) -> Result<()> {
        let missing = refill::missing_runs(loaded, &mut self.warehouse).await?;
        if !missing.is_empty() {
            self.continued_earlier_runs = true;
            tracing::warn!(
                runs = missing.len(),
                "the warehouse is older than the stage: loading the later runs"
            );
        }
        let clock = Arc::clone(&self.clock);
        for run in missing {
            let fetched_at =
                refill::refill_run(&run, &self.stage, &mut self.warehouse, clock.as_ref()).await?;
            // The figures must not get a day in the future, even if a clock was ahead during the
            // fetch.
            let fetched_at = fetched_at.map(|at| at.min(clock.now()));
            let (stage, warehouse) = (&self.stage, &mut self.warehouse);
            findata_analytics::replay(&run, stage, warehouse, self.models, fetched_at, clock.now()).await?;
        }
        Ok(())
    }

    /// Finishes earlier runs that were interrupted, because their calls are already paid for.
    /// Unfinished batches count as failed, so that the new run fetches their tasks again. Damaged
    /// objects are repaired. An interrupted run that can never be finished is closed as failed and
    /// does not stop the new run. If this machine lacks disk space, memory or a permission, the run
    /// stays open.
    async fn finish_interrupted(
        &mut self,
        open: BTreeSet<RunId>,
        keys: &BTreeSet<String>,
        bus: &LocalBus,
    ) -> Result<()> {
        if let Some(journals) = &self.journals {
            journals.retain(&open);
        }
        for run in open {
            self.continued_earlier_runs = true;
            tracing::info!(run_id = %run, "finishing an interrupted run");
            let mut finished = self.finish(&run, keys, bus).await;
            if let Err(Error::Damaged(reason)) = &finished {
                let repaired = ledger::repair(&run, &self.stage, self.clock.now()).await?;
                tracing::warn!(run_id = %run, reason, objects = repaired.len(), "repaired an interrupted run");
                finished = self.finish(&run, keys, bus).await;
            }
            match finished {
                Err(Error::Stop(reason) | Error::Reject(reason) | Error::Damaged(reason)) => {
                    tracing::warn!(run_id = %run, reason, "an interrupted run cannot be finished");
                    let summary = match ledger::plan(&self.stage, &run).await {
                        Ok(plan) => Summary::abandoned(&plan, self.started_at, &reason),
                        Err(_) => Summary::failed(&run, self.started_at, &reason),
                    };
                    stage::write_json_once(&self.stage, &ledger::summary_key(&run), &summary).await?;
                }
                other => other?,
            }
            self.remove_journals(&run);
        }
        Ok(())
    }

    /// Lands the answers in the journal of a batch.
    pub(super) async fn recover_journal(&self, message: &BatchMessage) -> Result<()> {
        if let Some(journals) = &self.journals
            && let Some(kept) = journals.read(&message.run_id, &message.batch.id)?
        {
            journal::recover(message, kept.answers, kept.fetched_at, &self.stage).await?;
        }
        Ok(())
    }

    pub(super) fn remove_journals(&self, run: &RunId) {
        if let Some(journals) = &self.journals {
            journals.remove(run);
        }
    }

    async fn finish(&mut self, run: &RunId, keys: &BTreeSet<String>, bus: &LocalBus) -> Result<()> {
        let clock = Arc::clone(&self.clock);
        let plan = ledger::plan(&self.stage, run).await?;
        for batch in plan.batches.into_iter().filter(|b| !keys.contains(&ledger::batch_key(run, &b.id))) {
            let message = BatchMessage::new(run.clone(), batch);
            self.recover_journal(&message).await?;
            let failure = Outcome::failed("the run was interrupted");
            ledger::record_as_failed(&message, &failure, &self.stage, clock.now()).await?;
        }
        ledger::close_fetching(&self.stage, run).await?;
        findata_load::handle(run, &self.stage, &mut self.warehouse, clock.as_ref()).await?;
        let metrics = HostMetrics { started_at: self.started_at, ..HostMetrics::default() };
        self.compute(run, bus, &metrics).await.map(drop)
    }
}
