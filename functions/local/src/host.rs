//! Drives one run through the handlers in one process. On AWS, S3 events, SQS and the schedule call
//! the handlers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use chrono::{DateTime, Utc};
use findata_analytics::HostMetrics;
use findata_domain::{Error, Result, clock::Clock, nyse_calendar};
use findata_extract::{BatchResult, Limit, journal};
use findata_fmp::{CallContext, Fmp, MAX_CALL_TIME};
use findata_load::refill;
use findata_models::Models;
use findata_pipeline::{
    binding::bind_warehouse,
    ledger,
    plan::BatchMessage,
    ports::{
        stage::{self, Stage},
        warehouse::Warehouse,
    },
    prune,
    run::{Request, RunId},
    summary::{BudgetUse, Connections, Summary},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    bus::LocalBus,
    journal::Journals,
    queue::{Delivery, LocalQueue},
};

/// Maximum number of batches that are fetched concurrently.
const WORKERS: usize = 16;

/// Receives the progress of a run.
pub trait Progress {
    /// Planning has finished.
    fn planned(&self, plan: &findata_pipeline::plan::Plan);
    /// A stage of the run starts: fetch, load or compute.
    fn stage_started(&self, stage: &'static str);
}

/// The services that a run uses.
pub struct Host<S, W, C> {
    /// The FMP client; a new one for each run.
    pub fmp: Arc<Fmp>,
    /// The stage.
    pub stage: S,
    /// The journals that keep answers until their batch is recorded, if the stage is a folder.
    pub journals: Option<Journals>,
    /// The warehouse.
    pub warehouse: W,
    /// The models that compute the figures.
    pub models: &'static Models,
    /// The clock for planning and for the age of data.
    pub clock: Arc<C>,
    /// The clock that stamps fetched data. It may differ from `clock`, because FMP always sends
    /// current data, even if the run is planned for another day.
    pub receipt_clock: Arc<C>,
    /// When the run started, by the real clock.
    pub started_at: DateTime<Utc>,
    /// Runs that started before this moment are pruned; `None` prunes nothing.
    pub prune_before: Option<DateTime<Utc>>,
    /// Cancelled when the user asks to stop fetching.
    pub stop: CancellationToken,
}

impl<S: Stage + Clone + 'static, W: Warehouse, C: Clock + 'static> Host<S, W, C> {
    /// Runs a request to completion.
    ///
    /// # Errors
    /// The error that stopped the run before its summary was written; `Interrupted` if the user stopped it.
    pub async fn run(&mut self, request: &Request, progress: &impl Progress) -> Result<Summary> {
        let bus = LocalBus::default();
        self.continue_earlier_runs(&request.run_id, &bus).await?;
        let mut stopwatch = Stopwatch::start();
        let queue = LocalQueue::default();
        let (run, max_calls) = (request.run_id.clone(), request.options.max_calls);
        self.fmp.begin(&CallContext { run, begun: self.started_at, max_calls });
        let plan =
            findata_fanout::handle(request, &self.fmp, &self.stage, &queue, self.clock.as_ref()).await?;
        stopwatch.lap("plan");
        progress.planned(&plan);
        progress.stage_started("fetch");
        let fetched = self.fetch(queue).await;
        self.fmp.finish().await;
        fetched?;
        self.remove_journals(&request.run_id);
        stopwatch.lap("fetch");
        self.complete(&request.run_id, stopwatch, &bus, progress).await
    }

    /// Loads the runs that are on the stage but not in the warehouse, and computes the figures.
    /// Makes no call.
    ///
    /// # Errors
    /// As for [`Host::run`].
    pub async fn replay(&mut self, request: &Request, progress: &impl Progress) -> Result<Summary> {
        let bus = LocalBus::default();
        self.continue_earlier_runs(&request.run_id, &bus).await?;
        let mut stopwatch = Stopwatch::start();
        let plan = findata_fanout::plan_nothing(request, &self.stage).await?;
        stopwatch.lap("plan");
        progress.planned(&plan);
        self.complete(&request.run_id, stopwatch, &bus, progress).await
    }

    /// Loads a fetched run, computes its figures and writes its summary.
    async fn complete(
        &mut self,
        run: &RunId,
        mut stopwatch: Stopwatch,
        bus: &LocalBus,
        progress: &impl Progress,
    ) -> Result<Summary> {
        progress.stage_started("load");
        if self.warehouse.is_billed() {
            let keys = self.stage.list("runs/").await?;
            bind_warehouse(&self.stage, &mut self.warehouse, run).await?;
            self.refill(ledger::runs_with("loaded.json", &keys)).await?;
        }
        findata_load::handle(run, &self.stage, &mut self.warehouse, self.clock.as_ref()).await?;
        stopwatch.lap("load");
        progress.stage_started("compute");
        let metrics = self.metrics(stopwatch);
        let summary = self.compute(run, bus, &metrics).await?;
        self.warehouse.close().await?;
        self.prune().await;
        Ok(summary)
    }

    /// Deletes old objects from the stage. The run is already recorded, so a failure is only
    /// logged, and a run on the next day tries again.
    async fn prune(&self) {
        let Some(before) = self.prune_before else { return };
        match prune::prune_daily(&self.stage, before, self.started_at).await {
            Ok(pruned) => tracing::info!(pruned.runs, pruned.objects, "pruned the stage"),
            Err(error) => tracing::warn!(%error, "could not prune the stage"),
        }
    }

    /// Brings the warehouse up to date with the stage: loads the runs that it lacks, and finishes
    /// interrupted runs.
    async fn continue_earlier_runs(&mut self, run: &RunId, bus: &LocalBus) -> Result<()> {
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
    async fn refill(&mut self, loaded: BTreeSet<RunId>) -> Result<()> {
        let missing = refill::missing_runs(loaded, &mut self.warehouse).await?;
        if !missing.is_empty() {
            tracing::warn!(
                runs = missing.len(),
                "the warehouse is older than the stage: loading the missing runs"
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

    /// Fetches all batches of the queue, several at a time. A batch whose handler fails is
    /// redelivered. A batch that keeps failing is recorded as failed, so that the run can still
    /// finish. When the user asks to stop, batches end with a checkpoint and the run stays open.
    async fn fetch(&self, queue: LocalQueue) -> Result<()> {
        let mut workers: JoinSet<(Delivery, Result<BatchResult>)> = JoinSet::new();
        loop {
            while workers.len() < WORKERS
                && !self.stop.is_cancelled()
                && let Some(delivery) = queue.receive()
            {
                let (fmp, stage, clock) =
                    (Arc::clone(&self.fmp), self.stage.clone(), Arc::clone(&self.receipt_clock));
                let journals = self.journals.clone();
                let limit = Limit::default().or_when(self.stop.clone());
                workers.spawn(async move {
                    let result =
                        fetch_batch(&delivery.message, &fmp, &stage, clock.as_ref(), limit, journals).await;
                    (delivery, result)
                });
            }
            let Some(finished) = workers.join_next().await else {
                break;
            };
            let (delivery, result) =
                finished.map_err(|e| Error::Stop(format!("a fetch task was aborted: {e}")))?;
            let error = match result {
                Ok(BatchResult::Done { .. }) => continue,
                Ok(BatchResult::Rest(message)) => {
                    queue.resume(*message);
                    continue;
                }
                Err(_) if self.stop.is_cancelled() => continue,
                Err(error) => error,
            };
            tracing::warn!(batch = delivery.message.batch.id, %error, "a batch failed");
            if error.ends_run() {
                return Err(error);
            }
            let message = delivery.message.clone();
            if !queue.put_back(delivery) {
                // Landing the journal may fail for the same reason as the batch, so a failure is
                // only logged.
                if let Err(error) = self.recover_journal(&message).await {
                    tracing::warn!(batch = message.batch.id, %error, "the answers of a batch are lost");
                }
                let reason =
                    format!("given up after {} deliveries: {error}", crate::queue::MAX_RECEIVE_COUNT);
                ledger::record_as_failed(&message, &reason, &self.stage, self.clock.now()).await?;
            }
        }
        if self.stop.is_cancelled() {
            return Err(Error::Interrupted("the run was stopped; the next run continues".into()));
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
            tracing::info!(%run, "finishing an interrupted run");
            let mut finished = self.finish(&run, keys, bus).await;
            if let Err(Error::Damaged(reason)) = &finished {
                let repaired = ledger::repair(&run, &self.stage, self.clock.now()).await?;
                tracing::warn!(%run, reason, ?repaired, "repaired an interrupted run");
                finished = self.finish(&run, keys, bus).await;
            }
            match finished {
                Err(Error::Stop(reason) | Error::Reject(reason) | Error::Damaged(reason)) => {
                    tracing::warn!(%run, reason, "an interrupted run cannot be finished");
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
    async fn recover_journal(&self, message: &BatchMessage) -> Result<()> {
        if let Some(journals) = &self.journals
            && let Some(kept) = journals.read(&message.run_id, &message.batch.id)?
        {
            journal::recover(message, kept.answers, kept.fetched_at, &self.stage).await?;
        }
        Ok(())
    }

    fn remove_journals(&self, run: &RunId) {
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
            ledger::record_as_failed(&message, "the run was interrupted", &self.stage, clock.now()).await?;
        }
        ledger::close_fetching(&self.stage, run).await?;
        findata_load::handle(run, &self.stage, &mut self.warehouse, clock.as_ref()).await?;
        let metrics = HostMetrics { started_at: self.started_at, ..HostMetrics::default() };
        self.compute(run, bus, &metrics).await.map(drop)
    }

    /// Computes the figures of a loaded run and writes its summary.
    async fn compute(&mut self, run: &RunId, bus: &LocalBus, metrics: &HostMetrics) -> Result<Summary> {
        findata_analytics::handle(
            run,
            &self.stage,
            &mut self.warehouse,
            self.models,
            bus,
            self.clock.as_ref(),
            metrics,
        )
        .await
    }

    fn metrics(&self, stopwatch: Stopwatch) -> HostMetrics {
        let stats = self.fmp.stats();
        HostMetrics {
            started_at: self.started_at,
            seconds: stopwatch.started.elapsed().as_secs_f64(),
            stages: stopwatch.stages,
            budget: BudgetUse {
                waited_seconds: stats.waited_seconds(),
                limit_per_minute: self.fmp.per_minute(),
                limit_answers: stats.limit_answers(),
                limit_seconds: stats.limit_seconds(),
                retry_seconds: stats.retry_seconds(),
                longest_call_seconds: stats.longest_seconds(),
                max_call_seconds: MAX_CALL_TIME.as_secs_f64(),
            },
            connections: Connections { opened: stats.opened(), peak: stats.peak() },
            stage_puts: self.stage.puts(),
            lambda_memory: 0.0,
        }
    }
}

/// Fetches a batch. Its journal is removed once the stage has the journal's answers.
async fn fetch_batch(
    message: &BatchMessage,
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
    limit: Limit,
    journals: Option<Journals>,
) -> Result<BatchResult> {
    let journal = match &journals {
        Some(journals) => Some(journals.open(&message.run_id, &message.batch.id, clock.now())?),
        None => None,
    };
    let kept = journal.as_ref().map(|journal| journal as &dyn journal::Journal);
    let result = findata_extract::handle(message, fmp, stage, clock, limit, kept).await?;
    if let Some(journal) = journal {
        journal.remove();
    }
    Ok(result)
}

/// Measures the seconds that each stage of a run takes.
struct Stopwatch {
    started: Instant,
    last_lap: Instant,
    stages: BTreeMap<String, f64>,
}

impl Stopwatch {
    fn start() -> Self {
        let now = Instant::now();
        Stopwatch { started: now, last_lap: now, stages: BTreeMap::new() }
    }

    fn lap(&mut self, stage: &str) {
        let seconds = self.last_lap.elapsed().as_secs_f64();
        self.stages.insert(stage.into(), (seconds * 1e3).round() / 1e3);
        self.last_lap = Instant::now();
    }
}
