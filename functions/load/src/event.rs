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

/// Tries of one call, where another call of the function writes at the same time.
const TRIES: u32 = 6;

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
        let mut tries = 1;
        loop {
            match crate::handle(&run, stage, warehouse, clock).await {
                // Another run's load was at it; what that one wrote is seen now.
                Err(Error::Retry { after: Some(pause), .. }) if tries < TRIES => {
                    tokio::time::sleep(pause * tries).await
                }
                done => return done,
            }
            tries += 1;
        }
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
