//! Turns: a function that prepared rows while another call of it wrote begins again, so that nothing is written twice.
//!
//! What is written is computed before the transaction, as a difference to what is there. A second call of the function may be at
//! work all the same: an event that came twice, another run, or a call that was ended while its statement went on. The number
//! in `ops.turns` is read first and taken by the transaction, on whose row the others wait; who finds another number there
//! computed his difference to what is no more.

use std::time::Duration;

use findata_domain::{Error, Result};

use crate::ports::warehouse::Warehouse;

/// What another call is given to finish what it is at.
const PAUSE: Duration = Duration::from_secs(2);

/// A function's turn as it stood before it prepared anything.
#[derive(Debug, Clone, Copy)]
pub struct WriteFence {
    function: &'static str,
    number: u64,
}

impl WriteFence {
    /// Reads the turn of one of [`findata_models::tables::WRITERS`].
    ///
    /// # Errors
    /// `Config` where the set-up has not made it; the warehouse's own.
    pub async fn read(function: &'static str, warehouse: &mut impl Warehouse) -> Result<WriteFence> {
        let found =
            warehouse.query(&format!("select number::varchar from ops.turns where function = '{function}'")).await?;
        let number = found.first().and_then(|row| row.first()?.as_deref()?.parse().ok());
        let missing = || {
            Error::Config("ops.turns has no row of this function: run the script of `findata setup-sql` again".into())
        };
        Ok(WriteFence { function, number: number.ok_or_else(missing)? })
    }

    /// Begins a transaction and takes the turn in it; the next transaction of the same call may take the next one.
    ///
    /// # Errors
    /// `Retry` with a pause where another call has written since, and nothing of the transaction is left then; the warehouse's own.
    pub async fn begin(&mut self, warehouse: &mut impl Warehouse) -> Result<()> {
        let WriteFence { function, number } = *self;
        warehouse.execute("begin transaction").await?;
        let taken = async {
            let take = format!("delete from ops.turns where function = '{function}' and number = {number}");
            if warehouse.execute(&take).await? != 1 {
                let reason = format!("another {function} wrote to the warehouse meanwhile: this one begins again");
                return Err(Error::Retry { reason, after: Some(PAUSE) });
            }
            let next = format!("insert into ops.turns (function, number) values ('{function}', {})", number + 1);
            warehouse.execute(&next).await
        };
        if let Err(error) = taken.await {
            // The session may be gone with the transaction; the first error is the one to tell.
            let _ = warehouse.execute("rollback").await;
            return Err(error);
        }
        self.number += 1;
        Ok(())
    }

    /// Runs statements as one transaction, in turn.
    ///
    /// # Errors
    /// As for [`WriteFence::begin`], and the first statement's that failed; nothing of the transaction is left then.
    pub async fn write(&mut self, warehouse: &mut impl Warehouse, statements: &[String]) -> Result<()> {
        self.begin(warehouse).await?;
        for statement in statements {
            if let Err(error) = warehouse.execute(statement).await {
                let _ = warehouse.execute("rollback").await;
                return Err(error);
            }
        }
        warehouse.execute("commit").await.map(|_| ())
    }
}
