//! The DuckDB file that people open, and the working copy that runs change.
//!
//! A run changes only the working copy, `NAME.working.duckdb` beside the file. When the run has
//! finished, it copies the working copy to `NAME.next.duckdb` and renames this file over the file
//! that people open. A reader therefore sees the tables of one run, and neither readers nor runs wait
//! for each other. A killed run leaves the file as it was; the next run continues with its working
//! copy.
//!
//! The file that people open is authoritative. If it is not the file that the last run left (because
//! somebody created tables in it, or restored or deleted it), the next run starts with a new copy of
//! it, and loads from the stage what the copy lacks.

mod files;
mod locks;
mod previous;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use findata_domain::{
    Error, Result,
    schema_version::{SCHEMA_VERSION, UNMARKED},
};
use findata_duckdb::{MemoryLimit, holder, recover_log, refuse_folder, refuse_newer, version};
use serde::{Deserialize, Serialize};

use crate::atomic_file::AtomicFile;
pub(crate) use files::target;
use files::{Identity, Paths, cannot, remove};
use locks::{ReadLock, RunLock};
pub use previous::{RolledBack, previous_file, roll_back};

/// Pause between two attempts to get a lock.
const POLL: Duration = Duration::from_millis(100);
/// How long the lock on the replaced file is kept after the file was replaced. A program that had
/// opened the file just before, but had not locked it yet, then fails instead of writing to a file
/// that has no name. DuckDB locks a file within microseconds after opening it.
const AFTER_RENAME: Duration = Duration::from_millis(20);

/// How long a command waits for another process, and how it reports that it waits.
pub struct Patience<'a> {
    /// Maximum time per lock.
    pub limit: Duration,
    /// Receives one message per wait.
    pub tell: &'a (dyn Fn(&str) + Sync),
}

/// What became of a run's result.
#[derive(Debug, PartialEq, Eq)]
pub enum Published {
    /// The run changed nothing, so the file was not replaced.
    Unchanged,
    /// The file has the run's result.
    Replaced,
    /// A process kept the file locked for writing. The next command publishes the result.
    Kept(String),
    /// Somebody changed the file during the run. The run must be repeated with a copy of it.
    Outdated,
}

/// The file and the working copy that belong together, in `NAME.working.json`.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Pair {
    /// The file that people open; `None` before the first run has finished.
    published: Option<Identity>,
    /// The working copy when its content was published.
    working: Option<Identity>,
    /// The version of the tables of the file; `None` without tables of findata. Builds without versions
    /// did not record it.
    #[serde(default = "unmarked")]
    version: Option<u32>,
}

impl Pair {
    /// Whether a run upgrades the tables of the file.
    fn is_upgrade(&self) -> bool {
        self.published.is_some() && self.version.is_some_and(|version| version != SCHEMA_VERSION)
    }
}

fn unmarked() -> Option<u32> {
    Some(UNMARKED)
}

/// The working copy of a DuckDB file. No other run can open it at the same time.
pub struct WorkingCopy {
    paths: Paths,
    memory: MemoryLimit,
    /// Whether an earlier run ended before its changes were published.
    has_unpublished: bool,
    _lock: RunLock,
}

impl WorkingCopy {
    /// Waits for another run, and creates the working copy, or continues with an existing one that
    /// belongs to the file.
    ///
    /// # Errors
    /// `Resource` if another process does not release the file in time, or the disk is full; `Config`
    /// if the folder cannot be written.
    pub async fn open(published: &Path, memory: MemoryLimit, patience: &Patience<'_>) -> Result<Self> {
        Self::open_after(published, memory, patience, || Ok(())).await
    }

    /// Like [`WorkingCopy::open`]. Calls `prepare` first, when no other run can change the file.
    ///
    /// # Errors
    /// As for [`WorkingCopy::open`]; the error of `prepare`.
    pub async fn open_after(
        published: &Path,
        memory: MemoryLimit,
        patience: &Patience<'_>,
        prepare: impl FnOnce() -> Result<()>,
    ) -> Result<Self> {
        refuse_folder(published)?;
        let paths = Paths::of(published);
        let lock = RunLock::wait(&paths, patience).await?;
        prepare()?;
        let mut copy = WorkingCopy { paths, memory, has_unpublished: false, _lock: lock };
        remove(&copy.paths.part)?;
        copy.refresh(patience).await?;
        let working = Identity::of(&copy.paths.working)?;
        copy.has_unpublished = copy.paths.next.exists()
            || copy.paths.working_log.exists()
            || copy
                .paths
                .read_pair()
                .is_none_or(|pair| pair.published.is_none() || pair.working != working);
        Ok(copy)
    }

    /// The path of the working copy. The file does not exist before the first run.
    pub fn path(&self) -> &Path {
        &self.paths.working
    }

    /// Deletes the working copy, and creates it again from the file.
    ///
    /// # Errors
    /// As for [`WorkingCopy::open`].
    pub async fn renew(&self, patience: &Patience<'_>) -> Result<()> {
        remove(&self.paths.pair)?;
        self.refresh(patience).await
    }

    /// Copies the file, unless the working copy belongs to it already.
    async fn refresh(&self, patience: &Patience<'_>) -> Result<()> {
        let paths = &self.paths;
        let deadline = Instant::now() + patience.limit;
        let mut told = false;
        loop {
            // The log of a file that somebody deleted must not be applied to a new file.
            if !paths.published.exists() {
                remove(&paths.log)?;
            }
            if paths.log.exists() && locks::is_unused(&paths.published)? {
                recover_log(&paths.published, self.memory)?;
            }
            let lock = ReadLock::of(&paths.published)?;
            let published = Identity::of(&paths.published)?;
            // Without its working copy, a pair says nothing: a new working copy would lack the tables
            // that users have created in the file.
            let has_copy = published.is_none() || paths.working.exists();
            if has_copy && paths.read_pair().is_some_and(|pair| pair.published == published) {
                return Ok(());
            }
            if lock.is_some() && !paths.log.exists() {
                let mut stored = None;
                if published.is_some() {
                    files::copy(&paths.published, &paths.part)?;
                    // Who opens the copy reports a damaged file.
                    stored = version(&paths.part, self.memory).unwrap_or(None);
                    refuse_newer(&paths.published, stored).inspect_err(|_| drop(remove(&paths.part)))?;
                }
                paths.discard_working()?;
                if published.is_some() {
                    files::rename(&paths.part, &paths.working)?;
                }
                let working = Identity::of(&paths.working)?;
                return paths.write_pair(&Pair { published, working, version: stored });
            }
            if !wait(&paths.published, deadline, &mut told, patience).await {
                return Err(Error::Resource(format!(
                    "{}: close the file there, then run again, or wait longer with --wait-lock",
                    in_use(&paths.published)
                )));
            }
        }
    }

    /// Replaces the file by the working copy, which no connection may have open. If the file is open
    /// for writing in another process, waits for that process. Does nothing if neither this run nor an
    /// earlier one has `changed` more than the log of runs: copying a large file takes longer than such a
    /// run. A file with tables of another version is kept, so that a user can go back to it.
    ///
    /// # Errors
    /// `Resource` if the disk is full. The file and the working copy are then as before.
    pub async fn publish(self, changed: bool, patience: &Patience<'_>) -> Result<Published> {
        let paths = &self.paths;
        if paths.working_log.exists() {
            recover_log(&paths.working, self.memory)?;
        }
        let Some(working) = Identity::of(&paths.working)? else {
            return Ok(Published::Unchanged);
        };
        let pair = paths.read_pair().unwrap_or_default();
        if !changed && !self.has_unpublished && !pair.is_upgrade() {
            paths.write_pair(&Pair { working: Some(working), ..pair })?;
            return Ok(Published::Unchanged);
        }
        files::copy(&paths.working, &paths.part).inspect_err(|_| drop(remove(&paths.part)))?;
        files::rename(&paths.part, &paths.next)?;
        let deadline = Instant::now() + patience.limit;
        let mut told = false;
        loop {
            match paths.replace(&pair, Some(working))? {
                Replacement::Done => return Ok(Published::Replaced),
                Replacement::Changed => {
                    remove(&paths.next)?;
                    return Ok(Published::Outdated);
                }
                Replacement::HasLog if locks::is_unused(&paths.published)? => {
                    recover_log(&paths.published, self.memory)?;
                }
                Replacement::HasLog | Replacement::Locked => {
                    if !wait(&paths.published, deadline, &mut told, patience).await {
                        return Ok(Published::Kept(format!(
                            "{}: the run's result is in {} until the next command after that process has closed the file",
                            in_use(&paths.published),
                            paths.next.display()
                        )));
                    }
                }
            }
        }
    }
}

/// Publishes the result of an earlier run that another process kept from being published. Does
/// nothing if that is still not possible, or during a run, or without permission to write.
pub fn publish_pending(published: &Path) {
    let paths = Paths::of(published);
    if !paths.next.exists() {
        return;
    }
    let Ok(Some(_lock)) = RunLock::now(&paths) else { return };
    if let Some(pair) = paths.read_pair()
        // A killed run may have changed the working copy since, so its present content does not count as
        // published.
        && let Err(error) = paths.replace(&pair, None)
    {
        tracing::debug!(%error, "cannot publish the result of an earlier run");
    }
}

/// Returns whether a run changes the working copy now. Creates nothing.
pub fn has_run(published: &Path) -> bool {
    RunLock::is_held(&Paths::of(published))
}

/// The outcome of an attempt to replace the file.
enum Replacement {
    Done,
    /// The file is not the one from which the working copy was made.
    Changed,
    /// A writer ended without moving its write-ahead log into the file.
    HasLog,
    /// Another process has the file open for writing.
    Locked,
}

impl Paths {
    /// Renames the next file over the published one, if the published file is still `pair.published`
    /// and nobody writes to it.
    fn replace(&self, pair: &Pair, working: Option<Identity>) -> Result<Replacement> {
        let Some(lock) = ReadLock::of(&self.published)? else {
            return Ok(Replacement::Locked);
        };
        // DuckDB would apply the log of the old file to the new one, without an error.
        if self.log.exists() {
            return Ok(Replacement::HasLog);
        }
        if Identity::of(&self.published)? != pair.published {
            return Ok(Replacement::Changed);
        }
        if pair.is_upgrade() {
            files::keep(&self.published, &self.previous)?;
        }
        files::rename(&self.next, &self.published)?;
        let published = Identity::of(&self.published)?;
        self.write_pair(&Pair { published, working, version: Some(SCHEMA_VERSION) })?;
        if pair.published.is_some() {
            std::thread::sleep(AFTER_RENAME);
        }
        drop(lock);
        Ok(Replacement::Done)
    }

    /// Deletes the working copy and everything that belongs to it.
    fn discard_working(&self) -> Result<()> {
        // The pair is deleted first: without it, a working copy is never continued.
        [&self.pair, &self.working, &self.working_log, &self.next]
            .into_iter()
            .try_for_each(remove)
    }

    fn read_pair(&self) -> Option<Pair> {
        serde_json::from_slice(&std::fs::read(&self.pair).ok()?).ok()
    }

    fn write_pair(&self, pair: &Pair) -> Result<()> {
        let text = serde_json::to_vec(pair)
            .map_err(|e| Error::Stop(format!("cannot write {}: {e}", self.pair.display())))?;
        AtomicFile::write(&self.pair, &text).map_err(|e| cannot("write", &self.pair, &e))
    }
}

/// Pauses, and returns false when the time is over.
async fn wait(path: &Path, deadline: Instant, told: &mut bool, patience: &Patience<'_>) -> bool {
    if Instant::now() >= deadline {
        return false;
    }
    if !*told {
        (patience.tell)(&format!("{}: waiting until it closes the file", in_use(path)));
        *told = true;
    }
    tokio::time::sleep(POLL).await;
    true
}

/// Says which process has the file open. With a log beside the file, a reader counts too, because the
/// log can be moved into the file only while nobody else has it open.
fn in_use(path: &Path) -> String {
    let process =
        holder(path).map_or("another process".to_owned(), |pid| format!("another process (pid {pid})"));
    format!("{process} has {} open", path.display())
}
