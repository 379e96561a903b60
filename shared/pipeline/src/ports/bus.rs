//! The event bus on which findata announces the end of a run.

use std::future::Future;

use serde::{Deserialize, Serialize};

use crate::run::Status;
use findata_domain::Result;

/// Value of `source` in every findata event.
pub const SOURCE: &str = "findata";

/// Type of the event that requests a run; its detail is a
/// [`CommandInput`](crate::command_input::CommandInput).
pub const REQUESTED: &str = "RunRequested";

/// An event that announces the end of a run, or that a request started none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "detail-type", content = "detail")]
pub enum Event {
    /// The run finished and published its figures; its status is complete, partial or budget.
    RunCompleted {
        /// Id of the run.
        run_id: String,
        /// How the run ended.
        status: Status,
    },
    /// The run failed and published no figures.
    RunFailed {
        /// Id of the run.
        run_id: String,
        /// Why the run failed, in one line.
        reason: String,
    },
    /// A request was malformed, so it started no run.
    RequestRejected {
        /// Id of the run in the request, if the request has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_id: Option<String>,
        /// The mistake in the request, in one line.
        reason: String,
    },
}

/// Publishes events.
pub trait Bus: Send + Sync {
    /// Publishes an event at least once.
    fn publish(&self, event: Event) -> impl Future<Output = Result<()>> + Send;
}
