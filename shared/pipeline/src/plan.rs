//! The plan of a run: tasks, the batches they travel in, and what is left out and why.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::run::{Options, RunId};
use findata_domain::{
    Symbol,
    catalog::{self, Dataset, Requests},
};

/// How often a statement is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cadence {
    /// Fiscal years.
    Annual,
    /// Quarters, or the halves of a semi-annual reporter.
    Quarter,
}

impl Cadence {
    /// FMP's `period`.
    pub fn as_str(self) -> &'static str {
        match self {
            Cadence::Annual => "annual",
            Cadence::Quarter => "quarter",
        }
    }
}

/// Which part of a dataset's rows a task asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// All that the endpoint gives.
    All,
    /// The newest statements of a cadence.
    Newest {
        /// Annual or quarterly.
        cadence: Cadence,
        /// How many.
        limit: u32,
    },
    /// A range of days, both ends in.
    Days {
        /// First day.
        from: NaiveDate,
        /// Last day.
        to: NaiveDate,
    },
}

/// The unit of work: dataset x symbol x window. One call, but for retries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Of which dataset.
    #[serde(serialize_with = "dataset_name", deserialize_with = "dataset_by_name")]
    pub dataset: &'static Dataset,
    /// Whose; none for a dataset of the whole market.
    pub symbol: Option<Symbol>,
    /// Which part.
    pub window: Window,
}

fn dataset_name<S: Serializer>(dataset: &&'static Dataset, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(dataset.name)
}

fn dataset_by_name<'de, D: Deserializer<'de>>(from: D) -> Result<&'static Dataset, D::Error> {
    let name = String::deserialize(from)?;
    catalog::dataset(&name).ok_or_else(|| D::Error::custom(format!("no dataset {name:?}")))
}

impl Task {
    /// The task's name in the freshness fetch_log: the symbol, with the cadence where there is one.
    pub fn subject(&self) -> String {
        let symbol = self.symbol.as_ref().map_or("*", Symbol::as_str);
        match self.window {
            Window::Newest { cadence, .. } => format!("{symbol}:{}", cadence.as_str()),
            Window::All | Window::Days { .. } => symbol.to_owned(),
        }
    }

    /// The query parameters of its call.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let name = if self.dataset.requests == Requests::Symbols { "symbols" } else { "symbol" };
        let mut parameters: Vec<_> = self.symbol.iter().map(|symbol| (name, symbol.to_string())).collect();
        match self.window {
            Window::All => {}
            Window::Newest { cadence, limit } => {
                parameters.push(("period", cadence.as_str().into()));
                parameters.push(("limit", limit.to_string()));
            }
            Window::Days { from, to } => {
                parameters.push(("from", from.to_string()));
                parameters.push(("to", to.to_string()));
            }
        }
        parameters
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.dataset.name, self.subject())
    }
}

/// How the tasks of a batch are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FetchMode {
    /// Each by a call of its own.
    #[default]
    #[serde(alias = "each")]
    PerSymbol,
    /// All of them by one call of `batch-quote`; what it cannot tell, by calls of their own.
    #[serde(alias = "quotes")]
    BatchQuote,
    /// By FMP's bulk files, each of which holds every company of the world. They are tasks of one dataset, too many for a
    /// message: that carries none, and the plan has them.
    #[serde(alias = "bulk")]
    BulkFile,
}

/// The tasks of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Its name within the run, safe in a key.
    pub id: String,
    /// How they are asked for.
    #[serde(default)]
    pub fetch_mode: FetchMode,
    /// Its tasks.
    pub tasks: Vec<Task>,
}

/// One message of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchMessage {
    /// The run.
    pub run_id: RunId,
    /// Its tasks.
    pub batch: Batch,
    /// Parts of it that earlier deliveries did before their time ended.
    #[serde(default, alias = "parts")]
    pub checkpoints: u32,
    /// Hard limit of the run's calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<u64>,
}

impl BatchMessage {
    /// A batch's first message.
    pub fn new(run_id: RunId, batch: Batch) -> Self {
        BatchMessage { run_id, batch, checkpoints: 0, max_calls: None }
    }

    /// The first messages of a plan's batches, or of some of them.
    pub fn of_plan<'a>(plan: &Plan, batches: impl IntoIterator<Item = &'a Batch>) -> Vec<Self> {
        let (run, max_calls) = (&plan.run_id, plan.options.max_calls);
        let message = |batch: &Batch| {
            let tasks = if batch.fetch_mode == FetchMode::BulkFile { Vec::new() } else { batch.tasks.clone() };
            let batch = Batch { tasks, id: batch.id.clone(), ..*batch };
            BatchMessage { max_calls, ..BatchMessage::new(run.clone(), batch) }
        };
        batches.into_iter().map(message).collect()
    }
}

/// What a plan does with one dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetPlan {
    /// Calls it needs, one for each bulk file too.
    pub calls: u64,
    /// Bulk files among them.
    #[serde(default)]
    pub files: u64,
    /// Bytes it will bring, estimated.
    pub bytes: u64,
    /// Tasks to fetch, counted by the reason.
    pub due: BTreeMap<String, u64>,
    /// Tasks left out because what is there is fresh, counted by the reason.
    pub skipped: BTreeMap<String, u64>,
    /// Tasks that this run does not ask for, counted by the reason.
    #[serde(default)]
    pub unasked: BTreeMap<String, u64>,
}

/// The plan of a run, kept in its ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The run.
    pub run_id: RunId,
    /// What was asked for.
    pub options: Options,
    /// Symbols of the universe, without the index.
    pub symbols: Vec<Symbol>,
    /// Those of them that FMP has told something of before.
    #[serde(default)]
    pub known: BTreeSet<Symbol>,
    /// Where the universe comes from, and other things to know.
    pub notes: Vec<String>,
    /// Batches to fetch.
    pub batches: Vec<Batch>,
    /// Batches whose ledger entry fanout itself wrote.
    pub landed: Vec<String>,
    /// By dataset, in the catalog's order.
    pub datasets: Vec<(String, DatasetPlan)>,
    /// Calls that making the plan took.
    pub planning_calls: u64,
    /// Bytes that making the plan brought.
    pub planning_bytes: u64,
}

impl Plan {
    /// Tasks to fetch.
    pub fn due(&self) -> u64 {
        self.datasets.iter().flat_map(|(_, d)| d.due.values()).sum()
    }

    /// Calls that they take.
    pub fn calls(&self) -> u64 {
        self.datasets.iter().map(|(_, d)| d.calls).sum()
    }

    /// Tasks left out because what is there is fresh.
    pub fn fresh(&self) -> u64 {
        self.datasets.iter().flat_map(|(_, d)| d.skipped.values()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_survives_the_queue() {
        let task = Task {
            dataset: catalog::dataset("cash_flow").unwrap(),
            symbol: Some("BRK-B".parse().unwrap()),
            window: Window::Newest { cadence: Cadence::Quarter, limit: 8 },
        };
        let json = serde_json::to_string(&task).unwrap();
        assert_eq!(serde_json::from_str::<Task>(&json).unwrap(), task);
        assert_eq!(task.subject(), "BRK-B:quarter");
        assert_eq!(task.parameters().len(), 3);
        assert!(serde_json::from_str::<Task>(&json.replace("BRK-B", "B/K")).is_err());
        assert!(serde_json::from_str::<Task>(&json.replace("cash_flow", "nothing")).is_err());
    }

    #[test]
    fn the_message_of_a_batch_by_bulk_files_is_small_whatever_its_tasks() {
        let task = |i: usize| Task {
            dataset: catalog::dataset("prices").unwrap(),
            symbol: format!("S{i}").parse().ok(),
            window: Window::All,
        };
        let tasks: Vec<Task> = (0..3_000).map(task).collect();
        let batch = |id: &str, fetch_mode| Batch { id: id.into(), fetch_mode, tasks: tasks.clone() };
        let plan = Plan {
            run_id: "r".parse().unwrap(),
            options: Options::default(),
            symbols: Vec::new(),
            known: BTreeSet::new(),
            notes: Vec::new(),
            batches: vec![batch("bulk-prices", FetchMode::BulkFile), batch("b00001", FetchMode::PerSymbol)],
            landed: Vec::new(),
            datasets: Vec::new(),
            planning_calls: 0,
            planning_bytes: 0,
        };
        let messages = BatchMessage::of_plan(&plan, &plan.batches);
        assert!(serde_json::to_string(&messages[0]).unwrap().len() < 200);
        assert_eq!((messages[0].batch.id.as_str(), messages[0].batch.fetch_mode), ("bulk-prices", FetchMode::BulkFile));
        assert_eq!(messages[1].batch, plan.batches[1]);
    }
}
