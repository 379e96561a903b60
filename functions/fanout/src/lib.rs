//! fanout: turns a request into a plan, and the plan into batches on the queue.
//!
//! [`corrections`] reads the user's corrections; [`universe`] resolves the symbols; [`market`] reads the change feeds; [`planner`] compares the
//! request with the fetch log and decides for every dataset and symbol whether to fetch it, and
//! why. [`sweep`] recovers stalled runs; `retry` repeats scheduled runs that failed for a reason that can
//! pass.

pub mod command;
pub mod corrections;
pub mod event;
pub mod market;
mod overlap;
pub mod planner;
mod retry;
pub mod sweep;
pub mod universe;
pub mod watch;

use std::collections::BTreeMap;

use findata_domain::{
    Error, Result, Symbol,
    catalog::{self, CATALOG},
    clock::Clock,
};
use findata_fmp::{Fmp, bulk};
use findata_pipeline::{
    corrections::Corrections,
    freshness::FetchLog,
    ledger::{self, BatchEntry, Loaded, Outcome, TaskRecord},
    plan::{Batch, BatchMessage, DatasetPlan, FetchMode, Plan, Task},
    ports::{
        queue::Queue,
        stage::{self, Stage},
    },
    run::{Options, Request, RunId},
    summary::ClientUsage,
};
use market::Market;
use planner::{Planned, bulk::BulkSelection};
use universe::{Members, indexes, renames};

/// Estimated size of FMP's list of symbol changes, gzipped.
const SYMBOL_CHANGES_BYTES: u64 = 150_000;

/// Messages that are in memory at the same time. A message repeats the tasks of its batch, and the batches of 50,000
/// symbols have 550,000 tasks.
const MESSAGES_AT_ONCE: usize = 100;

/// Plans a run, writes the plan to its ledger and sends its batches. Safe to repeat: a repeated
/// call uses the plan that was written first.
///
/// # Errors
/// `Reject` for a universe without symbols; `Config` for faulty corrections; the stage's, the queue's and FMP's errors.
pub async fn handle(
    request: &Request,
    fmp: &Fmp,
    stage: &impl Stage,
    queue: &impl Queue,
    clock: &impl Clock,
) -> Result<Plan> {
    let stored: Option<Plan> = stage::read_json(stage, &ledger::plan_key(&request.run_id)).await?;
    let plan = match stored {
        Some(plan) => plan,
        None => {
            // A fault in the corrections ends the run before it makes calls.
            let corrections = corrections_of(request, stage, clock).await?;
            let mut plan = match &request.retry_of {
                Some(run) => plan_retry(request, run, stage, clock).await?,
                None => {
                    planner::check(&request.options, clock.now())?;
                    let mut members = universe::resolve(request, fmp, stage, clock).await?;
                    indexes::refresh(request, &mut members, fmp, stage, clock).await?;
                    let mut fetch_log = FetchLog::read(stage, clock.latest(), &mut members.notes).await?;
                    let options = &request.options;
                    let renamed =
                        renames::apply(&mut members, &mut fetch_log, options, fmp, stage, clock).await?;
                    let (market, spent) =
                        market::refresh(&members.symbols, &request.options, fmp, stage, clock).await?;
                    members.calls += spent.calls;
                    members.bytes += spent.bytes;
                    let (mut plan, unknown) =
                        plan(request, members, fetch_log, &market, stage, clock).await?;
                    plan.renamed = renamed;
                    record_unknown(&mut plan, unknown, stage, clock).await?;
                    plan
                }
            };
            plan.corrections = Some(corrections);
            plan.planning_client = fmp.usage();
            plan.traceparent = request.traceparent.clone();
            if stage::write_json_once(stage, &ledger::plan_key(&request.run_id), &plan).await? {
                plan
            } else {
                ledger::plan(stage, &request.run_id).await?
            }
        }
    };
    let run_id = &request.run_id;
    send(&plan, plan.batches.iter(), queue).await?;
    if plan.batches.is_empty() {
        // Without batches, extract is never called, so fanout closes the fetch step.
        ledger::close_fetching(stage, run_id).await?;
    }
    Ok(plan)
}

/// Sends batches of a plan to the queue.
pub(crate) async fn send<'a>(
    plan: &Plan,
    batches: impl Iterator<Item = &'a Batch>,
    queue: &impl Queue,
) -> Result<usize> {
    let mut sent = 0;
    let mut batches = batches.peekable();
    while batches.peek().is_some() {
        let messages = BatchMessage::of_plan(plan, batches.by_ref().take(MESSAGES_AT_ONCE));
        sent += messages.len();
        queue.send(messages).await?;
    }
    Ok(sent)
}

/// Writes an empty plan for a run that fetches nothing, and closes the run's fetch step.
///
/// # Errors
/// `Config` for faulty corrections; the stage's errors.
pub async fn plan_nothing(request: &Request, stage: &impl Stage, clock: &impl Clock) -> Result<Plan> {
    let mut plan = Plan::without_tasks(&request.run_id, request.options.clone());
    plan.corrections = Some(corrections_of(request, stage, clock).await?);
    plan.traceparent = request.traceparent.clone();
    stage::write_json_once(stage, &ledger::plan_key(&request.run_id), &plan).await?;
    ledger::close_fetching(stage, &request.run_id).await?;
    Ok(plan)
}

/// Returns the corrections of the request, or those on the stage.
async fn corrections_of(request: &Request, stage: &impl Stage, clock: &impl Clock) -> Result<Corrections> {
    let entries = match &request.corrections {
        Some(entries) => entries.clone(),
        None => corrections::read(stage).await?,
    };
    Ok(Corrections { read_at: clock.now(), entries })
}

/// Returns the plan that [`handle`] would make, without calling FMP or writing to the stage.
///
/// # Errors
/// As for [`handle`].
pub async fn preview(request: &Request, stage: &impl Stage, clock: &impl Clock) -> Result<Plan> {
    let mut members = universe::last_known(request, stage).await?;
    let mut fetch_log = FetchLog::read(stage, clock.latest(), &mut members.notes).await?;
    let reads_list =
        renames::apply_known(&mut members, &mut fetch_log, &request.options, stage, clock).await?;
    let market = Market::read(stage, clock.latest()).await?.assume_unchanged_until(clock.now());
    let (mut plan, _) = plan(request, members, fetch_log, &market, stage, clock).await?;
    if reads_list {
        let due = BTreeMap::from([("read once a day to recognise renamed symbols".to_owned(), 1)]);
        let list = DatasetPlan {
            calls: 1,
            bytes: SYMBOL_CHANGES_BYTES,
            due,
            ..DatasetPlan::default()
        };
        plan.datasets.push(("symbol_changes".into(), list));
    }
    Ok(plan)
}

/// Records the tasks of symbols that FMP reported as unknown within the last day. These tasks fail
/// in this run too, without a call.
async fn record_unknown(
    plan: &mut Plan,
    unknown: Vec<Task>,
    stage: &impl Stage,
    clock: &impl Clock,
) -> Result<()> {
    const BATCH: &str = "unknown";
    if unknown.is_empty() {
        return Ok(());
    }
    let mut entry = BatchEntry::new(BATCH);
    for task in unknown {
        let (outcome, fetched_at) = (Outcome::UnknownSymbol, clock.now());
        entry.tasks.push(TaskRecord {
            task,
            outcome,
            calls: 0,
            bytes: 0,
            fetched_at,
            fetch_mode: FetchMode::PerSymbol,
        });
    }
    stage::write_json_once(stage, &ledger::batch_key(&plan.run_id, BATCH), &entry).await?;
    plan.landed.push(BATCH.to_owned());
    Ok(())
}

/// Plans the tasks of an earlier run that failed or were never attempted.
async fn plan_retry(request: &Request, run: &RunId, stage: &impl Stage, clock: &impl Clock) -> Result<Plan> {
    let earlier: Option<Plan> = stage::read_json(stage, &ledger::plan_key(run)).await?;
    let earlier = earlier.ok_or_else(|| {
        Error::Reject(format!("run {run} is not on the stage: `findata status` lists the runs"))
    })?;
    let mut done = BatchEntry::new("");
    let mut entries = ledger::entries(stage, run).await?;
    let loaded = stage::read_rebuildable::<Loaded>(stage, &ledger::loaded_key(run), &mut Vec::new()).await?;
    if let Some(loaded) = loaded {
        ledger::fail_tasks_of(&loaded.damaged, &mut entries);
    }
    for entry in entries {
        done.add(entry);
    }
    done.tasks.retain(|record| record.outcome.failure_reason().is_none());
    let planned: Vec<Task> = earlier.batches.into_iter().flat_map(|batch| batch.tasks).collect();
    let mut notes = vec![format!("only the failed tasks of run {run}")];
    let fetch_log = FetchLog::read(stage, clock.latest(), &mut notes).await?;
    let mut tasks = ledger::pending(&planned, &done);
    // The earlier run may have changed the fetch log's entries for these tasks.
    for task in &mut tasks {
        task.prior = fetch_log.prior(task);
    }
    let mut datasets: Vec<(String, DatasetPlan)> = Vec::new();
    for dataset in CATALOG {
        let calls = tasks.iter().filter(|task| task.dataset == dataset).count() as u64;
        if calls > 0 {
            let due = BTreeMap::from([(format!("failed in run {run}"), calls)]);
            datasets.push((dataset.name.into(), DatasetPlan { calls, due, ..DatasetPlan::default() }));
        }
    }
    let mut planned = Planned { tasks, datasets, ..Planned::default() };
    planner::regroup_quotes(&mut planned);
    let bulk = select_bulk_files(&mut planned, &earlier.options, stage, clock).await?;
    notes.extend(bulk.notes);
    Ok(Plan {
        run_id: request.run_id.clone(),
        datasets: std::mem::take(&mut planned.datasets),
        options: Options { max_calls: request.options.max_calls, ..earlier.options },
        batches: [bulk.batches, planner::batches(&earlier.symbols, planned)].concat(),
        symbols: earlier.symbols,
        known: earlier.known,
        renamed: earlier.renamed,
        notes,
        landed: Vec::new(),
        planning_calls: 0,
        planning_bytes: 0,
        planning_client: ClientUsage::default(),
        corrections: None,
        traceparent: None,
    })
}

/// Plans a run. Also returns the tasks of symbols that FMP reported as unknown within the last day.
async fn plan(
    request: &Request,
    members: Members,
    fetch_log: FetchLog,
    market: &Market,
    stage: &impl Stage,
    clock: &impl Clock,
) -> Result<(Plan, Vec<Task>)> {
    let mut notes = members.notes;
    notes.extend_from_slice(&market.notes);
    notes.extend(planner::limits(&request.options));
    let mut planned = planner::plan(&members.symbols, &request.options, &fetch_log, market, clock.now())?;
    let bulk = select_bulk_files(&mut planned, &request.options, stage, clock).await?;
    notes.extend(bulk.notes);
    let unknown = std::mem::take(&mut planned.unknown);
    let known = members.symbols.iter().filter(|symbol| is_known(&fetch_log, symbol)).cloned().collect();
    // Frees its memory before the batches are packed and the plan is written.
    drop(fetch_log);
    let plan = Plan {
        run_id: request.run_id.clone(),
        options: request.options.clone(),
        datasets: std::mem::take(&mut planned.datasets),
        batches: [bulk.batches, planner::batches(&members.symbols, planned)].concat(),
        known,
        symbols: members.symbols,
        renamed: Vec::new(),
        notes,
        landed: members.landed,
        planning_calls: members.calls,
        planning_bytes: members.bytes,
        planning_client: ClientUsage::default(),
        corrections: None,
        traceparent: None,
    };
    Ok((plan, unknown))
}

/// Whether FMP has ever returned data for a symbol.
fn is_known(fetch_log: &FetchLog, symbol: &Symbol) -> bool {
    let entry = |dataset| fetch_log.entry(dataset, symbol.as_str());
    entry(catalog::PROFILE).is_some_and(|profile| !profile.unknown && !profile.refused && !profile.empty)
        || entry(catalog::PRICES)
            .and_then(|prices| prices.days)
            .is_some_and(|days| days.newest.is_some())
}

/// Moves tasks from single calls to bulk files, if the key's FMP plan includes bulk files.
async fn select_bulk_files(
    planned: &mut Planned,
    options: &Options,
    stage: &impl Stage,
    clock: &impl Clock,
) -> Result<BulkSelection> {
    if !options.plan_limits.bulk {
        return Ok(BulkSelection::default());
    }
    let refused = bulk::refused(stage).await?;
    Ok(planner::bulk::select(planned, options.plan_limits, &refused, clock.latest()))
}
