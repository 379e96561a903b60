//! What fanout is asked: a run, a run's failed tasks again, or to sweep.

use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use findata_domain::{Error, Result, Symbol, nyse_calendar};
use findata_pipeline::{
    run::{Options, PlanLimits, Request, RunId, Universe},
    ttl_overrides::TtlOverrides,
};
use serde::Deserialize;
use serde_json::Value;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// Begin a run.
    Run(Box<Request>),
    /// Finish what was left.
    Sweep {
        /// How long a step is given before it is helped, where the caller says so.
        patience: Option<Duration>,
    },
}

/// What a request leaves open.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The index for beta and correlation.
    pub index: Option<Symbol>,
    /// What the key's plan gives.
    pub plan_limits: PlanLimits,
    /// How long answers count as fresh.
    pub ttl: TtlOverrides,
}

/// The words that a caller may use: a direct call, the detail of `RunRequested`, the input of a schedule.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandInput {
    #[serde(default)]
    sweep: bool,
    /// Minutes that a step is given before the sweeper helps it.
    patience: Option<u32>,
    symbols: Option<Vec<Symbol>>,
    universe: Option<String>,
    /// A run whose failed tasks are to be done again.
    retry: Option<RunId>,
    run_id: Option<RunId>,
    /// The tick of the schedule, which is the same when it comes twice.
    scheduled: Option<DateTime<Utc>>,
    quarters: Option<u32>,
    years: Option<u32>,
    /// The last calendar days of prices.
    days: Option<u32>,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    #[serde(default)]
    full: bool,
    #[serde(default)]
    datasets: Vec<String>,
    #[serde(default)]
    reconcile: bool,
    #[serde(default)]
    skip_analytics: bool,
    /// Hard limit of calls to FMP.
    max_calls: Option<u64>,
    /// How long answers count as fresh.
    ttl: Option<TtlOverrides>,
}

/// Reads an input; `now` is the planning clock's, `name` gives a run its id where the caller gave none.
///
/// # Errors
/// `Reject` that says what is wrong with it.
pub fn read(input: &Value, defaults: &Defaults, now: DateTime<Utc>, name: impl FnOnce() -> RunId) -> Result<Asked> {
    let wrong = |what: &str| {
        Error::Reject(format!("{what}; ask with {{\"symbols\": [\"AAPL\"]}} or {{\"universe\": \"sp500\"}}"))
    };
    if !input.is_object() {
        return Err(wrong("a request is a JSON object"));
    }
    let words = CommandInput::deserialize(input).map_err(|e| wrong(&format!("this request cannot be read: {e}")))?;
    if words.sweep {
        return Ok(Asked::Sweep { patience: words.patience.map(|minutes| Duration::minutes(minutes.into())) });
    }
    let universe = match (words.symbols, words.universe.as_deref()) {
        (Some(symbols), None) if symbols.is_empty() && words.retry.is_none() => {
            return Err(wrong("there are no symbols"));
        }
        (Some(symbols), None) => Universe::Symbols(symbols),
        (None, Some("sp500")) => Universe::Sp500,
        (None, Some(other)) => return Err(wrong(&format!("there is no universe {other:?}"))),
        (None, None) if words.retry.is_some() => Universe::Symbols(Vec::new()),
        (None, None) => return Err(wrong("this request names no symbols")),
        (Some(_), Some(_)) => return Err(wrong("symbols and universe are both given")),
    };
    let closed = nyse_calendar::last_closed_session(now);
    let newest = words.to.map_or(closed, |to| to.min(closed));
    let last_days = words.days.map(|days| newest - Days::new(u64::from(days.max(1)) - 1));
    let usual = Options::default();
    let options = Options {
        quarters: words.quarters.unwrap_or(usual.quarters),
        years: words.years.unwrap_or(usual.years),
        prices_from: words.from.or(last_days),
        prices_to: words.to,
        full: words.full,
        datasets: words.datasets,
        reconcile: words.reconcile,
        skip_analytics: words.skip_analytics,
        max_calls: words.max_calls,
        ttl: words.ttl.unwrap_or_else(|| defaults.ttl.clone()),
        index: defaults.index.clone(),
        plan_limits: defaults.plan_limits,
    };
    let run_id = match (words.run_id, words.scheduled) {
        (Some(id), _) => id,
        (None, Some(tick)) => RunId::scheduled(tick),
        (None, None) => name(),
    };
    Ok(Asked::Run(Box::new(Request { run_id, universe, options, retry_of: words.retry })))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(input: Value) -> Result<Asked> {
        let defaults = Defaults {
            index: Symbol::default_index(),
            plan_limits: PlanLimits::default(),
            ttl: TtlOverrides::default(),
        };
        read(&input, &defaults, "2026-11-24T23:00:00Z".parse().unwrap(), || "named".parse().unwrap())
    }

    fn request(input: Value) -> Request {
        match ask(input).unwrap() {
            Asked::Run(request) => *request,
            Asked::Sweep { .. } => panic!("no run"),
        }
    }

    #[test]
    fn a_request_names_symbols_or_a_universe() {
        let asked = request(json!({"symbols": ["AAPL", "BRK-B"], "days": 2}));
        assert_eq!(asked.universe, Universe::Symbols(vec!["AAPL".parse().unwrap(), "BRK-B".parse().unwrap()]));
        assert_eq!(asked.run_id.as_str(), "named");
        assert_eq!(asked.options.prices_from, "2026-11-23".parse().ok());
        assert_eq!(request(json!({"universe": "sp500"})).options, Options::default());
        assert_eq!(ask(json!({"sweep": true})).unwrap(), Asked::Sweep { patience: None });
        let now = Asked::Sweep { patience: Some(Duration::zero()) };
        assert_eq!(ask(json!({"sweep": true, "patience": 0})).unwrap(), now);
        let lifetimes = request(json!({"universe": "sp500", "ttl": "profile=7d"})).options.ttl;
        assert_eq!(lifetimes.to_string(), "profile=10080m");
        let retry = request(json!({"retry": "20261122T201533120Z-000000ab"}));
        assert_eq!(retry.retry_of.unwrap().as_str(), "20261122T201533120Z-000000ab");
    }

    #[test]
    fn the_same_tick_is_the_same_run() {
        let tick = json!({"universe": "sp500", "scheduled": "2026-11-24T11:00:00Z"});
        assert_eq!(request(tick.clone()).run_id, request(tick).run_id);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for input in [
            json!(null),
            json!([]),
            json!({}),
            json!({"symbols": []}),
            json!({"symbols": ["A'; drop table x"]}),
            json!({"symbols": ["../x"]}),
            json!({"symbols": ["AAPL"], "universe": "sp500"}),
            json!({"universe": "everything"}),
            json!({"universe": "sp500", "ttl": "profile=soon"}),
            json!({"symbols": ["AAPL"], "run_id": "a/b"}),
            json!({"symbol": "AAPL"}),
        ] {
            assert!(matches!(ask(input.clone()), Err(Error::Reject(_))), "{input}");
        }
    }
}
