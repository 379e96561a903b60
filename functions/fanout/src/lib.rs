//! fanout: a request becomes a plan, and the plan becomes batches on the queue.
//!
//! [`universe`] says whose figures; [`planner`] compares what is wanted with the freshness book and decides, for
//! every dataset and symbol, fetch or skip and why. Both are here because no other function needs them.

pub mod planner;
pub mod universe;

use findata_shared::{
    Result,
    clock::Clock,
    fmp::Fmp,
    freshness::Book,
    ledger,
    plan::{BatchMessage, Plan},
    queue::Queue,
    run::Request,
    stage::{self, Stage},
};
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
            let members = universe::resolve(request, fmp, stage, clock).await?;
            let plan = plan(request, members, stage, clock).await?;
            if stage::write_json_once(stage, &ledger::plan_key(&request.run_id), &plan).await? {
                plan
            } else {
                ledger::plan(stage, &request.run_id).await?
            }
        }
    };
    let run_id = &request.run_id;
    let messages = plan.batches.iter().map(|b| BatchMessage { run_id: run_id.clone(), batch: b.clone() });
    queue.send(messages.collect()).await?;
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
    plan(request, members, stage, clock).await
}

async fn plan(request: &Request, members: Members, stage: &impl Stage, clock: &impl Clock) -> Result<Plan> {
    let book = Book::read(stage).await?;
    let mut notes = members.notes;
    if !request.options.reach.quarterly && request.options.quarters > 0 {
        notes.push("the FMP plan has no quarterly statements: fiscal years alone, and no TTM figures".into());
    }
    let planned = planner::plan(&members.symbols, &request.options, &book, clock.now())?;
    Ok(Plan {
        run_id: request.run_id.clone(),
        options: request.options.clone(),
        batches: planner::batches(&members.symbols, planned.tasks),
        symbols: members.symbols,
        notes,
        landed: members.landed,
        datasets: planned.datasets,
        planning_calls: members.calls,
        planning_bytes: members.bytes,
    })
}
