//! The suspicions declared in `suspicions.toml`: contradictions between values, which make the
//! figures computed from them suspect.

use serde::{Deserialize, Serialize};

/// A kind of contradiction between two values.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Suspicion {
    /// The code in `suspect_reason`, and the `check_name` in `ops.quality`.
    pub code: String,
    /// Description in one sentence.
    pub about: String,
    /// The value that is contradicted.
    pub ours: String,
    /// The value that contradicts it.
    pub theirs: String,
    /// The lines of statements that it compares. A correction of one of them by the user decides it.
    #[serde(default)]
    pub items: Vec<String>,
    /// The model or module that decides it.
    pub decided_in: String,
    /// Whether it concerns balances only.
    #[serde(default)]
    pub balance: bool,
}

/// Returns the SQL of an aggregate over a column `suspicion`: the codes in the order of the list,
/// joined with a comma and a space.
pub(crate) fn reason_sql(suspicions: &[Suspicion]) -> String {
    let code = |s: &Suspicion| format!("max(case when suspicion = '{0}' then ', {0}' else '' end)", s.code);
    let codes: Vec<String> = suspicions.iter().map(code).collect();
    format!("substr({}, 3)", codes.join("\n            || "))
}
