//! Runs stream on AWS Lambda.

use aws_lambda_events::event::kinesis::KinesisEvent;
use findata_aws::{
    lambda::{self, Environment, Function, Invocation},
    s3_stage::S3Stage,
};
use findata_domain::{Error, Result};
use findata_pipeline::telemetry::Telemetry;
use findata_stream::event;
use serde::Deserialize;
use serde_json::Value;

struct Stream {
    stage: S3Stage,
    telemetry: Telemetry,
}

impl Function for Stream {
    async fn open() -> Result<Self> {
        let environment = Environment::default();
        let telemetry = environment.telemetry();
        let (config, place) = environment.open().await?;
        Ok(Stream { stage: S3Stage::new(&config, place), telemetry })
    }

    fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    async fn handle(&self, input: Value, invocation: Invocation) -> Result<Value> {
        let event = KinesisEvent::deserialize(input)
            .map_err(|e| Error::Reject(format!("not a Kinesis event: {e}")))?;
        let response = event::handle(&event, &self.stage, &self.telemetry, invocation.started_at).await?;
        serde_json::to_value(response).map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::RuntimeError> {
    lambda::serve::<Stream>().await
}
