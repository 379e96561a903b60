//! The queue that carries batches from fanout to extract.

use std::{future::Future, time::Duration};

use crate::plan::BatchMessage;
use findata_domain::Result;

/// A queue of batches for extract. It delivers each message at least once, in any order.
pub trait Queue: Send + Sync {
    /// Sends every message, or returns an error. After an error, some of the messages may have been
    /// sent.
    fn send(&self, messages: Vec<BatchMessage>) -> impl Future<Output = Result<()>> + Send;
}

/// Decides when a queue delivers a message again that could not be handled.
pub trait Redelivery: Send + Sync {
    /// Delivers a received message again after `pause`, instead of after the queue's visibility timeout.
    /// `receipt` identifies the delivery.
    fn deliver_again(&self, receipt: &str, pause: Duration) -> impl Future<Output = Result<()>> + Send;
}
