//! Retries of scheduled runs.
//!
//! A scheduled run that failed or ended partial for a reason that can pass, such as an outage of FMP, is
//! retried at most twice. Each retry is a separate run with the same request, so its plan contains what is
//! still due. `runs/<run>/retries.json` lists the retries.

use chrono::{DateTime, Duration, Utc};
use findata_domain::Result;
use findata_pipeline::{
    ledger,
    ports::stage::{self, Stage},
    run::{MAX_RETRIES, Request, RunId, Status},
    summary::Summary,
};
use serde::{Deserialize, Serialize};

use crate::sweep::{Patience, Runs};

/// The shortest time from a failure to the next retry.
const FIRST_DELAY: Duration = Duration::minutes(5);
/// The shortest time from the first failure to the second retry. Most outages of FMP end within half an
/// hour.
const SECOND_DELAY: Duration = Duration::minutes(35);
/// A run is not retried after this time: another run of a daily schedule follows. `Summary::is_retried` predicts
/// retries from this time and the delays, so that a failure raises its alarm at once if no retry follows.
const MAX_AGE: Duration = Duration::hours(12);

/// The retries of a scheduled run.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Retries {
    /// The ids of the retries, the oldest first.
    runs: Vec<RunId>,
}

/// Returns the retry of the newest scheduled run if it is due. An earlier run needs none, because the next
/// one has fetched what it lacked.
///
/// # Errors
/// The stage's errors.
pub(crate) async fn due(
    runs: &Runs,
    stage: &impl Stage,
    now: DateTime<Utc>,
    patience: Patience,
) -> Result<Option<Request>> {
    let is_young = |run: &&RunId| run.started().is_some_and(|started| now - started < MAX_AGE);
    let Some(first) = runs.keys().rfind(|run| run.is_of_schedule()).filter(is_young) else {
        return Ok(None);
    };
    let key = ledger::retries_key(first);
    let before = stage.get(&key).await?;
    let mut retries: Retries = before
        .as_ref()
        .and_then(|object| stage::from_json_or_none(&object.body))
        .unwrap_or_default();
    let last = retries.runs.last().unwrap_or(first);
    let has = |key: String| runs.get(last).is_some_and(|keys| keys.contains(&key));
    if last != first && !has(ledger::request_key(last)) && !has(ledger::summary_key(last)) {
        // The invocation that listed the retry ended before it started the run.
        return request(first, last, stage).await;
    }
    let Some(failed_at) = failure(last, stage, now).await? else {
        return Ok(None);
    };
    let number = retries.runs.len() as u32 + 1;
    if number > MAX_RETRIES {
        return Ok(None);
    }
    let first_failed_at = if last == first {
        Some(failed_at)
    } else {
        failure(first, stage, now).await?
    };
    let mut due_at = failed_at + patience.or(FIRST_DELAY);
    if number > 1 && patience.given.is_none() {
        due_at = due_at.max(first_failed_at.unwrap_or(failed_at) + patience.or(SECOND_DELAY));
    }
    if now < due_at {
        return Ok(None);
    }
    let retry = RunId::retry(now, number);
    retries.runs.push(retry.clone());
    let body = stage::to_json(&retries)?;
    let is_first = match &before {
        None => stage.put_if_absent(&key, body).await?,
        Some(object) => stage.put_if_match(&key, body, &object.etag).await?,
    };
    match is_first {
        true => {
            tracing::warn!(run_id = %first, retry_run_id = %retry, attempt = number, "retrying a scheduled run");
            request(first, &retry, stage).await
        }
        // Another sweep has listed a retry, and starts it.
        false => Ok(None),
    }
}

/// Returns when a run failed for a reason that can pass; `None` if it did not.
async fn failure(run: &RunId, stage: &impl Stage, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let summary: Option<Summary> =
        stage::read_rebuildable(stage, &ledger::summary_key(run), &mut Vec::new()).await?;
    let failed = summary
        .filter(|run| run.can_pass && matches!(run.status, Status::Failed | Status::Partial))
        .map(|run| run.started_at + Duration::milliseconds((run.seconds * 1e3) as i64));
    // A clock that was ahead must not postpone the retry.
    Ok(failed.map(|at| at.min(now)))
}

/// Returns the request of a retry. A run that refetches fresh data repeats only its failed tasks, unless
/// everything failed.
async fn request(first: &RunId, retry: &RunId, stage: &impl Stage) -> Result<Option<Request>> {
    let Some(request): Option<Request> = stage::read_json(stage, &ledger::request_key(first)).await? else {
        return Ok(None);
    };
    let is_partial = async || {
        let summary: Option<Summary> =
            stage::read_rebuildable(stage, &ledger::summary_key(first), &mut Vec::new()).await?;
        Ok::<_, findata_domain::Error>(summary.is_some_and(|summary| summary.status == Status::Partial))
    };
    let retry_of = match request.options.full && is_partial().await? {
        true => Some(first.clone()),
        false => request.retry_of,
    };
    Ok(Some(Request { run_id: retry.clone(), retry_of, ..request }))
}
