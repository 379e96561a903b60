//! How long one call may take, its waits for the rate limiter excluded.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, error::Elapsed, timeout};

/// The time that a call has left for its requests and its pauses.
#[derive(Debug)]
pub(super) struct Patience {
    most: Duration,
    left: Duration,
}

impl Patience {
    /// A call that may take this long.
    pub(super) fn new(most: Duration) -> Self {
        Patience { most, left: most }
    }

    /// The longest time.
    pub(super) fn most(&self) -> Duration {
        self.most
    }

    /// The time used so far.
    pub(super) fn spent(&self) -> Duration {
        self.most - self.left
    }

    /// Whether there is time for a pause and another request.
    pub(super) fn allows(&self, pause: Duration) -> bool {
        pause < self.left
    }

    /// Waits, and returns for how long.
    pub(super) async fn spend<T>(&mut self, wait: impl Future<Output = T>) -> (T, Duration) {
        let begun = Instant::now();
        let output = wait.await;
        let waited = begun.elapsed();
        self.left = self.left.saturating_sub(waited);
        (output, waited)
    }

    /// Waits as long as there is time.
    pub(super) async fn bound<T>(&mut self, wait: impl Future<Output = T>) -> Result<T, Elapsed> {
        let left = self.left;
        self.spend(timeout(left, wait)).await.0
    }
}
