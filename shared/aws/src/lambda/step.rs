//! The steps that S3 events start: load after `staged.json`, analytics after `loaded.json`.

use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use findata_domain::{Error, Result, clock::AnyClock};
use findata_pipeline::{
    ledger,
    ports::{bus::Bus, stage::Stage, warehouse::Warehouse},
    run::RunId,
    telemetry::Telemetry,
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Environment, Invocation, environment::variable};
use crate::{
    eventbridge::EventBridge,
    s3_stage::{Location, S3Stage},
    secrets,
};

/// Time reserved at the end of an invocation to close the warehouse session and to write the ledger.
const TO_CLOSE: Duration = Duration::from_secs(20);

/// What load and analytics keep between invocations.
pub struct StepFunction {
    config: SdkConfig,
    location: Location,
    /// The stage.
    pub stage: S3Stage,
    /// The event bus.
    pub bus: EventBridge,
    /// The planning clock.
    pub clock: AnyClock,
    /// The function's metrics.
    pub telemetry: Telemetry,
    /// Memory of the function, in GB.
    pub memory: f64,
}

/// What a warehouse session is opened with.
pub struct SessionArgs<'a> {
    /// Reads an environment variable; `None` if it is not set or empty.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The private key, or what is wrong with its secret.
    pub key: Result<SecretString, String>,
    /// Folder of the stage inside its bucket.
    pub prefix: &'a str,
    /// When the session must have ended.
    pub ends_at: Instant,
}

impl StepFunction {
    /// Reads the environment and builds the clients.
    ///
    /// # Errors
    /// `Config` that names every missing or malformed variable.
    pub async fn open() -> Result<Self> {
        let mut environment = Environment::default();
        let bus = environment.text("FINDATA_BUS");
        let (clock, telemetry, memory) = (environment.clock(), environment.telemetry(), environment.memory());
        let (config, location) = environment.open().await?;
        let (stage, bus) = (S3Stage::new(&config, location.clone()), EventBridge::new(&config, bus));
        Ok(StepFunction { config, location, stage, bus, clock, telemetry, memory })
    }

    /// Opens a warehouse session, does the work and closes the session. `secret` is the variable with the
    /// ARN of the private key's secret. The key is read for every session, so a rotated key works at once.
    /// If the session cannot be opened, `work` receives the reason.
    ///
    /// # Errors
    /// Those of the secret store, and of `work`.
    pub async fn with_warehouse<W: Warehouse>(
        &self,
        invocation: &Invocation,
        secret: &str,
        open: impl FnOnce(SessionArgs<'_>) -> Result<W>,
        work: impl AsyncFnOnce(Result<&mut W>) -> Result<Value>,
    ) -> Result<Value> {
        let mut warehouse = self.session(invocation, secret, open).await;
        let done = work(warehouse.as_mut().map_err(|error| error.clone())).await;
        if let Ok(warehouse) = &mut warehouse {
            // Committed work is safe, and an unclosed session times out.
            let _ = warehouse.close().await;
        }
        done
    }

    async fn session<W>(
        &self,
        invocation: &Invocation,
        secret: &str,
        open: impl FnOnce(SessionArgs<'_>) -> Result<W>,
    ) -> Result<W> {
        let key = match variable(secret) {
            Some(arn) => Ok(secrets::read(&self.config, &arn).await?),
            None => Err(format!("{secret} is not set: the ARN of the secret with the private key")),
        };
        let (prefix, ends_at) = (self.location.prefix(), invocation.leaving(TO_CLOSE));
        open(SessionArgs { variable: &variable, key, prefix, ends_at })
    }
}

/// One step of one run.
pub struct Step<'a, S, B> {
    /// The run.
    pub run: &'a RunId,
    /// Name of the function, as in the ledger.
    pub function: &'static str,
    /// Attempts while another invocation of the same function writes to the warehouse.
    pub attempts: u32,
    /// The stage.
    pub stage: &'a S,
    /// The event bus.
    pub bus: &'a B,
    /// The function's metrics.
    pub telemetry: &'a Telemetry,
    /// The current time.
    pub now: DateTime<Utc>,
}

impl<S: Stage, B: Bus> Step<'_, S, B> {
    /// Makes attempts until one succeeds. `Err` of the inner result is the function's answer for a failure
    /// that a person must fix: it is recorded and announced, and the sweeper tries again later, because an
    /// immediate retry by Lambda would not help.
    ///
    /// # Errors
    /// Transient failures: Lambda should send the same event again.
    pub async fn run<T>(&self, mut attempt: impl AsyncFnMut() -> Result<T>) -> Result<Result<T, Value>> {
        let mut attempts = 1;
        let error = loop {
            match attempt().await {
                // Another run was writing; the next attempt sees its rows.
                Err(Error::Retry { after: Some(pause), .. }) if attempts < self.attempts => {
                    tokio::time::sleep(pause * attempts).await;
                }
                Ok(done) => return Ok(Ok(done)),
                Err(error @ Error::Retry { .. }) => return Err(error),
                Err(error) => break error,
            }
            attempts += 1;
        };
        tracing::error!(run = %self.run, %error, "{} failed", self.function);
        self.telemetry.say(self.now, &[("RunsFailed", 1.0, "Count")]);
        ledger::record_blocker(self.run, self.function, &error, self.stage, self.bus, self.now).await?;
        Ok(Err(json!({"run_id": self.run, "status": "failed", "reason": error.to_string()})))
    }
}

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
