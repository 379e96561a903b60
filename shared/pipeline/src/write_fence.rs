//! The write fence: prevents two invocations of a function from writing the same rows twice.
//!
//! A function compares new rows with the stored rows, and then writes the difference in a
//! transaction. A second invocation may run at the same time: for a duplicate event, for another
//! run, or after an invocation that timed out while its statement is still executing. Therefore
//! each function has a counter in the warehouse. [`WriteFence::read`] reads the counter before the
//! function compares rows. The transaction increments the counter, but only if it is unchanged.
//! Concurrent transactions wait for each other: on Snowflake, for the lock of the table `ops.turns`,
//! so load and analytics wait for each other too. If the counter has changed, the function compared
//! stale rows and must start over.
//!
//! On Snowflake, each statement sees what was committed before it began. A function that reads rows
//! of another one in many statements can therefore make its transaction depend on a query, which
//! finds changes of these rows since ([`WriteFence::write_unless`]).
//!
//! The counters are in the table `ops.turns`, one row per function. The table's old name stays,
//! because renaming it would require a migration of existing Snowflake accounts.

use std::time::Duration;

use findata_domain::{Error, Result};

use crate::ports::warehouse::{Statement, Warehouse, roll_back_on_error};

/// Wait before the retry, to give the other invocation time to finish.
const PAUSE: Duration = Duration::from_secs(2);

/// A function's write counter, as read before the function compared rows.
#[derive(Debug, Clone, Copy)]
pub struct WriteFence {
    function: &'static str,
    number: u64,
}

impl WriteFence {
    /// Reads the counter of a function that writes to the warehouse.
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

    /// The counter, as read or as written last.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Checks that no other invocation has written. Statements outside of transactions, such as those that create
    /// tables, are not fenced: this check only makes a conflict unlikely.
    ///
    /// # Errors
    /// `Retry` after a pause if the counter has changed; the errors of [`WriteFence::read`].
    pub async fn check(&self, warehouse: &mut impl Warehouse) -> Result<()> {
        match WriteFence::read(self.function, warehouse).await?.number == self.number {
            true => Ok(()),
            false => Err(self.conflict("")),
        }
    }

    /// Begins a transaction, increments the counter in it, and runs statements. Stores the new number in `self`, so
    /// that the same invocation can begin another transaction later. The caller commits.
    ///
    /// # Errors
    /// `Retry` after a pause if another invocation has written in the meantime; the error of the first statement that
    /// failed. On an error, the transaction is rolled back.
    pub async fn begin(&mut self, warehouse: &mut impl Warehouse, statements: &[&str]) -> Result<()> {
        self.run(None, warehouse, statements).await
    }

    /// Runs statements as one fenced transaction.
    ///
    /// # Errors
    /// The errors of [`WriteFence::begin`].
    pub async fn write(&mut self, warehouse: &mut impl Warehouse, statements: &[String]) -> Result<()> {
        self.write_if(None, warehouse, statements).await
    }

    /// Like [`WriteFence::write`], but only if the query `changes` returns no rows.
    ///
    /// # Errors
    /// The errors of [`WriteFence::write`], and `Retry` if the query returns rows.
    pub async fn write_unless(
        &mut self,
        changes: &str,
        warehouse: &mut impl Warehouse,
        statements: &[String],
    ) -> Result<()> {
        self.write_if(Some(changes), warehouse, statements).await
    }

    async fn write_if(
        &mut self,
        changes: Option<&str>,
        warehouse: &mut impl Warehouse,
        statements: &[String],
    ) -> Result<()> {
        let statements: Vec<&str> = statements.iter().map(String::as_str).chain(["commit"]).collect();
        self.run(changes, warehouse, &statements).await
    }

    /// Begins a transaction, increments the counter unless the query `changes` returns rows, and runs statements. An
    /// engine behind a network gets all of it with one request.
    async fn run(
        &mut self,
        changes: Option<&str>,
        warehouse: &mut impl Warehouse,
        statements: &[&str],
    ) -> Result<()> {
        let increment = self.increment(changes);
        let fence = ["begin transaction"].into_iter().chain(increment.iter().map(String::as_str));
        let statements = fence.chain(statements.iter().copied());
        let statements: Vec<_> = statements.map(|sql| Statement { step: "", sql }).collect();
        let executed = warehouse.execute_all(&statements).await;
        match roll_back_on_error(warehouse, executed).await {
            Ok(()) => {
                self.number += 1;
                Ok(())
            }
            // A statement was rejected. If it was the increment, the statements after it did not run.
            Err(error @ Error::Stop(_)) => Err(self.conflict_or(error, changes, warehouse).await),
            Err(error) => Err(error),
        }
    }

    /// The statements that increment the counter. The second one fails if the first one has not deleted the counter,
    /// because text cannot be cast to a number. Without a row, `max` is NULL, and so is the cast.
    fn increment(&self, changes: Option<&str>) -> [String; 2] {
        let WriteFence { function, number } = *self;
        let unless = changes.map(|query| format!(" and not exists ({query})")).unwrap_or_default();
        let next = number + 1;
        [
            format!("delete from ops.turns where function = '{function}' and number = {number}{unless}"),
            format!(
                "insert into ops.turns (function, number) \
                 select '{function}', coalesce(cast(max(function) as bigint), {next}) from ops.turns \
                 where function = '{function}'"
            ),
        ]
    }

    /// The error of a transaction that was rolled back: a conflict if the counter was not incremented because of one.
    async fn conflict_or(
        &self,
        error: Error,
        changes: Option<&str>,
        warehouse: &mut impl Warehouse,
    ) -> Error {
        match WriteFence::read(self.function, warehouse).await {
            Ok(now) if now.number != self.number => return self.conflict(""),
            Ok(_) => {}
            Err(_) => return error,
        }
        match changes {
            Some(query) if warehouse.query(query).await.is_ok_and(|rows| !rows.is_empty()) => {
                self.conflict(", or the rows that it read have changed")
            }
            _ => error,
        }
    }

    fn conflict(&self, or_changed: &str) -> Error {
        let function = self.function;
        let reason = format!(
            "another invocation of {function} wrote to the warehouse{or_changed}: this invocation starts over"
        );
        Error::Retry { reason, after: Some(PAUSE) }
    }
}
