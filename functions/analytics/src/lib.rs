//! analytics: computes figures from the loaded rows, publishes them in one transaction and closes
//! the run with a summary.
//!
//! `compute` runs the SQL models of `infra/models` ([`Models`]) in slices of companies, which `scope`
//! determines; `checkpoint` stores the results of slices if an invocation may end before the last
//! one. `versions` merges vintages (figures as known at past times) into versions with the time at
//! which each was known; `publish` writes the rows that differ; `quality` reads the results of the
//! checks; `summary` adds up the ledger.

mod checkpoint;
mod compute;
pub mod event;
mod highlights;
mod model_version;
mod publish;
mod quality;
mod scope;
mod summary;
mod versions;

use std::{collections::BTreeMap, time::Instant};

use chrono::{DateTime, TimeDelta, Utc};
pub use compute::refuse_earlier_day;
use findata_domain::{
    Error, Result,
    clock::{Clock, DayClock},
    nyse_calendar,
};
use findata_models::Models;
use findata_pipeline::{
    ledger::{self, BatchEntry, Loaded},
    plan::PlanOutline,
    ports::{
        bus::{Bus, Details, Event},
        stage::{self, Stage},
        warehouse::Warehouse,
    },
    run::{RunId, Status, Step},
    summary::Summary,
    write_fence::WriteFence,
};
pub use summary::HostMetrics;

use compute::{compute, newest_price_day};

/// The function's name in query tags and in the ledger.
const FUNCTION: &str = "analytics";

/// Computes and publishes all pending changes, writes the summary and announces the end of the run.
/// Idempotent.
///
/// `metrics` are the run's time and connections as measured by the host.
///
/// # Errors
/// `Retry` while the run is not loaded; the warehouse's, the stage's and the bus's errors. After an
/// error the changes stay pending for the next run.
pub async fn handle(
    run: &RunId,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    models: &Models,
    bus: &impl Bus,
    clock: &impl Clock,
    metrics: &HostMetrics,
) -> Result<Summary> {
    if let Some(summary) = stage::read_json(stage, &ledger::summary_key(run)).await? {
        // The attempt that wrote the summary may have crashed before it announced the end.
        bus.publish(closing_event(&summary, &ledger::entries(stage, run).await?, metrics)).await?;
        return Ok(summary);
    }
    let started = Instant::now();
    let plan = ledger::plan_outline(stage, run).await?;
    let loaded: Loaded = stage::read_json(stage, &ledger::loaded_key(run))
        .await?
        .ok_or_else(|| Error::retry(format!("run {run} is not loaded yet")))?;
    let mut entries = ledger::entries(stage, run).await?;
    ledger::fail_tasks_of(&loaded.damaged, &mut entries);
    let closed = close(run, &plan, &entries, loaded, stage, warehouse, models, clock, metrics, started).await;
    let usage = warehouse.take_usage().of(FUNCTION);
    // A failed attempt records its usage too. Its error takes precedence over an error of the
    // recording.
    let recorded = usage.record(run, FUNCTION, stage).await;
    let mut summary = closed?;
    recorded?;
    summary.warehouse.add(&usage);
    summary.cost.snowflake_credits = summary.warehouse.credits();
    if stage::write_json_once(stage, &ledger::summary_key(run), &summary).await? {
        let now = summary.started_at + TimeDelta::milliseconds((summary.seconds * 1e3) as i64);
        metrics.telemetry.ended(now, &summary);
    }
    bus.publish(closing_event(&summary, &entries, metrics)).await?;
    Ok(summary)
}

/// Replays a finished run whose files were loaded again: computes the figures as of the day of
/// `fetched_at`, its newest answer, and writes its row of `ops.runs`. A run that fetched nothing
/// has no figures to compute. Runs are replayed one by one, so that companies get the same history
/// as the first time.
///
/// # Errors
/// The warehouse's and the stage's errors.
pub async fn replay(
    run: &RunId,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    models: &Models,
    fetched_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut fence = WriteFence::read(FUNCTION, warehouse).await?;
    // If the plan is missing, the next run computes this run's figures.
    let plan: Option<PlanOutline> =
        stage::read_rebuildable(stage, &ledger::plan_key(run), &mut Vec::new()).await?;
    if let (Some(plan), Some(fetched_at)) = (plan, fetched_at)
        && !plan.options.skip_analytics
    {
        let clock = DayClock(nyse_calendar::new_york_date(fetched_at));
        if newest_price_day(warehouse).await?.is_none_or(|newest| newest <= clock.0) {
            compute(run, &plan, models, &mut fence, stage, warehouse, &clock).await?;
        }
    }
    // If the summary is missing, the run only lacks its row in `ops.runs`.
    match stage::read_rebuildable(stage, &ledger::summary_key(run), &mut Vec::new()).await? {
        Some(summary) => fence.write(warehouse, &summary::record_run(&summary, now)).await,
        None => Ok(()),
    }
}

/// Computes and publishes the figures, and writes the run to `ops.runs`. Returns the summary.
#[expect(clippy::too_many_arguments, reason = "everything that the handler may touch")]
async fn close(
    run: &RunId,
    plan: &PlanOutline,
    entries: &[BatchEntry],
    loaded: Loaded,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    models: &Models,
    clock: &impl Clock,
    metrics: &HostMetrics,
    started: Instant,
) -> Result<Summary> {
    warehouse.begin_step(run, FUNCTION, "scope");
    let mut fence = WriteFence::read(FUNCTION, warehouse).await?;
    let compute_figures = !plan.options.skip_analytics;
    let tables = if compute_figures {
        compute(run, plan, models, &mut fence, stage, warehouse, clock).await?
    } else {
        BTreeMap::new()
    };
    warehouse.begin_step(run, FUNCTION, "summary");
    let (highlights, unavailable) = if compute_figures {
        highlights::read(plan, models, warehouse).await?
    } else {
        (Vec::new(), Vec::new())
    };
    let mut quality = quality::read(&plan.symbols, warehouse).await?;
    let corrections = plan.corrections.as_ref().filter(|_| compute_figures).map_or(&[][..], |c| &c.entries);
    let without_effect = quality::count_corrections(corrections, &mut quality, warehouse).await?;
    let mut summary =
        summary::summarise(plan, entries, loaded, tables, highlights, metrics, started.elapsed());
    summary.quality = quality;
    summary.unavailable = unavailable;
    summary.notes.extend(without_effect);
    fence.write(warehouse, &summary::record_run(&summary, clock.now())).await?;
    Ok(summary)
}

/// The event that announces the end of a run.
fn closing_event(summary: &Summary, entries: &[BatchEntry], metrics: &HostMetrics) -> Event {
    let run_id = summary.run_id.to_string();
    let failures = summary.failures.iter().filter(|failure| !failure.no_such_symbol);
    let tasks = failures.clone().map(|failure| (Some(failure.symbol.as_str()), failure.dataset.as_str()));
    let stop = entries.iter().find_map(|entry| entry.stop.clone());
    let first_reason = stop.or_else(|| failures.clone().next().map(|failure| failure.reason.clone()));
    let details = Details {
        since: Some(summary.started_at),
        symbols: summary.symbols,
        is_retried: summary.is_retried(),
        traceparent: metrics.traceparent.clone(),
        ..Details::default().affecting(tasks)
    };
    if summary.status != Status::Failed {
        let details = Details { first_reason, ..details };
        return Event::RunCompleted { run_id, status: summary.status, details };
    }
    let first = first_reason.or_else(|| summary.failures.first().map(|failure| failure.reason.clone()));
    let reason = first.unwrap_or_else(|| "no task was done".into());
    Event::RunFailed { run_id, step: Step::Fetch, reason, details }
}
