//! The warehouse: stores rows and computes figures. All engines run the same SQL; this port covers what differs, such as
//! loading rows and opening a session.

use std::{collections::BTreeMap, future::Future};

use crate::{landing::StagedFile, run::RunId, usage::Usage};
use findata_domain::{Result, catalog::Dataset};

/// A session on a warehouse. Each call runs one statement; a session runs its statements in order.
pub trait Warehouse: Send {
    /// Runs a statement and returns the number of rows it changed.
    fn execute(&mut self, sql: &str) -> impl Future<Output = Result<u64>> + Send;

    /// Runs a query with a small result. Values are text, `None` for NULL.
    fn query(&mut self, sql: &str) -> impl Future<Output = Result<Vec<Vec<Option<String>>>>> + Send;

    /// Appends rows to a table: values as text that the column types parse, in column order. Meant for ledger rows, of
    /// which a run has one per call.
    fn append(
        &mut self,
        table: &str,
        rows: Vec<Vec<Option<String>>>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// The landing files that are missing or do not have the hash that the ledger recorded, by key, with the reason. Empty
    /// on an engine whose storage verifies content itself, as S3 does.
    fn damaged_files(
        &mut self,
        _files: &[StagedFile],
    ) -> impl Future<Output = Result<BTreeMap<String, String>>> + Send {
        async { Ok(BTreeMap::new()) }
    }

    /// Loads the rows of landing files into the temporary table `incoming`: the dataset's typed columns, then
    /// `row_hash`, `observed_at`, `source_file`, `source_row`, `subject` (symbol whose answer held the row), `reject`, `findings`,
    /// `payload`.
    fn copy_in(
        &mut self,
        dataset: &'static Dataset,
        files: &[StagedFile],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Drops temporary tables that are no longer read. An engine that keeps them outside this process's memory may wait
    /// for the end of the session.
    fn release(&mut self, tables: &[&str]) -> impl Future<Output = Result<()>> + Send;

    /// Labels the statements that follow, for engines with a query history.
    fn begin_step(&mut self, _run: &RunId, _function: &'static str, _step: &str) {}

    /// Usage since the last call; on an engine without billing, only the number of statements.
    fn take_usage(&mut self) -> Usage {
        Usage::default()
    }

    /// Whether a session costs money. Such a warehouse is not opened before there is something to load.
    fn is_billed(&self) -> bool {
        false
    }

    /// How many landing files to load per transaction. Fewer need less memory; each transaction is a dozen statements.
    fn files_per_load(&self) -> usize {
        usize::MAX
    }

    /// Ends the session. Committed rows are safe even without it.
    fn close(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// Runs statements as one transaction.
///
/// # Errors
/// The error of the first statement that failed; the transaction is then rolled back.
pub async fn in_transaction(warehouse: &mut impl Warehouse, statements: &[String]) -> Result<()> {
    warehouse.execute("begin transaction").await?;
    execute_and_commit(warehouse, statements).await
}

/// Runs statements in the open transaction and commits it.
///
/// # Errors
/// As for [`in_transaction`].
pub async fn execute_and_commit(warehouse: &mut impl Warehouse, statements: &[String]) -> Result<()> {
    for statement in statements {
        let executed = warehouse.execute(statement).await;
        roll_back_on_error(warehouse, executed).await?;
    }
    warehouse.execute("commit").await.map(|_| ())
}

/// Rolls back the open transaction if `result` is an error. Returns `result`.
///
/// # Errors
/// The error of `result`.
pub async fn roll_back_on_error<T>(warehouse: &mut impl Warehouse, result: Result<T>) -> Result<T> {
    if result.is_err() {
        // The rollback fails too if the session is gone; the first error explains why.
        let _ = warehouse.execute("rollback").await;
    }
    result
}
