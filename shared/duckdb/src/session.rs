//! A connection that starts with a low memory limit, and doubles the limit when a statement runs out
//! of memory. It uses as many threads as the number of rows is worth.

use std::thread::available_parallelism;

use ::duckdb::{Connection, appender_params_from_iter};

use crate::{error::is_out_of_memory, memory::MemoryLimit};

/// Number of rows for which a thread is added: DuckDB's row group, the unit that it distributes to
/// threads. With fewer rows, additional threads only poll for work: a first day of 505 symbols took
/// 4.5 CPU seconds with one thread and 5.9 with two, in the same time.
const ROWS_PER_THREAD: u64 = 122_880;

/// A change of the database.
pub(crate) enum Change {
    Statement(String),
    /// Appends rows to a table. Values are text, in column order.
    Append {
        schema: String,
        table: String,
        rows: Vec<Vec<Option<String>>>,
    },
}

impl Change {
    fn perform(&self, connection: &Connection) -> ::duckdb::Result<usize> {
        match self {
            Change::Statement(sql) => connection.execute(sql, []),
            Change::Append { schema, table, rows } => {
                let mut appender = connection.appender_to_db(table, schema)?;
                for row in rows {
                    appender.append_row(appender_params_from_iter(row))?;
                }
                appender.flush().map(|()| rows.len())
            }
        }
    }
}

/// A connection with a low memory limit. If a statement runs out of memory, the session doubles the
/// limit for its remaining lifetime and repeats the statement, until the full limit is reached. The
/// limit does not become higher than needed, because DuckDB keeps data in memory up to the limit
/// before it spills. Inside a transaction the session repeats the whole transaction, because DuckDB
/// aborts a transaction in which a statement fails.
pub(crate) struct Session {
    pub connection: Connection,
    /// The present memory limit.
    limit: MemoryLimit,
    /// The highest memory limit.
    full: MemoryLimit,
    threads: u64,
    /// The changes of the open transaction, kept to repeat them.
    transaction: Option<Vec<Change>>,
}

impl Session {
    pub fn new(connection: Connection, memory: MemoryLimit) -> ::duckdb::Result<Self> {
        let limit = memory.initial();
        set_memory(&connection, limit)?;
        set_threads(&connection, 1)?;
        Ok(Session {
            connection,
            limit,
            full: memory,
            threads: 1,
            transaction: None,
        })
    }

    /// Chooses the number of threads for statements that read about `rows` rows.
    pub fn expect_rows(&mut self, rows: u64) -> ::duckdb::Result<()> {
        let processors = available_parallelism().map_or(1, |n| n.get() as u64);
        let threads = (rows / ROWS_PER_THREAD).clamp(1, processors);
        if threads != self.threads {
            set_threads(&self.connection, threads)?;
            self.threads = threads;
        }
        Ok(())
    }

    /// Executes a change and returns the number of changed rows.
    pub fn run(&mut self, change: Change) -> ::duckdb::Result<usize> {
        let result = self.attempt(|connection| change.perform(connection));
        match &change {
            Change::Statement(sql) if sql == "begin transaction" => {
                self.transaction = result.is_ok().then(Vec::new);
            }
            Change::Statement(sql) if sql == "commit" || sql == "rollback" => self.transaction = None,
            _ => {
                let can_raise = self.can_raise();
                if let Some(changes) = self.transaction.as_mut().filter(|_| can_raise) {
                    changes.push(change);
                }
            }
        }
        result
    }

    /// Runs a query or a change. As long as the memory limit is not enough and can be raised, raises
    /// it and runs the query or change again.
    pub fn attempt<T>(&mut self, action: impl Fn(&Connection) -> ::duckdb::Result<T>) -> ::duckdb::Result<T> {
        let mut result = action(&self.connection);
        while result.as_ref().is_err_and(is_out_of_memory) && self.can_raise() {
            result = match self.raise() {
                Err(error) if is_out_of_memory(&error) => Err(error),
                raised => raised.and_then(|()| action(&self.connection)),
            };
        }
        result
    }

    fn can_raise(&self) -> bool {
        self.limit < self.full
    }

    /// Doubles the memory limit. If a transaction was aborted, repeats its changes except the one
    /// that failed.
    fn raise(&mut self) -> ::duckdb::Result<()> {
        let limit = self.limit.doubled(self.full);
        tracing::info!(%limit, "raising the memory limit");
        if self.transaction.is_some() {
            // An aborted transaction accepts only a rollback. Ignore an error: after a failed
            // commit, DuckDB has already rolled back.
            let _ = self.connection.execute("rollback", []);
        }
        set_memory(&self.connection, limit)?;
        self.limit = limit;
        if let Some(changes) = &self.transaction {
            self.connection.execute("begin transaction", [])?;
            changes.iter().try_for_each(|change| change.perform(&self.connection).map(drop))?;
        }
        Ok(())
    }
}

fn set_memory(connection: &Connection, limit: MemoryLimit) -> ::duckdb::Result<()> {
    connection.execute_batch(&format!("set memory_limit = '{limit}'"))
}

fn set_threads(connection: &Connection, threads: u64) -> ::duckdb::Result<()> {
    connection.execute_batch(&format!("set threads = {threads}"))
}
