//! The state of the current statement, and the kinds of statements.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use findata_domain::Error;

/// The state of the current statement. The adapter and the middleware share it. A session runs one statement at a time.
#[derive(Debug)]
pub(super) struct StatementState {
    /// When the statement is aborted.
    pub deadline: Instant,
    /// Why the statement failed, as recorded by the middleware.
    pub error: Option<Error>,
    /// Whether the statement failed because its session had ended.
    pub session_ended: bool,
    /// The query id of a failed batch. Its response lacks the code of the failed statement.
    pub failed_batch: Option<String>,
    /// Number of statements in the text.
    pub count: usize,
    /// Snowflake's ids of the queries, one per statement. A failed text has one id.
    pub query_ids: Vec<String>,
    /// The query tag in Snowflake's query history. All statements of a step have the same tag.
    pub tag: String,
}

impl StatementState {
    pub(super) fn new(deadline: Instant) -> Self {
        StatementState {
            deadline,
            error: None,
            session_ended: false,
            failed_batch: None,
            count: 1,
            query_ids: Vec::new(),
            tag: r#"{"app":"findata"}"#.into(),
        }
    }

    /// Resets the state for the next text, which has `count` statements.
    pub(super) fn begin(&mut self, deadline: Instant, count: usize) {
        *self = StatementState {
            count,
            tag: std::mem::take(&mut self.tag),
            ..StatementState::new(deadline)
        };
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a statement changes in its session.
pub(super) enum StatementKind {
    /// Begins a transaction.
    BeginTransaction,
    /// Commits or rolls back a transaction.
    EndTransaction,
    /// Creates a temporary table.
    CreateTemporary,
    Other,
}

impl StatementKind {
    pub(super) fn of(sql: &str) -> StatementKind {
        let start: Vec<String> = sql.split_whitespace().take(5).map(str::to_ascii_lowercase).collect();
        match start.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["begin", ..] => StatementKind::BeginTransaction,
            ["commit" | "rollback", ..] => StatementKind::EndTransaction,
            ["create", rest @ ..] if rest.iter().take(3).any(|word| *word == "temporary") => {
                StatementKind::CreateTemporary
            }
            _ => StatementKind::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_and_temporary_tables_are_recognized() {
        assert!(matches!(
            StatementKind::of("create or replace temporary table x (a int)"),
            StatementKind::CreateTemporary
        ));
        assert!(matches!(StatementKind::of("create table x as select 'temporary'"), StatementKind::Other));
        assert!(matches!(StatementKind::of(" BEGIN transaction"), StatementKind::BeginTransaction));
        assert!(matches!(StatementKind::of("commit"), StatementKind::EndTransaction));
    }
}
