//! The summary of a finished run, for people and programs.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    plan::Plan,
    run::{MAX_RETRIES, RunId, Status},
    usage::Usage,
};

/// Tasks by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCounts {
    /// Planned tasks, excluding skipped tasks.
    pub planned: u64,
    /// Tasks that FMP answered, with or without rows.
    pub done: u64,
    /// Tasks skipped because the stored data is fresh.
    pub skipped_fresh: u64,
    /// Tasks that the FMP plan of the API key does not include.
    pub not_in_plan: u64,
    /// Tasks that failed or were abandoned when the run stopped.
    pub failed: u64,
}

/// Row counts of a dataset by outcome: `staged = loaded + unchanged + quarantined`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// Rows on the stage.
    pub staged: u64,
    /// New or changed rows in the warehouse.
    pub loaded: u64,
    /// Rows that the warehouse already had.
    pub unchanged: u64,
    /// Rows rejected with a reason.
    pub quarantined: u64,
}

/// Row counts of a table of the schema `analytics` after a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCounts {
    /// Rows in the table, including older versions.
    pub rows: u64,
    /// Rows that this run inserted or changed.
    pub written: u64,
    /// Rows that this run deleted.
    pub removed: u64,
}

/// A task that failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Failure {
    /// The symbol; empty for a dataset of the whole market.
    pub symbol: String,
    /// The dataset.
    pub dataset: String,
    /// The reason, in one line.
    pub reason: String,
    /// Whether FMP has no data of the symbol: the symbol is unknown, or the company has left the
    /// market. Such a failure is a warning and does not make a run partial.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_such_symbol: bool,
}

/// How long calls to FMP waited, and the limits that apply to calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct BudgetUse {
    /// Seconds that calls waited for the rate limiter, summed over all workers.
    pub waited_seconds: f64,
    /// Maximum calls per minute; `None` if unlimited.
    pub limit_per_minute: Option<u32>,
    /// Number of answers in which FMP reported that its call limit is reached.
    #[serde(default)]
    pub limit_answers: u64,
    /// Seconds that calls waited because of these answers, summed over all calls.
    #[serde(default)]
    pub limit_seconds: f64,
    /// Seconds that calls waited before retries, summed over all calls.
    #[serde(default)]
    pub retry_seconds: f64,
    /// Duration of the longest call in seconds: requests and waits, excluding waits for the rate
    /// limiter.
    #[serde(default)]
    pub longest_call_seconds: f64,
    /// Limit of `longest_call_seconds`: a call is abandoned when it reaches this limit.
    #[serde(default)]
    pub max_call_seconds: f64,
}

/// HTTP connections to FMP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Number of connections opened in the run.
    pub opened: u64,
    /// Highest number of concurrent calls; on Lambda, of one function.
    pub peak: u64,
}

/// How an FMP client was used in one invocation or in a whole run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientUsage {
    /// Waits for the rate limiter and for retries.
    pub budget: BudgetUse,
    /// HTTP connections.
    pub connections: Connections,
}

impl ClientUsage {
    /// Adds the use of another invocation.
    pub fn add(&mut self, other: &ClientUsage) {
        let (budget, added) = (&mut self.budget, &other.budget);
        budget.waited_seconds += added.waited_seconds;
        budget.limit_per_minute = budget.limit_per_minute.or(added.limit_per_minute);
        budget.limit_answers += added.limit_answers;
        budget.limit_seconds += added.limit_seconds;
        budget.retry_seconds += added.retry_seconds;
        budget.longest_call_seconds = budget.longest_call_seconds.max(added.longest_call_seconds);
        budget.max_call_seconds = budget.max_call_seconds.max(added.max_call_seconds);
        self.connections.opened += other.connections.opened;
        self.connections.peak = self.connections.peak.max(other.connections.peak);
    }
}

/// Cost of a run: counts and estimated prices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Calls to FMP.
    pub fmp_calls: u64,
    /// Lambda GB-seconds; 0 on a laptop.
    pub lambda_gb_s: f64,
    /// Writes to the stage.
    pub s3_puts: u64,
    /// Requests to the queue; 0 on a laptop.
    pub sqs_requests: u64,
    /// Estimated cost on AWS in US dollars; 0 on a laptop.
    pub usd: f64,
    /// Estimated Snowflake credits for an XS warehouse that suspends itself after one idle minute,
    /// and for cloud services; 0 with DuckDB.
    pub snowflake_credits: f64,
}

/// Results of the checks in `ops.quality`, over all companies of the warehouse.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Number of companies with a score.
    pub companies: u64,
    /// Number of flagged checks.
    pub flagged: u64,
    /// Number of companies with at least one flagged check.
    pub flagged_companies: u64,
    /// Suspicions: contradictions that make figures suspect. They are among the flagged checks.
    #[serde(default)]
    pub suspicions: u64,
    /// Companies with at least one suspicion.
    #[serde(default)]
    pub suspect_companies: u64,
    /// The user's corrections in force.
    #[serde(default)]
    pub corrections: u64,
    /// Companies with a correction in force.
    #[serde(default)]
    pub corrected_companies: u64,
    /// The companies with the lowest scores below 1, at most five.
    pub lowest: Vec<Score>,
}

/// The share of a company's checks that passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The company.
    pub symbol: String,
    /// Passed checks divided by all checks, 0 to 1.
    pub score: f64,
}

/// The newest figures of one company, for the printed summary.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Highlight {
    /// The company.
    pub symbol: String,
    /// Figures by metric, without NULLs.
    pub figures: BTreeMap<String, f64>,
}

/// The summary of a finished run, which `--json` prints in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Id of the run.
    pub run_id: RunId,
    /// How the run ended.
    pub status: Status,
    /// When the run started, UTC.
    pub started_at: DateTime<Utc>,
    /// Duration of the run in seconds.
    pub seconds: f64,
    /// Symbols of the universe.
    pub symbols: u64,
    /// Tasks by outcome.
    pub tasks: TaskCounts,
    /// Calls to FMP, retries included.
    pub calls: u64,
    /// Calls divided by symbols.
    pub calls_per_symbol: f64,
    /// Bytes received.
    pub bytes: u64,
    /// Share of tasks that needed no call, from 0 to 1.
    pub cache_hit_rate: f64,
    /// Rows by dataset.
    pub rows: BTreeMap<String, RowCounts>,
    /// Staged rows divided by the seconds of the run.
    pub rows_per_second: f64,
    /// Row counts by table of the schema `analytics`.
    pub analytics: BTreeMap<String, TableCounts>,
    /// Seconds by step of the run: plan, fetch, load, compute.
    pub stages: BTreeMap<String, f64>,
    /// Waits for the rate limiter and for retries.
    pub budget: BudgetUse,
    /// HTTP connections.
    pub connections: Connections,
    /// Failed tasks.
    pub failures: Vec<Failure>,
    /// Whether the run failed, or tasks failed, for a reason that can pass, such as an outage of FMP. The
    /// sweeper then retries a scheduled run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub can_pass: bool,
    /// Remarks that are not failures, such as datasets outside the FMP plan or the use of the
    /// bundled list of S&P 500 members.
    pub notes: Vec<String>,
    /// Warehouse usage of load and analytics; on a laptop, only the number of statements.
    #[serde(default)]
    pub warehouse: Usage,
    /// Cost of the run.
    pub cost: Cost,
    /// Newest figures of a few companies.
    pub highlights: Vec<Highlight>,
    /// Why metrics are NULL for all companies of `highlights`, and which option helps.
    #[serde(default)]
    pub unavailable: Vec<String>,
    /// Results of the quality checks of the run's companies.
    #[serde(default)]
    pub quality: Quality,
}

/// A scheduled run that takes longer is not certain to be retried, because a retry starts within twelve hours after
/// the start of the first run. A second retry starts at most 40 minutes after the first failure.
const LONGEST_RETRIED: f64 = 10.0 * 3_600.0;
/// As [`LONGEST_RETRIED`], for the first retry.
const LONGEST_RETRY: f64 = 3_600.0;

impl Summary {
    /// Whether the run failed or is partial and the sweeper will retry it, so nobody needs to do anything yet.
    pub fn is_retried(&self) -> bool {
        let longest = match self.run_id.retry_number() {
            Some(MAX_RETRIES..) => return false,
            Some(_) => LONGEST_RETRY,
            None if self.run_id.is_of_schedule() => LONGEST_RETRIED,
            None => return false,
        };
        matches!(self.status, Status::Failed | Status::Partial) && self.can_pass && self.seconds < longest
    }

    /// The summary of an interrupted run that cannot be finished. The next run fetches its tasks
    /// again.
    pub fn abandoned(plan: &Plan, started_at: DateTime<Utc>, reason: &str) -> Self {
        Summary {
            symbols: plan.symbols.len() as u64,
            tasks: TaskCounts {
                planned: plan.due(),
                failed: plan.due(),
                ..TaskCounts::default()
            },
            ..Summary::failed(
                &plan.run_id,
                started_at,
                &format!("interrupted and cannot be finished: {reason}"),
            )
        }
    }

    /// The summary of a run that failed before it fetched anything.
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
            can_pass: false,
            notes: vec![reason.to_owned()],
            warehouse: Usage::default(),
            cost: Cost::default(),
            highlights: Vec::new(),
            unavailable: Vec::new(),
            quality: Quality::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheduled_run_is_retried_until_its_last_retry() {
        let at: DateTime<Utc> = "2026-09-18T10:00:00Z".parse().unwrap();
        let failed = |run_id: RunId, seconds: f64, can_pass: bool| {
            let summary = Summary::failed(&run_id, at, "FMP does not answer");
            Summary { seconds, can_pass, ..summary }.is_retried()
        };
        assert!(failed(RunId::scheduled(at), 60.0, true));
        assert!(failed(RunId::retry(at, 1), 60.0, true));
        assert!(!failed(RunId::retry(at, MAX_RETRIES), 60.0, true), "the last retry");
        assert!(!failed(RunId::new(at, 7), 60.0, true), "a run on demand");
        assert!(!failed(RunId::scheduled(at), 60.0, false), "a refused key");
        assert!(!failed(RunId::scheduled(at), 40_000.0, true), "eleven hours");
        let scheduled = |status: Status| Summary {
            status,
            can_pass: true,
            ..Summary::failed(&RunId::scheduled(at), at, "")
        };
        assert!(scheduled(Status::Partial).is_retried());
        assert!(!scheduled(Status::Complete).is_retried() && !scheduled(Status::Budget).is_retried());
    }
}
