//! The file from before an upgrade, and the way back to it.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use findata_domain::{Error, Result};
use findata_duckdb::{MemoryLimit, recover_log, refuse_folder, version};

use super::{
    AFTER_RENAME, Patience,
    files::{self, Paths},
    in_use,
    locks::{self, ReadLock, RunLock},
    wait,
};

/// The result of a rollback.
#[derive(Debug, PartialEq, Eq)]
pub struct RolledBack {
    /// The version of the tables before the rollback; `None` if the file was missing or unreadable.
    pub from: Option<u32>,
    /// The version of the tables after the rollback.
    pub to: u32,
    /// The new name of the upgraded file.
    pub upgraded: PathBuf,
}

/// Returns the path of the file from before the last upgrade, if there is one.
pub fn previous_file(published: &Path) -> Option<PathBuf> {
    Some(Paths::of(published).previous).filter(|path| path.exists())
}

/// Replaces the file by the one from before the last upgrade, and keeps the upgraded file under another
/// name. What has been loaded since is on the stage, from which the next run of the previous build loads
/// it again.
///
/// # Errors
/// `Config` if there is no file to go back to; `Resource` if another process does not release the file in
/// time, or the disk is full.
pub async fn roll_back(published: &Path, memory: MemoryLimit, patience: &Patience<'_>) -> Result<RolledBack> {
    refuse_folder(published)?;
    let paths = Paths::of(published);
    let _lock = RunLock::wait(&paths, patience).await?;
    let none =
        |reason: String| Error::Config(format!("{reason}; an upgrade of the tables keeps such a file"));
    let (previous, file) = (&paths.previous, &paths.published);
    if !previous.exists() {
        return Err(none(format!("there is no file to go back to at {}", previous.display())));
    }
    let deadline = Instant::now() + patience.limit;
    let mut told = false;
    loop {
        if paths.log.exists() && locks::is_unused(file)? {
            recover_log(file, memory)?;
        }
        let is_locked = ReadLock::of(file)?.is_none();
        if !is_locked && !paths.log.exists() {
            break;
        }
        if !wait(file, deadline, &mut told, patience).await {
            return Err(Error::Resource(format!(
                "{}: close the file there, then run again, or wait longer with --wait-lock",
                in_use(file)
            )));
        }
    }
    let to = version(previous, memory)?;
    // A damaged or deleted file is a reason to go back.
    let from = if file.exists() {
        version(file, memory).unwrap_or(None)
    } else {
        None
    };
    let to = match (from, to) {
        (Some(from), Some(to)) if to >= from => {
            return Err(none(format!(
                "{} has tables of version {to} and {} of version {from}, so there is no upgrade to roll back",
                previous.display(),
                file.display()
            )));
        }
        (_, Some(to)) => to,
        (_, None) => return Err(none(format!("{} has no tables of findata", previous.display()))),
    };
    // Taken last, because this process would lose it by closing another handle of the file.
    let Some(lock) = ReadLock::of(file)? else {
        return Err(Error::Resource(format!("{}: close the file there, then run again", in_use(file))));
    };
    if file.exists() {
        files::keep(file, &paths.upgraded)?;
    }
    paths.discard_working()?;
    files::rename(previous, file)?;
    std::thread::sleep(AFTER_RENAME);
    drop(lock);
    Ok(RolledBack { from, to, upgraded: paths.upgraded })
}
