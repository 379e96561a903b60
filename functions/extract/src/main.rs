//! extract on AWS Lambda.

use std::time::Instant;

use aws_lambda_events::event::sqs::SqsEvent;
use findata_extract::event;
use findata_shared::{
    Error, Result,
    aws::{SdkConfig, queue::SqsQueue},
    clock::AnyClock,
    fmp::{Deadline, Fmp},
    lambda::{self, Environment, FmpAccess, Invocation, Sandbox},
    stage::s3::S3Stage,
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OnceCell;

struct Extract {
    config: SdkConfig,
    access: FmpAccess,
    fmp: OnceCell<Fmp>,
    dead_letters: String,
    stage: S3Stage,
    queue: SqsQueue,
    clock: AnyClock,
}

impl Sandbox for Extract {
    async fn open() -> Result<Self> {
        let mut environment = Environment::default();
        let (queue, dead_letters) = (environment.text("FINDATA_QUEUE_URL"), environment.text("FINDATA_DEAD_LETTERS"));
        let access = environment.fmp();
        let clock = access.kind.receipt(environment.clock());
        let (config, place) = environment.open().await?;
        Ok(Extract {
            access,
            fmp: OnceCell::new(),
            dead_letters,
            stage: S3Stage::new(&config, place),
            queue: SqsQueue::new(&config, queue),
            clock,
            config,
        })
    }

    async fn handle(&self, input: Value, invocation: Invocation) -> Result<Value> {
        let event = SqsEvent::deserialize(input).map_err(|e| Error::Reject(format!("this is no event of SQS: {e}")))?;
        let fmp = self.fmp.get_or_try_init(|| self.access.open(&self.config, &self.stage)).await;
        let limit = Deadline::before(invocation.ends, Instant::now());
        let response =
            event::handle(event, &self.dead_letters, fmp, &self.stage, &self.queue, &self.clock, limit).await;
        serde_json::to_value(response).map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Ended> {
    lambda::serve::<Extract>().await
}
