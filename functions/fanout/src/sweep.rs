//! The sweeper: finishes runs whose messages or events were lost.
//!
//! It looks at the runs of the last days that have no summary. The step that each stands at is noted when it is first seen;
//! a step that stands for longer than its patience is helped by doing again what should have called the next function:
//! missing batches are sent again, and the write that closed a step is repeated, which S3 announces as it did the first.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, Duration, Utc};
use findata_domain::Result;
use findata_pipeline::{
    ledger,
    plan::BatchMessage,
    ports::{
        bus::{Bus, Event},
        queue::Queue,
        stage::{self, Stage},
    },
    run::RunId,
    summary::Summary,
};
use serde::{Deserialize, Serialize};

/// Days back, today not counted, in which open runs are looked for.
const DAYS: u64 = 3;
/// What fetching may take: a first load of the S&P 500 on the smallest plan is done in half an hour.
const FETCHING: Duration = Duration::minutes(60);
/// What another step may take: longer than a function runs.
const STEP: Duration = Duration::minutes(20);
/// Times that a step is helped, with twice the patience each time, before the run is closed as it stands.
const MOST_HELP: u32 = 5;

/// What one sweep found and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Swept {
    /// Runs without a summary.
    pub open: usize,
    /// Minutes since the oldest of them began.
    pub oldest_minutes: f64,
    /// Batches sent again.
    pub sent: usize,
    /// Steps announced again.
    pub announced: usize,
    /// Runs closed as they stood.
    pub closed: usize,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Fetch,
    Load,
    Compute,
}

/// A step, since when it is known to be that one, and how often it was helped.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Note {
    step: Step,
    since: DateTime<Utc>,
    helped: u32,
}

/// Sweeps once. `patience` replaces that of every step; `now` is the real clock's.
///
/// # Errors
/// The stage's, the queue's and the bus's own.
pub async fn sweep(
    stage: &impl Stage,
    queue: &impl Queue,
    bus: &impl Bus,
    now: DateTime<Utc>,
    patience: Option<Duration>,
) -> Result<Swept> {
    let mut swept = Swept::default();
    for (run, keys) in open_runs(stage, now).await? {
        swept.open += 1;
        let age = run.started().map_or(0.0, |started| (now - started).as_seconds_f64() / 60.0);
        swept.oldest_minutes = swept.oldest_minutes.max(age);
        if keys.contains(&ledger::plan_key(&run)) {
            help(&run, &keys, stage, queue, bus, now, patience, &mut swept).await?;
        }
    }
    Ok(swept)
}

/// The runs of the last days that have no summary, with the keys of their ledgers.
async fn open_runs(stage: &impl Stage, now: DateTime<Utc>) -> Result<BTreeMap<RunId, BTreeSet<String>>> {
    let mut runs: BTreeMap<RunId, BTreeSet<String>> = BTreeMap::new();
    for back in 0..=DAYS {
        let day = (now - Days::new(back)).format("%Y%m%d");
        for key in stage.list(&format!("runs/{day}")).await? {
            let run = key.split('/').nth(1).and_then(|run| run.parse().ok());
            if let Some(run) = run {
                runs.entry(run).or_default().insert(key);
            }
        }
    }
    runs.retain(|run, keys| !keys.contains(&ledger::summary_key(run)));
    Ok(runs)
}

#[expect(clippy::too_many_arguments, reason = "all that the function may touch")]
async fn help(
    run: &RunId,
    keys: &BTreeSet<String>,
    stage: &impl Stage,
    queue: &impl Queue,
    bus: &impl Bus,
    now: DateTime<Utc>,
    patience: Option<Duration>,
    swept: &mut Swept,
) -> Result<()> {
    let step = match (keys.contains(&ledger::staged_key(run)), keys.contains(&ledger::loaded_key(run))) {
        // The last batch may have been recorded without anybody left to close the step.
        (false, _) if ledger::close_fetching(stage, run).await? => {
            swept.announced += 1;
            return Ok(());
        }
        (false, _) => Step::Fetch,
        (true, false) => Step::Load,
        (true, true) => Step::Compute,
    };
    let note_key = format!("runs/{run}/swept.json");
    let before = stage.get(&note_key).await?;
    let known: Option<Note> = before.as_ref().map(|object| stage::from_json(&note_key, &object.body)).transpose()?;
    let first = Note { step, since: run.started().filter(|_| step == Step::Fetch).unwrap_or(now), helped: 0 };
    let mut note = known.filter(|note| note.step == step).unwrap_or(first);
    let at_once = patience.is_some();
    let usual = if step == Step::Fetch { FETCHING } else { STEP };
    let patience = patience.unwrap_or(usual * 2_i32.pow(note.helped));
    let due = now - note.since >= patience;
    if due {
        (note.since, note.helped) = (now, note.helped + 1);
    }
    let body = stage::to_json(&note)?;
    let noted = match &before {
        None => stage.put_if_absent(&note_key, body).await?,
        Some(object) if object.body == body => true,
        Some(object) => stage.put_if_match(&note_key, body, &object.etag).await?,
    };
    // Another sweep is at the same run.
    if !due || !noted {
        return Ok(());
    }
    tracing::warn!(%run, ?step, times = note.helped, "a run stands still");
    // Who asks for help at once is not the one to end it.
    let gives_up = note.helped > MOST_HELP && !at_once;
    match step {
        Step::Fetch => {
            let plan = ledger::plan(stage, run).await?;
            let missing = plan.batches.iter().filter(|batch| !keys.contains(&ledger::batch_key(run, &batch.id)));
            let messages = BatchMessage::of_plan(&plan, missing);
            if gives_up {
                for message in &messages {
                    ledger::record_as_failed(message, "nobody worked it off, though it was sent again", stage, now)
                        .await?;
                }
                swept.closed += 1;
            } else {
                swept.sent += messages.len();
                queue.send(messages).await?;
            }
        }
        Step::Load | Step::Compute if gives_up => {
            let plan = ledger::plan(stage, run).await?;
            let reason = trouble(run, step, stage).await?;
            let summary = Summary::abandoned(&plan, run.started().unwrap_or(now), &reason);
            if stage::write_json_once(stage, &ledger::summary_key(run), &summary).await? {
                bus.publish(Event::RunFailed { run_id: run.to_string(), reason }).await?;
            }
            swept.closed += 1;
        }
        Step::Load => announce(&ledger::staged_key(run), stage, swept).await?,
        Step::Compute => announce(&ledger::loaded_key(run), stage, swept).await?,
    }
    Ok(())
}

/// Why a step does not end, as far as its function has said so.
async fn trouble(run: &RunId, step: Step, stage: &impl Stage) -> Result<String> {
    let function = if step == Step::Load { "load" } else { "analytics" };
    let trouble: Option<ledger::Blocker> = stage::read_json(stage, &ledger::blocker_key(run, function)).await?;
    Ok(trouble.map_or_else(|| format!("{function} did not end"), |trouble| format!("{function}: {}", trouble.reason)))
}

/// Writes an object over itself.
async fn announce(key: &str, stage: &impl Stage, swept: &mut Swept) -> Result<()> {
    if let Some(object) = stage.get(key).await?
        && stage.put_if_match(key, object.body, &object.etag).await?
    {
        swept.announced += 1;
    }
    Ok(())
}
