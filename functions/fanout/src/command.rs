//! The commands that fanout accepts: start a run, retry a run's failed tasks, or sweep.

use chrono::{DateTime, Duration, Utc};
use findata_domain::{Error, Result};
pub use findata_pipeline::command_input::{CommandInput, Defaults};
use findata_pipeline::run::{Request, RunId, Universe};
use serde::Deserialize;
use serde_json::Value;

/// A command, parsed from an input.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Start a run.
    Run(Box<Request>),
    /// Recover stalled runs.
    Sweep {
        /// How long a step may take before it is recovered; the sweeper's defaults if absent.
        patience: Option<Duration>,
    },
}

/// Parses an input. `now` is the planning clock's time; `new_id` supplies a run id if the input has
/// none.
///
/// # Errors
/// `Reject` with a message that names the mistake.
pub fn read(
    input: &Value,
    defaults: &Defaults,
    now: DateTime<Utc>,
    new_id: impl FnOnce() -> RunId,
) -> Result<Command> {
    let invalid = |what: &str| {
        Error::Reject(format!("{what}; send {{\"symbols\": [\"AAPL\"]}} or {{\"universe\": \"sp500\"}}"))
    };
    if !input.is_object() {
        return Err(invalid("a request must be a JSON object"));
    }
    let mut input =
        CommandInput::deserialize(input).map_err(|e| invalid(&format!("cannot parse the request: {e}")))?;
    input.check()?;
    if input.sweep {
        return Ok(Command::Sweep {
            patience: input.patience.map(|minutes| Duration::minutes(minutes.into())),
        });
    }
    let universe = match (input.symbols.take(), input.universe.as_deref()) {
        (Some(symbols), None) if symbols.is_empty() && input.retry.is_none() => {
            return Err(invalid("the list of symbols is empty"));
        }
        (Some(symbols), None) => Universe::Symbols(symbols),
        (None, Some(name)) => match Universe::of_index(name) {
            Some(index) => index,
            None => Universe::Named(name.parse()?),
        },
        (None, None) if input.retry.is_some() => Universe::Symbols(Vec::new()),
        (None, None) => return Err(invalid("the request names neither symbols nor a universe")),
        (Some(_), Some(_)) => return Err(invalid("the request has both symbols and a universe")),
    };
    let given = input.run_id.take().or_else(|| input.scheduled.map(RunId::scheduled));
    // The sweeper finds a run by the day in its id. A tick in the year 10000 makes no valid id.
    let is_dated = |id: &RunId| id.started().is_some() && id.as_str().parse::<RunId>().is_ok();
    if let Some(id) = given.as_ref().filter(|id| !is_dated(id)) {
        return Err(Error::Reject(format!(
            "run_id {id} does not begin with the run's start: leave it out, or write it like 20261122T201533120Z-000000ab"
        )));
    }
    let run_id = given.unwrap_or_else(new_id);
    let retry_of = input.retry.take();
    let traceparent = input.traceparent.take();
    let options = input.options(defaults, now);
    let corrections = None;
    Ok(Command::Run(Box::new(Request {
        run_id,
        universe,
        options,
        retry_of,
        corrections,
        traceparent,
    })))
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

    fn parse(input: Value) -> Result<Command> {
        let defaults = Defaults {
            index: Symbol::default_index(),
            plan_limits: PlanLimits::default(),
            ttl: TtlOverrides::default(),
        };
        read(&input, &defaults, "2026-11-24T23:00:00Z".parse().unwrap(), || "named".parse().unwrap())
    }

    fn request(input: Value) -> Request {
        match parse(input).unwrap() {
            Command::Run(request) => *request,
            Command::Sweep { .. } => panic!("not a run"),
        }
    }

    #[test]
    fn a_request_names_symbols_or_a_universe() {
        let run = request(json!({"symbols": ["AAPL", "BRK-B"], "days": 2}));
        assert_eq!(run.universe, Universe::Symbols(vec!["AAPL".parse().unwrap(), "BRK-B".parse().unwrap()]));
        assert_eq!(run.run_id.as_str(), "named");
        assert_eq!(run.options.prices_from, "2026-11-23".parse().ok());
        assert_eq!(request(json!({"universe": "sp500"})).options, Options::default());
        assert_eq!(parse(json!({"sweep": true})).unwrap(), Command::Sweep { patience: None });
        let at_once = Command::Sweep { patience: Some(Duration::zero()) };
        assert_eq!(parse(json!({"sweep": true, "patience": 0})).unwrap(), at_once);
        assert_eq!(request(json!({"universe": "nasdaq"})).universe, Universe::Nasdaq);
        let ttl = request(json!({"universe": "sp500", "ttl": "profile=7d"})).options.ttl;
        assert_eq!(ttl.to_string(), "profile=10080m");
        let retry = request(json!({"retry": "20261122T201533120Z-000000ab"}));
        assert_eq!(retry.retry_of.unwrap().as_str(), "20261122T201533120Z-000000ab");
    }

    #[test]
    fn a_schedule_event_delivered_twice_starts_one_run() {
        let tick = json!({"universe": "sp500", "scheduled": "2026-11-24T11:00:00Z"});
        assert_eq!(request(tick.clone()).run_id, request(tick).run_id);
    }

    #[test]
    fn invalid_requests_are_rejected() {
        for input in [
            json!(null),
            json!([]),
            json!({}),
            json!({"symbols": []}),
            json!({"symbols": ["A'; drop table x"]}),
            json!({"symbols": ["../x"]}),
            json!({"symbols": ["AAPL"], "universe": "sp500"}),
            json!({"universe": "../everything"}),
            json!({"universe": "sp500", "ttl": "profile=soon"}),
            json!({"symbols": ["AAPL"], "run_id": "a/b"}),
            json!({"symbols": ["AAPL"], "run_id": "my-run"}),
            json!({"universe": "sp500", "scheduled": "+10000-01-01T00:00:00Z"}),
            json!({"symbol": "AAPL"}),
            json!({"symbols": vec!["AAPL"; 10_001]}),
            json!({"symbols": ["AAPL"], "days": 0}),
            json!({"symbols": ["AAPL"], "days": 4_000_000_000_u32}),
            json!({"symbols": ["AAPL"], "days": -1}),
            json!({"symbols": ["AAPL"], "quarters": 401}),
            json!({"symbols": ["AAPL"], "years": 101}),
            json!({"symbols": ["AAPL"], "from": "0001-01-01"}),
            json!({"symbols": ["AAPL"], "max_calls": 100_000_001}),
            json!({"sweep": true, "patience": 10_081}),
        ] {
            assert!(matches!(parse(input.clone()), Err(Error::Reject(_))), "{input}");
        }
    }
}
