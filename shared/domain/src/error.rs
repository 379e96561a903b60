//! Errors named by the caller's next move, not by where they came from.

use std::time::Duration;

/// What went wrong, by what to do about it. The text is one line for a person and says the cure where
/// there is one; it never holds a key.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// May work when tried again, after the given wait where the other side named one.
    #[error("{reason}")]
    Retry {
        /// What happened.
        reason: String,
        /// The wait the other side asked for.
        after: Option<Duration>,
    },
    /// Will never work as asked: record it, go on with the rest.
    #[error("{0}")]
    Reject(String),
    /// FMP has no such endpoint: get the same rows from another one, where there is one.
    #[error("{0}")]
    NotOffered(String),
    /// The FMP plan does not include it: skip it, say so once, do not try again.
    #[error("{0}")]
    NotInPlan(String),
    /// Stop the run: every other call would fail in the same way.
    #[error("{0}")]
    Stop(String),
    /// The call budget is used up: stop calling, keep what is staged.
    #[error("{0}")]
    Budget(String),
    /// The set-up is wrong: nothing was touched, a person must mend it.
    #[error("{0}")]
    Config(String),
}

/// A result with the project's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure that may pass.
    pub fn retry(reason: impl Into<String>) -> Self {
        Error::Retry { reason: reason.into(), after: None }
    }

    /// Whether no further call makes sense in this run.
    pub fn ends_run(&self) -> bool {
        matches!(self, Error::Stop(_) | Error::Budget(_) | Error::Config(_))
    }
}
