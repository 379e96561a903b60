//! What calls load: S3, when a run is staged.

use findata_aws::lambda::step::{Step, run_of};
use findata_domain::{Result, clock::Clock};
use findata_pipeline::{
    binding::bind_warehouse,
    ports::{bus::Bus, stage::Stage, warehouse::Warehouse},
    telemetry::Telemetry,
};
use serde_json::{Value, json};

/// Attempts while another invocation writes at the same time.
const ATTEMPTS: u32 = 6;

/// Loads the run of an event. Where somebody has to mend something first, that is noted, announced and answered: trying again
/// at once would not help, and the sweeper comes back to it. `warehouse` is a session, or why there is none.
///
/// # Errors
/// What may pass: the same event should come again.
pub async fn handle(
    input: &Value,
    stage: &impl Stage,
    warehouse: Result<&mut impl Warehouse>,
    bus: &impl Bus,
    clock: &impl Clock,
    telemetry: &Telemetry,
) -> Result<Value> {
    let run = run_of(input)?;
    let step =
        Step { run: &run, function: crate::FUNCTION, max_attempts: ATTEMPTS, stage, bus, telemetry, now: clock.now() };
    let mut warehouse = warehouse;
    step.run(async || {
        let warehouse = warehouse.as_mut().map_err(|error| error.clone())?;
        bind_warehouse(stage, *warehouse, &run).await?;
        let loaded = crate::handle(&run, stage, *warehouse, clock).await?;
        let rows: u64 = loaded.rows.values().map(|rows| rows.staged).sum();
        tracing::info!(%run, rows, seconds = loaded.seconds, "loaded the run");
        Ok(json!({"run_id": run, "status": "loaded", "rows": rows}))
    })
    .await
}
