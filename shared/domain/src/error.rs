//! Errors, classified by the caller's next step.

use std::time::Duration;

/// An error, classified by the caller's next step. Its text is one line for a person, and says how
/// to fix the problem if possible. The text never contains an API key.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The operation may succeed on a retry.
    #[error("{reason}")]
    Retry {
        /// What happened.
        reason: String,
        /// The wait before the retry, if the server requested one.
        after: Option<Duration>,
    },
    /// The operation will never succeed: record the failure and continue with other work.
    #[error("{0}")]
    Reject(String),
    /// FMP does not have the endpoint: fetch the same rows from another endpoint, if there is one.
    #[error("{0}")]
    NotOffered(String),
    /// The FMP plan does not include the request: skip the request, report this once and do not
    /// retry.
    #[error("{0}")]
    NotInPlan(String),
    /// Every other call would fail in the same way: stop the run.
    #[error("{0}")]
    Stop(String),
    /// FMP does not respond at all: stop the run. The cause may pass, so a later run may succeed.
    #[error("{0}")]
    Unreachable(String),
    /// An object on the stage is unreadable or was changed after it was written: repair or replace
    /// the object, and continue with work that does not depend on it.
    #[error("{0}")]
    Damaged(String),
    /// The call budget is used up: stop calling FMP and keep the staged data.
    #[error("{0}")]
    Budget(String),
    /// This machine lacks disk space, memory or a permission, or another process has locked a file.
    /// The data is intact: change nothing, and continue after a person has fixed the problem.
    #[error("{0}")]
    Resource(String),
    /// The user stopped the run: keep the finished work, which the next run continues.
    #[error("{0}")]
    Interrupted(String),
    /// The invocation's time is almost up, or it failed after it had stored a part of its work: continue after
    /// that part in another invocation.
    #[error("{0}")]
    OutOfTime(String),
    /// FMP refused this call repeatedly because of its call limit, but other calls may succeed:
    /// record the task as abandoned because of the limit, and continue with other tasks.
    #[error("{0}")]
    CallLimit(String),
    /// The configuration is wrong: nothing was changed, and a person must fix it.
    #[error("{0}")]
    Config(String),
}

/// A result with findata's error type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A transient failure for which the server requested no wait.
    pub fn retry(reason: impl Into<String>) -> Self {
        Error::Retry { reason: reason.into(), after: None }
    }

    /// Returns whether the cause can pass without a person or a change of the request, so that a later run may
    /// succeed.
    pub fn can_pass(&self) -> bool {
        matches!(self, Error::Retry { .. } | Error::Unreachable(_))
    }

    /// Returns whether the run must make no further calls.
    pub fn ends_run(&self) -> bool {
        matches!(
            self,
            Error::Stop(_)
                | Error::Unreachable(_)
                | Error::Resource(_)
                | Error::Damaged(_)
                | Error::Budget(_)
                | Error::Config(_)
                | Error::Interrupted(_)
        )
    }
}
