//! Drives one run through the handlers in one process. On AWS, S3 events, SQS and the schedule do
//! this.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use chrono::{DateTime, Utc};
use findata_analytics::HostMetrics;
use findata_domain::{Error, Result, clock::Clock, nyse_calendar};
use findata_extract::BatchResult;
use findata_fmp::{CallContext, Fmp, MAX_CALL_TIME};
use findata_pipeline::{
    binding::bind_warehouse,
    ledger,
    plan::BatchMessage,
    ports::{
        stage::{self, Stage},
        warehouse::Warehouse,
    },
    run::{Request, RunId},
    summary::{BudgetUse, Connections, Summary},
};
use tokio::task::JoinSet;

use crate::{
    bus::LocalBus,
    queue::{Delivery, LocalQueue},
};

/// Batches that are fetched concurrently.
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
    /// The warehouse.
    pub warehouse: W,
    /// The clock of planning and freshness.
    pub clock: Arc<C>,
    /// The clock that stamps fetched data. It differs from `clock` because FMP answers as of now,
    /// whatever day the run is planned for.
    pub receipt_clock: Arc<C>,
    /// When the run started, by the real clock.
    pub started_at: DateTime<Utc>,
}

impl<S: Stage + Clone + 'static, W: Warehouse, C: Clock + 'static> Host<S, W, C> {
    /// Runs a request to completion.
    ///
    /// # Errors
    /// The error that stopped the run before its summary was written.
    pub async fn run(&mut self, request: &Request, progress: &impl Progress) -> Result<Summary> {
        let bus = LocalBus::default();
        // A billed warehouse is not touched until the run's files are staged, so that it resumes
        // only once.
        if !self.warehouse.is_billed() {
            findata_analytics::refuse_earlier_day(
                nyse_calendar::new_york_date(self.clock.now()),
                &mut self.warehouse,
            )
            .await?;
        }
        self.finish_interrupted(&bus).await?;
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
        stopwatch.lap("fetch");
        progress.stage_started("load");
        let run = &request.run_id;
        if self.warehouse.is_billed() {
            bind_warehouse(&self.stage, &mut self.warehouse, run).await?;
        }
        findata_load::handle(run, &self.stage, &mut self.warehouse, self.clock.as_ref()).await?;
        self.warehouse.prepare_to_compute().await?;
        stopwatch.lap("load");
        progress.stage_started("compute");
        let metrics = self.metrics(stopwatch);
        let clock = Arc::clone(&self.clock);
        let summary =
            findata_analytics::handle(run, &self.stage, &mut self.warehouse, &bus, clock.as_ref(), &metrics)
                .await?;
        self.warehouse.close().await?;
        Ok(summary)
    }

    /// Fetches all batches of the queue, several at a time. A batch whose handler fails is
    /// redelivered. One that keeps failing is recorded as failed, so that the run can still finish.
    async fn fetch(&self, queue: LocalQueue) -> Result<()> {
        let mut workers: JoinSet<(Delivery, Result<BatchResult>)> = JoinSet::new();
        loop {
            while workers.len() < WORKERS
                && let Some(delivery) = queue.receive()
            {
                let (fmp, stage, clock) =
                    (Arc::clone(&self.fmp), self.stage.clone(), Arc::clone(&self.receipt_clock));
                workers.spawn(async move {
                    let result =
                        findata_extract::handle(&delivery.message, &fmp, &stage, clock.as_ref(), None).await;
                    (delivery, result)
                });
            }
            let Some(finished) = workers.join_next().await else {
                return Ok(());
            };
            let (delivery, result) =
                finished.map_err(|e| Error::Stop(format!("a fetch task was aborted: {e}")))?;
            if let Err(error) = result {
                tracing::warn!(batch = delivery.message.batch.id, %error, "a batch failed");
                if error.ends_run() {
                    return Err(error);
                }
                let message = delivery.message.clone();
                if !queue.put_back(delivery) {
                    let reason =
                        format!("given up after {} deliveries: {error}", crate::queue::MAX_RECEIVE_COUNT);
                    ledger::record_as_failed(&message, &reason, &self.stage, self.clock.now()).await?;
                }
            }
        }
    }

    /// Finishes earlier runs that were interrupted, because their calls are already paid for.
    /// Unfinished batches count as failed, so that their tasks are due again. A run that cannot be
    /// finished is closed as failed and does not stop the new run.
    async fn finish_interrupted(&mut self, bus: &LocalBus) -> Result<()> {
        let keys: BTreeSet<String> = self.stage.list("runs/").await?.into_iter().collect();
        let runs = keys
            .iter()
            .filter_map(|key| key.strip_prefix("runs/")?.strip_suffix("/plan.json")?.parse().ok());
        let open: Vec<RunId> = runs.filter(|run| !keys.contains(&ledger::summary_key(run))).collect();
        for run in open {
            tracing::info!(%run, "finishing an interrupted run");
            match self.finish(&run, &keys, bus).await {
                Err(Error::Stop(reason) | Error::Reject(reason)) => {
                    tracing::warn!(%run, reason, "an interrupted run cannot be finished");
                    let plan = ledger::plan(&self.stage, &run).await?;
                    let summary = Summary::abandoned(&plan, self.started_at, &reason);
                    stage::write_json_once(&self.stage, &ledger::summary_key(&run), &summary).await?;
                }
                other => other?,
            }
        }
        Ok(())
    }

    async fn finish(&mut self, run: &RunId, keys: &BTreeSet<String>, bus: &LocalBus) -> Result<()> {
        let clock = Arc::clone(&self.clock);
        let plan = ledger::plan(&self.stage, run).await?;
        for batch in plan.batches.into_iter().filter(|b| !keys.contains(&ledger::batch_key(run, &b.id))) {
            let message = BatchMessage::new(run.clone(), batch);
            ledger::record_as_failed(&message, "the run was interrupted", &self.stage, clock.now()).await?;
        }
        ledger::close_fetching(&self.stage, run).await?;
        findata_load::handle(run, &self.stage, &mut self.warehouse, clock.as_ref()).await?;
        self.warehouse.prepare_to_compute().await?;
        let metrics = HostMetrics { started_at: self.started_at, ..HostMetrics::default() };
        findata_analytics::handle(run, &self.stage, &mut self.warehouse, bus, clock.as_ref(), &metrics)
            .await?;
        Ok(())
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
