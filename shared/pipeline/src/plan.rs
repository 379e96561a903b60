//! The plan of a run: its tasks, the batches that contain them, and the tasks that were skipped,
//! with the reason.

mod task;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    corrections::Corrections,
    run::{Options, RunId},
    summary::ClientUsage,
};
use findata_domain::Symbol;

pub use task::{Cadence, Prior, Task, Window};

/// How the tasks of a batch are fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FetchMode {
    /// One call per task.
    #[default]
    #[serde(alias = "each")]
    PerSymbol,
    /// One call of `batch-quote` for all tasks, then one call for each task that the quotes cannot
    /// answer.
    #[serde(alias = "quotes")]
    BatchQuote,
    /// FMP's bulk files, each of which contains all companies. All tasks are of one dataset. The
    /// tasks are too many for a message, so extract reads them from the plan.
    #[serde(alias = "bulk")]
    BulkFile,
}

/// A group of tasks that one message of the queue requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The batch's id, unique within the run and safe in an object key.
    pub id: String,
    /// How the tasks are fetched.
    #[serde(default, alias = "way")]
    pub fetch_mode: FetchMode,
    /// The batch's tasks; empty in the message of a bulk batch.
    pub tasks: Vec<Task>,
}

/// A message of the queue, which asks extract to fetch one batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchMessage {
    /// Id of the run.
    pub run_id: RunId,
    /// The batch to fetch.
    pub batch: Batch,
    /// Number of checkpoints that earlier deliveries of the batch wrote when they ran out of time.
    #[serde(default, alias = "parts")]
    pub checkpoints: u32,
    /// Number of successive deliveries in which the batch only waited.
    #[serde(default)]
    pub waits: u32,
    /// Milliseconds that calls waited for the call budget in these deliveries.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waited_ms: u64,
    /// Hard limit on the run's calls to FMP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<u64>,
    /// The W3C trace context of the span that sends the message, if traces are on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Number of batches of the run, so that a delivery that is not the last one need not read the
    /// plan. `None` in messages of earlier builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batches: Option<usize>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl BatchMessage {
    /// A batch's first message.
    pub fn new(run_id: RunId, batch: Batch) -> Self {
        BatchMessage {
            run_id,
            batch,
            checkpoints: 0,
            waits: 0,
            waited_ms: 0,
            max_calls: None,
            traceparent: None,
            batches: None,
        }
    }

    /// Builds the first message of each of the plan's `batches`. The message of a bulk batch omits
    /// the tasks.
    pub fn of_plan<'a>(plan: &Plan, batches: impl IntoIterator<Item = &'a Batch>) -> Vec<Self> {
        let (run, max_calls, count) = (&plan.run_id, plan.options.max_calls, plan.batch_ids().len());
        let message = |batch: &Batch| {
            let tasks = if batch.fetch_mode == FetchMode::BulkFile {
                Vec::new()
            } else {
                batch.tasks.clone()
            };
            let batch = Batch { tasks, id: batch.id.clone(), ..*batch };
            BatchMessage {
                max_calls,
                traceparent: plan.traceparent.clone(),
                batches: Some(count),
                ..BatchMessage::new(run.clone(), batch)
            }
        };
        batches.into_iter().map(message).collect()
    }
}

/// A plan's decisions for one dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetPlan {
    /// Number of calls that the tasks need; a bulk file counts as one call.
    pub calls: u64,
    /// Number of bulk files among these calls.
    #[serde(default)]
    pub files: u64,
    /// Estimated bytes to receive.
    pub bytes: u64,
    /// Number of tasks to fetch, by reason.
    pub due: BTreeMap<String, u64>,
    /// Number of tasks skipped because the stored rows are fresh, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Number of tasks that this run does not request, by reason.
    #[serde(default, alias = "unasked")]
    pub not_requested: BTreeMap<String, u64>,
}

/// A security that got another symbol. Load moves its stored rows to the new symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renamed {
    /// The symbol under which earlier runs loaded the security.
    pub old: Symbol,
    /// Its present symbol.
    pub new: Symbol,
    /// The day of the change.
    pub on: NaiveDate,
}

/// The plan of a run, stored in the run's ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan<B = Batch> {
    /// Id of the run.
    pub run_id: RunId,
    /// The run's options.
    pub options: Options,
    /// Symbols of the universe, without the index.
    pub symbols: Vec<Symbol>,
    /// The symbols for which FMP had data in an earlier run.
    #[serde(default)]
    pub known: BTreeSet<Symbol>,
    /// The securities of earlier runs that have another symbol now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renamed: Vec<Renamed>,
    /// Remarks for the user, such as the source of the universe.
    pub notes: Vec<String>,
    /// Batches to fetch.
    pub batches: Vec<B>,
    /// Ids of the batches whose ledger entries fanout wrote itself, for data fetched while planning
    /// and for symbols known not to exist.
    pub landed: Vec<String>,
    /// The decisions by dataset, in the catalog's order.
    pub datasets: Vec<(String, DatasetPlan)>,
    /// Calls made while planning.
    pub planning_calls: u64,
    /// Bytes received while planning.
    pub planning_bytes: u64,
    /// How planning used the FMP client.
    #[serde(default)]
    pub planning_client: ClientUsage,
    /// The user's corrections of FMP's data; `None` in plans of earlier builds, which leave the
    /// corrections as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrections: Option<Corrections>,
    /// The W3C trace context of the span that planned the run, if traces are on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// A plan whose batches are not in memory. With 50,000 symbols, they have 550,000 tasks.
pub type PlanOutline = Plan<IgnoredAny>;

impl Plan {
    /// A plan without tasks.
    pub fn without_tasks(run: &RunId, options: Options) -> Self {
        Plan {
            run_id: run.clone(),
            options,
            symbols: Vec::new(),
            known: BTreeSet::new(),
            renamed: Vec::new(),
            notes: Vec::new(),
            batches: Vec::new(),
            landed: Vec::new(),
            datasets: Vec::new(),
            planning_calls: 0,
            planning_bytes: 0,
            planning_client: ClientUsage::default(),
            corrections: None,
            traceparent: None,
        }
    }

    /// Returns the ids of the batches, including those that fanout recorded itself.
    fn batch_ids(&self) -> BTreeSet<&str> {
        let planned = self.batches.iter().map(|batch| batch.id.as_str());
        planned.chain(self.landed.iter().map(String::as_str)).collect()
    }
}

impl<B> Plan<B> {
    /// Number of tasks to fetch.
    pub fn due(&self) -> u64 {
        self.datasets.iter().flat_map(|(_, d)| d.due.values()).sum()
    }

    /// Number of calls needed to fetch the tasks.
    pub fn calls(&self) -> u64 {
        self.datasets.iter().map(|(_, d)| d.calls).sum()
    }

    /// Number of tasks skipped because the stored rows are fresh.
    pub fn fresh(&self) -> u64 {
        self.datasets.iter().flat_map(|(_, d)| d.skipped.values()).sum()
    }
}

#[cfg(test)]
mod tests;
