//! The input that starts a run: JSON for fanout, or the arguments of the `findata` command.

use chrono::{DateTime, Days, NaiveDate, Utc};
use findata_domain::{Error, Result, Symbol, day, nyse_calendar};
use serde::{Deserialize, Serialize};

use crate::{
    run::{Options, PlanLimits, RunId},
    ttl_overrides::TtlOverrides,
};

/// Maximum value of `days`: 100 years.
pub const MAX_DAYS: u32 = 36_500;
/// Maximum value of `quarters`: 100 years.
pub const MAX_QUARTERS: u32 = 400;
/// Maximum value of `years`.
pub const MAX_YEARS: u32 = 100;
/// Maximum number of symbols in a request: more than the companies listed in the United States.
const MAX_SYMBOLS: usize = 10_000;
/// Maximum value of `max_calls`: what the largest plan allows in a day, several times over.
const MAX_CALLS: u64 = 100_000_000;
/// Maximum value of `patience`: a week.
const MAX_PATIENCE: u32 = 7 * 24 * 60;

/// The input of fanout: the payload of a direct call, the detail of a `RunRequested` event, or the
/// input of a schedule. The command line converts its arguments into this type, so that
/// [`CommandInput::options`] alone resolves the options.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommandInput {
    /// Recover stalled runs instead of starting a run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sweep: bool,
    /// Minutes that a step of a run may take before the sweeper counts the run as stalled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<u32>,
    /// The symbols to fetch; cannot be combined with `universe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbols: Option<Vec<Symbol>>,
    /// `sp500`, `nasdaq` or `dowjones` for the members of an index, or the name of a list on the stage; cannot be combined with
    /// `symbols`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub universe: Option<String>,
    /// An earlier run, whose failed tasks are fetched again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RunId>,
    /// Id of the new run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The time of the schedule's tick. The run id is derived from it, so a tick that is delivered
    /// twice starts only one run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<DateTime<Utc>>,
    /// Number of quarters to fetch of each statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarters: Option<u32>,
    /// Number of fiscal years to fetch of each statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub years: Option<u32>,
    /// Fetch the last N calendar days of prices, counted from `to`; `from` takes precedence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// First day of prices.
    #[serde(deserialize_with = "day::deserialize", skip_serializing_if = "Option::is_none")]
    pub from: Option<NaiveDate>,
    /// Last day of prices.
    #[serde(deserialize_with = "day::deserialize", skip_serializing_if = "Option::is_none")]
    pub to: Option<NaiveDate>,
    /// Refetch data that is still fresh.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub full: bool,
    /// Fetch only these datasets; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<String>,
    /// For every symbol, fetch the ratios that FMP computes. Without this option, a run fetches
    /// them only for the symbols whose turn it is in the rotation.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reconcile: bool,
    /// Load the data, but compute no figures.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_analytics: bool,
    /// Hard limit on calls to FMP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<u64>,
    /// The W3C trace context of the requester. A malformed one is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// How long data counts as fresh, by dataset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<TtlOverrides>,
}

/// Options that come from the configuration, not from the caller.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The index for beta and correlation.
    pub index: Option<Symbol>,
    /// Limits of the key's FMP plan.
    pub plan_limits: PlanLimits,
    /// How long data counts as fresh, by dataset, unless the caller sets it.
    pub ttl: TtlOverrides,
}

impl CommandInput {
    /// Checks the numbers. Anyone who may put events on the bus chooses them.
    ///
    /// # Errors
    /// `Reject` that names the number and its bounds.
    pub fn check(&self) -> Result<()> {
        let numbers = [
            ("days", self.days, 1, MAX_DAYS),
            ("quarters", self.quarters, 0, MAX_QUARTERS),
            ("years", self.years, 0, MAX_YEARS),
            ("patience", self.patience, 0, MAX_PATIENCE),
        ];
        for (name, value, least, most) in numbers {
            if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
                return Err(Error::Reject(format!("{name} is {value}: use a number from {least} to {most}")));
            }
        }
        if let Some(calls) = self.max_calls.filter(|calls| *calls > MAX_CALLS) {
            return Err(Error::Reject(format!("max_calls is {calls}: use a number up to {MAX_CALLS}")));
        }
        match self.symbols.as_ref().map_or(0, Vec::len) {
            ..=MAX_SYMBOLS => Ok(()),
            many => Err(Error::Reject(format!(
                "the request has {many} symbols: split it into requests of at most {MAX_SYMBOLS}, or store the list with `findata universe put`"
            ))),
        }
    }

    /// Resolves the options of a run that is planned at `now`.
    pub fn options(self, defaults: &Defaults, now: DateTime<Utc>) -> Options {
        let closed = nyse_calendar::last_closed_session(now);
        let newest = self.to.map_or(closed, |to| to.min(closed));
        let last_days = self.days.map(|days| newest - Days::new(u64::from(days.clamp(1, MAX_DAYS)) - 1));
        let standard = Options::default();
        Options {
            quarters: self.quarters.unwrap_or(standard.quarters),
            years: self.years.unwrap_or(standard.years),
            prices_from: self.from.or(last_days),
            prices_to: self.to,
            full: self.full,
            datasets: self.datasets,
            reconcile: self.reconcile,
            skip_analytics: self.skip_analytics,
            max_calls: self.max_calls,
            ttl: self.ttl.unwrap_or_else(|| defaults.ttl.clone()),
            index: defaults.index.clone(),
            plan_limits: defaults.plan_limits,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_range_of_days_is_limited_to_a_century() {
        let defaults = Defaults {
            index: None,
            plan_limits: PlanLimits::default(),
            ttl: TtlOverrides::default(),
        };
        let now = "2026-11-20T23:00:00Z".parse().unwrap();
        let input = CommandInput { days: Some(u32::MAX), ..CommandInput::default() };
        assert_eq!(input.options(&defaults, now).prices_from, "1926-12-16".parse().ok());
    }

    #[test]
    fn options_that_are_not_set_are_omitted_from_json() {
        let from = "2026-11-20".parse().ok();
        let input = CommandInput { days: Some(3), from, full: true, ..CommandInput::default() };
        let json = serde_json::to_value(&input).unwrap();
        assert_eq!(json, json!({"days": 3, "from": "2026-11-20", "full": true}));
        assert_eq!(serde_json::from_value::<CommandInput>(json).unwrap(), input);
        assert!(serde_json::from_value::<CommandInput>(json!({"day": 3})).is_err());
        assert!(serde_json::from_value::<CommandInput>(json!({"to": "+262142-12-31"})).is_err());
    }
}
