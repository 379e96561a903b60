//! The warehouse as a DuckDB file.

pub mod as_of;
mod error;
mod lock;
mod memory;
mod migration;
mod session;

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

use ::duckdb::{AccessMode, Config, Connection, types::ValueRef};
use error::failure;
pub use error::resource_failure;
use findata_domain::sql::literal;
use findata_domain::{
    Error, Result,
    catalog::{Column, Dataset, Kind},
    hash,
};
use findata_models::Models;
use findata_pipeline::{landing::StagedFile, ports::warehouse::Warehouse, usage::Usage};

pub use memory::MemoryLimit;
use session::{Change, Session};

/// Landing files per statement. DuckDB buffers every file that a statement reads: with 100 files and two threads, a
/// limit of 256 MiB was not enough.
const FILES_PER_STATEMENT: usize = 32;
/// Landing files per load transaction. A file holds up to 50 symbols, so `incoming` holds at most 3,200 of them, however
/// large the universe is.
const FILES_PER_LOAD: usize = 64;

/// A connection to a DuckDB file, with the stage directory from which it reads landing files.
pub struct DuckDb {
    session: Session,
    path: PathBuf,
    stage: PathBuf,
    /// Statements since [`Warehouse::take_usage`].
    statements: u64,
}

impl DuckDb {
    /// Opens the file for a run. Creates the file and missing tables, and migrates tables of another version.
    ///
    /// # Errors
    /// `Resource` if another process uses the file; `Damaged` if it is damaged or not a DuckDB file; `Config` if it cannot
    /// be created.
    pub fn open(path: &Path, stage: &Path, memory: MemoryLimit, models: &Models) -> Result<Self> {
        let connection = connect(path, AccessMode::ReadWrite, memory)?;
        let session = Session::new(connection, memory).map_err(|e| failure(path, &e))?;
        migration::prepare(&session.connection, models).map_err(|e| failure(path, &e))?;
        Ok(DuckDb {
            session,
            path: path.to_owned(),
            stage: stage.to_owned(),
            statements: 0,
        })
    }

    /// Opens the file read-only.
    ///
    /// # Errors
    /// `Config` if it does not exist; otherwise as for [`DuckDb::open`].
    pub fn open_to_read(path: &Path, reach: Reach, memory: MemoryLimit) -> Result<Connection> {
        if !path.exists() {
            let fix = "run `findata run` or `findata demo` first, or set the data directory with --home";
            return Err(Error::Config(format!("there is no warehouse at {}: {fix}", path.display())));
        }
        let connection = connect(path, AccessMode::ReadOnly, memory)?;
        reach.restrict(&connection).map_err(|e| failure(path, &e))?;
        Ok(connection)
    }
}

impl DuckDb {
    fn change(&mut self, change: Change) -> Result<u64> {
        self.statements += 1;
        let (session, path) = (&mut self.session, &self.path);
        tokio::task::block_in_place(|| session.run(change))
            .map(|n| n as u64)
            .map_err(|e| failure(path, &e))
    }
}

/// What the queries of a read-only connection may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The warehouse and nothing else: no other file, database, extension or network, and no change of settings.
    Warehouse,
    /// Also other files, as far as the process may read them.
    Files,
}

impl Reach {
    /// Restricts a connection whose files are open already.
    fn restrict(self, connection: &Connection) -> ::duckdb::Result<()> {
        match self {
            Reach::Warehouse => {
                connection.execute_batch("set enable_external_access = false; set lock_configuration = true")
            }
            Reach::Files => Ok(()),
        }
    }
}

fn connect(path: &Path, mode: AccessMode, memory: MemoryLimit) -> Result<Connection> {
    if path.is_dir() {
        let fix = "move it away, or choose another data directory with --home";
        return Err(Error::Config(format!("{} is a folder, not a DuckDB file: {fix}", path.display())));
    }
    let config = match mode {
        AccessMode::ReadOnly => read_config(memory),
        _ => base_config(memory),
    };
    let config = config.and_then(|c| c.access_mode(mode)).map_err(|e| failure(path, &e))?;
    Connection::open_with_flags(path, config).map_err(|e| failure(path, &e))
}

/// Configuration of a read-only connection. Several can be open at once, so each spills to its own folder: beside the
/// file, they would overwrite each other's data.
pub(crate) fn read_config(memory: MemoryLimit) -> ::duckdb::Result<Config> {
    let folder = spill_folder(READERS.fetch_add(1, Ordering::Relaxed));
    base_config(memory)?.with("temp_directory", folder.to_string_lossy())
}

/// Read-only connections that this process has opened.
static READERS: AtomicU32 = AtomicU32::new(0);

/// The folder to which the reader with this number spills.
fn spill_folder(reader: u32) -> PathBuf {
    std::env::temp_dir().join(format!("findata-{}-{reader}", std::process::id()))
}

/// Removes what the read-only connections of this process have spilled, for a process that ends without closing them.
pub fn remove_spill_folders() {
    for reader in 0..READERS.load(Ordering::Relaxed) {
        // Most readers never spill and have no folder.
        let _ = std::fs::remove_dir_all(spill_folder(reader));
    }
}

/// Configuration shared by all connections.
fn base_config(memory: MemoryLimit) -> ::duckdb::Result<Config> {
    Config::default()
        // No path or query may make DuckDB download an extension.
        .with("autoinstall_known_extensions", "false")
        .and_then(|c| c.with("autoload_known_extensions", "false"))
        .and_then(|c| c.with("memory_limit", memory.to_string()))
        // One checkpoint at the end of the run instead of one per commit. Commits are safe in the write-ahead log.
        .and_then(|c| c.with("checkpoint_threshold", "1TB"))
        // Return memory freed by one statement to the system, so that it does not add to the next one's.
        .and_then(|c| c.with("allocator_flush_threshold", "1MB"))
        .and_then(|c| c.with("allocator_bulk_deallocation_flush_threshold", "1MB"))
}

impl Warehouse for DuckDb {
    async fn execute(&mut self, sql: &str) -> Result<u64> {
        let started = Instant::now();
        let changed = self.change(Change::Statement(sql.to_owned()));
        let head: String = sql.chars().take(100).collect();
        tracing::debug!(seconds = started.elapsed().as_secs_f64(), head, "statement");
        changed
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        self.statements += 1;
        let (session, path) = (&mut self.session, &self.path);
        tokio::task::block_in_place(|| session.attempt(|connection| texts(connection, sql)))
            .map_err(|e| failure(path, &e))
    }

    async fn append(&mut self, table: &str, rows: Vec<Vec<Option<String>>>) -> Result<()> {
        let (schema, table) = table.split_once('.').unwrap_or(("main", table));
        self.change(Change::Append { schema: schema.into(), table: table.into(), rows }).map(drop)
    }

    async fn damaged_files(&mut self, files: &[StagedFile]) -> Result<BTreeMap<String, String>> {
        let stage = &self.stage;
        tokio::task::block_in_place(|| {
            let mut damaged = BTreeMap::new();
            for file in files {
                if let Some(reason) = damage(file, stage)? {
                    damaged.insert(file.key.clone(), reason);
                }
            }
            Ok(damaged)
        })
    }

    async fn copy_in(&mut self, dataset: &'static Dataset, files: &[StagedFile]) -> Result<()> {
        let mut prefix = "create or replace temporary table incoming as";
        for files in files.chunks(FILES_PER_STATEMENT) {
            self.execute(&format!("{prefix} {}", rows_of(dataset, files, &self.stage))).await?;
            prefix = "insert into incoming";
        }
        Ok(())
    }

    fn files_per_load(&self) -> usize {
        FILES_PER_LOAD
    }

    async fn release(&mut self, tables: &[&str]) -> Result<()> {
        for table in tables {
            self.execute(&format!("drop table {table}")).await?;
        }
        Ok(())
    }

    fn take_usage(&mut self) -> Usage {
        Usage {
            statements: std::mem::take(&mut self.statements),
            ..Usage::default()
        }
    }

    /// Moves the write-ahead log into the file, so that readers need not replay it.
    async fn close(&mut self) -> Result<()> {
        self.execute("checkpoint").await.map(|_| ())
    }
}

/// Why a landing file cannot be loaded: it is missing, or its content is not what extract wrote.
fn damage(file: &StagedFile, stage: &Path) -> Result<Option<String>> {
    let fix = "restore it from a backup, or fetch its rows again with --full";
    let path = stage.join(&file.key);
    match std::fs::read(&path) {
        // Files of early builds have no hash.
        Ok(body) if file.sha256.is_empty() || hash::sha256(&body) == file.sha256 => Ok(None),
        Ok(_) => Ok(Some(format!("{} on the stage was changed after it was written: {fix}", file.key))),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            Ok(Some(format!("{} is missing on the stage: {fix}", file.key)))
        }
        Err(e) => Err(Error::Resource(format!("cannot read {}: {e}", path.display()))),
    }
}

/// The rows of a query whose columns are all text.
pub(crate) fn texts(connection: &Connection, sql: &str) -> ::duckdb::Result<Vec<Vec<Option<String>>>> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = row.as_ref().column_count();
        let cell = |i: usize| {
            row.get_ref(i).map(|value| match value {
                ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
                _ => None,
            })
        };
        found.push((0..columns).map(cell).collect::<::duckdb::Result<_>>()?);
    }
    Ok(found)
}

/// A query for the rows of landing files, as `incoming` holds them. Values are canonical text, so the casts can neither
/// fail nor round.
fn rows_of(dataset: &Dataset, files: &[StagedFile], stage: &Path) -> String {
    let root = stage.to_string_lossy();
    let paths: Vec<String> = files.iter().map(|f| literal(&format!("{root}/{}", f.key))).collect();
    let fields: Vec<String> = dataset.columns.iter().map(|c| format!("{} varchar", c.name)).collect();
    let columns: Vec<String> = dataset.columns.iter().map(|c| format!("{} as {}", cast(c), c.name)).collect();
    format!(
        "select {columns}, hash as row_hash, observed_at, substr(filename, {skip}) as source_file, n as source_row, \
             symbol as subject, reject, findings, payload \
         from read_json([{paths}], format = 'newline_delimited', compression = 'gzip', filename = true, \
             columns = {{n: 'BIGINT', symbol: 'VARCHAR', hash: 'VARCHAR', observed_at: 'TIMESTAMP', reject: 'VARCHAR', findings: 'VARCHAR', \
             \"row\": 'STRUCT({fields})', payload: 'VARCHAR'}})",
        columns = columns.join(", "),
        skip = root.chars().count() + 2,
        paths = paths.join(", "),
        fields = fields.join(", "),
    )
}

/// A value of the landing row, cast to its column's type.
fn cast(column: &Column) -> String {
    let value = format!("\"row\".{}", column.name);
    match column.kind {
        Kind::Text => value,
        // DuckDB casts text to a 64-bit decimal about forty times faster than to a 128-bit one, and most amounts fit.
        Kind::Decimal => {
            format!("coalesce(try_cast({value} as decimal(18, 6))::decimal(38, 6), {value}::decimal(38, 6))")
        }
        other => format!("{value}::{}", other.sql()),
    }
}
