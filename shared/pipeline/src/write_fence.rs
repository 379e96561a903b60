//! Write fence: keeps two invocations of one function from writing the same rows twice.
//!
//! A function computes what it writes before the transaction, as a difference from the stored rows.
//! A second invocation may run meanwhile: for a duplicate event, for another run, or after a
//! timeout whose statement is still executing. So each function has a counter. [`WriteFence::read`]
//! reads it before the function prepares anything, and the transaction increments it only if it is
//! unchanged. Concurrent transactions wait for each other on the counter's row. If the number
//! changed, the difference was computed from stale rows and must be recomputed.
//!
//! The counters are in `ops.turns`, one row per function. The table keeps this name so that
//! existing Snowflake accounts need no migration.

use std::time::Duration;

use findata_domain::{Error, Result};

use crate::ports::warehouse::{Warehouse, execute_and_commit, roll_back_on_error};

/// Wait before a retry, so that the other invocation can finish.
const PAUSE: Duration = Duration::from_secs(2);

/// A function's write counter as it was before the function prepared anything.
#[derive(Debug, Clone, Copy)]
pub struct WriteFence {
    function: &'static str,
    number: u64,
}

impl WriteFence {
    /// Reads the counter of one of the functions that write to a warehouse.
    ///
    /// # Errors
    /// `Config` if the table has no row for the function; the warehouse's errors.
    pub async fn read(function: &'static str, warehouse: &mut impl Warehouse) -> Result<WriteFence> {
        let rows = warehouse
            .query(&format!("select number::varchar from ops.turns where function = '{function}'"))
            .await?;
        let number = rows.first().and_then(|row| row.first()?.as_deref()?.parse().ok());
        let missing = || {
            Error::Config(format!(
                "ops.turns has no row for {function}: run the output of `findata setup-sql` again"
            ))
        };
        Ok(WriteFence { function, number: number.ok_or_else(missing)? })
    }

    /// Begins a transaction and increments the counter in it. The fence then holds the new number,
    /// so the same invocation can begin another transaction.
    ///
    /// # Errors
    /// `Retry` after a pause if another invocation has written since; the warehouse's errors. The
    /// transaction is then rolled back.
    pub async fn begin(&mut self, warehouse: &mut impl Warehouse) -> Result<()> {
        warehouse.execute("begin transaction").await?;
        let incremented = self.increment(warehouse).await;
        roll_back_on_error(warehouse, incremented).await?;
        self.number += 1;
        Ok(())
    }

    async fn increment(&self, warehouse: &mut impl Warehouse) -> Result<()> {
        let WriteFence { function, number } = *self;
        let delete = format!("delete from ops.turns where function = '{function}' and number = {number}");
        if warehouse.execute(&delete).await? != 1 {
            let reason =
                format!("another {function} wrote to the warehouse meanwhile: {function} starts over");
            return Err(Error::Retry { reason, after: Some(PAUSE) });
        }
        let insert =
            format!("insert into ops.turns (function, number) values ('{function}', {})", number + 1);
        warehouse.execute(&insert).await.map(|_| ())
    }

    /// Runs statements as one fenced transaction.
    ///
    /// # Errors
    /// As for [`WriteFence::begin`]; the error of the first statement that failed. The transaction
    /// is then rolled back.
    pub async fn write(&mut self, warehouse: &mut impl Warehouse, statements: &[String]) -> Result<()> {
        self.begin(warehouse).await?;
        execute_and_commit(warehouse, statements).await
    }
}
