//! `findata bench`: measure whole runs against the synthetic FMP.

use findata_domain::Error;

use super::{Failure, Signals, global::Global, note, print, print_json};
use crate::{
    bench::{self, Phase, Settings},
    render,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Sizes of the universes to measure, in symbols
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1,10,50,505", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    symbols: Vec<u32>,
    /// Calls per minute of the FMP plan, or `none` for a plan without a limit; several values are
    /// measured one after the other
    #[arg(long, value_name = "none|N,..", value_delimiter = ',', default_value = "none", value_parser = limit)]
    limit: Vec<Limit>,
    /// Number of calendar days of prices
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// Number of quarters of each statement
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(0..=400))]
    quarters: u32,
    /// Milliseconds that the synthetic FMP takes to answer a call
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// Milliseconds by which an answer may take less or longer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    jitter: u64,
    /// Measure each run this many times and print the medians
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// Phases to measure: first-day (always measured), again (nothing to fetch), next-day (2 % of
    /// the companies changed), models (recompute everything)
    #[arg(
        long,
        value_name = "PHASE,..",
        value_delimiter = ',',
        value_enum,
        default_value = "first-day,again,next-day,models",
        hide_possible_values = true
    )]
    phases: Vec<Phase>,
}

#[derive(Debug, Clone, Copy)]
struct Limit(Option<u32>);

fn limit(text: &str) -> Result<Limit, String> {
    let calls = || text.parse().ok().filter(|calls| *calls > 0);
    match text {
        "none" => Ok(Limit(None)),
        _ => calls()
            .map(|calls| Limit(Some(calls)))
            .ok_or_else(|| "use none, or a number of calls per minute above 0".into()),
    }
}

pub(crate) async fn bench(global: &Global, args: &Args, signals: &Signals) -> Result<u8, Failure> {
    let json = global.json;
    let settings = Settings {
        symbols: args.symbols.clone(),
        limits: args.limit.iter().map(|limit| limit.0).collect(),
        days: args.days,
        quarters: args.quarters,
        latency_ms: args.latency,
        jitter_ms: args.jitter,
        repeat: args.repeat,
        phases: args.phases.clone(),
    };
    signals.stop_first("temporary folders named findata-bench-... may remain");
    let report = match (bench::measure(&settings, &signals.stop(), &note).await, signals.received()) {
        (Err(Error::Interrupted(_)), Some(signal)) => {
            return Err(Failure::Signal(signal, "and deleted its temporary folders".into()));
        }
        (report, _) => report?,
    };
    if json {
        print_json(&report)?;
    } else {
        print(&render::bench(&report))?;
    }
    Ok(u8::from(report.failed()))
}
