//! Fetches the batches of a run, several at a time.

use std::sync::Arc;

use findata_domain::{Error, Result, clock::Clock};
use findata_extract::{BatchResult, Limit, event, journal};
use findata_fmp::Fmp;
use findata_pipeline::{
    ledger::{self, Outcome},
    plan::BatchMessage,
    ports::{stage::Stage, warehouse::Warehouse},
};
use tokio::task::JoinSet;

use super::{Host, WORKERS};
use crate::{
    journal::Journals,
    queue::{Delivery, LocalQueue},
};

impl<S: Stage + Clone + 'static, W: Warehouse, C: Clock + 'static> Host<S, W, C> {
    /// Fetches all batches of the queue, several at a time. A batch whose handler fails is
    /// redelivered. A batch that keeps failing is recorded as failed, so that the run can still
    /// finish. When the user asks to stop, batches end with a checkpoint and the run stays open.
    pub(super) async fn fetch(&self, queue: LocalQueue) -> Result<()> {
        let mut workers: JoinSet<(Delivery, Result<BatchResult>)> = JoinSet::new();
        loop {
            while workers.len() < WORKERS
                && !self.stop.is_cancelled()
                && let Some(delivery) = queue.receive()
            {
                let (fmp, stage, clock) =
                    (Arc::clone(&self.fmp), self.stage.clone(), Arc::clone(&self.receipt_clock));
                let (journals, tracer) = (self.journals.clone(), self.tracer.clone());
                let limit = Limit::default().or_when(self.stop.clone());
                workers.spawn(async move {
                    let (mut span, message) =
                        event::begin_span(&delivery.message, delivery.receive_count, &tracer);
                    let result = fetch_batch(&message, &fmp, &stage, clock.as_ref(), limit, journals).await;
                    span.fail(&result);
                    tracer.finish(span);
                    (delivery, result)
                });
            }
            let Some(finished) = workers.join_next().await else {
                break;
            };
            let (delivery, result) =
                finished.map_err(|e| Error::Stop(format!("a fetch task was aborted: {e}")))?;
            let error = match result {
                Ok(BatchResult::Done { .. }) => continue,
                Ok(BatchResult::Rest(message)) => {
                    let traceparent = delivery.message.traceparent;
                    queue.resume(BatchMessage { traceparent, ..*message });
                    continue;
                }
                Err(_) if self.stop.is_cancelled() => continue,
                Err(error) => error,
            };
            tracing::warn!(batch = delivery.message.batch.id, %error, "a batch failed");
            if error.ends_run() {
                return Err(error);
            }
            let message = delivery.message.clone();
            if !queue.put_back(delivery) {
                // Landing the journal may fail for the same reason as the batch, so a failure is
                // only logged.
                if let Err(error) = self.recover_journal(&message).await {
                    tracing::warn!(batch = message.batch.id, %error, "the answers of a batch are lost");
                }
                let reason = format!("the batch failed {} times: {error}", crate::queue::MAX_RECEIVE_COUNT);
                let failure = Outcome::of_error(&error, reason);
                ledger::record_as_failed(&message, &failure, &self.stage, self.clock.now()).await?;
            }
        }
        if self.stop.is_cancelled() {
            return Err(Error::Interrupted("the run was stopped; the next run continues".into()));
        }
        Ok(())
    }
}

/// Fetches a batch, and removes the batch's journal once the answers are on the stage.
async fn fetch_batch(
    message: &BatchMessage,
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
    limit: Limit,
    journals: Option<Journals>,
) -> Result<BatchResult> {
    let journal = match &journals {
        Some(journals) => Some(journals.open(&message.run_id, &message.batch.id, clock.now())?),
        None => None,
    };
    let kept = journal.as_ref().map(|journal| journal as &dyn journal::Journal);
    let result = findata_extract::handle(message, fmp, stage, clock, limit, kept).await?;
    if let Some(journal) = journal {
        journal.remove();
    }
    Ok(result)
}
