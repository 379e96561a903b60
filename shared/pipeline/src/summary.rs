//! The summary of a finished run, which a person or a program reads.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    plan::Plan,
    run::{RunId, Status},
    usage::Usage,
};

/// Tasks by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCounts {
    /// Tasks of the plan, without the fresh ones.
    pub planned: u64,
    /// Answered, with rows or with none.
    pub done: u64,
    /// Not planned, since what is there is fresh.
    pub skipped_fresh: u64,
    /// Not in the key's FMP plan.
    pub not_in_plan: u64,
    /// Failed, or given up when the run was stopped.
    pub failed: u64,
}

/// Rows of a dataset by what became of them: `staged = loaded + unchanged + quarantined`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// Rows on the stage.
    pub staged: u64,
    /// New or changed rows in the warehouse.
    pub loaded: u64,
    /// Rows that were there already.
    pub unchanged: u64,
    /// Rows set aside with a reason.
    pub quarantined: u64,
}

/// A table of `analytics` after a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCounts {
    /// Rows in it, older versions included.
    pub rows: u64,
    /// Rows this run inserted or changed.
    pub written: u64,
    /// Rows this run took out.
    pub removed: u64,
}

/// A task that failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Failure {
    /// Whose; empty for a dataset of the whole market.
    pub symbol: String,
    /// Of which dataset.
    pub dataset: String,
    /// Why, in one line.
    pub reason: String,
}

/// Call budget of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct BudgetUse {
    /// Seconds that calls waited for the limit, added up over workers.
    pub waited_seconds: f64,
    /// Allowed calls a minute; none without a limit.
    pub limit_per_minute: Option<u32>,
}

/// HTTP connections to FMP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Opened in the run.
    pub opened: u64,
    /// Most calls at once.
    pub peak: u64,
}

/// What a run cost, or would cost on AWS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Calls to FMP.
    pub fmp_calls: u64,
    /// GB-seconds of Lambda; 0 on a laptop.
    pub lambda_gb_s: f64,
    /// Writes to the stage.
    pub s3_puts: u64,
    /// Requests to the queue; 0 on a laptop.
    pub sqs_requests: u64,
    /// US dollars; 0 on a laptop.
    pub usd: f64,
    /// Snowflake credits, estimated for an XS warehouse that suspends itself after a minute; 0 on a laptop.
    pub snowflake_credits: f64,
}

/// What the checks of `ops.quality` found, over all companies of the warehouse.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Companies with a score.
    pub companies: u64,
    /// Checks that are flagged.
    pub flagged: u64,
    /// Companies that they are of.
    pub flagged_companies: u64,
    /// The lowest scores below 1, at most five.
    pub lowest: Vec<Score>,
}

/// The share of a company's checks that passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The company.
    pub symbol: String,
    /// Passed of those checked, 0 to 1.
    pub score: f64,
}

/// One company's newest figures, for the summary a person reads.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Highlight {
    /// The company.
    pub symbol: String,
    /// Its figures by metric; absent where NULL.
    pub figures: BTreeMap<String, f64>,
}

/// Everything about a finished run; `--json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The run.
    pub run_id: RunId,
    /// How it ended.
    pub status: Status,
    /// When it started, UTC.
    pub started_at: DateTime<Utc>,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Symbols of the universe.
    pub symbols: u64,
    /// Tasks by what became of them.
    pub tasks: TaskCounts,
    /// Calls to FMP, retries included.
    pub calls: u64,
    /// Calls by symbol.
    pub calls_per_symbol: f64,
    /// Bytes received.
    pub bytes: u64,
    /// Share of tasks that needed no call, 0 to 1.
    pub cache_hit_rate: f64,
    /// Rows by dataset.
    pub rows: BTreeMap<String, RowCounts>,
    /// Staged rows by second of the run.
    pub rows_per_second: f64,
    /// Tables of `analytics`.
    pub analytics: BTreeMap<String, TableCounts>,
    /// Seconds by stage: plan, fetch, load, compute.
    pub stages: BTreeMap<String, f64>,
    /// Call budget.
    pub budget: BudgetUse,
    /// HTTP connections.
    pub connections: Connections,
    /// Failed tasks.
    pub failures: Vec<Failure>,
    /// Things to know that are no failures: datasets outside the plan, the bundled list in use.
    pub notes: Vec<String>,
    /// What load and analytics used of the warehouse; nothing on a laptop.
    #[serde(default)]
    pub warehouse: Usage,
    /// What it cost.
    pub cost: Cost,
    /// Newest figures of a few companies.
    pub highlights: Vec<Highlight>,
    /// What the checks found.
    #[serde(default)]
    pub quality: Quality,
}

impl Summary {
    /// The summary of a run that was interrupted and cannot be finished; its tasks are due again.
    pub fn abandoned(plan: &Plan, started_at: DateTime<Utc>, reason: &str) -> Self {
        Summary {
            symbols: plan.symbols.len() as u64,
            tasks: TaskCounts { planned: plan.due(), failed: plan.due(), ..TaskCounts::default() },
            ..Summary::failed(&plan.run_id, started_at, &format!("interrupted, and not to be finished: {reason}"))
        }
    }

    /// The summary of a run that came to nothing.
    pub fn failed(run_id: &RunId, started_at: DateTime<Utc>, reason: &str) -> Self {
        Summary {
            run_id: run_id.clone(),
            status: Status::Failed,
            started_at,
            seconds: 0.0,
            symbols: 0,
            tasks: TaskCounts::default(),
            calls: 0,
            calls_per_symbol: 0.0,
            bytes: 0,
            cache_hit_rate: 0.0,
            rows: BTreeMap::new(),
            rows_per_second: 0.0,
            analytics: BTreeMap::new(),
            stages: BTreeMap::new(),
            budget: BudgetUse::default(),
            connections: Connections::default(),
            failures: Vec::new(),
            notes: vec![reason.to_owned()],
            warehouse: Usage::default(),
            cost: Cost::default(),
            highlights: Vec::new(),
            quality: Quality::default(),
        }
    }
}
