//! The sweeper: recovers runs whose messages or events were lost.
//!
//! The sweeper looks at the runs of the last three days that have no summary, and records when each
//! run's current step last made progress. If a step makes no progress for longer than its patience, the
//! sweeper repeats the message or event that should have started the step: it starts a run without a plan
//! again, it sends missing batches again, or it rewrites the object that closed the previous step, which
//! S3 announces like the first write. The module `retry` decides which scheduled runs are retried.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, Duration, Utc};
use findata_domain::{Result, clock::TimeScale};
use findata_pipeline::{
    ledger::{self, Outcome},
    plan::BatchMessage,
    ports::{
        bus::{Bus, Details, Event},
        queue::Queue,
        stage::{self, Stage},
    },
    run::{Request, RunId, Step},
    summary::Summary,
    telemetry::Telemetry,
};
use serde::{Deserialize, Serialize};

use crate::{retry, watch::Watch};

/// Days before today in which the sweeper looks for open runs.
const DAYS_BACK: u64 = 3;
/// How long planning may take before the run is started again: the three attempts by Lambda take up to 18
/// minutes.
const PLAN_PATIENCE: Duration = Duration::minutes(20);
/// How long the sweeper keeps restarting a run without a plan before it closes the run.
const MAX_PLANNING: Duration = Duration::hours(24);
/// How long fetching may take without a new batch entry or checkpoint before it is recovered. SQS hides
/// the message of a crashed invocation for half an hour.
const FETCH_PATIENCE: Duration = Duration::minutes(60);
/// How long load or analytics may take before the sweeper repeats it. A Lambda function may run for at
/// most 15 minutes.
const STEP_PATIENCE: Duration = Duration::minutes(20);
/// Maximum number of recoveries of a step. Each recovery doubles the patience; after the last one,
/// the run is closed without finishing the step.
const MAX_RECOVERIES: u32 = 5;

/// What one sweep found and did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Swept {
    /// Number of runs without a summary.
    pub open: usize,
    /// Minutes since the oldest open run started.
    pub oldest_minutes: f64,
    /// Number of batches whose messages were sent again.
    pub sent: usize,
    /// Number of steps whose starting event was repeated.
    pub announced: usize,
    /// Number of runs whose open step was given up.
    pub closed: usize,
    /// Number of these runs that end as failed. A run whose fetch step was given up continues with
    /// the data that it has.
    pub failed: usize,
    /// Runs to start: those without a plan, and retries of scheduled runs.
    #[serde(skip)]
    pub due: Vec<Request>,
}

/// How long the sweeper waits before it repeats something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// The time that a person has set for everything.
    pub given: Option<Duration>,
    scale: TimeScale,
}

impl Patience {
    /// Returns the given time, or else `default`.
    pub fn or(self, default: Duration) -> Duration {
        self.given.unwrap_or(self.scale.delay(default))
    }
}

/// A run's open step, stored in its ledger as `swept.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct OpenStep {
    step: Step,
    /// When the step was first seen, last made progress or was last recovered.
    since: DateTime<Utc>,
    #[serde(alias = "helped")]
    recoveries: u32,
    /// Number of the run's batch entries, checkpoints and slices when the step was last seen.
    #[serde(default)]
    progress: usize,
}

/// Sweeps once. `patience`, if given, replaces the patience of every step; `watch` says when delays are
/// announced; `now` is the real clock's time.
///
/// # Errors
/// The stage's, the queue's and the bus's errors.
pub async fn sweep(
    stage: &impl Stage,
    queue: &impl Queue,
    bus: &impl Bus,
    now: DateTime<Utc>,
    patience: Option<Duration>,
    watch: Watch,
    telemetry: &Telemetry,
) -> Result<Swept> {
    let mut swept = Swept::default();
    let patience = Patience { given: patience, scale: watch.time_scale };
    let runs = recent_runs(stage, now).await?;
    for (run, keys) in runs.iter().filter(|(run, keys)| !keys.contains(&ledger::summary_key(run))) {
        swept.open += 1;
        let age = run.started().map_or(0.0, |started| (now - started).as_seconds_f64() / 60.0);
        swept.oldest_minutes = swept.oldest_minutes.max(age);
        if keys.contains(&ledger::plan_key(run)) {
            recover_run(run, keys, stage, queue, bus, now, patience, telemetry, &mut swept).await?;
        } else if keys.contains(&ledger::request_key(run)) {
            // No invocation plans a run that awaits another one.
            let awaits = keys.contains(&ledger::awaits_key(run));
            if awaits || due_recovery(run, Step::Plan, 0, stage, now, patience).await?.is_some() {
                restart_run(run, stage, bus, now, patience, telemetry, &mut swept).await?;
            }
        }
    }
    // Announcements come after all recoveries, which a broken bus must not prevent.
    for (run, keys) in runs.iter().filter(|(run, keys)| !keys.contains(&ledger::summary_key(run))) {
        watch.check_open(run, open_step(run, keys), keys, stage, bus, now).await?;
    }
    watch.check_fresh(&runs, stage, bus, now).await?;
    swept.due.extend(retry::due(&runs, stage, now, patience).await?);
    Ok(swept)
}

/// Runs, with the keys of their ledgers.
pub(crate) type Runs = BTreeMap<RunId, BTreeSet<String>>;

/// Returns the runs of the last [`DAYS_BACK`] days.
pub(crate) async fn recent_runs(stage: &impl Stage, now: DateTime<Utc>) -> Result<Runs> {
    let mut runs = Runs::new();
    for back in 0..=DAYS_BACK {
        let day = (now - Days::new(back)).format("%Y%m%d");
        for key in stage.list(&format!("runs/{day}")).await? {
            let run = key.split('/').nth(1).and_then(|run| run.parse().ok());
            if let Some(run) = run {
                runs.entry(run).or_default().insert(key);
            }
        }
    }
    Ok(runs)
}

/// Adds a run that has no plan to the runs to start, or closes it after [`MAX_PLANNING`].
async fn restart_run(
    run: &RunId,
    stage: &impl Stage,
    bus: &impl Bus,
    now: DateTime<Utc>,
    patience: Patience,
    telemetry: &Telemetry,
    swept: &mut Swept,
) -> Result<()> {
    let age = run.started().map_or(Duration::zero(), |started| now - started);
    let request: Option<Request> = stage::read_json(stage, &ledger::request_key(run)).await?;
    match request {
        Some(request) if age < MAX_PLANNING || patience.given.is_some() => {
            tracing::warn!(run_id = %run, "starting a run without a plan again");
            swept.due.push(request);
        }
        _ => {
            let reason = format!("the run could not be planned within {} hours", MAX_PLANNING.num_hours());
            let summary = Summary::failed(run, run.started().unwrap_or(now), &reason);
            close_as_failed(&summary, Step::Plan, reason, stage, bus, now, telemetry, swept).await?;
        }
    }
    Ok(())
}

/// The step that a run has not finished.
fn open_step(run: &RunId, keys: &BTreeSet<String>) -> Step {
    let has = |key: String| keys.contains(&key);
    match (has(ledger::plan_key(run)), has(ledger::staged_key(run)), has(ledger::loaded_key(run))) {
        (false, ..) => Step::Plan,
        (true, false, _) => Step::Fetch,
        (true, true, false) => Step::Load,
        (true, true, true) => Step::Compute,
    }
}

#[expect(clippy::too_many_arguments, reason = "everything that the handler may touch")]
async fn close_as_failed(
    summary: &Summary,
    step: Step,
    reason: String,
    stage: &impl Stage,
    bus: &impl Bus,
    now: DateTime<Utc>,
    telemetry: &Telemetry,
    swept: &mut Swept,
) -> Result<()> {
    let run = &summary.run_id;
    let seconds = (now - summary.started_at).as_seconds_f64().max(0.0).round();
    let summary = &Summary { seconds, ..summary.clone() };
    if stage::write_json_once(stage, &ledger::summary_key(run), summary).await? {
        let function = if step == Step::Load { "load" } else { "analytics" };
        match stage.get(&ledger::blocker_key(run, function)).await? {
            None => telemetry.ended(now, summary),
            Some(_) => telemetry.ended_after_failure(now, summary),
        }
        let details = Details {
            is_retried: summary.is_retried(),
            ..ledger::waiting_details(run, stage).await
        };
        bus.publish(Event::RunFailed { run_id: run.to_string(), step, reason, details }).await?;
    }
    swept.closed += 1;
    swept.failed += 1;
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "everything that the handler may touch")]
async fn recover_run(
    run: &RunId,
    keys: &BTreeSet<String>,
    stage: &impl Stage,
    queue: &impl Queue,
    bus: &impl Bus,
    now: DateTime<Utc>,
    patience: Patience,
    telemetry: &Telemetry,
    swept: &mut Swept,
) -> Result<()> {
    let step = open_step(run, keys);
    // The invocation that recorded the last batch may have died before it closed the step.
    if step == Step::Fetch && ledger::close_fetching(stage, run).await? {
        swept.announced += 1;
        return Ok(());
    }
    let progress = [ledger::batches_prefix(run), ledger::checkpoints_prefix(run), ledger::slices_prefix(run)];
    let is_progress = |key: &&String| progress.iter().any(|prefix| key.starts_with(prefix));
    let progress = keys.iter().filter(is_progress).count();
    let Some(recoveries) = due_recovery(run, step, progress, stage, now, patience).await? else {
        return Ok(());
    };
    tracing::warn!(run_id = %run, step = step.as_str(), attempt = recoveries, "recovering a stalled run");
    // A sweep with an explicit patience, requested by a person, never closes a run.
    let give_up = recoveries > MAX_RECOVERIES && patience.given.is_none();
    match step {
        // A run without a plan is started again by `restart_run`.
        Step::Plan => {}
        Step::Fetch => {
            let plan = ledger::plan(stage, run).await?;
            let missing =
                plan.batches.iter().filter(|batch| !keys.contains(&ledger::batch_key(run, &batch.id)));
            if give_up {
                let reason =
                    format!("no invocation finished the batch, though it was sent {recoveries} times");
                for batch in missing {
                    for message in BatchMessage::of_plan(&plan, [batch]) {
                        ledger::record_as_failed(&message, &Outcome::failed(&reason), stage, now).await?;
                    }
                }
                swept.closed += 1;
            } else {
                swept.sent += crate::send(&plan, missing, queue).await?;
            }
        }
        Step::Load | Step::Compute if give_up => {
            let plan = ledger::plan(stage, run).await?;
            let reason = blocker_reason(run, step, stage).await?;
            let summary = Summary::abandoned(&plan, run.started().unwrap_or(now), &reason);
            close_as_failed(&summary, step, reason, stage, bus, now, telemetry, swept).await?;
        }
        Step::Load | Step::Compute => {
            let key = if step == Step::Load {
                ledger::staged_key(run)
            } else {
                ledger::loaded_key(run)
            };
            swept.announced += usize::from(stage::rewrite(stage, &key).await?);
        }
    }
    Ok(())
}

/// Counts a recovery of the open step if it made no progress for longer than its patience. Returns the number of recoveries so
/// far, or `None` if the step still has time or another sweep recovers it.
async fn due_recovery(
    run: &RunId,
    step: Step,
    progress: usize,
    stage: &impl Stage,
    now: DateTime<Utc>,
    patience: Patience,
) -> Result<Option<u32>> {
    let key = format!("runs/{run}/swept.json");
    let before = stage.get(&key).await?;
    // Without a readable record, the patience of load and compute starts now, that of planning and
    // fetching at the run's start.
    let stored: Option<OpenStep> = before.as_ref().and_then(|object| stage::from_json_or_none(&object.body));
    let since = run.started().filter(|_| matches!(step, Step::Plan | Step::Fetch)).unwrap_or(now);
    let mut open =
        stored
            .filter(|open| open.step == step)
            .unwrap_or(OpenStep { step, since, recoveries: 0, progress });
    if open.progress < progress {
        open = OpenStep { step, since: now, recoveries: 0, progress };
    }
    // A clock that was ahead must not postpone the recovery.
    open.since = open.since.min(now);
    let default = match step {
        Step::Plan => PLAN_PATIENCE,
        Step::Fetch => FETCH_PATIENCE * 2_i32.pow(open.recoveries),
        Step::Load | Step::Compute => STEP_PATIENCE * 2_i32.pow(open.recoveries),
    };
    let is_due = now - open.since >= patience.or(default);
    if is_due {
        (open.since, open.recoveries) = (now, open.recoveries + 1);
    }
    let body = stage::to_json(&open)?;
    let is_stored = match &before {
        None => stage.put_if_absent(&key, body).await?,
        Some(object) if object.body == body => true,
        Some(object) => stage.put_if_match(&key, body, &object.etag).await?,
    };
    Ok((is_due && is_stored).then_some(open.recoveries))
}

/// Returns why a step does not finish: the reason that its function has recorded, or a general one.
async fn blocker_reason(run: &RunId, step: Step, stage: &impl Stage) -> Result<String> {
    let function = if step == Step::Load { "load" } else { "analytics" };
    let blocker: Option<ledger::Blocker> =
        stage::read_json(stage, &ledger::blocker_key(run, function)).await?;
    Ok(blocker.map_or_else(
        || format!("{function} did not finish"),
        |blocker| format!("{function}: {}", blocker.reason),
    ))
}
