//! What S3 tells EventBridge of an object, and which run's step it closed.

use serde::Deserialize;
use serde_json::Value;

use crate::{Error, Result, run::RunId};

#[derive(Deserialize)]
struct Created {
    object: Named,
}

#[derive(Deserialize)]
struct Named {
    key: String,
}

/// The run whose step was closed by an object, of an `Object Created` event; or that which a caller names as
/// `{"run_id": ...}`.
///
/// # Errors
/// `Reject` for an input that is neither.
pub fn run_of(input: &Value) -> Result<RunId> {
    if let Some(id) = input.get("run_id").and_then(Value::as_str) {
        return id.parse();
    }
    let wrong = || Error::Reject("this is neither an event of S3 about a run's ledger nor {\"run_id\": ...}".into());
    let created = Created::deserialize(input.get("detail").ok_or_else(wrong)?).map_err(|_| wrong())?;
    let mut parts = created.object.key.rsplit('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(run), Some("runs")) => run.parse(),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_names_its_run() {
        let event = |key: &str| json!({"detail-type": "Object Created", "detail": {"object": {"key": key}}});
        assert_eq!(
            run_of(&event("home/runs/20261122T201533120Z-000000ab/staged.json")).unwrap().as_str(),
            "20261122T201533120Z-000000ab"
        );
        assert_eq!(run_of(&event("runs/r/loaded.json")).unwrap().as_str(), "r");
        assert_eq!(run_of(&json!({"run_id": "r"})).unwrap().as_str(), "r");
        for wrong in [event("home/state/x.json"), event("r.json"), event("runs/a'b/loaded.json"), json!({}), json!(3)] {
            assert!(run_of(&wrong).is_err(), "{wrong}");
        }
    }
}
