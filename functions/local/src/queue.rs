//! An in-process queue that behaves like SQS: at-least-once delivery, receive counts, redelivery
//! and a maximum number of receives, after which a message is dropped.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use findata_domain::Result;
use findata_pipeline::{plan::BatchMessage, ports::queue::Queue};

pub use findata_extract::event::MAX_RECEIVE_COUNT;

/// A received message and its receive count.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message.
    pub message: BatchMessage,
    /// How often the message was received, including this time; starts at 1.
    pub receive_count: u32,
}

/// The queue of batches to fetch.
#[derive(Debug, Default)]
pub struct LocalQueue {
    waiting: Mutex<VecDeque<Delivery>>,
}

impl LocalQueue {
    /// Receives the next message, if there is one.
    pub fn receive(&self) -> Option<Delivery> {
        let mut delivery = self.waiting().pop_front()?;
        delivery.receive_count += 1;
        Some(delivery)
    }

    /// Puts a message that could not be handled back into the queue. Returns false if the message
    /// has reached [`MAX_RECEIVE_COUNT`] and was dropped.
    pub fn put_back(&self, delivery: Delivery) -> bool {
        let retry = delivery.receive_count < MAX_RECEIVE_COUNT;
        if retry {
            self.waiting().push_back(delivery);
        }
        retry
    }

    /// Puts the message for the rest of a batch at the front of the queue.
    pub fn resume(&self, message: BatchMessage) {
        self.waiting().push_front(Delivery { message, receive_count: 0 });
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Delivery>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue for LocalQueue {
    async fn send(&self, messages: Vec<BatchMessage>) -> Result<()> {
        let new = messages.into_iter().map(|message| Delivery { message, receive_count: 0 });
        self.waiting().extend(new);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use findata_pipeline::plan::{Batch, FetchMode};

    use super::*;

    #[tokio::test]
    async fn a_poison_message_is_dropped_after_the_last_delivery() {
        let queue = LocalQueue::default();
        let batch = Batch {
            id: "b1".into(),
            fetch_mode: FetchMode::PerSymbol,
            tasks: Vec::new(),
        };
        queue.send(vec![BatchMessage::new("r".parse().unwrap(), batch)]).await.unwrap();
        let mut deliveries = 0;
        while let Some(delivery) = queue.receive() {
            deliveries += 1;
            assert_eq!(delivery.receive_count, deliveries);
            assert_eq!(queue.put_back(delivery), deliveries < MAX_RECEIVE_COUNT);
        }
        assert_eq!(deliveries, MAX_RECEIVE_COUNT);
    }
}
