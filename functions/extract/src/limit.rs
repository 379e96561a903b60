//! The limit after which no call begins: a deadline, which Lambda sets, or the moment at which the
//! user asks to stop.

use std::{
    future::{Future, pending},
    time::{Duration, Instant},
};

use findata_fmp::Deadline;
use tokio_util::sync::CancellationToken;

/// How long to wait for calls in flight after the user has asked to stop. FMP usually answers
/// within a second, and a second Ctrl-C ends the wait.
const GRACE: Duration = Duration::from_secs(3);

/// When an invocation stops starting calls, so that it has time to land and record its answers.
#[derive(Debug, Clone, Default)]
pub struct Limit {
    deadline: Option<Deadline>,
    stop: CancellationToken,
}

impl From<Option<Deadline>> for Limit {
    fn from(deadline: Option<Deadline>) -> Self {
        Limit { deadline, ..Limit::default() }
    }
}

impl Limit {
    /// Extends the limit, so that no call begins after `stop` is cancelled either.
    #[must_use]
    pub fn or_when(self, stop: CancellationToken) -> Self {
        Limit { stop, ..self }
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Whether the user has asked to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Whether no further call may begin.
    pub(crate) fn is_over(&self) -> bool {
        self.is_stopped() || self.deadline.is_some_and(|deadline| Instant::now() >= deadline.begin)
    }

    /// Returns the result of a call, or `None` if it does not arrive in time.
    pub(crate) async fn wait_for<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            result = call => Some(result),
            () = self.ended() => None,
        }
    }

    /// Returns the result of `work`, or `None` as soon as the user asks to stop.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.stop.run_until_cancelled(work).await
    }

    /// Waits until no more answers are accepted: the deadline has passed, or [`GRACE`] after the
    /// user's stop.
    async fn ended(&self) {
        let deadline = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.wait.into()).await,
                None => pending().await,
            }
        };
        let stopped = async {
            self.stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            () = deadline => {}
            () = stopped => {}
        }
    }
}
