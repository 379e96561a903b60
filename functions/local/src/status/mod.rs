//! The state of a data directory: past and open runs, the call budget, what is due, and doubtful data.
//! Reads only; a run may go on at the same time.

mod due;
mod warehouse;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use findata_domain::{Error, Result, clock::AnyClock};
use findata_fmp::{BudgetUsage, Limits};
use findata_pipeline::{
    ledger,
    plan::PlanOutline,
    ports::stage::{self, Stage},
    run::{RunId, Status as RunStatus},
    summary::Summary,
};
use serde::Serialize;

pub use due::{Due, DueDataset};
pub use warehouse::WarehouseState;

/// Number of past runs.
const RUNS: usize = 10;

/// The state of a data directory.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The stage.
    pub stage: String,
    /// The warehouse, if it could be read.
    pub warehouse: WarehouseState,
    /// The newest finished runs, newest first.
    pub runs: Vec<PastRun>,
    /// Runs without a summary: in progress or interrupted.
    pub open_runs: Vec<OpenRun>,
    /// The use of the call budget.
    pub budget: BudgetUsage,
    /// What a run of the companies of these runs would fetch now, and within a day; `None` without runs.
    pub due: Option<Due>,
    /// Flagged checks and suspicions at the end of the newest run that computed figures.
    pub quality: Option<QualityCounts>,
    /// Rows that the runs shown here put into quarantine, by dataset.
    pub quarantined: BTreeMap<String, u64>,
}

/// A finished run.
#[derive(Debug, Serialize)]
pub struct PastRun {
    /// Its id.
    pub run_id: RunId,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How it ended.
    pub status: RunStatus,
    /// Duration.
    pub seconds: f64,
    /// Number of symbols, calls to FMP and failed tasks.
    pub symbols: u64,
    #[allow(missing_docs)]
    pub calls: u64,
    #[allow(missing_docs)]
    pub failed: u64,
}

/// A run without a summary.
#[derive(Debug, Serialize)]
pub struct OpenRun {
    /// Its id.
    pub run_id: RunId,
    /// When it began, from its id.
    pub started_at: Option<DateTime<Utc>>,
    /// Whether a process works on it: another process has the warehouse open. `None` if that cannot be
    /// known, because other machines may use the stage.
    pub in_progress: Option<bool>,
    /// The step that is not finished: fetch, load or compute.
    pub step: &'static str,
    /// Number of symbols and of batches to fetch, and how many batches are fetched.
    pub symbols: usize,
    #[allow(missing_docs)]
    pub batches: usize,
    #[allow(missing_docs)]
    pub fetched: usize,
}

/// Counts of doubtful data.
#[derive(Debug, Serialize)]
pub struct QualityCounts {
    /// Flagged checks, and companies with one.
    pub flagged: u64,
    #[allow(missing_docs)]
    pub flagged_companies: u64,
    /// Companies whose statements contradict each other.
    pub suspect_companies: u64,
}

/// What is needed to read the state.
pub struct Inputs<'a, S> {
    /// The stage, and its name for people.
    pub stage: &'a S,
    #[allow(missing_docs)]
    pub stage_name: String,
    /// The state of the warehouse.
    pub warehouse: WarehouseState,
    /// The limits of the FMP plan.
    pub limits: Limits,
    /// The API key, if it is known.
    pub fmp_key: Option<&'a str>,
    /// The clock for planning, and the real time.
    pub clock: AnyClock,
    #[allow(missing_docs)]
    pub now: DateTime<Utc>,
}

impl Status {
    /// Reads the state.
    ///
    /// # Errors
    /// The stage's errors.
    pub async fn read(inputs: Inputs<'_, impl Stage>) -> Result<Self> {
        let Inputs { stage, stage_name, warehouse, limits, fmp_key, clock, now } = inputs;
        let keys: BTreeSet<String> = stage.list("runs/").await?.into_iter().collect();
        let summaries = newest_summaries(stage, &keys, RUNS).await?;
        let mut plans = Vec::new();
        let mut open_runs = Vec::new();
        for run in ledger::runs_with("plan.json", &keys).into_iter().rev() {
            let is_open = !keys.contains(&ledger::summary_key(&run));
            if !is_open && plans.len() >= RUNS {
                continue;
            }
            let Some(plan) = readable(ledger::plan_outline(stage, &run).await, &run)? else {
                continue;
            };
            if is_open {
                open_runs.push(open_run(&run, &plan, &keys, warehouse.has_run));
            }
            plans.push(plan);
        }
        let mut quarantined = BTreeMap::new();
        for (dataset, rows) in
            summaries.iter().flat_map(|summary| &summary.rows).filter(|(_, r)| r.quarantined > 0)
        {
            *quarantined.entry(dataset.clone()).or_default() += rows.quarantined;
        }
        let quality = summaries.iter().map(|summary| &summary.quality).find(|quality| quality.companies > 0);
        Ok(Status {
            stage: stage_name,
            warehouse,
            budget: BudgetUsage::read(stage, &limits, fmp_key, now).await?,
            due: due::read(stage, &plans, clock, &limits).await?,
            quality: quality.map(|quality| QualityCounts {
                flagged: quality.flagged,
                flagged_companies: quality.flagged_companies,
                suspect_companies: quality.suspect_companies,
            }),
            quarantined,
            runs: summaries.iter().map(past_run).collect(),
            open_runs,
        })
    }

    /// Whether nothing has run here.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.open_runs.is_empty()
    }
}

/// Reads up to `most` summaries, newest first. Leaves out those that cannot be read.
///
/// # Errors
/// The stage's errors.
pub async fn newest_summaries(
    stage: &impl Stage,
    keys: &BTreeSet<String>,
    most: usize,
) -> Result<Vec<Summary>> {
    let mut found = Vec::new();
    for run in ledger::runs_with("summary.json", keys).into_iter().rev() {
        if found.len() == most {
            break;
        }
        let summary = stage::read_json::<Summary>(stage, &ledger::summary_key(&run)).await;
        found.extend(readable(summary, &run)?.flatten());
    }
    Ok(found)
}

/// Returns `None` for a damaged object, and for one that another process has just deleted.
fn readable<T>(read: Result<T>, run: &RunId) -> Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error @ (Error::Damaged(_) | Error::Retry { .. })) => {
            tracing::warn!(run_id = %run, %error, "left out a run that cannot be read");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn past_run(summary: &Summary) -> PastRun {
    PastRun {
        run_id: summary.run_id.clone(),
        started_at: summary.started_at,
        status: summary.status,
        seconds: summary.seconds,
        symbols: summary.symbols,
        calls: summary.calls,
        failed: summary.tasks.failed,
    }
}

fn open_run(run: &RunId, plan: &PlanOutline, keys: &BTreeSet<String>, in_progress: Option<bool>) -> OpenRun {
    let prefix = ledger::batches_prefix(run);
    let step = match () {
        () if keys.contains(&ledger::loaded_key(run)) => "compute",
        () if keys.contains(&ledger::staged_key(run)) => "load",
        () => "fetch",
    };
    OpenRun {
        run_id: run.clone(),
        started_at: run.started(),
        in_progress,
        step,
        symbols: plan.symbols.len(),
        batches: plan.batches.len() + plan.landed.len(),
        fetched: keys.range(prefix.clone()..).take_while(|key| key.starts_with(&prefix)).count(),
    }
}
