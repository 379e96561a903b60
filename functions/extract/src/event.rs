//! Handles SQS messages: fetches the batches of the task queue, and records those of the
//! dead-letter queue as failed.

use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use findata_domain::{
    Error, Result,
    clock::{Clock, SystemClock},
};
use findata_fmp::{CallContext, Deadline, Fmp};
use findata_pipeline::{
    ledger::{self, Outcome},
    plan::BatchMessage,
    ports::{
        queue::{Queue, Redelivery},
        stage::Stage,
    },
    telemetry::trace::{Span, Tracer},
};

use crate::BatchResult;

/// Number of deliveries after which SQS moves a message to the dead-letter queue (`maxReceiveCount`
/// in `infra/template.yaml`).
pub const MAX_RECEIVE_COUNT: u32 = 3;
/// The pause after the second failed delivery, divided by the pause after the first one.
const BACKOFF_FACTOR: u32 = 5;

/// Handles each message separately and reports the ones that failed, so that SQS delivers only
/// those again: after `pause`, and after a second failure after five times as long.
///
/// `fmp` is the client, or the error that prevented its creation; `dead_letters` is the ARN of the
/// dead-letter queue.
#[expect(clippy::too_many_arguments, reason = "everything that the handler may touch")]
pub async fn handle(
    event: SqsEvent,
    dead_letters: &str,
    fmp: Result<&Fmp>,
    stage: &impl Stage,
    queue: &(impl Queue + Redelivery),
    clock: &impl Clock,
    limit: Deadline,
    pause: Duration,
    tracer: &Tracer,
) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for record in &event.records {
        let is_dead_letter = record.event_source_arn.as_deref() == Some(dead_letters);
        let handled = match read(record) {
            Ok(message) => {
                let sender = message.traceparent.clone();
                let (mut span, message) = begin_span(&message, receive_count(record), tracer);
                let fmp = fmp.as_ref().copied().map_err(Clone::clone);
                let handled = match is_dead_letter {
                    true => record_dead_letter(&message, stage, clock, &mut span).await,
                    false => fetch(&message, sender, fmp, stage, queue, clock, limit, &mut span).await,
                };
                if handled.is_err() {
                    span.fail(&handled);
                }
                tracer.finish(span);
                handled
            }
            // The message names no run that could be closed. SQS moves it to the queue of failed
            // events, where a person can inspect it.
            Err(error) => Err(error),
        };
        if let Err(error) = handled {
            tracing::warn!(message_id = record.message_id, attempt = receive_count(record), %error, "handling a message failed, SQS will deliver it again");
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = record.message_id.clone().unwrap_or_default();
            response.batch_item_failures.push(failure);
            if !is_dead_letter {
                deliver_again(record, pause, queue).await;
            }
        }
    }
    response
}

/// Sets when SQS delivers a failed message again. Without this, it returns after the queue's visibility
/// timeout, which must be much longer than an invocation.
async fn deliver_again(record: &SqsMessage, pause: Duration, queue: &impl Redelivery) {
    let Some(receipt) = &record.receipt_handle else {
        return;
    };
    let pause = match receive_count(record) {
        // The next receive moves the message to the dead-letter queue.
        MAX_RECEIVE_COUNT.. => Duration::ZERO,
        count => pause * BACKOFF_FACTOR.pow(count.saturating_sub(1)),
    };
    if let Err(error) = queue.deliver_again(receipt, pause).await {
        tracing::warn!(message_id = record.message_id, %error, "the message returns only after the visibility timeout");
    }
}

fn read(record: &SqsMessage) -> Result<BatchMessage> {
    let body = record.body.as_deref().unwrap_or_default();
    serde_json::from_str(body).map_err(|e| Error::Reject(format!("not a findata batch message: {e}")))
}

/// How often SQS has delivered the message, including this time.
fn receive_count(record: &SqsMessage) -> u32 {
    let count = record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    count.unwrap_or(1)
}

/// Begins the span of a message's work, and returns it with the message in its trace. If the batch closes
/// the fetch step, load continues this trace.
pub fn begin_span(message: &BatchMessage, attempt: u32, tracer: &Tracer) -> (Span, BatchMessage) {
    let mut span = tracer.consumer("batch", message.traceparent.as_deref(), &message.run_id);
    span.set("batch", message.batch.id.as_str());
    span.set("attempt", attempt);
    span.set("checkpoints", message.checkpoints);
    let traceparent = span.traceparent().or_else(|| message.traceparent.clone());
    (span, BatchMessage { traceparent, ..message.clone() })
}

async fn record_dead_letter(
    message: &BatchMessage,
    stage: &impl Stage,
    clock: &impl Clock,
    span: &mut Span,
) -> Result<()> {
    let reason = format!("the batch failed {MAX_RECEIVE_COUNT} times");
    span.error = Some(reason.clone());
    tracing::error!(run_id = %message.run_id, batch = message.batch.id, "{reason}");
    // The cause is unknown: a crash, a missing permission, or an outage of AWS, which can pass.
    let failure = Outcome::failed_for_now(reason);
    ledger::record_as_failed(message, &failure, stage, clock.now()).await.map(|_| ())
}

#[expect(clippy::too_many_arguments, reason = "everything that the handler may touch")]
async fn fetch(
    message: &BatchMessage,
    sender: Option<String>,
    fmp: Result<&Fmp>,
    stage: &impl Stage,
    queue: &impl Queue,
    clock: &impl Clock,
    limit: Deadline,
    span: &mut Span,
) -> Result<()> {
    let fmp = match fmp {
        Ok(fmp) => fmp,
        Err(error @ Error::Retry { .. }) => return Err(error),
        // The error is permanent, so another delivery would fail in the same way.
        Err(error) => {
            span.error = Some(error.to_string());
            tracing::error!(run_id = %message.run_id, batch = message.batch.id, %error, "batch recorded as failed: no FMP client");
            let failure = Outcome::failed(error.to_string());
            return ledger::record_as_failed(message, &failure, stage, clock.now()).await.map(|_| ());
        }
    };
    // The client compares the run's start with the time a key was refused, so that a refused key is
    // not tried again in each batch.
    let begun = message.run_id.started().unwrap_or_else(|| SystemClock.now());
    let calls = fmp.stats().calls();
    fmp.begin(&CallContext {
        run: message.run_id.clone(),
        begun,
        max_calls: message.max_calls,
    });
    let result = crate::handle(message, fmp, stage, clock, Some(limit), None).await;
    fmp.finish().await;
    span.set("calls", fmp.stats().calls() - calls);
    match result? {
        BatchResult::Done { closed } => {
            span.set("closed", closed);
            tracing::info!(run_id = %message.run_id, batch = message.batch.id, closed, "batch done");
            Ok(())
        }
        BatchResult::Rest(rest) => {
            let checkpoints = rest.checkpoints;
            tracing::info!(run_id = %rest.run_id, batch = rest.batch.id, checkpoints, "time ran out, the rest is queued again");
            queue.send(vec![BatchMessage { traceparent: sender, ..*rest }]).await
        }
    }
}
