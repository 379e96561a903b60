//! What fanout is asked: a run, a run's failed tasks again, or to sweep.

use chrono::{DateTime, Duration, Utc};
use findata_domain::{Error, Result};
pub use findata_pipeline::command_input::{CommandInput, Defaults};
use findata_pipeline::run::{Request, RunId, Universe};
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
    let mut words =
        CommandInput::deserialize(input).map_err(|e| wrong(&format!("this request cannot be read: {e}")))?;
    if words.sweep {
        return Ok(Asked::Sweep { patience: words.patience.map(|minutes| Duration::minutes(minutes.into())) });
    }
    let universe = match (words.symbols.take(), words.universe.as_deref()) {
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
    let run_id = match (words.run_id.take(), words.scheduled) {
        (Some(id), _) => id,
        (None, Some(tick)) => RunId::scheduled(tick),
        (None, None) => name(),
    };
    let retry_of = words.retry.take();
    let options = words.options(defaults, now);
    Ok(Asked::Run(Box::new(Request { run_id, universe, options, retry_of })))
}

#[cfg(test)]
mod tests {
    use findata_domain::Symbol;
    use findata_pipeline::{
        run::{Options, PlanLimits},
        ttl_overrides::TtlOverrides,
    };
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
