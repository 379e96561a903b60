//! The warehouse in a DuckDB file: implements the port [`Warehouse`].

pub mod as_of;
mod comments;
mod config;
mod error;
mod landing;
mod lock;
mod main_views;
mod memory;
mod migration;
mod session;

use std::{
    collections::BTreeMap,
    iter,
    path::{Path, PathBuf},
    time::Instant,
};

use ::duckdb::{AccessMode, Connection, types::ValueRef};
use findata_domain::{Error, Result, catalog::Column};
use findata_models::{Models, comments::TableComments, schema::Upgrade};
use findata_pipeline::{landing::StagedFile, ports::warehouse::Warehouse, usage::Usage};

use config::connect;
pub use config::{Reach, refuse_folder, remove_spill_folders};
use error::failure;
pub use error::{is_disk_full, is_file_too_large, resource_failure};
use landing::{damage, rows_of};
pub use lock::holder;
pub use memory::MemoryLimit;
use session::{Change, Session};

/// Number of landing files per statement. DuckDB buffers every file that a statement reads: with
/// 100 files and two threads, a limit of 256 MiB was not enough.
const FILES_PER_STATEMENT: usize = 32;
/// Number of landing files per load transaction. A file contains up to 50 symbols, so the table
/// `incoming` never has more than 3,200 symbols.
const FILES_PER_LOAD: usize = 64;

/// Number of rows that analytics computes at a time, counted in rows of prices. The models and the
/// publishing of 505 symbols with five years of prices took 20 CPU seconds with slices of 150,000
/// rows, 23 with 80,000, 25 with 300,000 and 27 with 600,000 (on a busy machine).
const ROWS_PER_SLICE: u64 = 150_000;

/// A connection to a DuckDB file, and the stage directory whose landing files it loads.
pub struct DuckDb {
    session: Session,
    path: PathBuf,
    stage: PathBuf,
    /// Number of statements since the last call of [`Warehouse::take_usage`].
    statements: u64,
}

impl DuckDb {
    /// Opens the file for a run. Creates the file and missing tables, and migrates tables of other
    /// findata versions.
    ///
    /// # Errors
    /// `Resource` if another process uses the file; `Damaged` if the file is damaged or not a
    /// DuckDB file; `Config` if it cannot be created, or a newer build has upgraded it.
    pub fn open(path: &Path, stage: &Path, memory: MemoryLimit, models: &Models) -> Result<Self> {
        let connection = connect(path, AccessMode::ReadWrite, memory)?;
        let version = migration::version(&connection).map_err(|e| failure(path, &e))?;
        migration::refuse_newer(path, version)?;
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
    /// `Config` if the file does not exist; otherwise the errors of [`DuckDb::open`].
    pub fn open_to_read(path: &Path, reach: Reach<'_>, memory: MemoryLimit) -> Result<Connection> {
        Self::open_version(path, reach, memory).map(|(connection, _)| connection)
    }

    /// Like [`DuckDb::open_to_read`]. Also returns the version of the tables, if the file has any.
    ///
    /// # Errors
    /// As for [`DuckDb::open_to_read`].
    pub fn open_version(
        path: &Path,
        reach: Reach<'_>,
        memory: MemoryLimit,
    ) -> Result<(Connection, Option<u32>)> {
        if !path.exists() {
            let fix = "run `findata run` or `findata demo` first, or set the data directory with --home";
            return Err(Error::Config(format!("there is no warehouse at {}; {fix}", path.display())));
        }
        let connection = connect(path, AccessMode::ReadOnly, memory)?;
        let version = migration::version(&connection).map_err(|e| failure(path, &e))?;
        migration::refuse_newer(path, version)?;
        main_views::stand_in(&connection)
            .and_then(|()| reach.restrict(&connection))
            .map_err(|e| failure(path, &e))?;
        Ok((connection, version))
    }

    /// Writes the descriptions of tables and columns to the file, where they have changed.
    ///
    /// # Errors
    /// The errors of [`DuckDb::open`].
    pub fn describe(&mut self, tables: &[TableComments]) -> Result<()> {
        comments::write(&self.session.connection, tables).map_err(|e| failure(&self.path, &e))
    }
}

/// Refuses a file that a newer build has upgraded.
///
/// # Errors
/// `Config` with both versions and the fix.
pub fn refuse_newer(path: &Path, version: Option<u32>) -> Result<()> {
    migration::refuse_newer(path, version)
}

/// Returns the version of the tables of a file that nobody writes to; `None` if it has none of findata.
///
/// # Errors
/// The errors of [`DuckDb::open`].
pub fn version(path: &Path, memory: MemoryLimit) -> Result<Option<u32>> {
    let connection = connect(path, AccessMode::ReadOnly, memory)?;
    migration::version(&connection).map_err(|e| failure(path, &e))
}

/// Returns what an upgrade of a file changes. Changes nothing.
///
/// # Errors
/// The errors of [`DuckDb::open_to_read`].
pub fn planned_upgrade(path: &Path, memory: MemoryLimit, models: &Models) -> Result<Upgrade> {
    let connection = DuckDb::open_to_read(path, Reach::Warehouse, memory)?;
    let stored = migration::stored(&connection).map_err(|e| failure(path, &e))?;
    Ok(Upgrade::of(&stored, models))
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

impl Warehouse for DuckDb {
    async fn execute(&mut self, sql: &str) -> Result<u64> {
        let started = Instant::now();
        let changed = self.change(Change::Statement(sql.to_owned()));
        let head: String = sql.chars().take(100).collect();
        tracing::debug!(seconds = started.elapsed().as_secs_f64(), statement = head, "statement");
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

    fn copies(&self, columns: &[Column], files: &[StagedFile]) -> Vec<String> {
        let prefixes = iter::once("create or replace temporary table incoming as")
            .chain(iter::repeat("insert into incoming"));
        let parts = prefixes.zip(files.chunks(FILES_PER_STATEMENT));
        parts
            .map(|(prefix, files)| format!("{prefix} {}", rows_of(columns, files, &self.stage)))
            .collect()
    }

    fn files_per_load(&self) -> usize {
        FILES_PER_LOAD
    }

    fn rows_per_slice(&self) -> u64 {
        ROWS_PER_SLICE
    }

    fn expect_rows(&mut self, rows: u64) -> Result<()> {
        let path = &self.path;
        self.session.expect_rows(rows).map_err(|e| failure(path, &e))
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

    /// Moves the write-ahead log into the database file, so that readers do not have to replay it.
    async fn close(&mut self) -> Result<()> {
        self.execute("checkpoint").await.map(|_| ())
    }
}

/// Moves the write-ahead log of a process that ended without closing the file into the file.
///
/// # Errors
/// As for [`DuckDb::open`].
pub fn recover_log(path: &Path, memory: MemoryLimit) -> Result<()> {
    let connection = connect(path, AccessMode::ReadWrite, memory)?;
    connection.execute_batch("checkpoint").map_err(|e| failure(path, &e))
}

/// Runs a query whose columns are all text and returns its rows.
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
