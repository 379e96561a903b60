//! What calls analytics: S3, when a run is loaded.

use chrono::{DateTime, Utc};
use findata_shared::{
    Error, Result,
    bus::Bus,
    clock::Clock,
    ledger,
    run::{RunId, Status},
    stage::{Stage, event::run_of},
    telemetry::Telemetry,
    warehouse::Warehouse,
};
use serde_json::{Value, json};

use crate::Measured;

/// Tries of one call, where another call of the function writes at the same time.
const TRIES: u32 = 3;

/// Computes and publishes the run of an event and closes it. Where somebody has to mend something first, that is noted,
/// announced and answered: trying again at once would not help, and the sweeper comes back to it.
///
/// `warehouse` is a session, or why there is none; `now` is the real clock's; `memory` that of the functions, in GB.
///
/// # Errors
/// What may pass: the same event should come again.
#[expect(clippy::too_many_arguments, reason = "all that the function may touch")]
pub async fn handle(
    input: &Value,
    stage: &impl Stage,
    warehouse: Result<&mut impl Warehouse>,
    bus: &impl Bus,
    clock: &impl Clock,
    now: DateTime<Utc>,
    memory: f64,
    telemetry: &Telemetry,
) -> Result<Value> {
    let run = run_of(input)?;
    let measured = measured(&run, now, memory);
    let published = async {
        let warehouse = warehouse?;
        let mut tries = 1;
        loop {
            match crate::handle(&run, stage, warehouse, bus, clock, &measured).await {
                // Another run's analytics was at it; what that one published is seen now.
                Err(Error::Retry { after: Some(pause), .. }) if tries < TRIES => {
                    tokio::time::sleep(pause * tries).await
                }
                done => return done,
            }
            tries += 1;
        }
    };
    match published.await {
        Ok(summary) => {
            tracing::info!(%run, status = summary.status.as_str(), seconds = summary.seconds, "a run is published");
            telemetry.ended(now, &summary);
            Ok(json!({"run_id": run, "status": summary.status}))
        }
        Err(error @ Error::Retry { .. }) => Err(error),
        Err(error) => {
            tracing::error!(%run, %error, "a run cannot be computed");
            telemetry.say(now, &[("RunsFailed", 1.0, "Count")]);
            ledger::note_trouble(&run, crate::FUNCTION, &error, stage, bus, now).await?;
            Ok(json!({"run_id": run, "status": Status::Failed, "reason": error.to_string()}))
        }
    }
}

/// What is known of a run's time before its figures are computed.
fn measured(run: &RunId, now: DateTime<Utc>, memory: f64) -> Measured {
    let started_at = run.started().unwrap_or(now);
    let seconds = (now - started_at).as_seconds_f64().max(0.0);
    Measured { started_at, seconds, lambda_memory: memory, ..Measured::default() }
}
