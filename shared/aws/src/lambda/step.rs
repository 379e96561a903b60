//! Runs the steps that S3 events start: load after `staged.json` is written, and analytics after `loaded.json` is
//! written.

use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use findata_domain::{Error, Result, clock::AnyClock};
use findata_pipeline::{
    ledger,
    ports::{
        bus::Bus,
        stage::{self, Stage},
        warehouse::Warehouse,
    },
    run::RunId,
    telemetry::{Telemetry, trace::Span},
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

/// Time reserved at the end of an invocation to close the warehouse session and write the ledger.
const CLOSE_RESERVE: Duration = Duration::from_secs(20);

/// The clients and settings that the load and analytics functions keep between invocations.
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

/// The arguments that open a warehouse session.
pub struct SessionArgs<'a> {
    /// Reads an environment variable; `None` if it is not set or empty.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The private key, or a message that says why there is none.
    pub key: Result<SecretString, String>,
    /// The stage's prefix in its bucket.
    pub prefix: &'a str,
    /// When the session must be closed.
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
        let bus = EventBridge::new(&config, bus).for_stage(&location);
        let stage = S3Stage::new(&config, location.clone());
        Ok(StepFunction { config, location, stage, bus, clock, telemetry, memory })
    }

    /// Opens a warehouse session, runs `work` and closes the session. If the session cannot be opened, `work`
    /// receives the error. `secret` is the name of the variable with the ARN of the private key's secret. The key
    /// is read for every session, so a rotated key takes effect at once.
    ///
    /// # Errors
    /// The errors of `work`.
    pub async fn with_warehouse<W: Warehouse>(
        &self,
        invocation: &Invocation,
        secret: &str,
        open: impl FnOnce(SessionArgs<'_>) -> Result<W>,
        work: impl AsyncFnOnce(Result<&mut W>) -> Result<Value>,
    ) -> Result<Value> {
        let mut warehouse = self.session(invocation, secret, open).await;
        let result = work(warehouse.as_mut().map_err(|error| error.clone())).await;
        if let Ok(warehouse) = &mut warehouse {
            // Ignores errors, because the work is committed and Snowflake ends a session that is not closed.
            let _ = warehouse.close().await;
        }
        result
    }

    async fn session<W>(
        &self,
        invocation: &Invocation,
        secret: &str,
        open: impl FnOnce(SessionArgs<'_>) -> Result<W>,
    ) -> Result<W> {
        let key = match variable(secret) {
            Some(arn) => Ok(secrets::read(&self.config, &arn).await?),
            None => Err(format!(
                "{secret} is not set: set it to the ARN of the secret that contains the private key"
            )),
        };
        let (prefix, ends_at) = (self.location.prefix(), invocation.deadline_with_reserve(CLOSE_RESERVE));
        open(SessionArgs { variable: &variable, key, prefix, ends_at })
    }
}

/// One step of one run.
pub struct Step<'a, S, B> {
    /// The run.
    pub run: &'a RunId,
    /// Name of the function in the ledger.
    pub function: &'static str,
    /// Key of the object whose write starts the step.
    pub trigger: String,
    /// Maximum number of attempts while another run holds the write fence.
    pub max_attempts: u32,
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
    /// Runs the step and returns the function's response. If another run holds the write fence, waits and tries
    /// again. The next attempt reads the rows that the other run wrote.
    ///
    /// A step that runs out of time after it has stored a part of its work continues in another invocation: the
    /// object that starts the step is written again, which S3 announces. This ends, because each invocation
    /// stores a part.
    ///
    /// A failure that a person must fix is recorded in the ledger and published on the event bus. It is returned
    /// as a response instead of an error, because an immediate retry by Lambda would not help. The sweeper tries
    /// again later. `span` records the error of the last attempt.
    ///
    /// # Errors
    /// Transient failures, after which Lambda has to deliver the same event again.
    pub async fn run(
        &self,
        span: &mut Span,
        mut attempt: impl AsyncFnMut(&mut Span) -> Result<Value>,
    ) -> Result<Value> {
        let mut attempts = 1;
        let error = loop {
            let result = attempt(span).await;
            span.fail(&result);
            match result {
                Err(Error::Retry { after: Some(pause), .. }) if attempts < self.max_attempts => {
                    tokio::time::sleep(pause * attempts).await;
                }
                Err(Error::OutOfTime(reason)) => return self.hand_over(&reason).await,
                result @ (Ok(_) | Err(Error::Retry { .. })) => return result,
                Err(error) => break error,
            }
            attempts += 1;
        };
        tracing::error!(run_id = %self.run, %error, "{} failed", self.function);
        let traceparent = span.traceparent();
        let (run, function, stage, now) = (self.run, self.function, self.stage, self.now);
        let recorded = ledger::record_blocker(run, function, &error, stage, self.bus, now, traceparent).await;
        // The sweeper repeats the step, and each repetition finds the same problem.
        if recorded? {
            self.telemetry.emit(self.now, &[("RunsFailed", 1.0)]);
        }
        Ok(json!({"run_id": self.run, "status": "failed", "reason": error.to_string()}))
    }

    /// Has another invocation continue the step.
    async fn hand_over(&self, reason: &str) -> Result<Value> {
        tracing::info!(run_id = %self.run, reason, "{} continues in another invocation", self.function);
        stage::rewrite(self.stage, &self.trigger).await?;
        Ok(json!({"run_id": self.run, "status": "continued", "reason": reason}))
    }
}

#[derive(Deserialize)]
struct ObjectCreated {
    object: CreatedObject,
}

#[derive(Deserialize)]
struct CreatedObject {
    key: String,
}

/// Reads the id of the run from a function's input. The input is an `Object Created` event of S3, whose object
/// key contains the run, or `{"run_id": ...}`.
///
/// # Errors
/// `Reject` if the input has neither form or the id is invalid.
pub fn run_of(input: &Value) -> Result<RunId> {
    if let Some(id) = input.get("run_id").and_then(Value::as_str) {
        return id.parse();
    }
    let invalid = || {
        Error::Reject(
            "the input must be an S3 event for an object of a run's ledger, or {\"run_id\": ...}".into(),
        )
    };
    let created =
        ObjectCreated::deserialize(input.get("detail").ok_or_else(invalid)?).map_err(|_| invalid())?;
    let mut parts = created.object.key.rsplit('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(run), Some("runs")) => run.parse(),
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_run_is_read_from_the_object_key_or_run_id() {
        let event = |key: &str| json!({"detail-type": "Object Created", "detail": {"object": {"key": key}}});
        assert_eq!(
            run_of(&event("home/runs/20261122T201533120Z-000000ab/staged.json")).unwrap().as_str(),
            "20261122T201533120Z-000000ab"
        );
        assert_eq!(run_of(&event("runs/r/loaded.json")).unwrap().as_str(), "r");
        assert_eq!(run_of(&json!({"run_id": "r"})).unwrap().as_str(), "r");
        for wrong in [
            event("home/state/x.json"),
            event("r.json"),
            event("runs/a'b/loaded.json"),
            json!({}),
            json!(3),
        ] {
            assert!(run_of(&wrong).is_err(), "{wrong}");
        }
    }
}
