//! A connection that starts with little memory and repeats what has failed for lack of it.

use ::duckdb::{Connection, appender_params_from_iter};

use crate::{error::is_out_of_memory, memory::MemoryLimit};

/// One change of the database.
pub(crate) enum Change {
    Statement(String),
    /// Rows for the end of a table: values as text, in column order.
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

/// A connection with a low memory limit. What runs out of memory is repeated with the full limit, which then stays for
/// the session: a statement, or the whole transaction that it belongs to, because DuckDB aborts a transaction in which a
/// statement fails.
pub(crate) struct Session {
    pub connection: Connection,
    /// The limit up to which memory may be raised.
    memory: MemoryLimit,
    raised: bool,
    /// The changes of the open transaction, kept for a repetition.
    transaction: Option<Vec<Change>>,
}

impl Session {
    pub fn new(connection: Connection, memory: MemoryLimit) -> ::duckdb::Result<Self> {
        let initial = memory.initial();
        set_memory(&connection, initial)?;
        Ok(Session {
            connection,
            memory,
            raised: initial == memory,
            transaction: None,
        })
    }

    /// Makes a change and returns the number of rows that it changed.
    pub fn run(&mut self, change: Change) -> ::duckdb::Result<usize> {
        let result = self.attempt(|connection| change.perform(connection));
        match &change {
            Change::Statement(sql) if sql == "begin transaction" => {
                self.transaction = result.is_ok().then(Vec::new);
            }
            Change::Statement(sql) if sql == "commit" || sql == "rollback" => self.transaction = None,
            _ => {
                if let Some(changes) = self.transaction.as_mut().filter(|_| !self.raised) {
                    changes.push(change);
                }
            }
        }
        result
    }

    /// Runs a query or a change, again with the full limit if the low one was not enough.
    pub fn attempt<T>(&mut self, action: impl Fn(&Connection) -> ::duckdb::Result<T>) -> ::duckdb::Result<T> {
        match action(&self.connection) {
            Err(error) if is_out_of_memory(&error) && !self.raised => {
                self.raise()?;
                action(&self.connection)
            }
            result => result,
        }
    }

    /// Raises the limit, and brings an aborted transaction back to the state before its last change.
    fn raise(&mut self) -> ::duckdb::Result<()> {
        tracing::info!(limit = %self.memory, "raising the memory limit");
        let transaction = self.transaction.as_mut().map(std::mem::take);
        if transaction.is_some() {
            // An aborted transaction accepts nothing else. After a failed commit DuckDB has rolled back already, and
            // this fails.
            let _ = self.connection.execute("rollback", []);
        }
        set_memory(&self.connection, self.memory)?;
        self.raised = true;
        if let Some(changes) = transaction {
            self.connection.execute("begin transaction", [])?;
            changes.iter().try_for_each(|change| change.perform(&self.connection).map(drop))?;
        }
        Ok(())
    }
}

fn set_memory(connection: &Connection, limit: MemoryLimit) -> ::duckdb::Result<()> {
    connection.execute_batch(&format!("set memory_limit = '{limit}'"))
}
