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
//! Analytics reads `staging` in many statements, and on Snowflake each of them sees what load has
//! committed before it began. Analytics therefore also reads load's counter at the beginning
//! ([`WriteFence::reading`]), and publishes only if that counter is unchanged
//! ([`WriteFence::write_computed`]). All its figures then come from one state of `staging`.
//!
//! The counters are in the table `ops.turns`, one row per function. The table's old name stays,
//! because renaming it would require a migration of existing Snowflake accounts.

use std::{collections::BTreeMap, time::Duration};

use findata_domain::{Error, Result};

use crate::ports::warehouse::{Warehouse, execute_and_commit, roll_back_on_error};

/// Wait before the retry, to give the other invocation time to finish.
const PAUSE: Duration = Duration::from_secs(2);

/// A function's write counter, as read before the function compared rows.
#[derive(Debug, Clone, Copy)]
pub struct WriteFence {
    function: &'static str,
    number: u64,
    /// The function whose rows this function reads, and its counter.
    source: Option<(&'static str, u64)>,
}

impl WriteFence {
    /// Reads the counter of a function that writes to the warehouse.
    ///
    /// # Errors
    /// `Config` if the table has no row for the function; the warehouse's errors.
    pub async fn read(function: &'static str, warehouse: &mut impl Warehouse) -> Result<WriteFence> {
        let numbers = numbers(warehouse).await?;
        Ok(WriteFence { function, number: number_of(function, &numbers)?, source: None })
    }

    /// Reads the counter of a function, and that of the function `source` whose rows it reads.
    ///
    /// # Errors
    /// The errors of [`WriteFence::read`].
    pub async fn reading(
        source: &'static str,
        function: &'static str,
        warehouse: &mut impl Warehouse,
    ) -> Result<WriteFence> {
        let numbers = numbers(warehouse).await?;
        let source = Some((source, number_of(source, &numbers)?));
        Ok(WriteFence { function, number: number_of(function, &numbers)?, source })
    }

    /// Begins a transaction and increments the counter in it. Stores the new number in `self`, so
    /// that the same invocation can begin another transaction later.
    ///
    /// # Errors
    /// `Retry` after a pause if another invocation has written in the meantime; the warehouse's
    /// errors. On an error, the transaction is rolled back.
    pub async fn begin(&mut self, warehouse: &mut impl Warehouse) -> Result<()> {
        let increment = self.begin_if(None, warehouse).await?;
        let incremented = warehouse.execute(&increment).await;
        roll_back_on_error(warehouse, incremented).await?;
        Ok(())
    }

    /// Begins a transaction and deletes the counter, if neither it nor the counter of `source` has changed. Returns
    /// the statement that inserts the new counter.
    async fn begin_if(
        &mut self,
        source: Option<(&'static str, u64)>,
        warehouse: &mut impl Warehouse,
    ) -> Result<String> {
        warehouse.execute("begin transaction").await?;
        let deleted = self.delete(source, warehouse).await;
        roll_back_on_error(warehouse, deleted).await?;
        self.number += 1;
        Ok(format!("insert into ops.turns (function, number) values ('{}', {})", self.function, self.number))
    }

    async fn delete(
        &self,
        source: Option<(&'static str, u64)>,
        warehouse: &mut impl Warehouse,
    ) -> Result<()> {
        let WriteFence { function, number, .. } = *self;
        let is_same = source.map(|(source, number)| {
            format!(
                " and exists (select 1 from ops.turns s where s.function = '{source}' and s.number = {number})"
            )
        });
        let delete = format!(
            "delete from ops.turns where function = '{function}' and number = {number}{}",
            is_same.unwrap_or_default()
        );
        if warehouse.execute(&delete).await? == 1 {
            return Ok(());
        }
        let others = source.map(|(source, _)| format!(" or {source}")).unwrap_or_default();
        let reason = format!(
            "another invocation of {function}{others} wrote to the warehouse: this invocation starts over"
        );
        Err(Error::Retry { reason, after: Some(PAUSE) })
    }

    /// Runs statements as one fenced transaction.
    ///
    /// # Errors
    /// The errors of [`WriteFence::begin`]; the error of the first statement that failed. On an
    /// error, the transaction is rolled back.
    pub async fn write(&mut self, warehouse: &mut impl Warehouse, statements: &[String]) -> Result<()> {
        self.write_if(None, warehouse, statements).await
    }

    /// Like [`WriteFence::write`], but only if the function of [`WriteFence::reading`] has not written either.
    ///
    /// # Errors
    /// The errors of [`WriteFence::write`].
    pub async fn write_computed(
        &mut self,
        warehouse: &mut impl Warehouse,
        statements: &[String],
    ) -> Result<()> {
        self.write_if(self.source, warehouse, statements).await
    }

    async fn write_if(
        &mut self,
        source: Option<(&'static str, u64)>,
        warehouse: &mut impl Warehouse,
        statements: &[String],
    ) -> Result<()> {
        let increment = self.begin_if(source, warehouse).await?;
        let statements = [&[increment], statements].concat();
        execute_and_commit(warehouse, &statements).await
    }
}

/// The counters by function.
async fn numbers(warehouse: &mut impl Warehouse) -> Result<BTreeMap<String, u64>> {
    let rows = warehouse.query("select function, number::varchar from ops.turns").await?;
    let read = |row: Vec<Option<String>>| match row.as_slice() {
        [Some(function), Some(number)] => Some((function.clone(), number.parse().ok()?)),
        _ => None,
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

fn number_of(function: &str, numbers: &BTreeMap<String, u64>) -> Result<u64> {
    numbers.get(function).copied().ok_or_else(|| {
        Error::Config(format!(
            "ops.turns has no row for {function}: run the output of `findata setup-sql` again"
        ))
    })
}
