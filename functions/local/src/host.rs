//! One run through the handlers, in one process: what S3 events, SQS and the schedule do on AWS.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use chrono::{DateTime, Utc};
use findata_analytics::HostMetrics;
use findata_domain::{Error, Result, clock::Clock, nyse_calendar};
use findata_extract::BatchResult;
use findata_fmp::{CallContext, Fmp};
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

/// Batches worked off at once.
const WORKERS: usize = 16;

/// What a run hears of its progress.
pub trait Progress {
    /// The plan is made.
    fn planned(&self, plan: &findata_pipeline::plan::Plan);
    /// A stage of the run begins: fetch, load, compute.
    fn begins(&self, stage: &'static str);
}

/// Everything a run touches.
pub struct Host<S, W, C> {
    /// The client; one a run.
    pub fmp: Arc<Fmp>,
    /// The stage.
    pub stage: S,
    /// The warehouse.
    pub warehouse: W,
    /// The clock of planning, freshness and as-of.
    pub clock: Arc<C>,
    /// The clock of receipt: FMP itself answers as of now, whatever day is planned for.
    pub receipt: Arc<C>,
    /// When the process began the run, by the real clock.
    pub started_at: DateTime<Utc>,
}

impl<S: Stage + Clone + 'static, W: Warehouse, C: Clock + 'static> Host<S, W, C> {
    /// Runs a request to its end.
    ///
    /// # Errors
    /// What ended it before it had a summary.
    pub async fn run(&mut self, request: &Request, progress: &impl Progress) -> Result<Summary> {
        let bus = LocalBus::default();
        // A warehouse that is billed sleeps until the run's files are there: it resumes once.
        if !self.warehouse.is_billed() {
            findata_analytics::refuse_earlier_day(nyse_calendar::new_york_date(self.clock.now()), &mut self.warehouse)
                .await?;
        }
        self.finish_interrupted(&bus).await?;
        let mut watch = Watch::start();
        let queue = LocalQueue::default();
        let (run, max_calls) = (request.run_id.clone(), request.options.max_calls);
        self.fmp.begin(&CallContext { run, begun: self.started_at, max_calls });
        let plan = findata_fanout::handle(request, &self.fmp, &self.stage, &queue, self.clock.as_ref()).await?;
        watch.done("plan");
        progress.planned(&plan);
        progress.begins("fetch");
        let fetched = self.work_off(queue).await;
        self.fmp.finish().await;
        fetched?;
        watch.done("fetch");
        progress.begins("load");
        let run = &request.run_id;
        if self.warehouse.is_billed() {
            bind_warehouse(&self.stage, &mut self.warehouse, run).await?;
        }
        findata_load::handle(run, &self.stage, &mut self.warehouse, self.clock.as_ref()).await?;
        self.warehouse.prepare_to_compute().await?;
        watch.done("load");
        progress.begins("compute");
        let measured = self.measured(watch);
        let clock = Arc::clone(&self.clock);
        let summary =
            findata_analytics::handle(run, &self.stage, &mut self.warehouse, &bus, clock.as_ref(), &measured).await?;
        self.warehouse.close().await?;
        Ok(summary)
    }

    /// Works the queue off, several batches at a time. A batch whose handler fails comes back; one that keeps failing is
    /// recorded as failed, so that the run still closes.
    async fn work_off(&self, queue: LocalQueue) -> Result<()> {
        let mut working: JoinSet<(Delivery, Result<BatchResult>)> = JoinSet::new();
        loop {
            while working.len() < WORKERS
                && let Some(delivery) = queue.receive()
            {
                let (fmp, stage, clock) = (Arc::clone(&self.fmp), self.stage.clone(), Arc::clone(&self.receipt));
                working.spawn(async move {
                    let done = findata_extract::handle(&delivery.message, &fmp, &stage, clock.as_ref(), None).await;
                    (delivery, done)
                });
            }
            let Some(finished) = working.join_next().await else { return Ok(()) };
            let (delivery, done) = finished.map_err(|e| Error::Stop(format!("a worker ended: {e}")))?;
            if let Err(error) = done {
                tracing::warn!(batch = delivery.message.batch.id, %error, "a batch failed");
                if error.ends_run() {
                    return Err(error);
                }
                let message = delivery.message.clone();
                if !queue.put_back(delivery) {
                    let reason = format!("given up after {} deliveries: {error}", crate::queue::MAX_RECEIVE_COUNT);
                    ledger::record_as_failed(&message, &reason, &self.stage, self.clock.now()).await?;
                }
            }
        }
    }

    /// Finishes earlier runs that were interrupted: their calls are paid for. Batches that were under way count as failed,
    /// so that their tasks are due again. A run that cannot be finished is closed as failed and stops no other.
    async fn finish_interrupted(&mut self, bus: &LocalBus) -> Result<()> {
        let keys: BTreeSet<String> = self.stage.list("runs/").await?.into_iter().collect();
        let runs = keys.iter().filter_map(|key| key.strip_prefix("runs/")?.strip_suffix("/plan.json")?.parse().ok());
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
        let measured = HostMetrics { started_at: self.started_at, ..HostMetrics::default() };
        findata_analytics::handle(run, &self.stage, &mut self.warehouse, bus, clock.as_ref(), &measured).await?;
        Ok(())
    }

    fn measured(&self, watch: Watch) -> HostMetrics {
        let stats = self.fmp.stats();
        HostMetrics {
            started_at: self.started_at,
            seconds: watch.begun.elapsed().as_secs_f64(),
            stages: watch.stages,
            budget: BudgetUse { waited_seconds: stats.waited_seconds(), limit_per_minute: self.fmp.per_minute() },
            connections: Connections { opened: stats.opened(), peak: stats.peak() },
            stage_puts: self.stage.puts(),
            lambda_memory: 0.0,
        }
    }
}

/// Seconds by stage of a run.
struct Watch {
    begun: Instant,
    last: Instant,
    stages: BTreeMap<String, f64>,
}

impl Watch {
    fn start() -> Self {
        let now = Instant::now();
        Watch { begun: now, last: now, stages: BTreeMap::new() }
    }

    fn done(&mut self, stage: &str) {
        let seconds = self.last.elapsed().as_secs_f64();
        self.stages.insert(stage.into(), (seconds * 1e3).round() / 1e3);
        self.last = Instant::now();
    }
}
