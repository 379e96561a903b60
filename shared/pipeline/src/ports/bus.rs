//! The bus on which a finished run is announced.

use std::future::Future;

use serde::{Deserialize, Serialize};

use crate::run::Status;
use findata_domain::Result;

/// `source` of every findata event.
pub const SOURCE: &str = "findata";

/// Type of an event that requests a run; `functions/fanout/src/command.rs` defines its detail.
pub const REQUESTED: &str = "RunRequested";

/// Announces the end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "detail-type", content = "detail")]
pub enum Event {
    /// The run published its figures: complete, partial or budget.
    RunCompleted {
        /// The run.
        run_id: String,
        /// How it ended.
        status: Status,
    },
    /// The run published nothing.
    RunFailed {
        /// The run.
        run_id: String,
        /// Why, in one line.
        reason: String,
    },
}

/// Where events go.
pub trait Bus: Send + Sync {
    /// Announces an event, at least once.
    fn publish(&self, event: Event) -> impl Future<Output = Result<()>> + Send;
}
