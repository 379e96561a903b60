//! Collects statements whose results are not needed. An engine behind a network receives them together, because each
//! request costs a round trip. Other engines execute them one by one, and drop a table after its last reader.

use findata_domain::Result;

use crate::ports::warehouse::{Statement, Warehouse};

/// Statements that are executed in order, at the latest by [`Batch::run`].
pub struct Batch<'w, W> {
    warehouse: &'w mut W,
    /// The step and the text of each statement that was not sent yet.
    waiting: Vec<(String, String)>,
    /// Tables to drop after these statements.
    released: Vec<String>,
}

impl<'w, W: Warehouse> Batch<'w, W> {
    /// An empty batch.
    pub fn new(warehouse: &'w mut W) -> Self {
        Batch { warehouse, waiting: Vec::new(), released: Vec::new() }
    }

    /// Adds a statement of a step; the step that began last if `step` is empty.
    ///
    /// # Errors
    /// The warehouse's errors, if it executes statements one by one.
    pub async fn execute(&mut self, step: &str, sql: String) -> Result<()> {
        if !self.warehouse.sends_batches() {
            return self.warehouse.execute(&sql).await.map(|_| ());
        }
        self.waiting.push((step.to_owned(), sql));
        Ok(())
    }

    /// Drops tables that no later statement reads.
    ///
    /// # Errors
    /// The errors of [`Batch::execute`].
    pub async fn release(&mut self, tables: &[&str]) -> Result<()> {
        if !self.warehouse.sends_batches() {
            return self.warehouse.release(tables).await;
        }
        self.released.extend(tables.iter().map(|table| (*table).to_owned()));
        Ok(())
    }

    /// Executes the statements that are waiting.
    ///
    /// # Errors
    /// The error of the first statement that failed. The statements after it are not executed.
    pub async fn run(self) -> Result<()> {
        let statements: Vec<_> = self.waiting.iter().map(|(step, sql)| Statement { step, sql }).collect();
        self.warehouse.execute_all(&statements).await?;
        let released: Vec<&str> = self.released.iter().map(String::as_str).collect();
        match released.is_empty() {
            true => Ok(()),
            false => self.warehouse.release(&released).await,
        }
    }
}
