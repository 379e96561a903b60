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

use crate::ports::warehouse::{Warehouse, in_transaction, roll_back_on_error};

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

    /// Begins a transaction and increments the counter in it. Stores the new number in `self`, so
    /// that the same invocation can begin another transaction later. The caller commits.
    ///
    /// # Errors
    /// `Retry` after a pause if another invocation has written in the meantime; the warehouse's
    /// errors. On an error, the transaction is rolled back.
    pub async fn begin(&mut self, warehouse: &mut impl Warehouse) -> Result<()> {
        let increment = self.increment(None);
        let begun = async {
            // One by one: Snowflake would roll back a transaction that a request of several statements leaves open.
            warehouse.execute("begin transaction").await?;
            for statement in &increment {
                warehouse.execute(statement).await?;
            }
            Ok(())
        };
        let begun = begun.await;
        let begun = roll_back_on_error(warehouse, begun).await;
        self.incremented(begun, None, warehouse).await
    }

    /// Runs statements as one fenced transaction.
    ///
    /// # Errors
    /// The errors of [`WriteFence::begin`]; the error of the first statement that failed. On an
    /// error, the transaction is rolled back.
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
        let increment = self.increment(changes);
        let executed = in_transaction(warehouse, &[&increment[..], statements].concat()).await;
        self.incremented(executed, changes, warehouse).await
    }

    /// Stores the new number, or finds out whether the transaction, which was rolled back, failed because of a conflict.
    async fn incremented(
        &mut self,
        executed: Result<()>,
        changes: Option<&str>,
        warehouse: &mut impl Warehouse,
    ) -> Result<()> {
        match executed {
            Ok(()) => {
                self.number += 1;
                Ok(())
            }
            // A statement was rejected. If it was the increment, the statements after it did not run.
            Err(error @ Error::Stop(_)) => Err(self.conflict_or(error, changes, warehouse).await),
            Err(error) => Err(error),
        }
    }

    /// The statements that increment the counter, unless the query `changes` returns rows. If the first one has not
    /// deleted the counter, the second one fails, because the function's name is not a number. Otherwise `max` is
    /// NULL, and the new number is inserted.
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
        // In this order: a transaction that removes the changes also increments the counter.
        if let Some(query) = changes
            && warehouse.query(query).await.is_ok_and(|rows| !rows.is_empty())
        {
            return self.conflict(", or the rows that it read have changed");
        }
        match WriteFence::read(self.function, warehouse).await {
            Ok(now) if now.number != self.number => self.conflict(""),
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
