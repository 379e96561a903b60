//! Locks between processes. The system releases them when a process ends, however it ends.

use std::{
    fs::{File, TryLockError},
    io::{ErrorKind, Write},
    path::Path,
    time::Instant,
};

use findata_domain::{Error, Result};
use rustix::{
    fs::{FlockOperation, fcntl_lock},
    io::Errno,
};

use super::{
    POLL, Patience,
    files::{Paths, cannot},
};

/// The lock that a run holds on a data directory.
pub(super) struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock. Returns `None` during another run.
    pub(super) fn now(paths: &Paths) -> Result<Option<Self>> {
        let path = &paths.lock;
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(|error| cannot("write", path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(cannot("lock", path, &error)),
        }
        // The text only names the run to others, so a full disk is ignored.
        let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Some(RunLock { _file: file }))
    }

    /// Returns whether a run holds the lock.
    pub(super) fn is_held(paths: &Paths) -> bool {
        let file = File::open(&paths.lock);
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Waits until the other run has finished.
    pub(super) async fn wait(paths: &Paths, patience: &Patience<'_>) -> Result<Self> {
        let deadline = Instant::now() + patience.limit;
        let mut told = false;
        loop {
            if let Some(lock) = RunLock::now(paths)? {
                return Ok(lock);
            }
            let name = paths.published.display();
            let process = match std::fs::read_to_string(&paths.lock) {
                Ok(pid) if !pid.is_empty() => format!("another run (pid {pid})"),
                _ => "another run".to_owned(),
            };
            if Instant::now() >= deadline {
                return Err(Error::Resource(format!(
                    "{process} changes {name}: run again when it has finished, or wait longer with --wait-lock"
                )));
            }
            if !told {
                (patience.tell)(&format!("{process} changes {name}: waiting until it has finished"));
                told = true;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// A lock that keeps other processes from opening a DuckDB file for writing. Readers can open it.
pub(super) struct ReadLock {
    _file: Option<File>,
}

impl ReadLock {
    /// Takes the lock. Returns `None` if a process has the file open for writing. A file that does not
    /// exist needs no lock.
    pub(super) fn of(path: &Path) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(ReadLock { _file: None })),
            Err(error) => return Err(cannot("read", path, &error)),
        };
        // DuckDB uses the same kind of lock.
        match fcntl_lock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(Some(ReadLock { _file: Some(file) })),
            Err(Errno::ACCESS | Errno::AGAIN) => Ok(None),
            // A file system without locks. DuckDB does not lock its files there either.
            Err(Errno::NOLCK | Errno::NOTSUP) => Ok(Some(ReadLock { _file: Some(file) })),
            Err(error) => Err(cannot("lock", path, &error.into())),
        }
    }
}

/// Returns whether no other process has a DuckDB file open, not even for reading.
pub(super) fn is_unused(path: &Path) -> Result<bool> {
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(cannot("write", path, &error)),
    };
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) | Err(Errno::NOLCK | Errno::NOTSUP) => Ok(true),
        Err(Errno::ACCESS | Errno::AGAIN) => Ok(false),
        Err(error) => Err(cannot("lock", path, &error.into())),
    }
}
