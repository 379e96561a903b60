//! fanout: a request becomes a plan, and the plan becomes batches on the queue.
//!
//! [`universe`] says whose figures; [`planner`] compares what is wanted with the freshness book and decides, for
//! every dataset and symbol, fetch or skip and why. Both are here because no other function needs them.

pub mod command;
pub mod event;
pub mod market;
pub mod planner;
pub mod sweep;
pub mod universe;

use std::collections::BTreeMap;

use findata_domain::{
    Error, Result, Symbol,
    catalog::{self, CATALOG},
    clock::Clock,
};
use findata_fmp::{Fmp, bulk};
use findata_pipeline::{
    freshness::FetchLog,
    ledger::{self, BatchEntry, Outcome, TaskRecord},
    plan::{BatchMessage, DatasetPlan, FetchMode, Plan, Task},
    ports::{
        queue::Queue,
        stage::{self, Stage},
    },
    run::{Options, Request, RunId},
};
use market::Market;
use planner::{Planned, bulk::Chosen};
use universe::Members;

/// Plans a run, writes the plan to its ledger and sends its batches. Safe to repeat: the first plan holds.
///
/// # Errors
/// `Reject` for a universe without symbols; the stage's, the queue's and FMP's own.
pub async fn handle(
    request: &Request,
    fmp: &Fmp,
    stage: &impl Stage,
    queue: &impl Queue,
    clock: &impl Clock,
) -> Result<Plan> {
    let known: Option<Plan> = stage::read_json(stage, &ledger::plan_key(&request.run_id)).await?;
    let plan = match known {
        Some(plan) => plan,
        None => {
            let plan = match &request.retry_of {
                Some(run) => again(request, run, stage, clock).await?,
                None => {
                    let mut members = universe::resolve(request, fmp, stage, clock).await?;
                    let (market, spent) =
                        market::ask(&members.symbols, &request.options, fmp, stage, clock.now()).await?;
                    members.calls += spent.calls;
                    members.bytes += spent.bytes;
                    let (mut plan, unknown) = plan(request, members, &market, stage, clock).await?;
                    remember(&mut plan, unknown, stage, clock).await?;
                    plan
                }
            };
            if stage::write_json_once(stage, &ledger::plan_key(&request.run_id), &plan).await? {
                plan
            } else {
                ledger::plan(stage, &request.run_id).await?
            }
        }
    };
    let run_id = &request.run_id;
    queue.send(BatchMessage::of_plan(&plan, &plan.batches)).await?;
    if plan.batches.is_empty() {
        // Nobody else will: a plan without batches is staged as it stands.
        ledger::close_fetching(stage, run_id).await?;
    }
    Ok(plan)
}

/// The plan that [`handle`] would make, without a call and without touching anything.
///
/// # Errors
/// As for [`handle`].
pub async fn preview(request: &Request, stage: &impl Stage, clock: &impl Clock) -> Result<Plan> {
    let members = universe::last_known(request, stage).await?;
    let market = Market::read(stage).await?.as_if_read(clock.now());
    plan(request, members, &market, stage, clock).await.map(|(plan, _)| plan)
}

/// Writes down that symbols are unknown, as FMP said within the last day: they are wrong in this run too.
async fn remember(plan: &mut Plan, unknown: Vec<Task>, stage: &impl Stage, clock: &impl Clock) -> Result<()> {
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

/// The plan of what failed in a run, or was never done in it.
async fn again(request: &Request, run: &RunId, stage: &impl Stage, clock: &impl Clock) -> Result<Plan> {
    let known: Option<Plan> = stage::read_json(stage, &ledger::plan_key(run)).await?;
    let known = known.ok_or_else(|| Error::Reject(format!("there is no run {run} on the stage")))?;
    let mut record = BatchEntry::new("");
    for entry in ledger::entries(stage, run).await? {
        record.add(entry);
    }
    record.tasks.retain(|record| record.outcome.failure_reason().is_none());
    let planned: Vec<Task> = known.batches.into_iter().flat_map(|batch| batch.tasks).collect();
    let tasks = ledger::pending(&planned, &record);
    let mut datasets: Vec<(String, DatasetPlan)> = Vec::new();
    for dataset in CATALOG {
        let calls = tasks.iter().filter(|task| task.dataset == dataset).count() as u64;
        if calls > 0 {
            let due = BTreeMap::from([(format!("failed in run {run}"), calls)]);
            datasets.push((dataset.name.into(), DatasetPlan { calls, due, ..DatasetPlan::default() }));
        }
    }
    let mut planned = Planned { tasks, datasets, ..Planned::default() };
    planner::quotes_together(&mut planned);
    let bulk = by_bulk(&mut planned, &known.options, stage, clock).await?;
    let mut notes = vec![format!("what failed in run {run}, and nothing else")];
    notes.extend(bulk.notes);
    Ok(Plan {
        run_id: request.run_id.clone(),
        datasets: std::mem::take(&mut planned.datasets),
        options: Options { max_calls: request.options.max_calls, ..known.options },
        batches: [bulk.batches, planner::batches(&known.symbols, planned)].concat(),
        symbols: known.symbols,
        known: known.known,
        notes,
        landed: Vec::new(),
        planning_calls: 0,
        planning_bytes: 0,
    })
}

async fn plan(
    request: &Request,
    members: Members,
    market: &Market,
    stage: &impl Stage,
    clock: &impl Clock,
) -> Result<(Plan, Vec<Task>)> {
    let fetch_log = FetchLog::read(stage).await?;
    let mut notes = members.notes;
    if !request.options.plan_limits.quarterly && request.options.quarters > 0 {
        notes.push("the FMP plan has no quarterly statements: fiscal years alone, and no TTM figures".into());
    }
    let mut planned = planner::plan(&members.symbols, &request.options, &fetch_log, market, clock.now())?;
    let bulk = by_bulk(&mut planned, &request.options, stage, clock).await?;
    notes.extend(bulk.notes);
    let unknown = std::mem::take(&mut planned.unknown);
    let plan = Plan {
        run_id: request.run_id.clone(),
        options: request.options.clone(),
        datasets: std::mem::take(&mut planned.datasets),
        batches: [bulk.batches, planner::batches(&members.symbols, planned)].concat(),
        known: members.symbols.iter().filter(|symbol| is_known(&fetch_log, symbol)).cloned().collect(),
        symbols: members.symbols,
        notes,
        landed: members.landed,
        planning_calls: members.calls,
        planning_bytes: members.bytes,
    };
    Ok((plan, unknown))
}

/// Whether FMP has told something of a symbol.
fn is_known(fetch_log: &FetchLog, symbol: &Symbol) -> bool {
    let entry = |dataset| fetch_log.entry(dataset, symbol.as_str());
    entry(catalog::PROFILE).is_some_and(|profile| !profile.unknown && !profile.refused && !profile.empty)
        || entry(catalog::PRICES).and_then(|prices| prices.days).is_some_and(|days| days.newest.is_some())
}

/// Takes out of a plan what comes by bulk files.
async fn by_bulk(planned: &mut Planned, options: &Options, stage: &impl Stage, clock: &impl Clock) -> Result<Chosen> {
    if !options.plan_limits.bulk {
        return Ok(Chosen::default());
    }
    let refused = bulk::refused(stage).await?;
    Ok(planner::bulk::choose(planned, options.plan_limits, &refused, clock.now()))
}
