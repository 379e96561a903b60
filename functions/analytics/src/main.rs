//! analytics on AWS Lambda.

use findata_analytics::event;
use findata_shared::{
    Result,
    aws::{SdkConfig, bus::EventBridge},
    clock::AnyClock,
    lambda::{self, Environment, Invocation, Sandbox},
    stage::s3::{Location, S3Stage},
    telemetry::Telemetry,
    warehouse::snowflake::Snowflake,
};
use serde_json::Value;

struct Analytics {
    config: SdkConfig,
    place: Location,
    stage: S3Stage,
    bus: EventBridge,
    clock: AnyClock,
    telemetry: Telemetry,
    memory: f64,
}

impl Sandbox for Analytics {
    async fn open() -> Result<Self> {
        let mut environment = Environment::default();
        let bus = environment.text("FINDATA_BUS");
        let (clock, telemetry, memory) = (environment.clock(), environment.telemetry(), environment.memory());
        let (config, place) = environment.open().await?;
        let (stage, bus) = (S3Stage::new(&config, place.clone()), EventBridge::new(&config, bus));
        Ok(Analytics { config, place, stage, bus, clock, telemetry, memory })
    }

    async fn handle(&self, input: Value, invocation: Invocation) -> Result<Value> {
        let settings = lambda::snowflake(&self.config, &self.place, &invocation).await;
        let mut warehouse = settings.and_then(Snowflake::new);
        let opened = warehouse.as_mut().map_err(|error| error.clone());
        let (now, memory) = (invocation.at, self.memory);
        let done =
            event::handle(&input, &self.stage, opened, &self.bus, &self.clock, now, memory, &self.telemetry).await;
        if let Ok(warehouse) = &mut warehouse {
            // What is committed is safe; a session that is not closed ends by itself.
            let _ = warehouse.close().await;
        }
        done
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Ended> {
    lambda::serve::<Analytics>().await
}
