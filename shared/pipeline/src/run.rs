//! A run: its id, its request and options, and its status.

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{corrections::Correction, named_universe::UniverseName, ttl_overrides::TtlOverrides};
use findata_domain::{Error, Result, Symbol};

/// Identifies a run. Ids sort by start time and are safe in object keys, paths and SQL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// Salt of the ids of scheduled runs.
const SCHEDULED: u32 = 0;
/// Maximum number of retries of a scheduled run.
pub const MAX_RETRIES: u32 = 2;

impl RunId {
    /// Creates an id from the start time and a salt, which distinguishes runs that start in the
    /// same millisecond.
    pub fn new(started: DateTime<Utc>, salt: u32) -> Self {
        RunId(format!("{}-{salt:08x}", started.format("%Y%m%dT%H%M%S%3fZ")))
    }

    /// Creates the id of a scheduled run. Duplicate deliveries of a tick result in the same id.
    pub fn scheduled(tick: DateTime<Utc>) -> Self {
        RunId::new(tick, SCHEDULED)
    }

    /// Creates the id of a retry of a scheduled run. Retries are numbered from 1 to [`MAX_RETRIES`].
    pub fn retry(at: DateTime<Utc>, number: u32) -> Self {
        RunId::new(at, retry_salt(number))
    }

    /// Returns whether the schedule started the run, or a retry of such a run. Other runs take precedence
    /// over these runs.
    pub fn is_scheduled(&self) -> bool {
        self.has_salt(SCHEDULED) || self.retry_number().is_some()
    }

    /// Returns the number of a retry of a scheduled run; `None` for other runs.
    pub fn retry_number(&self) -> Option<u32> {
        (1..=MAX_RETRIES).find(|number| self.has_salt(retry_salt(*number)))
    }

    /// Returns whether the schedule started the run.
    pub fn is_of_schedule(&self) -> bool {
        self.has_salt(SCHEDULED)
    }

    fn has_salt(&self, salt: u32) -> bool {
        self.started().is_some() && self.0.ends_with(&format!("-{salt:08x}"))
    }

    /// Returns the start time, or `None` if [`RunId::new`] did not create the id.
    pub fn started(&self) -> Option<DateTime<Utc>> {
        let (time, _) = self.0.split_once('-')?;
        NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%S%3fZ").ok().map(|time| time.and_utc())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The salts of retries are the largest ones. A hash, which is the salt of other runs, equals one of them
/// with a probability of one in two billion.
fn retry_salt(number: u32) -> u32 {
    u32::MAX - number
}

impl FromStr for RunId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if (1..=64).contains(&text.len()) && text.chars().all(allowed) {
            Ok(RunId(text.to_owned()))
        } else {
            Err(Error::Reject(format!("{text:?} is not a run id: use 1 to 64 letters, digits, - and _")))
        }
    }
}

impl TryFrom<String> for RunId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> String {
        id.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which symbols a run covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Universe {
    /// The listed symbols.
    Symbols(Vec<Symbol>),
    /// The current members of the S&P 500.
    Sp500,
    /// The current members of the Nasdaq-100.
    Nasdaq,
    /// The current members of the Dow Jones Industrial Average.
    Dowjones,
    /// The list that the stage has under this name when the run is planned.
    Named(UniverseName),
}

impl Universe {
    /// The members of an index, by its name in requests; `None` if no index has this name.
    pub fn of_index(name: &str) -> Option<Self> {
        match name {
            "sp500" => Some(Universe::Sp500),
            "nasdaq" => Some(Universe::Nasdaq),
            "dowjones" => Some(Universe::Dowjones),
            _ => None,
        }
    }
}

/// A request for a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Id of the run.
    pub run_id: RunId,
    /// The symbols to fetch.
    pub universe: Universe,
    /// Which data to fetch.
    pub options: Options,
    /// An earlier run. If set, the new run fetches only the failed tasks of that run.
    #[serde(default)]
    pub retry_of: Option<RunId>,
    /// The user's corrections of FMP's data, if the command line has read them from the home. Without
    /// them, fanout reads those on the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrections: Option<Vec<Correction>>,
    /// The W3C trace context of the requester, or of the span that plans the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// Number of quarters of each statement that a run fetches by default. Twelve months need four quarters
/// and their growth four more; the other sixteen are the four years before, so that a history of five
/// years has figures.
pub const QUARTERS: u32 = 24;
/// Number of fiscal years of each statement that a run fetches by default: ten years of growth.
pub const YEARS: u32 = 11;

/// The options of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Number of quarters to fetch of each statement.
    pub quarters: u32,
    /// Number of fiscal years to fetch of each statement.
    pub years: u32,
    /// First day of prices. Default: the first missing day, or five years ago for a new symbol.
    pub prices_from: Option<NaiveDate>,
    /// Last day of prices. Default: the last closed session.
    pub prices_to: Option<NaiveDate>,
    /// Refetch data that is still fresh.
    pub full: bool,
    /// Fetch only these datasets, by catalog name; empty for all.
    pub datasets: Vec<String>,
    /// For every symbol, fetch the ratios that FMP computes. Without this option, a run fetches
    /// them only for the symbols whose turn it is in the rotation.
    #[serde(default)]
    pub reconcile: bool,
    /// Load the data, but compute no figures.
    pub skip_analytics: bool,
    /// Hard limit on calls to FMP.
    pub max_calls: Option<u64>,
    /// How long data counts as fresh, for the datasets whose default in the catalog is overridden.
    #[serde(default, alias = "lifetimes", skip_serializing_if = "TtlOverrides::is_empty")]
    pub ttl: TtlOverrides,
    /// The index for beta and correlation.
    pub index: Option<Symbol>,
    /// Limits of the FMP plan of the API key.
    #[serde(alias = "reach")]
    pub plan_limits: PlanLimits,
}

/// Limits of an FMP plan (FMP's pricing page, July 2026).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLimits {
    /// Maximum number of statements per answer; `None` if unlimited.
    pub most_statements: Option<u32>,
    /// Whether the plan includes quarterly statements.
    pub quarterly: bool,
    /// Whether the plan includes FMP's list of symbol changes.
    #[serde(default = "included")]
    pub symbol_changes: bool,
    /// Whether to save calls because the plan limits them: fetch only symbols that the change feeds
    /// report, not all symbols.
    #[serde(default, alias = "sparing")]
    pub minimize_calls: bool,
    /// Whether the plan includes bulk files.
    #[serde(default)]
    pub bulk: bool,
    /// Whether the plan includes the market caps of past days.
    #[serde(default = "included")]
    pub market_cap_history: bool,
    /// Minimum number of seconds between the downloads of two bulk files.
    #[serde(default)]
    pub bulk_pause: u64,
    /// Maximum calls per minute; `None` if unlimited.
    #[serde(default)]
    pub per_minute: Option<u32>,
}

/// The value of a limit that plans of earlier builds do not have.
fn included() -> bool {
    true
}

impl Default for PlanLimits {
    fn default() -> Self {
        PlanLimits {
            most_statements: None,
            quarterly: true,
            symbol_changes: true,
            minimize_calls: false,
            bulk: false,
            market_cap_history: true,
            bulk_pause: 0,
            per_minute: None,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            quarters: QUARTERS,
            years: YEARS,
            prices_from: None,
            prices_to: None,
            full: false,
            datasets: Vec::new(),
            reconcile: false,
            skip_analytics: false,
            max_calls: None,
            ttl: TtlOverrides::default(),
            index: Symbol::default_index(),
            plan_limits: PlanLimits::default(),
        }
    }
}

/// A step of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// fanout plans the calls.
    Plan,
    /// extract fetches the batches.
    Fetch,
    /// load copies the rows into the warehouse.
    Load,
    /// analytics computes and publishes the figures.
    Compute,
}

impl Step {
    /// Returns the step as written in objects and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Plan => "plan",
            Step::Fetch => "fetch",
            Step::Load => "load",
            Step::Compute => "compute",
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All planned data is stored.
    Complete,
    /// Some tasks failed, at least one succeeded.
    Partial,
    /// The call limit stopped fetching; the data fetched until then is loaded.
    Budget,
    /// No task succeeded.
    Failed,
}

impl Status {
    /// Returns the exit code of the `findata` command for this status.
    pub fn exit_code(self) -> u8 {
        match self {
            Status::Complete => 0,
            Status::Failed => 1,
            Status::Partial => 3,
            Status::Budget => 4,
        }
    }

    /// Returns the status as written in summaries and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Complete => "complete",
            Status::Partial => "partial",
            Status::Budget => "budget",
            Status::Failed => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_are_safe_in_keys_paths_and_sql() {
        let id = RunId::new("2026-11-22T20:15:33.120Z".parse().unwrap(), 0xab);
        assert_eq!(id.as_str(), "20261122T201533120Z-000000ab");
        assert_eq!(id.started(), "2026-11-22T20:15:33.120Z".parse().ok());
        assert!(
            !id.is_scheduled()
                && RunId::scheduled("2026-11-22T20:15:33.120Z".parse().unwrap()).is_scheduled()
        );
        let retry = RunId::retry("2026-11-22T20:20:33.120Z".parse().unwrap(), 2);
        assert!(retry.is_scheduled() && !retry.is_of_schedule());
        assert!(
            "a'b".parse::<RunId>().is_err()
                && "../x".parse::<RunId>().is_err()
                && "".parse::<RunId>().is_err()
        );
    }
}
