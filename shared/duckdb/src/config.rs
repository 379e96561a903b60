//! Opens connections with findata's configuration.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use ::duckdb::{AccessMode, Config, Connection};
use findata_domain::{Error, Result, sql::literal};

use crate::{MemoryLimit, error::failure};

/// The resources that queries of a read-only connection may access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach<'a> {
    /// Only the warehouse. Queries cannot access other files, databases, extensions or the network,
    /// and cannot change settings.
    Warehouse,
    /// The warehouse, and the files in this folder, which queries may also write. The path is absolute.
    Folder(&'a Path),
    /// The warehouse, and all files that the process may read.
    Files,
}

impl Reach<'_> {
    /// Applies the restrictions to a connection. Its database files must be open already.
    pub(crate) fn restrict(self, connection: &Connection) -> ::duckdb::Result<()> {
        let close = "set enable_external_access = false; set lock_configuration = true";
        match self {
            Reach::Warehouse => connection.execute_batch(close),
            Reach::Folder(folder) => {
                let folder = literal(&folder.to_string_lossy());
                connection.execute_batch(&format!("set allowed_directories = [{folder}]; {close}"))
            }
            Reach::Files => Ok(()),
        }
    }
}

/// Refuses a folder where a DuckDB file is expected.
///
/// # Errors
/// `Config` if the path is a folder.
pub fn refuse_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        let fix = "move it away, or choose another data directory with --home";
        return Err(Error::Config(format!("{} is a folder, not a DuckDB file; {fix}", path.display())));
    }
    Ok(())
}

pub(crate) fn connect(path: &Path, mode: AccessMode, memory: MemoryLimit) -> Result<Connection> {
    refuse_folder(path)?;
    let config = match mode {
        AccessMode::ReadOnly => read_config(memory),
        _ => base_config(memory),
    };
    let config = config.and_then(|c| c.access_mode(mode)).map_err(|e| failure(path, &e))?;
    Connection::open_with_flags(path, config).map_err(|e| failure(path, &e))
}

/// Returns the configuration of a read-only connection. Several such connections can be open at the
/// same time. Each spills to a separate folder, because in DuckDB's default folder they would
/// overwrite each other's data.
pub(crate) fn read_config(memory: MemoryLimit) -> ::duckdb::Result<Config> {
    let folder = spill_folder(READERS.fetch_add(1, Ordering::Relaxed));
    base_config(memory)?.with("temp_directory", folder.to_string_lossy())
}

/// Number of read-only connections that this process has opened.
static READERS: AtomicU32 = AtomicU32::new(0);

/// Returns the folder to which the read-only connection with this number spills.
fn spill_folder(reader: u32) -> PathBuf {
    std::env::temp_dir().join(format!("findata-{}-{reader}", std::process::id()))
}

/// Removes the spill folders of this process's read-only connections. Call it in a process that
/// ends without closing these connections.
pub fn remove_spill_folders() {
    for reader in 0..READERS.load(Ordering::Relaxed) {
        // Most readers never spill and have no folder.
        let _ = std::fs::remove_dir_all(spill_folder(reader));
    }
}

/// Size of the write-ahead log at which a commit makes a checkpoint. Below it, commits are safe in the
/// log, and the end of the run makes the only checkpoint. DuckDB keeps rows uncompressed, in memory or
/// spilled, until a checkpoint, and reads the log into memory when it opens a file after a crash.
/// Loading and computing 10,000 symbols with this threshold took 4.0 GB of disk and 89 CPU seconds;
/// with a single checkpoint, 5.5 GB and 87 (debug build).
const CHECKPOINT_THRESHOLD: &str = "512MB";

/// Returns the configuration that all connections share.
fn base_config(memory: MemoryLimit) -> ::duckdb::Result<Config> {
    Config::default()
        // DuckDB must not download extensions, whatever a path or query contains.
        .with("autoinstall_known_extensions", "false")
        .and_then(|c| c.with("autoload_known_extensions", "false"))
        .and_then(|c| c.with("memory_limit", memory.to_string()))
        .and_then(|c| c.with("checkpoint_threshold", CHECKPOINT_THRESHOLD))
        // Returns the memory of finished statements to the system, so that later statements do not
        // add to it.
        .and_then(|c| c.with("allocator_flush_threshold", "1MB"))
        .and_then(|c| c.with("allocator_bulk_deallocation_flush_threshold", "1MB"))
}
