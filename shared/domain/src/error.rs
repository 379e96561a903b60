//! Errors, classified by what the caller does next.

use std::time::Duration;

/// An error, classified by what to do about it. The text is one line for a person and says how to fix the problem if
/// possible; it never contains a key.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// May succeed on a retry, after the given wait if the server named one.
    #[error("{reason}")]
    Retry {
        /// What happened.
        reason: String,
        /// The wait that the server requested.
        after: Option<Duration>,
    },
    /// Will never succeed as requested: record it and continue with the rest.
    #[error("{0}")]
    Reject(String),
    /// FMP has no such endpoint: fetch the same rows from another one, if there is one.
    #[error("{0}")]
    NotOffered(String),
    /// The FMP plan does not include it: skip it, report it once and do not retry.
    #[error("{0}")]
    NotInPlan(String),
    /// Stop the run: every other call would fail in the same way.
    #[error("{0}")]
    Stop(String),
    /// An object on the stage cannot be read, or is not what was written: repair or replace it, and go on with what
    /// does not depend on it.
    #[error("{0}")]
    Damaged(String),
    /// The call budget is used up: stop calling, keep what is staged.
    #[error("{0}")]
    Budget(String),
    /// This machine lacks something: disk space, memory, a permission, or a file that another process holds. Nothing
    /// is wrong with the data: keep everything as it is, and continue once a person has fixed it.
    #[error("{0}")]
    Resource(String),
    /// The user asked to stop: keep what is done; the next run continues.
    #[error("{0}")]
    Interrupted(String),
    /// FMP's call limit kept refusing this call, although other calls may succeed: record the task as abandoned for the
    /// limit and continue with the rest.
    #[error("{0}")]
    CallLimit(String),
    /// The configuration is wrong: nothing was changed, a person must fix it.
    #[error("{0}")]
    Config(String),
}

/// A result with the project's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A transient failure, without a requested wait.
    pub fn retry(reason: impl Into<String>) -> Self {
        Error::Retry { reason: reason.into(), after: None }
    }

    /// Whether further calls in this run are pointless.
    pub fn ends_run(&self) -> bool {
        matches!(
            self,
            Error::Stop(_)
                | Error::Resource(_)
                | Error::Damaged(_)
                | Error::Budget(_)
                | Error::Config(_)
                | Error::Interrupted(_)
        )
    }
}
