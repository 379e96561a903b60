//! A run: what is asked for, how it ended, and the summary a person or a program reads.

use std::{collections::BTreeMap, fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, Symbol, lifetimes::Lifetimes, plan::Plan, warehouse::Usage};

/// Names a run; sorts by the time it started. Safe in a key, a path and SQL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// Ends the ids of scheduled runs.
const SCHEDULED: u32 = 0;

impl RunId {
    /// A new id from the time of its start and something that tells two runs of one millisecond apart.
    pub fn new(started: DateTime<Utc>, salt: u32) -> Self {
        RunId(format!("{}-{salt:08x}", started.format("%Y%m%dT%H%M%S%3fZ")))
    }

    /// The id of a run of every day, which is the same when its tick comes twice.
    pub fn scheduled(tick: DateTime<Utc>) -> Self {
        RunId::new(tick, SCHEDULED)
    }

    /// Whether it is one of every day: runs that somebody waits for go first.
    pub fn is_scheduled(&self) -> bool {
        self.started().is_some() && self.0.ends_with(&format!("-{SCHEDULED:08x}"))
    }

    /// When it started, of an id that [`RunId::new`] made.
    pub fn started(&self) -> Option<DateTime<Utc>> {
        let (time, _) = self.0.split_once('-')?;
        NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%S%3fZ").ok().map(|time| time.and_utc())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if (1..=64).contains(&text.len()) && text.chars().all(allowed) {
            Ok(RunId(text.to_owned()))
        } else {
            Err(Error::Reject(format!("{text:?} is not a run id: use 1 to 64 letters, digits, - and _")))
        }
    }
}

impl TryFrom<String> for RunId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> String {
        id.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose figures a run is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Universe {
    /// These symbols.
    Symbols(Vec<Symbol>),
    /// Today's members of the S&P 500.
    Sp500,
}

/// What a run is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The run.
    pub run_id: RunId,
    /// Whose figures.
    pub universe: Universe,
    /// How much of them.
    pub options: Options,
    /// Only the tasks that failed in this run, and its universe.
    #[serde(default)]
    pub retry_of: Option<RunId>,
}

/// How much a run fetches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Quarters of each statement.
    pub quarters: u32,
    /// Fiscal years of each statement.
    pub years: u32,
    /// First day of prices; without it what is missing, and five years for a symbol not seen before.
    pub prices_from: Option<NaiveDate>,
    /// Last day of prices; without it the newest closed session.
    pub prices_to: Option<NaiveDate>,
    /// Fetch what is fresh too.
    pub full: bool,
    /// Only these datasets, by catalog name; empty for all.
    pub datasets: Vec<String>,
    /// Ask for FMP's own ratios of every symbol, not of those alone whose turn it is.
    #[serde(default)]
    pub reconcile: bool,
    /// Load, but do not compute.
    pub skip_analytics: bool,
    /// Hard limit of calls to FMP.
    pub max_calls: Option<u64>,
    /// How long answers count as fresh, where that is not the catalog's word.
    #[serde(default, skip_serializing_if = "Lifetimes::is_empty")]
    pub lifetimes: Lifetimes,
    /// The index for beta and correlation.
    pub index: Option<Symbol>,
    /// What the key's plan gives.
    pub reach: Reach,
}

/// What a plan gives and how it is best used (FMP's pricing page, July 2026).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Most statements of a cadence in one answer.
    pub most_statements: Option<u32>,
    /// Quarterly statements are in the plan.
    pub quarterly: bool,
    /// Calls are limited, so the fewest that tell what is new are made; else every symbol is asked about.
    #[serde(default)]
    pub sparing: bool,
    /// Bulk files are in the plan.
    #[serde(default)]
    pub bulk: bool,
    /// Seconds from one bulk file to the next.
    #[serde(default)]
    pub bulk_pause: u64,
    /// Calls a minute; none without a limit.
    #[serde(default)]
    pub per_minute: Option<u32>,
}

impl Default for Reach {
    fn default() -> Self {
        Reach { most_statements: None, quarterly: true, sparing: false, bulk: false, bulk_pause: 0, per_minute: None }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            quarters: 8,
            years: 6,
            prices_from: None,
            prices_to: None,
            full: false,
            datasets: Vec::new(),
            reconcile: false,
            skip_analytics: false,
            max_calls: None,
            lifetimes: Lifetimes::default(),
            index: Symbol::default_index(),
            reach: Reach::default(),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything planned is there.
    Complete,
    /// Some tasks failed, at least one is done.
    Partial,
    /// The call budget ended it; what was fetched is loaded.
    Budget,
    /// Nothing is done.
    Failed,
}

impl Status {
    /// The exit code of the command.
    pub fn exit_code(self) -> u8 {
        match self {
            Status::Complete => 0,
            Status::Failed => 1,
            Status::Partial => 3,
            Status::Budget => 4,
        }
    }

    /// The word in summaries and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Complete => "complete",
            Status::Partial => "partial",
            Status::Budget => "budget",
            Status::Failed => "failed",
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_are_safe_everywhere() {
        let id = RunId::new("2026-11-22T20:15:33.120Z".parse().unwrap(), 0xab);
        assert_eq!(id.as_str(), "20261122T201533120Z-000000ab");
        assert_eq!(id.started(), "2026-11-22T20:15:33.120Z".parse().ok());
        assert!(!id.is_scheduled() && RunId::scheduled("2026-11-22T20:15:33.120Z".parse().unwrap()).is_scheduled());
        assert!("a'b".parse::<RunId>().is_err() && "../x".parse::<RunId>().is_err() && "".parse::<RunId>().is_err());
    }
}
