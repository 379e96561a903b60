//! Messages from SQS: those of the task queue are worked off, those of the dead-letter queue are recorded.

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use findata_domain::{
    Error, Result,
    clock::{Clock, SystemClock},
};
use findata_fmp::{CallContext, Deadline, Fmp};
use findata_pipeline::{
    ledger,
    plan::BatchMessage,
    ports::{queue::Queue, stage::Stage},
};

use crate::BatchResult;

/// Deliveries of a message before it is a dead letter (`maxReceiveCount` in `infra/template.yaml`).
pub const MAX_RECEIVE_COUNT: u32 = 3;

/// Handles each message on its own; those that failed are named, so that only they come again.
///
/// `fmp` is the client, or why there is none; `dead_letters` is the ARN of the dead-letter queue.
pub async fn handle(
    event: SqsEvent,
    dead_letters: &str,
    fmp: Result<&Fmp>,
    stage: &impl Stage,
    queue: &impl Queue,
    clock: &impl Clock,
    limit: Deadline,
) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for record in &event.records {
        let dead = record.event_source_arn.as_deref() == Some(dead_letters);
        let done = match read(record) {
            Ok(message) if dead => record_dead(&message, stage, clock).await,
            Ok(message) => {
                work(&message, fmp.as_ref().copied().map_err(Clone::clone), stage, queue, clock, limit).await
            }
            // Whose it was is not known: it ends in the queue of failed events, where a person looks.
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            tracing::warn!(id = record.message_id, %error, "a message failed and comes again");
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = record.message_id.clone().unwrap_or_default();
            response.batch_item_failures.push(failure);
        }
    }
    response
}

fn read(record: &SqsMessage) -> Result<BatchMessage> {
    let body = record.body.as_deref().unwrap_or_default();
    serde_json::from_str(body).map_err(|e| Error::Reject(format!("this is no message of ours: {e}")))
}

async fn record_dead(message: &BatchMessage, stage: &impl Stage, clock: &impl Clock) -> Result<()> {
    let reason = format!("given up after {MAX_RECEIVE_COUNT} deliveries");
    tracing::error!(run = %message.run_id, batch = message.batch.id, "{reason}");
    ledger::record_as_failed(message, &reason, stage, clock.now()).await.map(|_| ())
}

async fn work(
    message: &BatchMessage,
    fmp: Result<&Fmp>,
    stage: &impl Stage,
    queue: &impl Queue,
    clock: &impl Clock,
    limit: Deadline,
) -> Result<()> {
    let fmp = match fmp {
        Ok(fmp) => fmp,
        Err(error @ Error::Retry { .. }) => return Err(error),
        // It would be the same the next time.
        Err(error) => {
            tracing::error!(run = %message.run_id, batch = message.batch.id, %error, "a batch is given up");
            return ledger::record_as_failed(message, &error.to_string(), stage, clock.now()).await.map(|_| ());
        }
    };
    // What refuses the key while a run goes on is not asked again for each of its batches.
    let begun = message.run_id.started().unwrap_or_else(|| SystemClock.now());
    fmp.begin(&CallContext { run: message.run_id.clone(), begun, max_calls: message.max_calls });
    let worked = crate::handle(message, fmp, stage, clock, Some(limit)).await;
    fmp.finish().await;
    match worked? {
        BatchResult::Done { closed } => {
            tracing::info!(run = %message.run_id, batch = message.batch.id, closed, "a batch is done");
            Ok(())
        }
        BatchResult::Rest(rest) => {
            tracing::info!(run = %rest.run_id, batch = rest.batch.id, parts = rest.checkpoints, "the time ended; the rest goes back");
            queue.send(vec![*rest]).await
        }
    }
}
