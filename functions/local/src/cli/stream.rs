//! `findata stream`: lands market prices from standard input, and loads them into the warehouse.

use std::{io, time::SystemTime};

use findata_domain::Error;
use findata_load::{
    refill::missing_runs,
    ticks::{LoadedTicks, load_ticks},
};
use findata_pipeline::{
    binding::bind_warehouse,
    ledger,
    ports::{stage::Stage, warehouse::Warehouse},
};
use findata_snowflake::Snowflake;
use serde::Serialize;

use super::{
    Failure, Signals,
    global::{Cloud, Global, ResolvedConfig, duration},
    last_home::DefaultHome,
    note,
    output::print_json,
    print,
    request::new_run_id,
    run::{self, ATTEMPTS, Work, open_copy, open_warehouse, patience},
};
use crate::{
    render::{count, counted},
    stage::DirectoryStage,
    tick_input,
    tick_stream::{self, Acknowledged, Loader, Pace},
    working_copy::Published,
};

/// Message for a second signal.
const LINES_LOST: &str =
    "lines that were not acknowledged may be lost; landed ticks are loaded by the next `findata stream`";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Land lines as soon as this many are waiting
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=25_000))]
    flush_records: u32,
    /// Land lines that have waited for this time, such as 30s
    #[arg(long, value_name = "TIME", default_value = "30s")]
    flush_after: String,
    /// Load landed ticks into the warehouse at this interval, such as 15m; 0 loads only at the end
    #[arg(long, value_name = "TIME", default_value = "15m")]
    load_every: String,
    /// Load earlier once this many ticks have landed
    #[arg(long, value_name = "N", default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    load_at: u64,
    /// Print a line of JSON whenever lines are safe on the stage; `lines` is the number of input lines
    /// so far
    #[arg(long)]
    acks: bool,
}

impl Args {
    fn pace(&self) -> Result<Pace, Failure> {
        let time = |option: &str, text: &str| {
            duration(text).ok_or_else(|| {
                Failure::Usage(format!("{option} {text:?}: use a whole number with s, m or h, such as 30s"))
            })
        };
        Ok(Pace {
            records: self.flush_records as usize,
            wait: time("--flush-after", &self.flush_after)?,
            load_every: Some(time("--load-every", &self.load_every)?).filter(|every| !every.is_zero()),
            load_at: self.load_at,
        })
    }
}

/// The result of the command.
#[derive(Debug, Serialize)]
struct Summary {
    #[serde(flatten)]
    landed: Acknowledged,
    loaded: LoadedTicks,
}

pub(crate) async fn stream(global: &Global, args: &Args, signals: &Signals) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::Own)?;
    let pace = args.pace()?;
    if args.acks && config.json {
        return Err(Failure::Usage(
            "--acks prints lines, and --json prints one document: use one of them".into(),
        ));
    }
    signals.stop_first(LINES_LOST);
    let summary = match &config.cloud {
        None => {
            let stage = config.data_dir.open_stage()?;
            if let Some(homes) = &config.last_homes {
                homes.note(&config.home.home, SystemTime::now());
            }
            let loading = OnDuckDb { config: config.clone(), stage: stage.clone() };
            run_on(&config, stage, pace, args.acks, signals, loading).await?
        }
        Some(cloud) => {
            let stage = cloud.open_stage().await?;
            let loading = OnSnowflake {
                config: config.clone(),
                cloud: cloud.clone(),
                stage: stage.clone(),
            };
            run_on(&config, stage, pace, args.acks, signals, loading).await?
        }
    };
    if config.json {
        print_json(&summary)?;
    } else if !args.acks {
        print(&text(&summary, &config.warehouse()))?;
    }
    match signals.received() {
        None => Ok(0),
        Some(signal) => {
            let lines = counted(summary.landed.lines, "line");
            Err(Failure::Signal(signal, format!("after {lines}: they are landed and loaded")))
        }
    }
}

fn text(summary: &Summary, warehouse: &str) -> String {
    let (landed, loaded) = (&summary.landed.counts, &summary.loaded);
    let mut text = format!(
        "  landed    {} in {}, {} quarantined, {} late\n  loaded    {}, {} repeated, {} quarantined, {} added or corrected\n",
        counted(landed.ticks, "tick"),
        counted(landed.files, "file"),
        count(landed.quarantined),
        count(landed.late),
        counted(loaded.ticks, "tick"),
        count(loaded.duplicates),
        count(loaded.quarantined),
        counted(loaded.bars, "bar"),
    );
    for reason in loaded.damaged.values() {
        text.push_str(&format!("  damaged   {reason}\n"));
    }
    text + &format!("  warehouse {warehouse}\n")
}

/// Loads the landed files into one warehouse.
trait Loading: Send + Sync {
    fn load(&self) -> impl Future<Output = Result<LoadedTicks, Error>> + Send + 'static;
}

/// Adds up the loads of the stream.
struct Loads<L> {
    loading: L,
    total: LoadedTicks,
}

impl<L: Loading> Loader for Loads<L> {
    type Loaded = Result<LoadedTicks, Error>;

    fn load(&self) -> impl Future<Output = Self::Loaded> + Send + 'static {
        self.loading.load()
    }

    fn loaded(&mut self, result: Self::Loaded) {
        match result {
            Ok(loaded) => self.total.add(loaded),
            Err(error) => note(&format!("findata: ticks are not loaded yet: {error}")),
        }
    }
}

async fn run_on<S: Stage + Clone + 'static>(
    config: &ResolvedConfig,
    stage: S,
    pace: Pace,
    acks: bool,
    signals: &Signals,
    loading: impl Loading,
) -> Result<Summary, Failure> {
    let session = format!("stdin-{}", new_run_id());
    let input = tick_input::read(io::stdin(), config.clock)?;
    let mut loads = Loads { loading, total: LoadedTicks::default() };
    let acknowledge = |done: &Acknowledged| match acks {
        // A failed write ends the stream, because the producer waits for the line.
        true => print_json(done).map_err(|failure| Error::Resource(failure.text())),
        false => Ok(()),
    };
    let stop = signals.stop();
    let landed = tick_stream::run(&session, input, &stage, pace, stop, &mut loads, acknowledge).await;
    // What has landed is loaded even if the input failed.
    let last = loads.loading.load().await;
    let landed = landed?;
    loads.total.add(last?);
    Ok(Summary { landed, loaded: loads.total })
}

struct OnDuckDb {
    config: ResolvedConfig,
    stage: DirectoryStage,
}

impl Loading for OnDuckDb {
    fn load(&self) -> impl Future<Output = Result<LoadedTicks, Error>> + Send + 'static {
        let (config, stage) = (self.config.clone(), self.stage.clone());
        async move {
            load_on_duckdb(&config, &stage).await.map_err(|failure| match failure {
                Failure::Run(error) => error,
                other => Error::Stop(other.text()),
            })
        }
    }
}

/// Loads into a working copy, and publishes it. If somebody changes the warehouse meanwhile, loads
/// into a copy of the changed one.
async fn load_on_duckdb(config: &ResolvedConfig, stage: &DirectoryStage) -> Result<LoadedTicks, Failure> {
    let models = config.models_with(stage).await?;
    for _ in 0..ATTEMPTS {
        let copy = open_copy(config, stage, Work::Run).await?;
        let mut warehouse = open_warehouse(config, stage, &copy, models).await?;
        let loaded = load_into(config, stage, &mut warehouse).await?;
        drop(warehouse);
        match copy.publish(loaded.has_changes(), &patience(config)).await? {
            Published::Unchanged | Published::Replaced => return Ok(loaded),
            Published::Kept(reason) => {
                note(&format!("findata: {reason}"));
                return Ok(loaded);
            }
            Published::Outdated => {}
        }
    }
    Err(run::changed_too_often(config))
}

struct OnSnowflake<S> {
    config: ResolvedConfig,
    cloud: Cloud,
    stage: S,
}

impl<S: Stage + Clone + 'static> Loading for OnSnowflake<S> {
    fn load(&self) -> impl Future<Output = Result<LoadedTicks, Error>> + Send + 'static {
        let (config, cloud, stage) = (self.config.clone(), self.cloud.clone(), self.stage.clone());
        async move {
            let mut warehouse = Snowflake::new(cloud.snowflake)?;
            load_into(&config, &stage, &mut warehouse).await
        }
    }
}

/// Loads the files that the warehouse lacks, and closes the session.
async fn load_into(
    config: &ResolvedConfig,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
) -> Result<LoadedTicks, Error> {
    let run = new_run_id();
    let loaded = async {
        bind_warehouse(stage, warehouse, &run).await?;
        let runs = ledger::runs_with("loaded.json", &stage.list("runs/").await?);
        // Otherwise the load would reject symbols of these runs as unknown.
        if !missing_runs(runs, warehouse).await?.is_empty() {
            return Err(Error::Config(
                "the warehouse lacks runs that are on the stage: load them with `findata replay`; landed ticks are loaded \
                 by the next `findata stream`"
                    .into(),
            ));
        }
        load_ticks(&run, stage, warehouse, &config.clock).await
    };
    let loaded = loaded.await;
    // The first error is reported, and committed rows are safe.
    let closed = warehouse.close().await;
    let loaded = loaded?;
    closed?;
    Ok(loaded)
}
