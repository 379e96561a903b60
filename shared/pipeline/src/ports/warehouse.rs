//! The warehouse: where rows end and figures are computed. SQL is one text for every engine; what differs,
//! how rows get in and how a session begins, is behind this port.

use std::future::Future;

use crate::{landing::StagedFile, run::RunId, usage::Usage};
use findata_domain::{Result, catalog::Dataset};

/// A session on a warehouse. One statement a call; statements of one session run in order.
pub trait Warehouse: Send {
    /// Runs a statement and says how many rows it changed.
    fn execute(&mut self, sql: &str) -> impl Future<Output = Result<u64>> + Send;

    /// Runs a query of few rows; every value as text.
    fn query(&mut self, sql: &str) -> impl Future<Output = Result<Vec<Vec<Option<String>>>>> + Send;

    /// Appends rows to a table: texts that its columns' types read, in the order of its columns. For the ledger's rows,
    /// of which a run has one a call.
    fn append(&mut self, table: &str, rows: Vec<Vec<Option<String>>>) -> impl Future<Output = Result<()>> + Send;

    /// Brings the rows of landing files into the temporary table `incoming`: the dataset's typed columns, then
    /// `row_hash`, `observed_at`, `source_file`, `source_row`, `subject` (whose answer it was in), `reject`, `payload`.
    fn copy_in(&mut self, dataset: &'static Dataset, files: &[StagedFile]) -> impl Future<Output = Result<()>> + Send;

    /// Lets go of temporary tables that are read no more. An engine that keeps them outside this process's memory leaves
    /// them to the end of the session.
    fn release(&mut self, tables: &[&str]) -> impl Future<Output = Result<()>> + Send;

    /// Says what the statements from here on are part of; an engine with a history of statements shows it there.
    fn begin_step(&mut self, _run: &RunId, _function: &'static str, _step: &str) {}

    /// What it was used for since this was asked last; nothing on an engine that bills nothing.
    fn take_usage(&mut self) -> Usage {
        Usage::default()
    }

    /// Whether a session costs money. Such a warehouse is not called before there is something to load.
    fn is_billed(&self) -> bool {
        false
    }

    /// Makes room for the models, which need more memory than loading.
    fn prepare_to_compute(&mut self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Ends the work of this session. Committed rows are safe either way.
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
/// That of `result`.
pub async fn roll_back_on_error<T>(warehouse: &mut impl Warehouse, result: Result<T>) -> Result<T> {
    if result.is_err() {
        // The rollback fails too if the session is gone; the first error explains why.
        let _ = warehouse.execute("rollback").await;
    }
    result
}
