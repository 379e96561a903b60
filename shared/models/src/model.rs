//! An SQL file.

use std::collections::HashSet;

/// An SQL file with one statement. A model's statement builds one temporary table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Path of the file below `infra/models`.
    pub file: &'static str,
    /// The SQL statement in the file.
    pub sql: String,
}

impl Model {
    /// Returns the name of the temporary table that the model builds: the word after `temporary
    /// table`.
    pub fn builds(&self) -> &str {
        let after = self.sql.split_once("temporary table ").map_or("", |(_, rest)| rest);
        after.split_whitespace().next().unwrap_or_default()
    }

    /// Returns the name of the table or view that the statement creates, if it is in this schema.
    pub fn creates(&self, schema: &str) -> Option<&str> {
        let create = self.sql.lines().find(|line| line.starts_with("create "))?;
        let (_, name) = create.split_once(&format!(" {schema}."))?;
        name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()
    }

    /// The words of the statement, which include the names of all tables that it reads.
    pub(crate) fn words(&self) -> HashSet<&str> {
        self.sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect()
    }
}
