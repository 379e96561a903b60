//! What calls load: S3, when a run is staged.

use findata_shared::{
    Error, Result,
    bus::Bus,
    clock::Clock,
    ledger,
    stage::{Stage, event::run_of},
    telemetry::Telemetry,
    warehouse::{Warehouse, match_warehouse},
};
use serde_json::{Value, json};

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
    let loaded = async {
        let warehouse = warehouse?;
        match_warehouse(stage, warehouse, &run).await?;
        crate::handle(&run, stage, warehouse, clock).await
    };
    match loaded.await {
        Ok(loaded) => {
            let rows: u64 = loaded.rows.values().map(|rows| rows.staged).sum();
            tracing::info!(%run, rows, seconds = loaded.seconds, "a run is loaded");
            Ok(json!({"run_id": run, "status": "loaded", "rows": rows}))
        }
        Err(error @ Error::Retry { .. }) => Err(error),
        Err(error) => {
            tracing::error!(%run, %error, "a run cannot be loaded");
            telemetry.say(clock.now(), &[("RunsFailed", 1.0, "Count")]);
            ledger::note_trouble(&run, crate::FUNCTION, &error, stage, bus, clock.now()).await?;
            Ok(json!({"run_id": run, "status": "failed", "reason": error.to_string()}))
        }
    }
}
