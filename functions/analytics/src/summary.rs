//! Builds the summary of a run from its ledger.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use findata_domain::sql::literal;
use findata_domain::{
    Symbol,
    catalog::{self, Dataset},
};
use findata_pipeline::{
    cost,
    ledger::{BatchEntry, Loaded, Outcome, TaskRecord},
    plan::PlanOutline,
    run::Status,
    summary::{
        BudgetUse, ClientUsage, Connections, Cost, Failure, Highlight, Quality, Summary, TableCounts,
        TaskCounts,
    },
    telemetry::Telemetry,
};

/// Measurements of the host before analytics started.
#[derive(Debug, Clone, Default)]
pub struct HostMetrics {
    /// When the run started, by the real clock.
    pub started_at: DateTime<Utc>,
    /// Seconds since the run started.
    pub seconds: f64,
    /// Seconds of the finished stages.
    pub stages: BTreeMap<String, f64>,
    /// How the run used the rate limiter.
    pub budget: BudgetUse,
    /// HTTP connections to FMP.
    pub connections: Connections,
    /// Number of writes to the stage. 0 on Lambda, where each function counts only its own writes.
    pub stage_puts: u64,
    /// Memory of the Lambda functions, in GB; 0 elsewhere.
    pub lambda_memory: f64,
    /// Receives the metrics of the run.
    pub telemetry: Telemetry,
    /// The W3C trace context of the events of the run, if traces are on.
    pub traceparent: Option<String>,
}

/// Estimates the cost of a run. On Lambda, writes and requests are derived from the ledger.
fn cost_of(entries: &[BatchEntry], loading: f64, computing: f64, calls: u64, metrics: &HostMetrics) -> Cost {
    if metrics.lambda_memory > 0.0 {
        let (batches, files) =
            (entries.len() as u64, entries.iter().map(|entry| entry.files.len() as u64).sum::<u64>());
        let fetching: f64 = entries.iter().map(|entry| entry.seconds).sum();
        let gb_seconds = rounded((fetching + loading + computing) * metrics.lambda_memory);
        return Cost { fmp_calls: calls, ..cost::on_aws(gb_seconds, batches, files) };
    }
    Cost {
        fmp_calls: calls,
        s3_puts: metrics.stage_puts,
        ..Cost::default()
    }
}

/// How the run used FMP. On Lambda, each invocation has recorded its part in the ledger.
fn client_usage(plan: &PlanOutline, entries: &[BatchEntry], metrics: &HostMetrics) -> ClientUsage {
    if metrics.lambda_memory == 0.0 {
        return ClientUsage { budget: metrics.budget, connections: metrics.connections };
    }
    let mut usage = plan.planning_client;
    entries
        .iter()
        .filter_map(|entry| entry.client.as_ref())
        .for_each(|added| usage.add(added));
    usage.budget.limit_per_minute = plan.options.plan_limits.per_minute;
    usage
}

/// Builds the summary of a run.
pub(crate) fn summarise(
    plan: &PlanOutline,
    entries: &[BatchEntry],
    loaded: Loaded,
    analytics: BTreeMap<String, TableCounts>,
    highlights: Vec<Highlight>,
    metrics: &HostMetrics,
    computing: Duration,
) -> Summary {
    let mut tasks = TaskCounts {
        planned: plan.due(),
        skipped_fresh: plan.fresh(),
        ..TaskCounts::default()
    };
    // Calls of the planning step count too. Recorded tasks may outnumber the planned ones, because
    // follow-up tasks are not in the plan.
    let (mut calls, mut bytes) = (plan.planning_calls, plan.planning_bytes);
    let recorded: u64 = entries.iter().map(|entry| entry.tasks.len() as u64).sum();
    tasks.planned = tasks.planned.max(recorded);
    let mut failures = Vec::new();
    let mut not_in_plan: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    let mut not_offered: BTreeMap<&str, (BTreeSet<&str>, &str)> = BTreeMap::new();
    let mut budget_ended = false;
    let left = companies_that_left(entries);
    for record in entries.iter().flat_map(|entry| &entry.tasks) {
        calls += u64::from(record.calls);
        bytes += record.bytes;
        match &record.outcome {
            Outcome::Rows { .. } | Outcome::Empty => tasks.done += 1,
            Outcome::NotOffered { reason } => {
                tasks.done += 1;
                let (symbols, _) =
                    not_offered.entry(record.task.dataset.name).or_insert((BTreeSet::new(), reason));
                symbols.extend(record.task.symbol.as_ref().map(Symbol::as_str));
            }
            Outcome::NotInPlan { reason } => {
                tasks.not_in_plan += 1;
                not_in_plan.entry(record.task.dataset.name).or_insert((0, reason)).0 += 1;
            }
            failure @ (Outcome::UnknownSymbol
            | Outcome::UnexpectedlyEmpty { .. }
            | Outcome::Failed { .. }) => {
                tasks.failed += 1;
                budget_ended |= matches!(failure, Outcome::Failed { budget: true, .. });
                failures.push(Failure {
                    symbol: record.task.symbol.as_ref().map(ToString::to_string).unwrap_or_default(),
                    dataset: record.task.dataset.name.into(),
                    reason: failure.failure_reason().unwrap_or_default().to_owned(),
                    no_such_symbol: *failure == Outcome::UnknownSymbol || left.contains(&record.task.symbol),
                });
            }
        }
    }
    failures.extend(symbols_without_data(plan, entries));
    failures.sort();
    let status = status(plan, entries, budget_ended, &failures);
    let symbols = plan.symbols.len() as u64;
    let mut stages = metrics.stages.clone();
    stages.entry("load".into()).or_insert_with(|| rounded(loaded.seconds));
    stages.insert("compute".into(), rounded(computing.as_secs_f64()));
    let seconds = metrics.seconds + computing.as_secs_f64();
    let client = client_usage(plan, entries, metrics);
    let cost = cost_of(entries, loaded.seconds, computing.as_secs_f64(), calls, metrics);
    let staged: u64 = loaded.rows.values().map(|r| r.staged).sum();
    Summary {
        run_id: plan.run_id.clone(),
        status,
        started_at: metrics.started_at,
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
        budget: client.budget,
        connections: client.connections,
        can_pass: can_pass(status, entries),
        failures,
        notes: [notes(plan, entries, &not_in_plan), loaded.notes, not_offered_notes(&not_offered)].concat(),
        warehouse: loaded.warehouse,
        cost,
        highlights,
        unavailable: Vec::new(),
        quality: Quality::default(),
    }
}

/// Failures for symbols without any data. A symbol whose profile was requested is left out, because
/// the failed profile task already reports the symbol.
fn symbols_without_data(plan: &PlanOutline, entries: &[BatchEntry]) -> Vec<Failure> {
    let mut by_symbol: BTreeMap<&str, Vec<&TaskRecord>> = BTreeMap::new();
    for record in entries.iter().flat_map(|entry| &entry.tasks) {
        // A company that is already known may be delisted, so the lack of new rows is not a
        // failure.
        let is_new = |s: &&Symbol| plan.options.index.as_ref() != Some(s) && !plan.known.contains(*s);
        if let Some(symbol) = record.task.symbol.as_ref().filter(is_new) {
            by_symbol.entry(symbol.as_str()).or_default().push(record);
        }
    }
    let has_task =
        |records: &[&TaskRecord], dataset: &Dataset| records.iter().any(|r| r.task.dataset == dataset);
    let has_no_data = |records: &[&TaskRecord]| {
        let empty = records.iter().all(|r| r.outcome == Outcome::Empty);
        let prices_were_due = records.iter().any(|r| r.task.has_sessions());
        empty && prices_were_due && !has_task(records, catalog::PROFILE)
    };
    let failure = |symbol: &str| Failure {
        symbol: symbol.into(),
        dataset: catalog::PRICES.name.into(),
        reason: "FMP has no prices of this symbol; check the spelling (BRK-B, not BRK.B)".into(),
        no_such_symbol: true,
    };
    by_symbol
        .into_iter()
        .filter(|(_, records)| has_no_data(records))
        .map(|(symbol, _)| failure(symbol))
        .collect()
}

/// The companies that have probably left the market: FMP had data of them, but every answer of this
/// run and of the runs before is empty. An outage looks the same, so a company counts only if FMP has
/// data of other companies, or if it is the only company of the run.
fn companies_that_left(entries: &[BatchEntry]) -> BTreeSet<&Option<Symbol>> {
    /// Number of earlier runs with empty answers.
    const RUNS: u8 = 2;
    let records = || {
        entries
            .iter()
            .flat_map(|entry| &entry.tasks)
            .filter(|record| record.task.symbol.is_some())
    };
    let with_rows: BTreeSet<_> = records()
        .filter(|record| matches!(record.outcome, Outcome::Rows { .. }))
        .map(|record| &record.task.symbol)
        .collect();
    let empty = |record: &&TaskRecord| matches!(record.outcome, Outcome::UnexpectedlyEmpty { .. });
    let often = |record: &&TaskRecord| record.task.prior.unconfirmed >= RUNS;
    let mut left: BTreeSet<_> =
        records().filter(empty).filter(often).map(|record| &record.task.symbol).collect();
    left.retain(|symbol| !with_rows.contains(symbol));
    let asked: BTreeSet<_> = records().map(|record| &record.task.symbol).collect();
    if with_rows.is_empty() && asked.len() > 1 {
        left.clear();
    }
    left
}

/// Whether a retry may help. During an outage, FMP may also send empty answers; one such answer in a run
/// with rows does not prove an outage.
fn can_pass(status: Status, entries: &[BatchEntry]) -> bool {
    let is_outage = |outcome: &Outcome| {
        outcome.can_pass()
            || (status == Status::Failed && matches!(outcome, Outcome::UnexpectedlyEmpty { .. }))
    };
    entries.iter().flat_map(|entry| &entry.tasks).any(|record| is_outage(&record.outcome))
}

/// The status of a run. It is `Failed` if every symbol has a failure and none received a row. Empty
/// answers do not count as success, since every dataset of an unknown symbol is empty.
fn status(plan: &PlanOutline, entries: &[BatchEntry], budget_ended: bool, failures: &[Failure]) -> Status {
    let failed: BTreeSet<&str> = failures.iter().map(|f| f.symbol.as_str()).collect();
    let has_rows = |record: &TaskRecord| {
        let in_universe = record.task.symbol.as_ref().is_some_and(|s| plan.symbols.contains(s));
        in_universe && matches!(record.outcome, Outcome::Rows { .. })
    };
    let records = || entries.iter().flat_map(|entry| &entry.tasks);
    // Whether FMP has a requested symbol.
    let exists = plan.symbols.iter().any(|symbol| !failed.contains(symbol.as_str()));
    if budget_ended {
        Status::Budget
    } else if records().next().is_some() && records().all(|r| matches!(r.outcome, Outcome::NotInPlan { .. }))
    {
        Status::Failed
    } else if failures.is_empty() || (exists && failures.iter().all(|failure| failure.no_such_symbol)) {
        Status::Complete
    } else if plan.symbols.iter().all(|s| failed.contains(s.as_str())) && !records().any(has_rows) {
        Status::Failed
    } else {
        Status::Partial
    }
}

/// A note for each dataset that FMP does not offer for some symbols, with the first five of these
/// symbols.
fn not_offered_notes(not_offered: &BTreeMap<&str, (BTreeSet<&str>, &str)>) -> Vec<String> {
    const NAMED: usize = 5;
    let note = |(dataset, (symbols, reason)): (&&str, &(BTreeSet<&str>, &str))| {
        let mut named: Vec<&str> = symbols.iter().copied().take(NAMED).collect();
        if symbols.len() > NAMED {
            named.push("...");
        }
        format!("{dataset}: not offered for {} symbols ({}): {reason}", symbols.len(), named.join(", "))
    };
    not_offered.iter().map(note).collect()
}

fn notes(
    plan: &PlanOutline,
    entries: &[BatchEntry],
    not_in_plan: &BTreeMap<&str, (u64, &str)>,
) -> Vec<String> {
    let mut notes = plan.notes.clone();
    for (dataset, (count, reason)) in not_in_plan {
        notes.push(format!("{dataset}: {count} skipped, {reason}"));
    }
    let mut bars_by_call: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, bars) in entries.iter().flat_map(|entry| &entry.bars_by_call) {
        *bars_by_call.entry(reason).or_default() += bars;
    }
    for (reason, bars) in bars_by_call {
        notes
            .push(format!("prices: {bars} bars needed a call each because no quote supplied them: {reason}"));
    }
    notes.extend(entries.iter().find_map(|entry| entry.pacing.clone()));
    let mut drift: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (dataset, fields) in entries.iter().flat_map(|entry| &entry.drift) {
        drift.entry(dataset).or_default().extend(fields.iter().map(String::as_str));
    }
    for (dataset, fields) in drift {
        let fields = fields.into_iter().collect::<Vec<_>>().join(", ");
        notes.push(format!("{dataset}: an answer lacked the fields {fields}; their columns are NULL"));
    }
    notes
}

/// The statements that write the run's row in `ops.runs`, replacing the row of an earlier attempt.
pub(crate) fn record_run(summary: &Summary, now: DateTime<Utc>) -> Vec<String> {
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
