//! What every Lambda function does besides its work: read its environment, log, be called, say how it failed.

use std::{
    env,
    fmt::Display,
    future::Future,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use aws_config::SdkConfig;
use chrono::{DateTime, NaiveDate, Utc};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tokio::sync::OnceCell;
use tracing_subscriber::filter::LevelFilter;

use crate::{
    Error, Result, Symbol,
    aws::{self, secret},
    clock::{AnyClock, Clock, SystemClock},
    fmp::{DEFAULT_URL, Fmp, FmpPlan, LIMIT_PAUSE, Settings, SourceKind},
    stage::s3::{Location, S3Stage},
    telemetry::Telemetry,
};

/// What is left of an invocation to close a session on Snowflake and to write the ledger.
#[cfg(feature = "snowflake")]
const TO_CLOSE: Duration = Duration::from_secs(20);

pub use lambda_runtime::Error as Ended;

/// Calls to FMP at once; at 3,000 a minute and a second's answer 50 are in flight.
const IN_FLIGHT: usize = 64;

/// One call of a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's id of it; a second try has the same.
    pub id: String,
    /// When it began, by the real clock.
    pub at: DateTime<Utc>,
    /// When Lambda ends it.
    pub ends: Instant,
}

impl Invocation {
    /// The moment that leaves so much time before the end; half the time where there is less than twice that.
    pub fn leaving(&self, reserve: Duration) -> Instant {
        let left = self.ends.saturating_duration_since(Instant::now());
        self.ends - reserve.min(left / 2)
    }
}

/// What a function keeps from one invocation to the next.
pub trait Sandbox: Sized {
    /// Reads the environment and builds the clients; where it fails, the next invocation tries again.
    fn open() -> impl Future<Output = Result<Self>>;

    /// Does what an input asks.
    fn handle(&self, input: Value, invocation: Invocation) -> impl Future<Output = Result<Value>>;
}

/// Serves invocations until the sandbox ends. Standard output is the log.
///
/// # Errors
/// Where the runtime itself fails.
pub async fn serve<S: Sandbox>() -> Result<(), Ended> {
    let sandbox = OnceCell::new();
    let sandbox: &OnceCell<S> = &sandbox;
    let level = variable("RUST_LOG").and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let _ =
        tracing_subscriber::fmt().with_max_level(level).without_time().with_ansi(false).with_target(false).try_init();
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let left = Duration::from_millis(event.context.deadline)
            .saturating_sub(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        let invocation =
            Invocation { id: event.context.request_id, at: SystemClock.now(), ends: Instant::now() + left };
        let answer = async { sandbox.get_or_try_init(S::open).await?.handle(event.payload, invocation).await };
        async { answer.await.inspect_err(|error| tracing::error!(%error, "failed")).map_err(diagnostic) }
    }))
    .await
}

/// An error as Lambda shows it: its kind is the caller's next move.
fn diagnostic(error: Error) -> Diagnostic {
    let kind = match error {
        Error::Retry { .. } => "Retry",
        Error::Reject(_) => "Reject",
        Error::NotInPlan(_) => "NotInPlan",
        Error::Stop(_) => "Stop",
        Error::Budget(_) => "Budget",
        Error::Config(_) => "Config",
    };
    Diagnostic { error_type: kind.into(), error_message: error.to_string() }
}

#[expect(clippy::disallowed_methods, reason = "the edge reads the environment")]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The variables of a function, with all that is wrong in them.
#[derive(Debug, Default)]
pub struct Environment {
    wrong: Vec<String>,
}

impl Environment {
    /// A variable that must be there.
    pub fn text(&mut self, name: &str) -> String {
        variable(name).unwrap_or_else(|| {
            self.wrong.push(format!("{name} is not set"));
            String::new()
        })
    }

    /// A variable that may be there.
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        let text = variable(name)?;
        text.parse().map_err(|e| self.wrong.push(format!("{name}: {text:?}: {e}"))).ok()
    }

    fn stage(&mut self) -> Option<Location> {
        if variable("FINDATA_STAGE").is_none() {
            self.wrong.push("FINDATA_STAGE is not set: s3://BUCKET/PREFIX".into());
        }
        self.parsed("FINDATA_STAGE")
    }

    /// The index for beta and correlation, in `FINDATA_INDEX`; `none` for none.
    pub fn index(&mut self) -> Option<Symbol> {
        match variable("FINDATA_INDEX").as_deref() {
            None => Symbol::default_index(),
            Some("none") => None,
            Some(_) => self.parsed("FINDATA_INDEX"),
        }
    }

    /// The clock of planning: that of the day in `FINDATA_TODAY`, or the machine's.
    pub fn clock(&mut self) -> AnyClock {
        AnyClock::of(self.parsed::<NaiveDate>("FINDATA_TODAY"))
    }

    /// Where figures of the function go.
    pub fn telemetry(&self) -> Telemetry {
        Telemetry::of(variable("FINDATA_STACK"))
    }

    /// Memory of the function, in GB.
    pub fn memory(&mut self) -> f64 {
        self.parsed::<f64>("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").map_or(0.0, |megabytes| megabytes / 1024.0)
    }

    /// What is needed to ask FMP.
    pub fn fmp(&mut self) -> FmpAccess {
        let url = variable("FINDATA_FMP_URL").unwrap_or_else(|| DEFAULT_URL.into());
        if let Err(error) = Fmp::check_url(&url) {
            self.wrong.push(format!("FINDATA_FMP_URL: {error}"));
        }
        let kind = SourceKind::of(&url);
        let plan = self.parsed("FINDATA_FMP_PLAN").unwrap_or(kind.default_plan());
        FmpAccess { secret: self.text("FINDATA_FMP_SECRET"), url, kind, plan, gigabytes: self.gigabytes() }
    }

    /// GB that may be received in 30 days, in `FINDATA_FMP_GIGABYTES`; none where the plan says it.
    fn gigabytes(&mut self) -> Option<u64> {
        self.parsed("FINDATA_FMP_GIGABYTES")
    }

    /// The SDK's configuration and the stage, if every variable is as it must be.
    ///
    /// # Errors
    /// `Config` that names all that is wrong.
    pub async fn open(mut self) -> Result<(SdkConfig, Location)> {
        let place = self.stage();
        match place {
            Some(place) if self.wrong.is_empty() => Ok((aws::config().await?, place)),
            _ => Err(Error::Config(self.wrong.join("; "))),
        }
    }
}

/// What is needed to ask FMP.
#[derive(Debug, Clone)]
pub struct FmpAccess {
    secret: String,
    url: String,
    /// FMP itself or another server.
    pub kind: SourceKind,
    /// What the key may do.
    pub plan: FmpPlan,
    /// GB of 30 days, where the plan does not say it.
    gigabytes: Option<u64>,
}

impl FmpAccess {
    /// A client with the key of the secret, which shares the budget on the stage; a key that FMP refuses is read anew.
    ///
    /// # Errors
    /// As for reading the secret, and `Config` for a key that cannot be one.
    pub async fn open(&self, config: &SdkConfig, stage: &S3Stage) -> Result<Fmp> {
        let fmp = Fmp::new(&Settings {
            url: self.url.clone(),
            key: secret::read(config, &self.secret).await?,
            plan: self.plan,
            bytes: self.gigabytes.map(|gigabytes| gigabytes.saturating_mul(1_000_000_000)),
            in_flight: IN_FLIGHT,
            limit_pause: LIMIT_PAUSE,
            bulk_pause: self.kind.bulk_pause(),
        })?;
        let fmp = fmp.sharing(stage.clone());
        let (config, secret) = (Arc::new(config.clone()), self.secret.clone());
        Ok(fmp.with_key_from(Box::new(move || {
            let (config, secret) = (Arc::clone(&config), secret.clone());
            Box::pin(async move { secret::read(&config, &secret).await })
        })))
    }
}

/// Settings of a session on Snowflake, from the `SNOWFLAKE_` variables and the key in the secret of
/// `FINDATA_SNOWFLAKE_SECRET`, which ends before the invocation does. The key is read each time: once a run.
///
/// # Errors
/// `Config` that names what is missing; as for reading the secret.
#[cfg(feature = "snowflake")]
pub async fn snowflake(
    config: &SdkConfig,
    place: &Location,
    invocation: &Invocation,
) -> Result<crate::warehouse::snowflake::Settings> {
    let key = match variable("FINDATA_SNOWFLAKE_SECRET") {
        Some(secret) => Ok(secret::read(config, &secret).await?),
        None => Err("FINDATA_SNOWFLAKE_SECRET is not set: the ARN of the secret with the private key".to_owned()),
    };
    let named = |name: &str| variable(&format!("SNOWFLAKE_{name}"));
    let mut settings = crate::warehouse::snowflake::Settings::from_variables(named, key, place.prefix())?;
    settings.ends_at = Some(invocation.leaving(TO_CLOSE));
    Ok(settings)
}
