//! `findata invoke`: asks a deployed bundle for a run.

use std::time::{Duration, Instant};

use chrono::Utc;

use findata_aws::{
    eventbridge::EventBridge,
    s3_stage::{Location, S3Stage},
};
use findata_domain::{Error, Symbol};
use findata_pipeline::{
    ledger::{self, Blocker},
    ports::{
        bus::REQUESTED,
        stage::{self, Stage},
    },
    run::RunId,
    summary::Summary,
};
use serde_json::{Map, Value, json};

use super::{
    Failure,
    global::Global,
    print,
    request::{self, HistoryArgs},
    run,
};

/// Pause between two looks at the ledger.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Symbols, separated by commas
    #[arg(value_name = "A,B", value_delimiter = ',', required_unless_present_any = ["universe", "retry"])]
    symbols: Vec<String>,
    /// sp500
    #[arg(long, value_name = "sp500", conflicts_with = "symbols")]
    universe: Option<String>,
    /// Only what failed in that run
    #[arg(long, value_name = "RUN", conflicts_with_all = ["symbols", "universe"])]
    retry: Option<RunId>,
    /// The bundle's event bus: output BusName of its stack
    #[arg(long, env = "FINDATA_BUS", default_value = "findata", value_name = "NAME")]
    bus: String,
    /// Follow the run to its end, in the ledger on --stage
    #[arg(long)]
    wait: bool,
    /// Minutes to wait
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1440))]
    minutes: u64,
    #[command(flatten)]
    extent: HistoryArgs,
}

#[expect(clippy::disallowed_methods, reason = "the edge reads the real clock")]
pub(crate) async fn invoke(global: &Global, args: &Args) -> Result<u8, Failure> {
    let json = global.wants_json()?;
    let place = match (&global.stage, args.wait) {
        (Some(place), true) => Some(place.parse::<Location>()?),
        (None, true) => {
            return Err(Failure::Usage(
                "--wait reads the ledger: give --stage s3://BUCKET/PREFIX, output StageUrl of the stack".into(),
            ));
        }
        (_, false) => None,
    };
    let run_id = request::new_run_id();
    let detail = detail(args, &run_id)?;
    let config = findata_aws::config().await?;
    EventBridge::new(&config, &args.bus).put(REQUESTED, &detail).await?;
    let Some(place) = place else {
        print(&if json { format!("{}\n", json!({"run_id": run_id})) } else { format!("asked for run {run_id}\n") })?;
        return Ok(0);
    };
    eprintln!("asked for run {run_id}");
    let until = Instant::now() + Duration::from_secs(args.minutes * 60);
    let stage = S3Stage::new(&config, place.clone());
    let summary = follow(&run_id, &stage, until).await?;
    run::print_summary(json, &format!("Snowflake, by {place}, as of {}", Utc::now().date_naive()), &summary)
}

/// The content of the event, in the words that fanout knows.
fn detail(args: &Args, run_id: &RunId) -> Result<Value, Failure> {
    let extent = &args.extent;
    let mut detail = Map::new();
    detail.insert("run_id".into(), json!(run_id));
    match (&args.retry, args.universe.as_deref()) {
        (Some(run), _) => detail.insert("retry".into(), json!(run)),
        (None, Some("sp500")) => detail.insert("universe".into(), "sp500".into()),
        (None, Some(other)) => return Err(Failure::Usage(format!("--universe {other}: a bundle knows sp500 alone"))),
        (None, None) => {
            let symbols: Vec<Symbol> = request::parse(args.symbols.iter().map(String::as_str))?;
            detail.insert("symbols".into(), json!(symbols))
        }
    };
    if let Some(most) = extent.max_calls {
        detail.insert("max_calls".into(), json!(most));
    }
    if args.retry.is_none() {
        let options = [
            ("quarters", json!(extent.quarters)),
            ("years", json!(extent.years)),
            ("days", json!(extent.days)),
            ("from", json!(extent.from)),
            ("to", json!(extent.to)),
            ("full", json!(extent.full)),
            ("datasets", json!(extent.datasets)),
            ("reconcile", json!(extent.reconcile)),
            ("ttl", if extent.ttl.is_empty() { Value::Null } else { json!(extent.ttl) }),
        ];
        detail.extend(
            options.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)),
        );
    }
    Ok(Value::Object(detail))
}

/// Waits for the run's summary and says on the way where it stands.
async fn follow(run: &RunId, stage: &impl Stage, until: Instant) -> Result<Summary, Failure> {
    let mut told = String::new();
    loop {
        let keys = stage.list(&format!("runs/{run}/")).await?;
        let has = |key: String| keys.contains(&key);
        if has(ledger::summary_key(run))
            && let Some(summary) = stage::read_json(stage, &ledger::summary_key(run)).await?
        {
            return Ok(summary);
        }
        for function in ["load", "analytics"] {
            let key = ledger::blocker_key(run, function);
            if has(key.clone())
                && let Some(trouble) = stage::read_json::<Blocker>(stage, &key).await?
            {
                return Err(Error::Stop(format!("{function} of run {run}: {}", trouble.reason)).into());
            }
        }
        let state = if has(ledger::loaded_key(run)) {
            "compute ...".to_owned()
        } else if has(ledger::staged_key(run)) {
            "load ...".to_owned()
        } else if has(ledger::plan_key(run)) {
            let batches = ledger::batches_prefix(run);
            format!("fetch ... {} batches done", keys.iter().filter(|key| key.starts_with(&batches)).count())
        } else {
            "waiting for the plan ...".to_owned()
        };
        if state != told {
            eprintln!("{state}");
            told = state;
        }
        if Instant::now() > until {
            return Err(Error::retry(format!(
                "run {run} has not ended yet; its ledger is in runs/{run}/ on the stage"
            ))
            .into());
        }
        tokio::time::sleep(LOOK).await;
    }
}
