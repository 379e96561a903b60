//! A run's usage of a warehouse that bills by the second.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ports::stage::{self, Stage},
    run::RunId,
};
use findata_domain::Result;

/// Idle seconds after which the warehouse suspends itself (AUTO_SUSPEND in `infra/snowflake`).
/// Snowflake also bills at least this many seconds for each resume (see "Warehouse credit usage" in
/// its documentation).
pub const AUTO_SUSPEND: f64 = 60.0;
/// Credits per hour of an XS warehouse.
const CREDITS_PER_HOUR: f64 = 1.0;
/// Credits per hour of cloud services, which compile and coordinate statements.
const CLOUD_CREDITS_PER_HOUR: f64 = 4.4;
/// Snowflake bills cloud services only above this part of the day's compute.
const FREE_CLOUD_PART: f64 = 0.1;
/// Estimated seconds of cloud services per statement: a simple one takes 0.05 to 0.2, a large model more.
const CLOUD_SECONDS: f64 = 0.2;

/// A statement that ran in the warehouse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// The statement's id in the engine's query history.
    pub query_id: String,
    /// The dataset or model for which the statement ran.
    pub step: String,
    /// Seconds until the result arrived.
    pub seconds: f64,
    /// Whether the statement succeeded.
    pub succeeded: bool,
}

/// Warehouse usage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Number of statements sent, excluding retries.
    pub statements: u64,
    /// Number of requests that sent these statements. A request may have several statements.
    #[serde(default)]
    pub requests: u64,
    /// Number of statements by function.
    #[serde(default)]
    pub by_function: BTreeMap<String, u64>,
    /// Seconds of activity: from the first statement after a resume to the end of the last
    /// statement, summed over resumes.
    pub seconds: f64,
    /// Number of times that the warehouse resumed.
    pub resumes: u64,
    /// The statements that ran; omitted from summaries.
    #[serde(skip)]
    pub log: Vec<Statement>,
}

impl Usage {
    /// The usage of a function.
    #[must_use]
    pub fn of(mut self, function: &str) -> Usage {
        self.by_function = BTreeMap::from([(function.to_owned(), self.statements)]);
        self
    }

    /// Adds later usage to this usage.
    pub fn add(&mut self, later: &Usage) {
        self.statements += later.statements;
        self.requests += later.requests;
        for (function, statements) in &later.by_function {
            *self.by_function.entry(function.clone()).or_default() += statements;
        }
        self.seconds += later.seconds;
        self.resumes += later.resumes;
    }

    /// Estimates the credits of an XS warehouse and of cloud services. A warehouse is billed for every second from a
    /// resume until it suspends itself. Cloud services are estimated as if the account had no other compute that
    /// day; with other compute, more of them are free. 0 for an engine without billing.
    pub fn credits(&self) -> f64 {
        let compute = (self.seconds + AUTO_SUSPEND * self.resumes as f64) / 3600.0 * CREDITS_PER_HOUR;
        let cloud = self.statements as f64 * CLOUD_SECONDS / 3600.0 * CLOUD_CREDITS_PER_HOUR;
        let billed_cloud = (cloud - FREE_CLOUD_PART * compute).max(0.0);
        if compute > 0.0 { compute + billed_cloud } else { 0.0 }
    }

    /// Writes the statements to the run's ledger. The key contains the id of the first statement,
    /// so each attempt writes a separate object.
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
    fn cloud_services_are_billed_above_a_tenth_of_compute() {
        let credits = |statements, seconds| {
            let usage = Usage { statements, seconds, resumes: 1, ..Usage::default() };
            usage.credits()
        };
        assert!((credits(0, 300.0) - 0.1).abs() < 1e-12);
        assert!((credits(40, 300.0) - 0.1).abs() < 1e-12, "a tenth is free");
        let cloud = 300.0 * CLOUD_SECONDS / 3600.0 * 4.4;
        assert!((credits(300, 300.0) - (0.1 + cloud - 0.01)).abs() < 1e-12);
        let duckdb = Usage { statements: 300, ..Usage::default() };
        assert_eq!(duckdb.credits(), 0.0);
    }

    #[test]
    fn functions_are_counted_separately() {
        let of = |function: &str, statements| Usage { statements, ..Usage::default() }.of(function);
        let mut usage = of("load", 7);
        usage.add(&of("analytics", 5));
        usage.add(&of("load", 1));
        assert_eq!((usage.statements, usage.by_function["load"], usage.by_function["analytics"]), (13, 8, 5));
    }

    #[test]
    fn credits_include_a_minute_per_resume_until_the_warehouse_suspends() {
        let mut usage = Usage { statements: 3, seconds: 30.0, resumes: 1, ..Usage::default() };
        assert!((usage.credits() - 90.0 / 3600.0).abs() < 1e-12);
        usage.add(&Usage { statements: 2, seconds: 6.0, ..Usage::default() });
        assert_eq!((usage.statements, usage.resumes), (5, 1));
        assert!((usage.credits() - 96.0 / 3600.0).abs() < 1e-12);
        assert_eq!(Usage::default().credits(), 0.0);
    }
}
