//! Runs fanout on AWS Lambda.

use std::time::Instant;

use chrono::{Days, Duration};
use findata_aws::{
    SdkConfig,
    eventbridge::EventBridge,
    lambda::{self, Environment, Function},
    s3_stage::S3Stage,
    secrets,
    sqs::SqsQueue,
};
use findata_domain::{Result, clock::AnyClock};
use findata_fanout::{
    command::Defaults,
    event::{self, Invocation},
    watch::Watch,
};
use findata_fmp::{Deadline, Fmp, FmpAccess};
use findata_pipeline::telemetry::Telemetry;
use serde_json::Value;
use tokio::sync::OnceCell;

struct Fanout {
    config: SdkConfig,
    access: FmpAccess,
    secret: String,
    fmp: OnceCell<Fmp>,
    defaults: Defaults,
    stage: S3Stage,
    queue: SqsQueue,
    bus: EventBridge,
    clock: AnyClock,
    telemetry: Telemetry,
    watch: Watch,
}

impl Function for Fanout {
    async fn open() -> Result<Self> {
        let mut environment = Environment::default();
        let (queue, bus) = (environment.text("FINDATA_QUEUE_URL"), environment.text("FINDATA_BUS"));
        let access = environment.read(FmpAccess::from_variables);
        let secret = environment.text("FINDATA_FMP_SECRET");
        let ttl = environment.parsed("FINDATA_TTL").unwrap_or_default();
        let defaults = Defaults {
            index: environment.index(),
            plan_limits: access.plan.plan_limits(access.kind),
            ttl,
        };
        let watch = Watch {
            late_after: environment.parsed("FINDATA_LATE_MINUTES").map(Duration::minutes),
            stale_after: environment.parsed("FINDATA_SILENT_DAYS").map(Days::new),
            time_scale: access.time_scale,
        };
        let (clock, telemetry) = (environment.clock(), environment.telemetry());
        let (config, place) = environment.open().await?;
        Ok(Fanout {
            access,
            secret,
            fmp: OnceCell::new(),
            defaults,
            stage: S3Stage::new(&config, place.clone()),
            queue: SqsQueue::new(&config, queue),
            bus: EventBridge::new(&config, bus).for_stage(&place),
            clock,
            telemetry,
            watch,
            config,
        })
    }

    fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    async fn handle(&self, input: Value, invocation: lambda::Invocation) -> Result<Value> {
        let fmp = self
            .fmp
            .get_or_try_init(|| {
                self.access.open(secrets::reader(&self.config, &self.secret), self.stage.clone())
            })
            .await;
        let limit = Deadline::before(invocation.deadline, Instant::now());
        let invocation = Invocation {
            id: invocation.id,
            at: invocation.started_at,
            deadline: Some(limit.wait),
        };
        event::handle(
            input,
            &invocation,
            &self.defaults,
            fmp,
            &self.stage,
            &self.queue,
            &self.bus,
            &self.clock,
            &self.telemetry,
            self.watch,
        )
        .await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::RuntimeError> {
    lambda::serve::<Fanout>().await
}
