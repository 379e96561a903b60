//! The queue between fanout and extract.

use std::future::Future;

use crate::plan::BatchMessage;
use findata_domain::Result;

/// Takes batches for extract. Delivery is at least once and in any order.
pub trait Queue: Send + Sync {
    /// Sends every message, or returns an error; a message may arrive more than once.
    fn send(&self, messages: Vec<BatchMessage>) -> impl Future<Output = Result<()>> + Send;
}
