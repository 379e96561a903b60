//! Why a call to FMP failed. The client branches on these variants, never on the text of a message.

use std::{fmt, time::Duration};

use findata_domain::Error;

/// Why a call failed, with the message for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The call limit of the key is reached. Everyone who uses the key has to pause.
    CallLimit {
        /// FMP's message.
        message: String,
        /// The pause that FMP asked for.
        retry_after: Option<Duration>,
    },
    /// FMP answered nothing but that the call limit is reached, until patience ran out: only this call, or only its
    /// endpoint, is given up.
    LimitedCall(String),
    /// The same for all calls with the key.
    LimitedKey(String),
    /// FMP refused a bulk call, probably as too early.
    BulkLimit {
        /// FMP's message.
        message: String,
        /// Whether the message names this reason. Others only suggest it.
        certain: bool,
    },
    /// The call failed in a way that may pass: a server error, a damaged body, an open breaker, a
    /// busy stage.
    Transient {
        /// What happened.
        message: String,
        /// The pause to make first, if it is known.
        retry_after: Option<Duration>,
    },
    /// No response arrived.
    NoAnswer(String),
    /// FMP rejected this request and would reject it again.
    Rejected(String),
    /// The plan does not include what was requested (402).
    NotInPlan(String),
    /// FMP has no such endpoint (404).
    NotOffered(String),
    /// FMP refused the key (401). Another key may work.
    RefusedKey(String),
    /// FMP refused access (403): a suspended account or a legacy endpoint.
    RefusedAccess(String),
    /// The bandwidth of the last 30 days is used up.
    BandwidthUsedUp(String),
    /// No call has been answered for so long that FMP or the network must be down.
    Unreachable(String),
    /// Not an answer of FMP: the rate limiter, the stage or the receiver of the rows failed.
    Local(Error),
}

impl Failure {
    /// A failure that may pass, with no known pause.
    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Failure::Transient { message: message.into(), retry_after: None }
    }

    /// The same failure with the pause that FMP's response headers ask for.
    pub(crate) fn with_retry_after(self, retry_after: Option<Duration>) -> Self {
        match self {
            Failure::CallLimit { message, .. } => Failure::CallLimit { message, retry_after },
            Failure::Transient { message, .. } => Failure::Transient { message, retry_after },
            other => other,
        }
    }

    /// Whether another attempt may succeed and counts against the retry budget. The call limit is not
    /// among them: the client waits for it separately.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Failure::Transient { .. } | Failure::NoAnswer(_))
    }

    /// Whether everyone who uses the key has to stop, not only this call or this process.
    pub(crate) fn affects_key(&self) -> bool {
        matches!(self, Failure::RefusedKey(_) | Failure::RefusedAccess(_) | Failure::BandwidthUsedUp(_))
    }

    /// Whether FMP answered, and no call limit stopped it: the call is over for a reason of its own.
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

    /// Whether permits that were already granted stay valid: only a limit on calls is reached, and
    /// they are within it.
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
            Failure::RefusedKey(message)
            | Failure::RefusedAccess(message)
            | Failure::Unreachable(message) => Error::Stop(message),
            Failure::BandwidthUsedUp(message) | Failure::LimitedKey(message) => Error::Budget(message),
            Failure::LimitedCall(message) => Error::CallLimit(message),
            Failure::Local(error) => error,
        }
    }
}
