//! Handles invocations of fanout, which come from a rule on the bus, a schedule or a direct call.
//! Each passes a JSON object.

use std::time::Instant;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use chrono::{DateTime, Utc};
use findata_domain::{Error, Result, clock::Clock, hash};
use findata_fmp::{CallContext, Fmp, claim_source};
use findata_models::metrics::Registry;
use findata_pipeline::{
    ledger, metrics_file,
    plan::Plan,
    ports::{
        bus::{Bus, Details, Event},
        queue::Queue,
        stage::{self, Stage},
    },
    run::{Request, RunId, Step},
    summary::Summary,
    telemetry::Telemetry,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    command::{self, Command, Defaults},
    overlap, sweep,
    watch::Watch,
};

/// One invocation of the function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's request id. A retry of an invocation has the same id.
    pub id: String,
    /// When the invocation started, by the real clock.
    pub at: DateTime<Utc>,
    /// When planning must end, so that the outcome can be stored before Lambda ends the invocation.
    pub deadline: Option<Instant>,
}

/// Executes the command in an input. If a run cannot start, writes a summary with the status
/// `failed`, announces the failure on the bus and returns normally, because a retry would fail too.
/// A malformed request is announced as `RequestRejected`, because it is the requester's mistake; a
/// malformed schedule counts as a failed run, because nobody else would notice.
/// `fmp` is the client, or the error that prevented its creation.
///
/// # Errors
/// Transient errors only, after which the caller should send the same input again.
#[expect(clippy::too_many_arguments, reason = "everything that the handler may touch")]
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
    watch: Watch,
) -> Result<Value> {
    let (input, event_id) = match input.get("detail-type") {
        Some(_) => from_eventbridge(&input)?,
        None => (input, None),
    };
    // Such an input contains or determines the run id, or starts no run (a sweep).
    let needs_no_id =
        input.get("run_id").is_some() || input.get("scheduled").is_some() || input.get("sweep").is_some();
    let new_id = match event_id {
        Some(id) => id,
        None if needs_no_id => RunId::new(invocation.at, 0),
        None => id_of_invocation(invocation, stage).await?,
    };
    match command::read(&input, defaults, clock.now(), || new_id) {
        Ok(Command::Sweep { patience }) => {
            let mut swept =
                sweep::sweep(stage, queue, bus, invocation.at, patience, watch, telemetry).await?;
            // CloudWatch bills each metric for every hour in which it is written, so zeros are not
            // written.
            if swept.open > 0 {
                telemetry.emit(invocation.at, &[("OpenRunMinutes", swept.oldest_minutes)]);
            }
            let mut response = json!(swept);
            let mut started = Vec::new();
            let begun = Instant::now();
            for request in std::mem::take(&mut swept.due) {
                // A start needs time to wait for FMP. The next sweep starts the other runs.
                let is_late = invocation
                    .deadline
                    .is_some_and(|deadline| begun.elapsed() > deadline.saturating_duration_since(begun) / 2);
                if !is_late {
                    started.push(
                        start_run(&request, invocation, fmp.clone(), stage, queue, bus, clock, telemetry)
                            .await?,
                    );
                }
            }
            response["started"] = json!(started);
            Ok(response)
        }
        Ok(Command::Run(request)) => {
            start_run(&request, invocation, fmp, stage, queue, bus, clock, telemetry).await
        }
        Err(error) => {
            let (run_id, reason) = (input.get("run_id").and_then(Value::as_str), error.to_string());
            let (metric, status, event) = if input.get("scheduled").is_some() {
                tracing::error!(%error, "the schedule's request is malformed");
                let run_id = run_id.unwrap_or("none").to_owned();
                let (step, details) = (Step::Plan, Details::default());
                ("RunsFailed", "failed", Event::RunFailed { run_id, step, reason: reason.clone(), details })
            } else {
                tracing::warn!(%error, "request rejected");
                let run_id = run_id.map(str::to_owned);
                ("RequestsRejected", "rejected", Event::RequestRejected { run_id, reason: reason.clone() })
            };
            telemetry.emit(invocation.at, &[(metric, 1.0)]);
            bus.publish(event).await?;
            Ok(json!({"status": status, "reason": reason}))
        }
    }
}

/// Returns the detail of an EventBridge event, and a run id derived from the event's time and id.
/// An event that is delivered twice yields the same id, so it starts one run.
fn from_eventbridge(input: &Value) -> Result<(Value, Option<RunId>)> {
    let event = EventBridgeEvent::<Value>::deserialize(input)
        .map_err(|e| Error::Reject(format!("not an EventBridge event: {e}")))?;
    let id = match (event.time, &event.id) {
        (Some(time), Some(id)) => Some(RunId::new(time, salt(id))),
        _ => None,
    };
    Ok((event.detail, id))
}

fn salt(id: &str) -> u32 {
    hash::number(id) as u32
}

#[derive(Serialize, Deserialize)]
struct StartedRun {
    run_id: RunId,
}

/// Returns the id of the run that an invocation starts. The first attempt stores the id, and a
/// retry of the invocation reads it.
async fn id_of_invocation(invocation: &Invocation, stage: &impl Stage) -> Result<RunId> {
    let key = format!("state/asked/{}.json", hash::sha256(invocation.id.as_bytes()));
    let run_id = RunId::new(invocation.at, salt(&invocation.id));
    if stage::write_json_once(stage, &key, &StartedRun { run_id: run_id.clone() }).await? {
        return Ok(run_id);
    }
    // If the record is damaged, the retry starts a second run. That run finds all data fresh and
    // fetches nothing.
    let first: Option<StartedRun> = stage::read_rebuildable(stage, &key, &mut Vec::new()).await?;
    Ok(first.map_or(run_id, |first| first.run_id))
}

/// Checks the user's metrics file on the stage, so that a fault ends the run before it makes calls.
/// analytics reads the file again when it computes the metrics.
async fn check_metrics(stage: &impl Stage) -> Result<()> {
    let Some(file) = metrics_file::read(stage).await? else {
        return Ok(());
    };
    Registry::built_in()?.with_custom(&file, &metrics_file::name_on_stage()).map(|_| ())
}

/// How far an attempt to start a run came.
enum Start {
    /// The run has a plan, and its batches are on the queue.
    Planned(Box<Plan>),
    /// The time ran out while the attempt waited for the shared call budget.
    Waiting,
    /// The run waits until this one has loaded its data.
    Awaits(RunId),
    /// The run had ended before.
    Ended,
}

#[expect(clippy::too_many_arguments, reason = "everything that the handler may touch")]
async fn start_run(
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
    let begun = Instant::now();
    let root = telemetry.tracer.request(run_id, request.traceparent.as_deref());
    let mut span = telemetry.tracer.child("plan", &root, run_id);
    // The plan and its messages continue this trace.
    let traced = |traceparent| Request { traceparent: Some(traceparent), ..request.clone() };
    let traced = span.traceparent().map(traced);
    let planning = traced.as_ref().unwrap_or(request);
    let started = async {
        // The request is stored first, so that the sweeper can start the run again, whatever happens.
        stage::write_json_once(stage, &ledger::request_key(run_id), request).await?;
        if stage.get(&ledger::summary_key(run_id)).await?.is_some() {
            return Ok(Start::Ended);
        }
        check_metrics(stage).await?;
        if let Some(other) = overlap::run_to_await(run_id, stage, invocation.at).await? {
            return Ok(Start::Awaits(other));
        }
        let fmp = fmp?;
        claim_source(stage, fmp.url()).await?;
        let (run, max_calls) = (run_id.clone(), request.options.max_calls);
        fmp.begin(&CallContext { run, begun: invocation.at, max_calls });
        let waited = fmp.stats().waited_seconds();
        let planned = crate::handle(planning, fmp, stage, queue, clock);
        let plan = match invocation.deadline {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), planned).await.ok(),
            None => Some(planned.await),
        };
        fmp.finish().await;
        match plan {
            Some(plan) => plan.map(|plan| Start::Planned(Box::new(plan))),
            // Waiting for the shared call budget is not a failure.
            None if fmp.stats().waited_seconds() - waited > begun.elapsed().as_secs_f64() / 2.0 => {
                Ok(Start::Waiting)
            }
            None => Err(Error::Unreachable(format!(
                "{} did not answer the calls that plan the run within {} seconds",
                fmp.url(),
                begun.elapsed().as_secs()
            ))),
        }
    };
    let started = started.await;
    span.fail(&started);
    if let Ok(Start::Planned(plan)) = &started {
        span.set("symbols", plan.symbols.len());
        span.set("batches", plan.batches.len());
        span.set("calls", plan.calls());
    }
    let traceparent = span.traceparent();
    telemetry.tracer.finish(span);
    telemetry.tracer.finish(root);
    let error = match started {
        // The message was delivered again.
        Ok(Start::Ended) => return Ok(json!({"run_id": run_id, "status": "ended"})),
        Ok(Start::Waiting) => {
            tracing::warn!(run_id = %run_id, "the run waits for the shared call budget; the sweeper starts it again");
            return Ok(json!({"run_id": run_id, "status": "waiting"}));
        }
        Ok(Start::Awaits(other)) => {
            tracing::warn!(run_id = %run_id, awaited_run_id = %other, "the run waits until another run has loaded its data; the sweeper starts it again");
            return Ok(json!({"run_id": run_id, "status": "waiting"}));
        }
        Ok(Start::Planned(plan)) => {
            tracing::info!(run_id = %run_id, batches = plan.batches.len(), calls = plan.calls(), "run started");
            return Ok(
                json!({"run_id": run_id, "status": "begun", "batches": plan.batches.len(), "calls": plan.calls()}),
            );
        }
        Err(error @ Error::Retry { .. }) => return Err(error),
        Err(error) => error,
    };
    tracing::error!(run_id = %run_id, %error, "cannot start the run");
    let reason = error.to_string();
    let summary = Summary {
        seconds: (begun.elapsed().as_secs_f64() * 1e3).round() / 1e3,
        can_pass: error.can_pass(),
        ..Summary::failed(run_id, invocation.at, &reason)
    };
    // The stage itself may be broken; the event on the bus reports the failure either way.
    match stage::write_json_once(stage, &ledger::summary_key(run_id), &summary).await {
        Ok(false) => {}
        Ok(true) => telemetry.ended(invocation.at, &summary),
        Err(error) => {
            tracing::error!(run_id = %run_id, %error, "cannot write the run's summary");
            telemetry.ended(invocation.at, &summary);
        }
    }
    let details = Details {
        since: Some(invocation.at),
        is_retried: summary.is_retried(),
        traceparent,
        ..Details::default()
    };
    let (run, step) = (run_id.to_string(), Step::Plan);
    bus.publish(Event::RunFailed { run_id: run, step, reason: reason.clone(), details })
        .await?;
    Ok(json!({"run_id": run_id, "status": "failed", "reason": reason}))
}
