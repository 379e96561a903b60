//! The main loop of a Lambda function: builds the clients once, then handles one invocation after another.

use std::{
    future::Future,
    time::{Duration, Instant, SystemTime},
};

use chrono::{DateTime, Utc};
use findata_domain::{
    Error, Result,
    clock::{Clock, SystemClock},
};
use findata_pipeline::telemetry::Telemetry;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tokio::sync::OnceCell;
use tracing_subscriber::filter::LevelFilter;

use super::{
    environment::{stack, variable},
    log::JsonLines,
};
use crate::otlp::Exporter;

pub use lambda_runtime::Error as RuntimeError;

/// One invocation of a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's request id. A retry by Lambda has the same id.
    pub id: String,
    /// When the invocation began, by the system clock.
    pub started_at: DateTime<Utc>,
    /// When Lambda ends the invocation.
    pub deadline: Instant,
}

impl Invocation {
    /// The moment at which work must end so that `reserve` time remains until the deadline. If less than twice
    /// `reserve` remains now, half of the remaining time is reserved instead.
    pub fn deadline_with_reserve(&self, reserve: Duration) -> Instant {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.deadline - reserve.min(left / 2)
    }
}

/// A Lambda function, with the clients that it keeps between invocations.
pub trait Function: Sized {
    /// Reads the environment and builds the clients. If this fails, the next invocation tries again.
    fn open() -> impl Future<Output = Result<Self>>;

    /// The function's metrics and traces.
    fn telemetry(&self) -> &Telemetry;

    /// Handles one invocation.
    fn handle(&self, input: Value, invocation: Invocation) -> impl Future<Output = Result<Value>>;
}

/// Serves invocations until Lambda ends the process. Logs go to standard output, as JSON. Traces are exported
/// at the end of each invocation, when all its work is done and its messages are sent.
///
/// # Errors
/// The errors of the Lambda runtime. An error of the function does not end the loop.
pub async fn serve<F: Function>() -> Result<(), RuntimeError> {
    let function = OnceCell::new();
    let function: &OnceCell<F> = &function;
    let level = variable("RUST_LOG").and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let name = variable("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| "findata".into());
    let log = JsonLines::of(name.clone());
    let _ = tracing_subscriber::fmt().with_max_level(level).event_format(log.clone()).try_init();
    let exporter = Exporter::from_variables(variable, &name, stack()).unwrap_or_else(|error| {
        tracing::warn!(%error, "traces are off");
        None
    });
    let (log, exporter) = (&log, exporter.as_ref());
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        log.begin(&event.context.request_id);
        let left = Duration::from_millis(event.context.deadline)
            .saturating_sub(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        let invocation = Invocation {
            id: event.context.request_id,
            started_at: SystemClock.now(),
            deadline: Instant::now() + left,
        };
        async move {
            let function = function.get_or_try_init(F::open).await.map_err(failed)?;
            let response = function.handle(event.payload, invocation).await;
            if let Some(exporter) = exporter {
                exporter.export(&function.telemetry().tracer).await;
            }
            response.map_err(failed)
        }
    }))
    .await
}

fn failed(error: Error) -> Diagnostic {
    tracing::error!(%error, "the invocation failed");
    diagnostic(error)
}

/// Converts an error to Lambda's format. The error type tells the caller how to react.
fn diagnostic(error: Error) -> Diagnostic {
    let kind = match error {
        Error::Retry { .. } => "Retry",
        Error::Reject(_) => "Reject",
        Error::NotOffered(_) => "NotOffered",
        Error::NotInPlan(_) => "NotInPlan",
        Error::Stop(_) => "Stop",
        Error::Unreachable(_) => "Unreachable",
        Error::Resource(_) => "Resource",
        Error::Damaged(_) => "Damaged",
        Error::Budget(_) => "Budget",
        Error::CallLimit(_) => "CallLimit",
        Error::Config(_) => "Config",
        Error::Interrupted(_) => "Interrupted",
        Error::OutOfTime(_) => "OutOfTime",
    };
    Diagnostic { error_type: kind.into(), error_message: error.to_string() }
}
