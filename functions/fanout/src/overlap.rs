//! Delays a scheduled run while another run fetches. Otherwise, both would request the same data.

use chrono::{DateTime, Duration, Utc};
use findata_domain::Result;
use findata_pipeline::{
    ledger,
    ports::stage::{self, Stage},
    run::RunId,
};
use serde_json::json;

use crate::sweep::recent_runs;

/// The longest time that a scheduled run waits for other runs. Some of them may never end.
const LONGEST_WAIT: Duration = Duration::minutes(30);

/// Returns a run that a scheduled run must wait for before it is planned: one with several batches that are not loaded.
/// Plans rely on the fetch log, to which load adds what was fetched. A run with one batch, such as that of one symbol,
/// delays nothing: to fetch a batch twice is better than to be late. The sweeper starts the waiting run again.
///
/// # Errors
/// The stage's errors.
pub(crate) async fn run_to_await(
    run: &RunId,
    stage: &impl Stage,
    now: DateTime<Utc>,
) -> Result<Option<RunId>> {
    if !run.is_scheduled() || run.started().is_none_or(|started| now - started >= LONGEST_WAIT) {
        return Ok(None);
    }
    let runs = recent_runs(stage, now).await?;
    if runs.get(run).is_some_and(|keys| keys.contains(&ledger::plan_key(run))) {
        return Ok(None);
    }
    for (other, keys) in runs {
        let has = |key: String| keys.contains(&key);
        if !has(ledger::plan_key(&other))
            || has(ledger::loaded_key(&other))
            || has(ledger::summary_key(&other))
        {
            continue;
        }
        if ledger::plan(stage, &other).await?.batches.len() > 1 {
            stage::write_json_once(stage, &ledger::awaits_key(run), &json!({"run_id": other})).await?;
            return Ok(Some(other));
        }
    }
    Ok(None)
}
