//! What calls fanout: a rule on the bus, a schedule, or somebody directly; all of them as a JSON object.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use chrono::{DateTime, Utc};
use findata_domain::{Error, Result, clock::Clock, hash};
use findata_fmp::{CallContext, Fmp, claim_source};
use findata_pipeline::{
    ledger,
    ports::{
        bus::{Bus, Event},
        queue::Queue,
        stage::{self, Stage},
    },
    run::{Request, RunId},
    summary::Summary,
    telemetry::Telemetry,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    command::{self, Asked, Defaults},
    sweep,
};

/// What an invocation is known by.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's id of it; a second try has the same.
    pub id: String,
    /// When it began, by the real clock.
    pub at: DateTime<Utc>,
}

/// Does what an input asks. A run that cannot begin is closed as failed, announced, and answered as such: trying again would
/// not mend it. `fmp` is the client, or why there is none.
///
/// # Errors
/// What may pass: the same input should come again.
#[expect(clippy::too_many_arguments, reason = "all that the function may touch")]
pub async fn handle(
    input: Value,
    invocation: &Invocation,
    defaults: &Defaults,
    fmp: Result<&Fmp>,
    stage: &impl Stage,
    queue: &impl Queue,
    bus: &impl Bus,
    clock: &impl Clock,
    telemetry: &Telemetry,
) -> Result<Value> {
    let (input, name) = match input.get("detail-type") {
        Some(_) => of_event(&input)?,
        None => (input, None),
    };
    let own_id = input.get("run_id").is_some() || input.get("scheduled").is_some() || input.get("sweep").is_some();
    let name = match name {
        Some(name) => name,
        None if own_id => RunId::new(invocation.at, 0),
        None => remembered(invocation, stage).await?,
    };
    match command::read(&input, defaults, clock.now(), || name) {
        Ok(Asked::Sweep { patience }) => {
            let swept = sweep::sweep(stage, queue, bus, invocation.at, patience).await?;
            // A metric is billed by the hours in which it is written.
            if swept.open > 0 {
                telemetry.say(invocation.at, &[("OpenRunMinutes", swept.oldest_minutes, "None")]);
            }
            if swept.closed > 0 {
                telemetry.say(invocation.at, &[("RunsFailed", swept.closed as f64, "Count")]);
            }
            Ok(json!(swept))
        }
        Ok(Asked::Run(request)) => begin(&request, invocation, fmp, stage, queue, bus, clock, telemetry).await,
        Err(error) => {
            tracing::error!(%error, "a request is refused");
            telemetry.say(invocation.at, &[("RunsFailed", 1.0, "Count")]);
            let run_id = input.get("run_id").and_then(Value::as_str).unwrap_or("none").to_owned();
            bus.publish(Event::RunFailed { run_id, reason: error.to_string() }).await?;
            Ok(json!({"status": "failed", "reason": error.to_string()}))
        }
    }
}

/// The detail of an event, and the id of its run: an event that comes twice is the same run.
fn of_event(input: &Value) -> Result<(Value, Option<RunId>)> {
    let event = EventBridgeEvent::<Value>::deserialize(input)
        .map_err(|e| Error::Reject(format!("this is no event of EventBridge: {e}")))?;
    let name = match (event.time, &event.id) {
        (Some(time), Some(id)) => Some(RunId::new(time, salt(id))),
        _ => None,
    };
    Ok((event.detail, name))
}

fn salt(id: &str) -> u32 {
    hash::number(id) as u32
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    run_id: RunId,
}

/// The id of the run that an invocation began: a second try of it must find the first one's.
async fn remembered(invocation: &Invocation, stage: &impl Stage) -> Result<RunId> {
    let key = format!("state/asked/{}.json", hash::sha256(invocation.id.as_bytes()));
    let run_id = RunId::new(invocation.at, salt(&invocation.id));
    if stage::write_json_once(stage, &key, &Remembered { run_id: run_id.clone() }).await? {
        return Ok(run_id);
    }
    let first: Option<Remembered> = stage::read_json(stage, &key).await?;
    Ok(first.map_or(run_id, |first| first.run_id))
}

#[expect(clippy::too_many_arguments, reason = "all that the function may touch")]
async fn begin(
    request: &Request,
    invocation: &Invocation,
    fmp: Result<&Fmp>,
    stage: &impl Stage,
    queue: &impl Queue,
    bus: &impl Bus,
    clock: &impl Clock,
    telemetry: &Telemetry,
) -> Result<Value> {
    let run_id = &request.run_id;
    let begun = async {
        let fmp = fmp?;
        claim_source(stage, fmp.url()).await?;
        let (run, max_calls) = (run_id.clone(), request.options.max_calls);
        fmp.begin(&CallContext { run, begun: invocation.at, max_calls });
        let plan = crate::handle(request, fmp, stage, queue, clock).await;
        fmp.finish().await;
        plan
    };
    let error = match begun.await {
        Ok(plan) => {
            tracing::info!(run = %run_id, batches = plan.batches.len(), calls = plan.calls(), "a run begins");
            return Ok(
                json!({"run_id": run_id, "status": "begun", "batches": plan.batches.len(), "calls": plan.calls()}),
            );
        }
        Err(error @ Error::Retry { .. }) => return Err(error),
        Err(error) => error,
    };
    tracing::error!(run = %run_id, %error, "a run cannot begin");
    let reason = error.to_string();
    let summary = Summary::failed(run_id, invocation.at, &reason);
    // The stage may be what is wrong; whoever listens on the bus learns of it either way.
    match stage::write_json_once(stage, &ledger::summary_key(run_id), &summary).await {
        Ok(false) => {}
        Ok(true) => telemetry.ended(invocation.at, &summary),
        Err(error) => {
            tracing::error!(run = %run_id, %error, "the ledger cannot be written");
            telemetry.ended(invocation.at, &summary);
        }
    }
    bus.publish(Event::RunFailed { run_id: run_id.to_string(), reason: reason.clone() }).await?;
    Ok(json!({"run_id": run_id, "status": "failed", "reason": reason}))
}
