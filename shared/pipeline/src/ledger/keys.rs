//! Keys of a run's objects on the stage. The names are stored: renaming one orphans the objects of earlier runs.

use crate::run::RunId;

/// The plan.
pub fn plan_key(run: &RunId) -> String {
    format!("runs/{run}/plan.json")
}

/// Prefix of the batch entries.
pub fn batches_prefix(run: &RunId) -> String {
    format!("runs/{run}/batches/")
}

/// A batch's entry.
pub fn batch_key(run: &RunId, batch: &str) -> String {
    format!("{}{batch}.json", batches_prefix(run))
}

/// Prefix of the checkpoints of all batches.
pub fn checkpoints_prefix(run: &RunId) -> String {
    format!("runs/{run}/parts/")
}

/// A checkpoint of a batch, numbered from 0: what one delivery finished before it ran out of time.
pub fn checkpoint_key(run: &RunId, batch: &str, number: u32) -> String {
    format!("{}{batch}-{number}.json", checkpoints_prefix(run))
}

/// What keeps a function from going on with a run; see [`super::record_blocker`].
pub fn blocker_key(run: &RunId, function: &str) -> String {
    format!("runs/{run}/trouble/{function}.json")
}

/// The count of a run's calls, if the run limits them.
pub fn calls_key(run: &RunId) -> String {
    format!("runs/{run}/calls.json")
}

/// The write that closes fetching.
pub fn staged_key(run: &RunId) -> String {
    format!("runs/{run}/staged.json")
}

/// The write that closes loading.
pub fn loaded_key(run: &RunId) -> String {
    format!("runs/{run}/loaded.json")
}

/// The summary.
pub fn summary_key(run: &RunId) -> String {
    format!("runs/{run}/summary.json")
}

/// Whether a key of a closed run is of use to load the run again.
pub fn loads_again(run: &RunId, key: &str) -> bool {
    let kept = [plan_key(run), staged_key(run), loaded_key(run), summary_key(run)];
    key.starts_with(&batches_prefix(run)) || kept.iter().any(|kept| kept == key)
}
