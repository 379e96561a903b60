//! `findata bench`: measure whole runs against the synthetic FMP.

use std::io::Write;

use findata_domain::Error;

use super::{Failure, global::Global, print};
use crate::{
    bench::{self, Ended, Interrupt, Phase, Settings},
    render,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Numbers of symbols
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1,10,50,505", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    symbols: Vec<u32>,
    /// Calls per minute of the FMP plan, or none; several values are measured one after the other
    #[arg(long, value_name = "none|N,..", value_delimiter = ',', default_value = "none", value_parser = limit)]
    limit: Vec<Limit>,
    /// Calendar days of prices
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// Quarters of each statement
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(0..=400))]
    quarters: u32,
    /// Milliseconds that the synthetic FMP takes to answer a call
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// Measure each run this many times and print the medians
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// Which phases: first-day (always measured), again (nothing due), next-day (2 % of the companies changed), models
    /// (recompute everything)
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
            .ok_or_else(|| "use none or a number of calls above 0".into()),
    }
}

pub(crate) async fn bench(global: &Global, args: &Args) -> Result<u8, Failure> {
    let json = global.wants_json()?;
    let settings = Settings {
        symbols: args.symbols.clone(),
        limits: args.limit.iter().map(|limit| limit.0).collect(),
        days: args.days,
        quarters: args.quarters,
        latency_ms: args.latency,
        repeat: args.repeat,
        phases: args.phases.clone(),
    };
    let mut interrupt =
        Interrupt::listen().map_err(|e| Error::Stop(format!("cannot listen for Ctrl-C: {e}")))?;
    // A closed standard error is no reason to stop measuring.
    let say = |line: &str| drop(writeln!(std::io::stderr(), "{line}"));
    let report = match bench::measure(&settings, &mut interrupt, &say).await {
        Ok(report) => report,
        Err(Ended::Failed(error)) => return Err(error.into()),
        Err(Ended::Signal(code)) => {
            say("findata: interrupted; the run was stopped and the temporary folders are deleted");
            return Ok(code);
        }
    };
    if json {
        let text = serde_json::to_string(&report)
            .map_err(|e| Error::Stop(format!("cannot write the results: {e}")))?;
        print(&format!("{text}\n"))?;
    } else {
        print(&render::bench(&report))?;
    }
    Ok(u8::from(report.failed()))
}
