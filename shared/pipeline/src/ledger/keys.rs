//! Keys of a run's objects on the stage. Do not rename them: the objects of earlier runs would no
//! longer be found.

use crate::run::RunId;

/// Key of the run's plan.
pub fn plan_key(run: &RunId) -> String {
    format!("runs/{run}/plan.json")
}

/// Prefix of the keys of the run's batch entries.
pub fn batches_prefix(run: &RunId) -> String {
    format!("runs/{run}/batches/")
}

/// Key of a batch's entry.
pub fn batch_key(run: &RunId, batch: &str) -> String {
    format!("{}{batch}.json", batches_prefix(run))
}

/// Prefix of the keys of the checkpoints of all batches.
pub fn checkpoints_prefix(run: &RunId) -> String {
    format!("runs/{run}/parts/")
}

/// Key of a checkpoint of a batch, numbered from 0. A checkpoint records the tasks that one
/// delivery finished before it ran out of time.
pub fn checkpoint_key(run: &RunId, batch: &str, number: u32) -> String {
    format!("{}{batch}-{number}.json", checkpoints_prefix(run))
}

/// Key of the object that shows that a batch waited in one invocation, without calling FMP. Nothing reads
/// its content: the sweeper counts such objects as progress.
pub fn wait_key(run: &RunId, batch: &str, number: u32) -> String {
    format!("{}{batch}-wait-{number}.json", checkpoints_prefix(run))
}

/// Prefix of the keys of the slices of all steps.
pub fn slices_prefix(run: &RunId) -> String {
    format!("runs/{run}/slices/")
}

/// Prefix of the keys of the slices of load or analytics.
pub fn slice_key_prefix(run: &RunId, function: &str) -> String {
    format!("{}{function}-", slices_prefix(run))
}

/// Key of the object that shows that load or analytics finished a slice of its work. The sweeper counts such
/// objects as progress.
pub fn slice_key(run: &RunId, function: &str, slice: &str) -> String {
    format!("{}{slice}.json", slice_key_prefix(run, function))
}

/// Prefix of the keys of a step's attempts that began with the same progress.
pub fn attempts_prefix(run: &RunId, function: &str, progress: usize) -> String {
    format!("runs/{run}/attempts/{function}-{progress}-")
}

/// Key of the object that records an attempt of a step. `progress` counts what earlier attempts have finished.
pub fn attempt_key(run: &RunId, function: &str, progress: usize, number: usize) -> String {
    format!("{}{number}.json", attempts_prefix(run, function, progress))
}

/// Key of the run's request, which fanout writes before it does anything else for the run.
pub fn request_key(run: &RunId) -> String {
    format!("runs/{run}/request.json")
}

/// Key of the object that lists the retries of a scheduled run.
pub fn retries_key(run: &RunId) -> String {
    format!("runs/{run}/retries.json")
}

/// Key of the object that names the run whose fetched data a scheduled run awaits before it is planned.
pub fn awaits_key(run: &RunId) -> String {
    format!("runs/{run}/awaits.json")
}

/// Key of the object that shows that the run was announced as late.
pub fn late_key(run: &RunId) -> String {
    format!("runs/{run}/late.json")
}

/// Key of a function's blocker, which records why its work on the run stopped; see
/// [`super::record_blocker`].
pub fn blocker_key(run: &RunId, function: &str) -> String {
    format!("runs/{run}/trouble/{function}.json")
}

/// Key of the run's call count. The object exists only if the run limits its calls.
pub fn calls_key(run: &RunId) -> String {
    format!("runs/{run}/calls.json")
}

/// Key of the object whose write closes the fetch step.
pub fn staged_key(run: &RunId) -> String {
    format!("runs/{run}/staged.json")
}

/// Key of the object whose write closes the load step.
pub fn loaded_key(run: &RunId) -> String {
    format!("runs/{run}/loaded.json")
}

/// Key of the run's summary.
pub fn summary_key(run: &RunId) -> String {
    format!("runs/{run}/summary.json")
}

/// Returns whether the object of this key is needed to load a closed run again.
pub fn loads_again(run: &RunId, key: &str) -> bool {
    let kept = [plan_key(run), staged_key(run), loaded_key(run), summary_key(run)];
    key.starts_with(&batches_prefix(run)) || kept.iter().any(|kept| kept == key)
}
