//! Handles the S3 event that announces a loaded run.

use chrono::{DateTime, Utc};
use findata_aws::lambda::step::{Step, run_of};
use findata_domain::{Result, clock::Clock};
use findata_models::Models;
use findata_pipeline::{
    ledger, metrics_file,
    ports::{bus::Bus, stage::Stage, warehouse::Warehouse},
    run::RunId,
    telemetry::Telemetry,
};
use serde_json::{Value, json};

use crate::HostMetrics;

/// Maximum number of attempts if other invocations write at the same time.
const ATTEMPTS: u32 = 3;

/// Computes and publishes the run of an event, and closes it. If a failure needs a person to fix
/// it, records the failure, announces it on the bus and returns normally, because Lambda's
/// immediate retry would fail too; the sweeper retries the step later.
///
/// `warehouse` is a session, or the error that prevented its creation; `now` is the real clock's
/// time; `memory` is the memory of the functions in GB.
///
/// # Errors
/// Transient errors only, after which the same event should be delivered again.
#[expect(clippy::too_many_arguments, reason = "everything that the handler may touch")]
pub async fn handle(
    input: &Value,
    stage: &impl Stage,
    warehouse: Result<&mut impl Warehouse>,
    models: &Models,
    bus: &impl Bus,
    clock: &impl Clock,
    now: DateTime<Utc>,
    memory: f64,
    telemetry: &Telemetry,
) -> Result<Value> {
    let run = run_of(input)?;
    let mut span = telemetry.tracer.analytics(&run, stage).await;
    let metrics = HostMetrics {
        telemetry: telemetry.clone(),
        traceparent: span.traceparent(),
        ..host_metrics(&run, now, memory)
    };
    let step = Step {
        run: &run,
        function: crate::FUNCTION,
        trigger: ledger::loaded_key(&run),
        max_attempts: ATTEMPTS,
        stage,
        bus,
        telemetry,
        now,
    };
    let mut warehouse = warehouse;
    let response = step.run(&mut span, async |span| {
        let warehouse = warehouse.as_mut().map_err(|error| error.clone())?;
        let custom = custom_models(stage, models).await?;
        let models = custom.as_ref().unwrap_or(models);
        let summary = crate::handle(&run, stage, *warehouse, models, bus, clock, &metrics).await?;
        span.set("status", summary.status.as_str());
        span.set("statements", summary.warehouse.statements);
        tracing::info!(run_id = %run, status = summary.status.as_str(), seconds = summary.seconds, "published the run");
        Ok(json!({"run_id": run, "status": summary.status}))
    });
    let response = response.await;
    telemetry.tracer.finish(span);
    response
}

/// Returns the models with the user's metrics of the file on the stage; `None` if there are none.
async fn custom_models(stage: &impl Stage, models: &Models) -> Result<Option<Models>> {
    let Some(file) = metrics_file::read(stage).await? else {
        return Ok(None);
    };
    let registry = models.registry.with_custom(&file, &metrics_file::name_on_stage())?;
    match registry.custom.is_empty() {
        true => Ok(None),
        false => Models::of(registry).map(Some),
    }
}

/// The metrics of a run that are known before its figures are computed.
fn host_metrics(run: &RunId, now: DateTime<Utc>, memory: f64) -> HostMetrics {
    let started_at = run.started().unwrap_or(now);
    let seconds = (now - started_at).as_seconds_f64().max(0.0);
    HostMetrics {
        started_at,
        seconds,
        lambda_memory: memory,
        ..HostMetrics::default()
    }
}
