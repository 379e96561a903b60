//! The places that a run may work in: a folder with DuckDB, or S3 with Snowflake.

use findata_shared::{
    Result,
    catalog::Dataset,
    ledger::StagedFile,
    run::RunId,
    stage::{Object, Stage, s3::S3Stage},
    warehouse::{Usage, Warehouse, snowflake::Snowflake},
};

use crate::{duckdb::DuckDb, stage::DirectoryStage};

/// Where files land.
#[derive(Debug, Clone)]
pub enum AnyStage {
    /// A folder.
    Directory(DirectoryStage),
    /// A prefix in a bucket.
    S3(S3Stage),
}

impl AnyStage {
    /// Writes so far.
    pub fn puts(&self) -> u64 {
        match self {
            AnyStage::Directory(stage) => stage.puts(),
            AnyStage::S3(stage) => stage.puts(),
        }
    }
}

impl Stage for AnyStage {
    async fn get(&self, key: &str) -> Result<Option<Object>> {
        match self {
            AnyStage::Directory(stage) => stage.get(key).await,
            AnyStage::S3(stage) => stage.get(key).await,
        }
    }

    async fn put_if_absent(&self, key: &str, body: bytes::Bytes) -> Result<bool> {
        match self {
            AnyStage::Directory(stage) => stage.put_if_absent(key, body).await,
            AnyStage::S3(stage) => stage.put_if_absent(key, body).await,
        }
    }

    async fn put_if_match(&self, key: &str, body: bytes::Bytes, etag: &str) -> Result<bool> {
        match self {
            AnyStage::Directory(stage) => stage.put_if_match(key, body, etag).await,
            AnyStage::S3(stage) => stage.put_if_match(key, body, etag).await,
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        match self {
            AnyStage::Directory(stage) => stage.list(prefix).await,
            AnyStage::S3(stage) => stage.list(prefix).await,
        }
    }
}

/// Where rows end.
pub enum AnyWarehouse {
    /// A DuckDB file.
    DuckDb(DuckDb),
    /// An account of Snowflake's.
    Snowflake(Box<Snowflake>),
}

impl AnyWarehouse {
    /// Whether using it costs: it is then left alone until there is something to load.
    pub fn is_billed(&self) -> bool {
        matches!(self, AnyWarehouse::Snowflake(_))
    }

    /// Allows as much memory as computing needs, where that is this process's.
    ///
    /// # Errors
    /// As for a statement.
    pub async fn fit_memory(&mut self) -> Result<()> {
        match self {
            AnyWarehouse::DuckDb(warehouse) => warehouse.fit_memory().await,
            AnyWarehouse::Snowflake(_) => Ok(()),
        }
    }

    /// Ends the work on it.
    ///
    /// # Errors
    /// As for a statement; what is committed is safe either way.
    pub async fn settle(&mut self) -> Result<()> {
        match self {
            AnyWarehouse::DuckDb(warehouse) => warehouse.settle().await,
            AnyWarehouse::Snowflake(warehouse) => warehouse.close().await,
        }
    }
}

impl Warehouse for AnyWarehouse {
    async fn execute(&mut self, sql: &str) -> Result<u64> {
        match self {
            AnyWarehouse::DuckDb(warehouse) => warehouse.execute(sql).await,
            AnyWarehouse::Snowflake(warehouse) => warehouse.execute(sql).await,
        }
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        match self {
            AnyWarehouse::DuckDb(warehouse) => warehouse.query(sql).await,
            AnyWarehouse::Snowflake(warehouse) => warehouse.query(sql).await,
        }
    }

    async fn append(&mut self, table: &str, rows: Vec<Vec<Option<String>>>) -> Result<()> {
        match self {
            AnyWarehouse::DuckDb(warehouse) => warehouse.append(table, rows).await,
            AnyWarehouse::Snowflake(warehouse) => warehouse.append(table, rows).await,
        }
    }

    async fn copy_in(&mut self, dataset: &'static Dataset, files: &[StagedFile]) -> Result<()> {
        match self {
            AnyWarehouse::DuckDb(warehouse) => warehouse.copy_in(dataset, files).await,
            AnyWarehouse::Snowflake(warehouse) => warehouse.copy_in(dataset, files).await,
        }
    }

    async fn release(&mut self, tables: &[&str]) -> Result<()> {
        match self {
            AnyWarehouse::DuckDb(warehouse) => warehouse.release(tables).await,
            AnyWarehouse::Snowflake(warehouse) => warehouse.release(tables).await,
        }
    }

    fn begin_step(&mut self, run: &RunId, function: &'static str, step: &str) {
        match self {
            AnyWarehouse::DuckDb(warehouse) => warehouse.begin_step(run, function, step),
            AnyWarehouse::Snowflake(warehouse) => warehouse.begin_step(run, function, step),
        }
    }

    fn take_usage(&mut self) -> Usage {
        match self {
            AnyWarehouse::DuckDb(warehouse) => warehouse.take_usage(),
            AnyWarehouse::Snowflake(warehouse) => warehouse.take_usage(),
        }
    }
}
