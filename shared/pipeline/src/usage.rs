//! A run's usage of a warehouse that is billed by the second.

use serde::{Deserialize, Serialize};

use crate::{
    ports::stage::{self, Stage},
    run::RunId,
};
use findata_domain::Result;

/// Idle seconds after which the warehouse suspends itself (AUTO_SUSPEND in `infra/snowflake`). Also
/// the minimum billed for each resume (Snowflake's documentation, "Warehouse credit usage").
pub const AUTO_SUSPEND: f64 = 60.0;
/// Credits per hour of an XS warehouse.
const CREDITS_PER_HOUR: f64 = 1.0;

/// A statement that ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// The engine's query id, as in its query history.
    pub query_id: String,
    /// The dataset or model that it belonged to.
    pub step: String,
    /// Seconds until the result.
    pub seconds: f64,
    /// Whether it succeeded.
    pub succeeded: bool,
}

/// Warehouse usage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Statements sent, not counting retries.
    pub statements: u64,
    /// Seconds from the first statement after each resume to the end of the last.
    pub seconds: f64,
    /// Times that the warehouse had to resume.
    pub resumes: u64,
    /// Each statement; not part of summaries.
    #[serde(skip)]
    pub log: Vec<Statement>,
}

impl Usage {
    /// Adds later usage.
    pub fn add(&mut self, later: &Usage) {
        self.statements += later.statements;
        self.seconds += later.seconds;
        self.resumes += later.resumes;
    }

    /// Estimated credits of an XS warehouse, billed for every second from a resume until it
    /// suspends itself.
    pub fn credits(&self) -> f64 {
        (self.seconds + AUTO_SUSPEND * self.resumes as f64) / 3600.0 * CREDITS_PER_HOUR
    }

    /// Writes the statements to the run's ledger, under the id of the first one, so that each
    /// attempt writes its own object.
    ///
    /// # Errors
    /// The stage's errors.
    pub async fn record(&self, run: &RunId, function: &str, stage: &impl Stage) -> Result<()> {
        let Some(first) = self.log.first() else {
            return Ok(());
        };
        let id: String = first.query_id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let key = format!("runs/{run}/statements/{function}-{id}.json");
        stage::write_json_once(stage, &key, &self.log).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_include_a_minute_per_resume_until_the_warehouse_suspends() {
        let mut usage = Usage { statements: 3, seconds: 30.0, resumes: 1, log: Vec::new() };
        assert!((usage.credits() - 90.0 / 3600.0).abs() < 1e-12);
        usage.add(&Usage { statements: 2, seconds: 6.0, resumes: 0, log: Vec::new() });
        assert_eq!((usage.statements, usage.resumes), (5, 1));
        assert!((usage.credits() - 96.0 / 3600.0).abs() < 1e-12);
        assert_eq!(Usage::default().credits(), 0.0);
    }
}
