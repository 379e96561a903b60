//! The event bus on which findata announces the end of a run, and what an operator needs to know.

use std::{collections::BTreeMap, future::Future};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::run::{RunId, Status, Step};
use findata_domain::Result;

/// Value of `source` in every findata event.
pub const SOURCE: &str = "findata";

/// Type of the event that requests a run; its detail is a
/// [`CommandInput`](crate::command_input::CommandInput).
pub const REQUESTED: &str = "RunRequested";

/// An event that announces the end or the delay of a run, or that a request started none.
/// [`Event::notice`] is its text for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "detail-type", content = "detail")]
pub enum Event {
    /// The run finished and published its figures; its status is complete, partial or budget.
    RunCompleted {
        /// Id of the run.
        run_id: String,
        /// How the run ended.
        status: Status,
        /// Details for the notice.
        #[serde(flatten)]
        details: Details,
    },
    /// The run failed and published no figures, or it waits for a person to fix something.
    RunFailed {
        /// Id of the run.
        run_id: String,
        /// The step that failed.
        step: Step,
        /// Why the run failed, in one line.
        reason: String,
        /// Details for the notice.
        #[serde(flatten)]
        details: Details,
    },
    /// The run takes longer than expected. It may still finish.
    RunLate {
        /// Id of the run.
        run_id: String,
        /// The step that the run has not finished.
        step: Step,
        /// Details for the notice. `affected` are the companies whose data has not arrived.
        #[serde(flatten)]
        details: Details,
    },
    /// No run has published data for days.
    DataStale {
        /// Id of the last run that published data.
        run_id: String,
        /// Details for the notice.
        #[serde(flatten)]
        details: Details,
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

/// Number of companies that an event names.
pub const NAMED: usize = 5;

/// What an operator needs to know about an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// When the run started; of stale data, when it was fetched. UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Companies of the run.
    #[serde(default)]
    pub symbols: u64,
    /// Number of companies that lack data.
    #[serde(default)]
    pub affected_symbols: u64,
    /// The first of these companies, at most [`NAMED`].
    #[serde(default)]
    pub affected: Vec<String>,
    /// Number of failed or missing tasks by dataset.
    #[serde(default)]
    pub datasets: BTreeMap<String, u64>,
    /// The first reason, if the event has no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_reason: Option<String>,
    /// Whether the sweeper will retry the run by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_retried: bool,
    /// The W3C trace context of the work that announces the event, if traces are on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Details {
    /// The details of a run about which nothing but its id is known.
    pub fn of_run(run: &RunId) -> Self {
        Details { since: run.started(), ..Details::default() }
    }

    /// Sets the companies that lack data, and the datasets of their tasks.
    #[must_use]
    pub fn affecting<'a>(mut self, tasks: impl IntoIterator<Item = (Option<&'a str>, &'a str)>) -> Self {
        let mut affected = std::collections::BTreeSet::new();
        for (symbol, dataset) in tasks {
            *self.datasets.entry(dataset.to_owned()).or_default() += 1;
            affected.extend(symbol.filter(|symbol| !symbol.is_empty()));
        }
        self.affected_symbols = affected.len() as u64;
        self.affected = affected.into_iter().take(NAMED).map(str::to_owned).collect();
        self
    }
}

/// Publishes events.
pub trait Bus: Send + Sync {
    /// Publishes an event at least once.
    fn publish(&self, event: Event) -> impl Future<Output = Result<()>> + Send;
}
