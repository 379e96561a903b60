//! The warehouse: stores rows and computes figures. All engines run the same SQL; this port covers
//! the differences, such as loading rows and opening a session.

use std::{collections::BTreeMap, future::Future, iter, time::Instant};

use crate::{landing::StagedFile, run::RunId, usage::Usage};
use findata_domain::{Result, catalog::Column};

/// A statement, with the step to which it belongs; empty for the step that began last.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    /// The dataset or model for which the statement runs.
    pub step: &'a str,
    /// The statement.
    pub sql: &'a str,
}

/// A session on a warehouse. It runs one statement at a time, in the order of the calls.
pub trait Warehouse: Send {
    /// Runs a statement and returns the number of rows it changed.
    fn execute(&mut self, sql: &str) -> impl Future<Output = Result<u64>> + Send;

    /// Whether [`Warehouse::execute_all`] sends several statements per request, so that it saves round trips.
    fn sends_batches(&self) -> bool {
        false
    }

    /// Runs statements in order. If one fails, the later ones are not run. The error of an engine that sends several
    /// statements per request does not say which one failed.
    fn execute_all(&mut self, statements: &[Statement<'_>]) -> impl Future<Output = Result<()>> + Send {
        async move {
            for statement in statements {
                self.execute(statement.sql).await?;
            }
            Ok(())
        }
    }

    /// Runs a query with a small result. Returns the values as text, `None` for NULL.
    fn query(&mut self, sql: &str) -> impl Future<Output = Result<Vec<Vec<Option<String>>>>> + Send;

    /// Appends rows to a table. Values are in column order, as text that the engine casts to the
    /// column's type. Meant for `ops.tasks`, which gets one row per task of a run.
    fn append(
        &mut self,
        table: &str,
        rows: Vec<Vec<Option<String>>>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Returns the keys of landing files that are missing or do not match the hash in the ledger,
    /// with the reason. The default implementation returns no keys, for storage that verifies
    /// content itself, such as S3.
    fn damaged_files(
        &mut self,
        _files: &[StagedFile],
    ) -> impl Future<Output = Result<BTreeMap<String, String>>> + Send {
        async { Ok(BTreeMap::new()) }
    }

    /// Returns the statements that load the rows of landing files into the temporary table `incoming`. Its columns
    /// are these typed columns, then `row_hash`, `observed_at`, `source_file`, `source_row`,
    /// `subject` (the symbol that was requested), `reject`, `findings`, `payload`.
    fn copies(&self, columns: &[Column], files: &[StagedFile]) -> Vec<String>;

    /// Drops temporary tables that are no longer read, to free memory. An engine that stores them
    /// outside this process may drop them at the end of the session instead.
    fn release(&mut self, tables: &[&str]) -> impl Future<Output = Result<()>> + Send;

    /// Labels the following statements in the query history, on engines that have one.
    fn begin_step(&mut self, _run: &RunId, _function: &'static str, _step: &str) {}

    /// Returns the usage since the last call of this method. An engine without billing counts only
    /// statements.
    fn take_usage(&mut self) -> Usage {
        Usage::default()
    }

    /// Returns whether a session costs money. If so, callers open the warehouse only when there are
    /// rows to load.
    fn is_billed(&self) -> bool {
        false
    }

    /// Returns how many landing files to load per transaction. Fewer files need less memory but
    /// more transactions, each of which runs a dozen statements.
    fn files_per_load(&self) -> usize {
        usize::MAX
    }

    /// Returns how many rows analytics computes at a time, counted in rows of prices. Smaller slices
    /// need less memory, but each slice runs about 120 statements. By default, all rows are computed
    /// at once.
    fn rows_per_slice(&self) -> u64 {
        u64::MAX
    }

    /// Returns when the session must end; `None` without a time limit. With a limit, load and analytics store
    /// each finished slice, so that another invocation can continue.
    fn ends_at(&self) -> Option<Instant> {
        None
    }

    /// Announces about how many rows each of the following statements reads, so that an engine in
    /// this process can choose its number of threads.
    fn expect_rows(&mut self, _rows: u64) -> Result<()> {
        Ok(())
    }

    /// Ends the session. Committed rows are safe even if this method is not called.
    fn close(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// Runs statements as one transaction.
///
/// # Errors
/// The error of the first statement that failed, after the transaction is rolled back.
pub async fn in_transaction(warehouse: &mut impl Warehouse, statements: &[String]) -> Result<()> {
    let texts = iter::once("begin transaction")
        .chain(statements.iter().map(String::as_str))
        .chain(["commit"]);
    let statements: Vec<_> = texts.map(|sql| Statement { step: "", sql }).collect();
    let executed = warehouse.execute_all(&statements).await;
    roll_back_on_error(warehouse, executed).await
}

/// Rolls back the open transaction if `result` is an error. Returns `result`.
///
/// # Errors
/// The error of `result`.
pub async fn roll_back_on_error<T>(warehouse: &mut impl Warehouse, result: Result<T>) -> Result<T> {
    if result.is_err() {
        // Ignore an error of the rollback: if the session was lost, the first error explains why.
        let _ = warehouse.execute("rollback").await;
    }
    result
}
