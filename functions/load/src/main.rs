//! load on AWS Lambda.

use findata_load::event;
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

struct Load {
    config: SdkConfig,
    place: Location,
    stage: S3Stage,
    bus: EventBridge,
    clock: AnyClock,
    telemetry: Telemetry,
}

impl Sandbox for Load {
    async fn open() -> Result<Self> {
        let mut environment = Environment::default();
        let bus = environment.text("FINDATA_BUS");
        let (clock, telemetry) = (environment.clock(), environment.telemetry());
        let (config, place) = environment.open().await?;
        let (stage, bus) = (S3Stage::new(&config, place.clone()), EventBridge::new(&config, bus));
        Ok(Load { config, place, stage, bus, clock, telemetry })
    }

    async fn handle(&self, input: Value, invocation: Invocation) -> Result<Value> {
        let settings = lambda::snowflake(&self.config, &self.place, &invocation).await;
        let mut warehouse = settings.and_then(Snowflake::new);
        let opened = warehouse.as_mut().map_err(|error| error.clone());
        let done = event::handle(&input, &self.stage, opened, &self.bus, &self.clock, &self.telemetry).await;
        if let Ok(warehouse) = &mut warehouse {
            // What is committed is safe; a session that is not closed ends by itself.
            let _ = warehouse.close().await;
        }
        done
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Ended> {
    lambda::serve::<Load>().await
}
