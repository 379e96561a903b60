//! The ledger of a run, added up.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use findata_domain::{
    Symbol,
    catalog::{self, Dataset},
};
use findata_models::literal;
use findata_pipeline::{
    ledger::{BatchEntry, Loaded, Outcome, TaskRecord},
    plan::Plan,
    run::Status,
    summary::{BudgetUse, Connections, Cost, Failure, Highlight, Quality, Summary, TableCounts, TaskCounts},
};

/// What the host measured before analytics began.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// When the run started, by the real clock.
    pub started_at: DateTime<Utc>,
    /// Seconds since then.
    pub seconds: f64,
    /// Seconds by stage, as far as they are done.
    pub stages: BTreeMap<String, f64>,
    /// Call budget.
    pub budget: BudgetUse,
    /// HTTP connections.
    pub connections: Connections,
    /// Writes to the stage, where one process made them all.
    pub stage_puts: u64,
    /// Memory of the Lambda functions, in GB; 0 elsewhere.
    pub lambda_memory: f64,
}

/// What a run cost. On Lambda writes and requests are reckoned from the ledger: a file and an entry are a write each, a batch is
/// sent, received and deleted.
fn cost(entries: &[BatchEntry], loading: f64, computing: f64, calls: u64, measured: &Measured) -> Cost {
    let mut cost = Cost { fmp_calls: calls, s3_puts: measured.stage_puts, ..Cost::default() };
    if measured.lambda_memory > 0.0 {
        // Plan, staged, loaded and summary, the statements of two functions.
        const LEDGER: u64 = 6;
        let (batches, files) =
            (entries.len() as u64, entries.iter().map(|entry| entry.files.len() as u64).sum::<u64>());
        let fetching: f64 = entries.iter().map(|entry| entry.seconds).sum();
        cost.lambda_gb_s = rounded((fetching + loading + computing) * measured.lambda_memory);
        cost.sqs_requests = batches.div_ceil(10) + 2 * batches;
        cost.s3_puts = batches + files + LEDGER;
        cost.usd = findata_pipeline::cost::usd(cost.lambda_gb_s, batches + 3, cost.sqs_requests, cost.s3_puts);
    }
    cost
}

/// Adds everything up.
pub(crate) fn summarise(
    plan: &Plan,
    entries: &[BatchEntry],
    loaded: Loaded,
    analytics: BTreeMap<String, TableCounts>,
    highlights: Vec<Highlight>,
    measured: &Measured,
    computing: Duration,
) -> Summary {
    let mut tasks = TaskCounts { planned: plan.due(), skipped_fresh: plan.fresh(), ..TaskCounts::default() };
    // What the plan itself took, and tasks that only followed from an answer.
    let (mut calls, mut bytes) = (plan.planning_calls, plan.planning_bytes);
    let worked: u64 = entries.iter().map(|entry| entry.tasks.len() as u64).sum();
    tasks.planned = tasks.planned.max(worked);
    let mut failures = Vec::new();
    let mut outside: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    let mut budget_ended = false;
    for record in entries.iter().flat_map(|entry| &entry.tasks) {
        calls += u64::from(record.calls);
        bytes += record.bytes;
        match &record.outcome {
            Outcome::Rows { .. } | Outcome::Empty => tasks.done += 1,
            Outcome::NotInPlan { reason } => {
                tasks.not_in_plan += 1;
                outside.entry(record.task.dataset.name).or_insert((0, reason)).0 += 1;
            }
            failure @ (Outcome::UnknownSymbol | Outcome::Failed { .. }) => {
                tasks.failed += 1;
                budget_ended |= matches!(failure, Outcome::Failed { budget: true, .. });
                failures.push(Failure {
                    symbol: record.task.symbol.as_ref().map(ToString::to_string).unwrap_or_default(),
                    dataset: record.task.dataset.name.into(),
                    reason: failure.failure_reason().unwrap_or_default().to_owned(),
                });
            }
        }
    }
    failures.extend(unheard_of(plan, entries));
    failures.sort();
    let symbols = plan.symbols.len() as u64;
    let mut stages = measured.stages.clone();
    stages.entry("load".into()).or_insert_with(|| rounded(loaded.seconds));
    stages.insert("compute".into(), rounded(computing.as_secs_f64()));
    let seconds = measured.seconds + computing.as_secs_f64();
    let cost = self::cost(entries, loaded.seconds, computing.as_secs_f64(), calls, measured);
    let staged: u64 = loaded.rows.values().map(|r| r.staged).sum();
    Summary {
        run_id: plan.run_id.clone(),
        status: status(plan, entries, budget_ended, &failures),
        started_at: measured.started_at,
        seconds: rounded(seconds),
        symbols,
        tasks,
        calls,
        calls_per_symbol: ratio(calls as f64, symbols as f64),
        bytes,
        cache_hit_rate: ratio(tasks.skipped_fresh as f64, (tasks.planned + tasks.skipped_fresh) as f64),
        rows: loaded.rows,
        rows_per_second: ratio(staged as f64, seconds),
        analytics,
        stages,
        budget: measured.budget,
        connections: measured.connections,
        failures,
        notes: notes(plan, entries, &outside),
        warehouse: loaded.warehouse,
        cost,
        highlights,
        quality: Quality::default(),
    }
}

/// Symbols of which nothing is known, where no profile was asked for that would have said so.
fn unheard_of(plan: &Plan, entries: &[BatchEntry]) -> Vec<Failure> {
    let mut by_symbol: BTreeMap<&str, Vec<&TaskRecord>> = BTreeMap::new();
    for record in entries.iter().flat_map(|entry| &entry.tasks) {
        // A company that is no longer listed has no new bar.
        let ours = |s: &&Symbol| plan.options.index.as_ref() != Some(s) && !plan.known.contains(*s);
        if let Some(symbol) = record.task.symbol.as_ref().filter(ours) {
            by_symbol.entry(symbol.as_str()).or_default().push(record);
        }
    }
    let asked = |records: &[&TaskRecord], dataset: &Dataset| records.iter().any(|r| r.task.dataset == dataset);
    let silent = |records: &[&TaskRecord]| {
        let empty = records.iter().all(|r| r.outcome == Outcome::Empty);
        empty && asked(records, catalog::PRICES) && !asked(records, catalog::PROFILE)
    };
    let failure = |symbol: &str| Failure {
        symbol: symbol.into(),
        dataset: catalog::PRICES.name.into(),
        reason: "FMP has no prices of it; check the spelling (BRK-B, not BRK.B)".into(),
    };
    by_symbol.into_iter().filter(|(_, records)| silent(records)).map(|(symbol, _)| failure(symbol)).collect()
}

/// Nothing is done where every symbol has a failure and none got a row: of an unknown symbol every dataset is empty.
fn status(plan: &Plan, entries: &[BatchEntry], budget_ended: bool, failures: &[Failure]) -> Status {
    let failed: BTreeSet<&str> = failures.iter().map(|f| f.symbol.as_str()).collect();
    let served = |record: &TaskRecord| {
        let ours = record.task.symbol.as_ref().is_some_and(|s| plan.symbols.contains(s));
        ours && matches!(record.outcome, Outcome::Rows { .. })
    };
    let records = || entries.iter().flat_map(|entry| &entry.tasks);
    if budget_ended {
        Status::Budget
    } else if records().next().is_some() && records().all(|r| matches!(r.outcome, Outcome::NotInPlan { .. })) {
        Status::Failed
    } else if failures.is_empty() {
        Status::Complete
    } else if plan.symbols.iter().all(|s| failed.contains(s.as_str())) && !records().any(served) {
        Status::Failed
    } else {
        Status::Partial
    }
}

fn notes(plan: &Plan, entries: &[BatchEntry], outside: &BTreeMap<&str, (u64, &str)>) -> Vec<String> {
    let mut notes = plan.notes.clone();
    for (dataset, (count, reason)) in outside {
        notes.push(format!("{dataset}: {count} left out, {reason}"));
    }
    let mut drift: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (dataset, fields) in entries.iter().flat_map(|entry| &entry.drift) {
        drift.entry(dataset).or_default().extend(fields.iter().map(String::as_str));
    }
    for (dataset, fields) in drift {
        let fields = fields.into_iter().collect::<Vec<_>>().join(", ");
        notes.push(format!("{dataset}: an answer lacked the fields {fields}; they are NULL there"));
    }
    notes
}

/// The run's line in `ops.runs`, replacing that of an earlier try.
pub(crate) fn note_run(summary: &Summary, now: DateTime<Utc>) -> Vec<String> {
    let run = literal(summary.run_id.as_str());
    let time = |t: DateTime<Utc>| t.format("%Y-%m-%d %H:%M:%S%.3f").to_string();
    vec![
        format!("delete from ops.runs where run_id = {run}"),
        format!(
            "insert into ops.runs (run_id, status, started_at, seconds, symbols, tasks_planned, tasks_done, tasks_skipped_fresh, \
             tasks_failed, calls, bytes, published_at) values ({run}, '{}', '{}'::timestamp, {}, {}, {}, {}, {}, {}, {}, {}, '{}'::timestamp)",
            summary.status.as_str(),
            time(summary.started_at),
            summary.seconds,
            summary.symbols,
            summary.tasks.planned,
            summary.tasks.done,
            summary.tasks.skipped_fresh,
            summary.tasks.failed,
            summary.calls,
            summary.bytes,
            time(now),
        ),
    ]
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole * 1e4).round() / 1e4 } else { 0.0 }
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}
