//! Runs extract on AWS Lambda.

use std::time::{Duration, Instant};

use aws_lambda_events::event::sqs::SqsEvent;
use findata_aws::{
    SdkConfig,
    lambda::{self, Environment, Function, Invocation},
    s3_stage::S3Stage,
    secrets,
    sqs::SqsQueue,
};
use findata_domain::{Error, Result, clock::AnyClock};
use findata_extract::event;
use findata_fmp::{Deadline, Fmp, FmpAccess};
use findata_pipeline::telemetry::Telemetry;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OnceCell;

/// Seconds until a failed batch is delivered again, unless the environment sets them.
const RETRY_PAUSE: u64 = 60;

struct Extract {
    config: SdkConfig,
    access: FmpAccess,
    secret: String,
    fmp: OnceCell<Fmp>,
    dead_letters: String,
    stage: S3Stage,
    queue: SqsQueue,
    pause: Duration,
    clock: AnyClock,
    telemetry: Telemetry,
}

impl Function for Extract {
    async fn open() -> Result<Self> {
        let mut environment = Environment::default();
        let (queue, dead_letters) =
            (environment.text("FINDATA_QUEUE_URL"), environment.text("FINDATA_DEAD_LETTERS"));
        let access = environment.read(FmpAccess::from_variables);
        let secret = environment.text("FINDATA_FMP_SECRET");
        let pause = Duration::from_secs(environment.parsed("FINDATA_RETRY_PAUSE").unwrap_or(RETRY_PAUSE));
        let clock = access.kind.receipt(environment.clock());
        let telemetry = environment.telemetry();
        let (config, place) = environment.open().await?;
        Ok(Extract {
            access,
            secret,
            fmp: OnceCell::new(),
            dead_letters,
            stage: S3Stage::new(&config, place),
            queue: SqsQueue::new(&config, queue),
            pause,
            clock,
            telemetry,
            config,
        })
    }

    fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    async fn handle(&self, input: Value, invocation: Invocation) -> Result<Value> {
        let event =
            SqsEvent::deserialize(input).map_err(|e| Error::Reject(format!("not an SQS event: {e}")))?;
        let fmp = self
            .fmp
            .get_or_try_init(|| {
                self.access.open(secrets::reader(&self.config, &self.secret), self.stage.clone())
            })
            .await;
        let limit = Deadline::before(invocation.deadline, Instant::now());
        let response = event::handle(
            event,
            &self.dead_letters,
            fmp,
            &self.stage,
            &self.queue,
            &self.clock,
            limit,
            self.pause,
            &self.telemetry.tracer,
        )
        .await;
        serde_json::to_value(response).map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::RuntimeError> {
    lambda::serve::<Extract>().await
}
