//! The reasons why a call to FMP fails. The client decides by these variants, never by the text of a
//! message.

use std::{fmt, time::Duration};

use findata_domain::Error;

/// Why a call failed, with a message for users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// FMP responded that the call limit is reached. The call pauses and is repeated.
    CallLimit {
        /// FMP's message.
        message: String,
        /// The pause that FMP requested in `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// One call or all calls of one endpoint got only call-limit responses for too long. Other endpoints are still
    /// called.
    LimitedCall(String),
    /// All calls with the key got only call-limit responses for too long, so the run stops.
    LimitedKey(String),
    /// FMP refused a bulk call, probably because it came too soon after the last one.
    BulkLimit {
        /// FMP's message.
        message: String,
        /// Whether FMP's message names this reason. Otherwise the reason is a guess.
        certain: bool,
    },
    /// The call failed in a way that may pass: a server error, a damaged body, an open breaker, a
    /// busy stage.
    Transient {
        /// What happened.
        message: String,
        /// The pause before another attempt, if FMP or the stage requested one.
        retry_after: Option<Duration>,
    },
    /// No response arrived.
    NoAnswer(String),
    /// FMP rejected the request and would reject it again.
    Rejected(String),
    /// The plan does not include the requested data (402).
    NotInPlan(String),
    /// FMP has no such endpoint (404).
    NotOffered(String),
    /// FMP refused the key (401). Another key may work.
    RefusedKey(String),
    /// FMP refused access (403): a suspended account or a legacy endpoint.
    RefusedAccess(String),
    /// The bandwidth of the last 30 days is used up.
    BandwidthUsedUp(String),
    /// FMP or the network must be down, because many calls got no response for some time.
    Unreachable(String),
    /// FMP is not the cause: the rate limiter, the stage or the receiver of the rows failed.
    Local(Error),
}

impl Failure {
    /// A failure that may pass, without a requested pause.
    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Failure::Transient { message: message.into(), retry_after: None }
    }

    /// Sets the pause that FMP requested in `Retry-After`, if this kind of failure has one.
    pub(crate) fn with_retry_after(self, retry_after: Option<Duration>) -> Self {
        match self {
            Failure::CallLimit { message, .. } => Failure::CallLimit { message, retry_after },
            Failure::Transient { message, .. } => Failure::Transient { message, retry_after },
            other => other,
        }
    }

    /// Whether another attempt may succeed. Such an attempt uses the retry budget. False for the call limit, for which
    /// the client waits separately.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Failure::Transient { .. } | Failure::NoAnswer(_))
    }

    /// Whether all clients with the key have to stop.
    pub(crate) fn affects_key(&self) -> bool {
        matches!(self, Failure::RefusedKey(_) | Failure::RefusedAccess(_) | Failure::BandwidthUsedUp(_))
    }

    /// Whether FMP processed the request and rejected it for a reason other than a call limit.
    pub(crate) fn passed_the_limit(&self) -> bool {
        matches!(self, Failure::Rejected(_) | Failure::NotInPlan(_) | Failure::NotOffered(_))
    }

    /// Whether no further call makes sense in this run.
    pub(crate) fn ends_run(&self) -> bool {
        match self {
            Failure::Unreachable(_) | Failure::LimitedKey(_) => true,
            Failure::Local(error) => error.ends_run(),
            other => other.affects_key(),
        }
    }

    /// Whether permits that were already granted may still be used. True if a limit on calls is
    /// reached, because the granted permits are within the limit.
    pub(crate) fn leaves_permits_valid(&self) -> bool {
        matches!(self, Failure::Local(Error::Budget(_) | Error::Config(_)))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::CallLimit { message, .. }
            | Failure::Transient { message, .. }
            | Failure::LimitedCall(message)
            | Failure::LimitedKey(message)
            | Failure::BulkLimit { message, .. }
            | Failure::NoAnswer(message)
            | Failure::Rejected(message)
            | Failure::NotInPlan(message)
            | Failure::NotOffered(message)
            | Failure::RefusedKey(message)
            | Failure::RefusedAccess(message)
            | Failure::BandwidthUsedUp(message)
            | Failure::Unreachable(message) => f.write_str(message),
            Failure::Local(error) => error.fmt(f),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Retry { reason: message, after: retry_after } => {
                Failure::Transient { message, retry_after }
            }
            other => Failure::Local(other),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::CallLimit { message: reason, retry_after: after }
            | Failure::Transient { message: reason, retry_after: after } => Error::Retry { reason, after },
            Failure::BulkLimit { message, .. } | Failure::NoAnswer(message) => Error::retry(message),
            Failure::Rejected(message) => Error::Reject(message),
            Failure::NotInPlan(message) => Error::NotInPlan(message),
            Failure::NotOffered(message) => Error::NotOffered(message),
            Failure::RefusedKey(message) | Failure::RefusedAccess(message) => Error::Stop(message),
            Failure::Unreachable(message) => Error::Unreachable(message),
            Failure::BandwidthUsedUp(message) | Failure::LimitedKey(message) => Error::Budget(message),
            Failure::LimitedCall(message) => Error::CallLimit(message),
            Failure::Local(error) => error,
        }
    }
}
