//! `findata invoke`: starts a run in a deployment on AWS.

use std::time::{Duration, Instant};

use chrono::Utc;
use findata_aws::{
    eventbridge::EventBridge,
    s3_stage::{Location, S3Stage},
};
use findata_domain::Error;
use findata_pipeline::{
    command_input::CommandInput,
    ledger::{self, Blocker},
    named_universe::UniverseName,
    ports::{
        bus::REQUESTED,
        stage::{self, Stage},
    },
    run::{RunId, Universe},
    summary::Summary,
};
use serde_json::json;

use super::{
    Failure, Signals,
    global::Global,
    note, print, print_json,
    request::{self, HistoryArgs},
    run, symbol_file,
};

/// Pause between two polls of the ledger.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Symbols, separated by commas
    #[arg(value_name = "A,B", value_delimiter = ',')]
    symbols: Vec<String>,
    /// Run for a universe: sp500, nasdaq, dowjones, or a list stored with `findata universe put`
    #[arg(long, value_name = "sp500|NAME", conflicts_with = "symbols")]
    universe: Option<String>,
    /// Repeat only the failed tasks of this run
    #[arg(long, value_name = "RUN", conflicts_with_all = ["symbols", "universe"])]
    retry: Option<RunId>,
    /// Event bus of the deployment: the output BusName of the stack
    #[arg(long, env = "FINDATA_BUS", default_value = "findata", value_name = "NAME")]
    bus: String,
    /// Wait for the run to finish and print its summary; reads the ledger on --stage
    #[arg(long)]
    wait: bool,
    /// Stop waiting after this many minutes
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1440))]
    minutes: u64,
    #[command(flatten)]
    history: HistoryArgs,
}

#[expect(clippy::disallowed_methods, reason = "the command line reads the real clock")]
pub(crate) async fn invoke(global: &Global, args: &Args, signals: &Signals) -> Result<u8, Failure> {
    let json = global.json;
    let location = match (&global.stage, args.wait) {
        (Some(stage), true) => Some(stage.parse::<Location>()?),
        (None, true) => {
            return Err(Failure::Usage(
                "--wait reads the ledger on the stage: add --stage s3://BUCKET/PREFIX (the output StageUrl of the stack)"
                    .into(),
            ));
        }
        (_, false) => None,
    };
    let run_id = request::new_run_id();
    let detail = serde_json::to_value(input(args, &run_id)?)
        .map_err(|e| Error::Stop(format!("cannot write the request: {e}")))?;
    let config = findata_aws::config().await?;
    EventBridge::new(&config, &args.bus).put(REQUESTED, &detail).await?;
    let Some(location) = location else {
        if json {
            print_json(&json!({"run_id": run_id}))?;
        } else {
            print(&format!("requested run {run_id}\n"))?;
        }
        return Ok(0);
    };
    note(&format!("requested run {run_id}"));
    signals.end_with(format!(
        "run {run_id} continues on AWS; its result will be in runs/{run_id}/summary.json on the stage"
    ));
    let deadline = Instant::now() + Duration::from_secs(args.minutes * 60);
    let stage = S3Stage::new(&config, location.clone());
    let summary = wait_for_summary(&run_id, &stage, deadline).await?;
    run::print_summary(
        json,
        &format!("Snowflake, by {location}, as of {}", Utc::now().date_naive()),
        &summary,
    )
}

/// Builds the detail of the event that requests the run. A retry takes its options from the failed
/// run.
fn input(args: &Args, run_id: &RunId) -> Result<CommandInput, Failure> {
    let mut input = match args.retry {
        Some(_) => CommandInput { max_calls: args.history.max_calls, ..CommandInput::default() },
        None => CommandInput::from(&args.history),
    };
    input.run_id = Some(run_id.clone());
    input.retry = args.retry.clone();
    input.universe = args.universe.clone();
    match args.universe.as_deref() {
        Some(name) if Universe::of_index(name).is_some() => {}
        Some(name) => {
            name.parse::<UniverseName>()?;
        }
        None if args.retry.is_some() => {}
        None if args.symbols.is_empty() => {
            return Err(Failure::Usage(
                "no symbols: name symbols, such as AAPL,MSFT, or add --universe sp500".into(),
            ));
        }
        None => input.symbols = Some(symbol_file::parse(args.symbols.iter().map(String::as_str))?),
    }
    input.check()?;
    Ok(input)
}

/// Waits for the run's summary and reports its progress on standard error.
async fn wait_for_summary(run: &RunId, stage: &impl Stage, deadline: Instant) -> Result<Summary, Failure> {
    let mut reported = String::new();
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
                && let Some(blocker) = stage::read_json::<Blocker>(stage, &key).await?
            {
                return Err(
                    Error::Stop(format!("{function} cannot continue run {run}: {}", blocker.reason)).into()
                );
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
        if state != reported {
            note(&state);
            reported = state;
        }
        if Instant::now() > deadline {
            return Err(Error::retry(format!(
                "run {run} has not finished yet; its ledger is in runs/{run}/ on the stage"
            ))
            .into());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
