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
/// The first statement's that failed; nothing of the transaction is left then.
pub async fn in_transaction(warehouse: &mut impl Warehouse, statements: &[String]) -> Result<()> {
    warehouse.execute("begin transaction").await?;
    for statement in statements {
        if let Err(error) = warehouse.execute(statement).await {
            // The session may be gone with the transaction; the first error is the one to tell.
            let _ = warehouse.execute("rollback").await;
            return Err(error);
        }
    }
    warehouse.execute("commit").await.map(|_| ())
}
