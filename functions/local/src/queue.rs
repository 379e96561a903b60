//! The queue in one process: at-least-once, with delivery counts, redelivery and dead letters, as SQS has them.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use findata_domain::Result;
use findata_pipeline::{plan::BatchMessage, ports::queue::Queue};

pub use findata_extract::event::MAX_RECEIVE_COUNT;

/// A message handed out, with how often it has been.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message.
    pub message: BatchMessage,
    /// This delivery's number, from 1.
    pub receive_count: u32,
}

/// Messages waiting, and those that nobody could handle.
#[derive(Debug, Default)]
pub struct LocalQueue {
    waiting: Mutex<VecDeque<Delivery>>,
}

impl LocalQueue {
    /// The next message, if one waits.
    pub fn receive(&self) -> Option<Delivery> {
        let mut delivery = self.waiting().pop_front()?;
        delivery.receive_count += 1;
        Some(delivery)
    }

    /// Puts a message back that could not be handled; `false` when it has been tried often enough.
    pub fn put_back(&self, delivery: Delivery) -> bool {
        let again = delivery.receive_count < MAX_RECEIVE_COUNT;
        if again {
            self.waiting().push_back(delivery);
        }
        again
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
    async fn a_poison_message_comes_back_a_few_times_and_then_no_more() {
        let queue = LocalQueue::default();
        let batch = Batch { id: "b1".into(), fetch_mode: FetchMode::PerSymbol, tasks: Vec::new() };
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
