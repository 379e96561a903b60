//! Drives one run through the handlers in one process. On AWS, S3 events, SQS and the schedule call
//! the handlers.

mod earlier_runs;
mod fetch;

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use chrono::{DateTime, Utc};
use findata_analytics::HostMetrics;
use findata_domain::{Result, clock::Clock};
use findata_fmp::{CallContext, Fmp};
use findata_models::Models;
use findata_pipeline::{
    binding::bind_warehouse,
    ledger,
    ports::{stage::Stage, warehouse::Warehouse},
    prune,
    run::{Request, RunId},
    summary::{ClientUsage, Summary},
    telemetry::trace::{Span, Tracer},
};
use tokio_util::sync::CancellationToken;

use crate::{bus::LocalBus, journal::Journals, queue::LocalQueue};

/// Maximum number of batches that are fetched concurrently.
const WORKERS: usize = 16;

/// Receives the progress of a run.
pub trait Progress {
    /// Called when planning has finished.
    fn planned(&self, plan: &findata_pipeline::plan::Plan);
    /// Called when a stage of the run starts: fetch, load or compute.
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
    /// Collects the spans of the run.
    pub tracer: Tracer,
    /// Set when data of earlier runs was loaded first; the summary does not count it.
    pub continued_earlier_runs: bool,
}

impl<S: Stage + Clone + 'static, W: Warehouse, C: Clock + 'static> Host<S, W, C> {
    /// Runs a request until its summary is written.
    ///
    /// # Errors
    /// The error that stopped the run before its summary was written; `Interrupted` if the user stopped it.
    pub async fn run(&mut self, request: &Request, progress: &impl Progress) -> Result<Summary> {
        let mut root = self.tracer.request(&request.run_id, request.traceparent.as_deref());
        let summary = self.run_within(&root, request, progress).await;
        root.fail(&summary);
        self.tracer.finish(root);
        summary
    }

    async fn run_within(
        &mut self,
        root: &Span,
        request: &Request,
        progress: &impl Progress,
    ) -> Result<Summary> {
        let bus = LocalBus::default();
        self.continue_earlier_runs(&request.run_id, &bus).await?;
        let mut stopwatch = Stopwatch::start();
        let queue = LocalQueue::default();
        let (run, max_calls) = (request.run_id.clone(), request.options.max_calls);
        self.fmp.begin(&CallContext { run, begun: self.started_at, max_calls });
        let mut span = self.tracer.child("plan", root, &request.run_id);
        let traced = |traceparent| Request { traceparent: Some(traceparent), ..request.clone() };
        let traced = span.traceparent().map(traced);
        let planning = traced.as_ref().unwrap_or(request);
        let plan =
            findata_fanout::handle(planning, &self.fmp, &self.stage, &queue, self.clock.as_ref()).await;
        span.fail(&plan);
        self.tracer.finish(span);
        let plan = plan?;
        stopwatch.lap("plan");
        progress.planned(&plan);
        // The queue has the tasks, and the plan of 50,000 symbols takes 100 MB.
        drop(plan);
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
        let plan = findata_fanout::plan_nothing(request, &self.stage, self.clock.as_ref()).await?;
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
        let mut span = self.tracer.load(run, &self.stage).await;
        let loaded = findata_load::handle(run, &self.stage, &mut self.warehouse, self.clock.as_ref()).await;
        span.become_load_of(run);
        span.fail(&loaded);
        self.tracer.finish(span);
        loaded?;
        stopwatch.lap("load");
        progress.stage_started("compute");
        let metrics = self.metrics(stopwatch);
        let mut span = self.tracer.analytics(run, &self.stage).await;
        let summary = self.compute(run, bus, &metrics).await;
        span.fail(&summary);
        self.tracer.finish(span);
        let summary = summary?;
        self.warehouse.close().await?;
        self.prune().await;
        Ok(summary)
    }

    /// Deletes old objects from the stage. The run is already recorded, so a failure is only
    /// logged, and a run on the next day tries again.
    async fn prune(&self) {
        let Some(before) = self.prune_before else { return };
        match prune::prune_daily(&self.stage, before, self.started_at).await {
            Ok(pruned) => tracing::info!(runs = pruned.runs, objects = pruned.objects, "pruned the stage"),
            Err(error) => tracing::warn!(%error, "could not prune the stage"),
        }
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
        let ClientUsage { budget, connections } = self.fmp.usage();
        HostMetrics {
            started_at: self.started_at,
            seconds: stopwatch.started.elapsed().as_secs_f64(),
            stages: stopwatch.stages,
            budget,
            connections,
            stage_puts: self.stage.puts(),
            lambda_memory: 0.0,
            ..HostMetrics::default()
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
