//! The time limit of one call. Waiting for the rate limiter does not count towards it.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, error::Elapsed, timeout};

/// The time that a call has left for its requests and its pauses.
#[derive(Debug)]
pub(super) struct Patience {
    most: Duration,
    left: Duration,
}

impl Patience {
    /// Creates the time limit of a call that may take at most `most`.
    pub(super) fn new(most: Duration) -> Self {
        Patience { most, left: most }
    }

    /// The time limit.
    pub(super) fn most(&self) -> Duration {
        self.most
    }

    /// The time used so far.
    pub(super) fn spent(&self) -> Duration {
        self.most - self.left
    }

    /// Whether the remaining time allows a pause and another request.
    pub(super) fn allows(&self, pause: Duration) -> bool {
        pause < self.left
    }

    /// Runs `wait` and subtracts its duration from the remaining time. Also returns the duration.
    pub(super) async fn spend<T>(&mut self, wait: impl Future<Output = T>) -> (T, Duration) {
        let begun = Instant::now();
        let output = wait.await;
        let waited = begun.elapsed();
        self.left = self.left.saturating_sub(waited);
        (output, waited)
    }

    /// Runs `wait` with the remaining time as its timeout, and subtracts its duration from the
    /// remaining time.
    pub(super) async fn bound<T>(&mut self, wait: impl Future<Output = T>) -> Result<T, Elapsed> {
        let left = self.left;
        self.spend(timeout(left, wait)).await.0
    }
}
