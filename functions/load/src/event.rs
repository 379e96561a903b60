//! Handles the S3 event that announces a staged run, and the schedule that has ticks loaded.

use chrono::{DateTime, Utc};
use findata_aws::lambda::step::{Step, run_of};
use findata_domain::{Result, clock::Clock};
use findata_pipeline::{
    binding::bind_warehouse,
    ledger,
    ports::{bus::Bus, stage::Stage, warehouse::Warehouse},
    run::RunId,
    telemetry::Telemetry,
};
use serde_json::{Value, json};

use crate::{
    refill::{missing_runs, refill_run},
    ticks::{KEEP_DAYS, load_new_ticks},
};

/// Maximum number of attempts if other invocations write at the same time.
const ATTEMPTS: u32 = 6;

/// Loads the run of an event. If a failure needs a person to fix it, records the failure, announces
/// it on the bus and returns normally, because Lambda's immediate retry would fail too; the sweeper
/// retries the step later. `warehouse` is a session, or the error that prevented its creation; `now`
/// is the real clock's time.
///
/// # Errors
/// Transient errors only, after which the same event should be delivered again.
pub async fn handle(
    input: &Value,
    stage: &impl Stage,
    warehouse: Result<&mut impl Warehouse>,
    bus: &impl Bus,
    clock: &impl Clock,
    now: DateTime<Utc>,
    telemetry: &Telemetry,
) -> Result<Value> {
    if input.get("ticks").is_some() {
        let keep_days = input
            .get("keep_days")
            .and_then(Value::as_u64)
            .map(|days| u32::try_from(days).unwrap_or(u32::MAX));
        return load_ticks(stage, warehouse?, clock, now, keep_days.or(Some(KEEP_DAYS))).await;
    }
    let run = run_of(input)?;
    let step = Step {
        run: &run,
        function: crate::FUNCTION,
        trigger: ledger::staged_key(&run),
        max_attempts: ATTEMPTS,
        stage,
        bus,
        telemetry,
        now,
    };
    let mut warehouse = warehouse;
    let mut span = telemetry.tracer.load(&run, stage).await;
    let response = step.run(&mut span, async |span| {
        let warehouse = warehouse.as_mut().map_err(|error| error.clone())?;
        bind_warehouse(stage, *warehouse, &run).await?;
        let loaded = ledger::runs_with("loaded.json", &stage.list("runs/").await?);
        for missing in missing_runs(loaded, *warehouse).await? {
            refill_run(&missing, stage, *warehouse, clock).await?;
        }
        let was_loaded = stage.get(&ledger::loaded_key(&run)).await?.is_some();
        let loaded = crate::handle(&run, stage, *warehouse, clock).await?;
        if !was_loaded {
            span.become_load_of(&run);
        }
        let rows: u64 = loaded.rows.values().map(|rows| rows.staged).sum();
        span.set("rows", rows);
        span.set("statements", loaded.warehouse.statements);
        tracing::info!(run_id = %run, rows, seconds = loaded.seconds, "loaded the run");
        Ok(json!({"run_id": run, "status": "loaded", "rows": rows}))
    });
    let response = response.await;
    telemetry.tracer.finish(span);
    response
}

/// Loads the ticks that have landed since the last load. A failure is returned, because no ledger
/// records it: Lambda tries again twice, and then sends the event to the queue of failed events.
async fn load_ticks(
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
    now: DateTime<Utc>,
    keep_days: Option<u32>,
) -> Result<Value> {
    let run = RunId::new(now, now.timestamp_subsec_nanos());
    let Some(loaded) = load_new_ticks(&run, stage, warehouse, clock, keep_days).await? else {
        return Ok(json!({"status": "nothing to load"}));
    };
    tracing::info!(run_id = %run, files = loaded.files, ticks = loaded.ticks, bars = loaded.bars, "loaded ticks");
    Ok(json!({"run_id": run, "status": "loaded", "ticks": loaded}))
}
