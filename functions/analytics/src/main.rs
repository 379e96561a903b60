//! Runs analytics on AWS Lambda.

use findata_analytics::event;
use findata_aws::lambda::{Function, Invocation, RuntimeError, serve, step::StepFunction};
use findata_domain::Result;
use findata_models::Models;
use findata_pipeline::telemetry::Telemetry;
use findata_snowflake::{SECRET_VARIABLE, Settings, Snowflake};
use serde_json::Value;

struct Analytics(StepFunction, &'static Models);

impl Function for Analytics {
    async fn open() -> Result<Self> {
        Ok(Analytics(StepFunction::open().await?, Models::built_in()?))
    }

    fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    async fn handle(&self, input: Value, invocation: Invocation) -> Result<Value> {
        let Analytics(function, models) = self;
        let (now, memory) = (invocation.started_at, function.memory);
        let open = |args: findata_aws::lambda::step::SessionArgs<'_>| {
            Snowflake::new(Settings::until(args.ends_at, args.variable, args.key, args.prefix)?)
        };
        let work = async |warehouse: Result<&mut Snowflake>| {
            let (stage, bus) = (&function.stage, &function.bus);
            event::handle(
                &input,
                stage,
                warehouse,
                models,
                bus,
                &function.clock,
                now,
                memory,
                &function.telemetry,
            )
            .await
        };
        function.with_warehouse(&invocation, SECRET_VARIABLE, open, work).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RuntimeError> {
    serve::<Analytics>().await
}
