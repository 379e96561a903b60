//! Runs load on AWS Lambda.

use findata_aws::lambda::{Function, Invocation, RuntimeError, serve, step::StepFunction};
use findata_domain::Result;
use findata_load::event;
use findata_pipeline::telemetry::Telemetry;
use findata_snowflake::{SECRET_VARIABLE, Settings, Snowflake};
use serde_json::Value;

struct Load(StepFunction);

impl Function for Load {
    async fn open() -> Result<Self> {
        StepFunction::open().await.map(Load)
    }

    fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    async fn handle(&self, input: Value, invocation: Invocation) -> Result<Value> {
        let Load(function) = self;
        let open = |args: findata_aws::lambda::step::SessionArgs<'_>| {
            Snowflake::new(Settings::until(args.ends_at, args.variable, args.key, args.prefix)?)
        };
        let work = async |warehouse: Result<&mut Snowflake>| {
            event::handle(
                &input,
                &function.stage,
                warehouse,
                &function.bus,
                &function.clock,
                invocation.started_at,
                &function.telemetry,
            )
            .await
        };
        function.with_warehouse(&invocation, SECRET_VARIABLE, open, work).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RuntimeError> {
    serve::<Load>().await
}
