//! `findata stream`: lands market prices from standard input or FMP, and loads them into the warehouse.

mod feed;
mod loading;

use std::time::{Duration, SystemTime};

use findata_domain::{Error, clock::Clock};
use findata_load::ticks::LoadedTicks;
use findata_pipeline::ports::stage::Stage;
use findata_stream::session;
use serde::Serialize;

use self::{
    feed::FeedArgs,
    loading::{Loading, Loads, OnDuckDb, OnSnowflake},
};
use super::{
    Failure, Signals,
    global::{Global, ResolvedConfig, duration},
    last_home::DefaultHome,
    note,
    output::print_json,
    print,
    request::new_run_id,
};
use crate::{
    render::{count, counted},
    tick_stream::{self, Acknowledged, Pace},
};

/// Message for a second signal.
const LINES_LOST: &str =
    "lines that were not acknowledged may be lost; landed ticks are loaded by the next `findata stream`";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    feed: FeedArgs,
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
    /// Keep the ticks of this many days in the warehouse, or `all`; bars and files stay
    #[arg(long, value_name = "DAYS", default_value = "30", value_parser = keep_days)]
    keep_ticks: KeepTicks,
    /// Print a line of JSON whenever lines are safe on the stage; `lines` is the number of input lines
    /// so far
    #[arg(long)]
    acks: bool,
}

/// The days for which ticks are kept; `None` keeps all.
#[derive(Debug, Clone, Copy)]
struct KeepTicks(Option<u32>);

/// Parses a number of days. With fewer than two, the ticks of a session could be deleted while late ones arrive.
fn keep_days(text: &str) -> Result<KeepTicks, String> {
    match text.parse() {
        _ if text == "all" => Ok(KeepTicks(None)),
        Ok(days @ 2..) => Ok(KeepTicks(Some(days))),
        _ => Err("use a number of days from 2 on, or all".into()),
    }
}

/// Parses the value of an option.
fn time(option: &str, text: &str) -> Result<Duration, Failure> {
    duration(text).ok_or_else(|| {
        Failure::Usage(format!("{option} {text:?}: use a whole number with s, m or h, such as 30s"))
    })
}

impl Args {
    fn pace(&self) -> Result<Pace, Failure> {
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
            let loading = OnDuckDb {
                keep: args.keep_ticks,
                config: config.clone(),
                stage: stage.clone(),
            };
            run_on(global, &config, args, pace, stage, signals, loading).await?
        }
        Some(cloud) => {
            let stage = cloud.open_stage().await?;
            let loading = OnSnowflake {
                keep: args.keep_ticks,
                config: config.clone(),
                cloud: cloud.clone(),
                stage: stage.clone(),
            };
            run_on(global, &config, args, pace, stage, signals, loading).await?
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
    if loaded.gaps > 0 {
        text.push_str(&format!("  gaps      {}; see ops.price_gaps\n", count(loaded.gaps)));
    }
    for reason in loaded.damaged.values() {
        text.push_str(&format!("  damaged   {reason}\n"));
    }
    text + &format!("  warehouse {warehouse}\n")
}

async fn run_on<S: Stage + Clone + 'static>(
    global: &Global,
    config: &ResolvedConfig,
    args: &Args,
    pace: Pace,
    stage: S,
    signals: &Signals,
    loading: impl Loading,
) -> Result<Summary, Failure> {
    let stop = signals.stop();
    let source = args.feed.open(global, config, &stage, stop.clone()).await?;
    let session = format!("{}-{}", source.feed.source, new_run_id());
    let gaps = session::begin(&session, source.feed, &stage, config.clock.latest()).await?;
    if gaps > 0 {
        note(&format!(
            "recorded {} of {} since an earlier stream; see ops.price_gaps",
            counted(gaps as u64, "gap"),
            source.feed.source
        ));
    }
    let (feed, input) = (source.feed, source.start()?);
    let mut loads = Loads { loading, total: LoadedTicks::default() };
    let acknowledge = |done: &Acknowledged| match args.acks {
        // A failed write ends the stream, because the producer waits for the line.
        true => print_json(done).map_err(|failure| Error::Resource(failure.text())),
        false => Ok(()),
    };
    let landed = tick_stream::run(&session, input, &stage, pace, stop, &mut loads, acknowledge).await;
    // What has landed is loaded even if the input failed.
    let last = loads.loading.load().await;
    let landed = landed?;
    session::end(&session, feed, &stage, config.clock.latest()).await?;
    loads.total.add(last?);
    Ok(Summary { landed, loaded: loads.total })
}
