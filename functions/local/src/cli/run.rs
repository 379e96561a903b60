//! `findata run`.

use std::sync::Arc;

use chrono::Utc;
use findata_shared::{
    Error,
    fmp::{Fmp, Settings},
    run::{Request, Status, Summary},
};

use super::{
    Failure,
    global::{self, Global, Settled},
    progress::Bars,
    request::Wanted,
    say,
};
use crate::{duckdb::DuckDb, home, host::Host, show};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    wanted: Wanted,
    /// Load, but do not compute
    #[arg(long)]
    skip_analytics: bool,
}

pub(crate) async fn run(global: &Global, from_environment: &[&'static str], args: &Args) -> Result<u8, Failure> {
    let settled = global.settle(from_environment, "./findata-home")?;
    let request = args.wanted.request(&settled, args.skip_analytics)?;
    let fmp = settled.fmp(global::key()?, request.options.max_calls);
    let summary = whole_job(&settled, &request, &fmp).await?;
    print(&settled, &summary)
}

/// Runs a request on a home.
#[expect(clippy::disallowed_methods, reason = "the edge reads the real clock")]
pub(crate) async fn whole_job(settled: &Settled, request: &Request, fmp: &Settings) -> Result<Summary, Failure> {
    let started_at = Utc::now();
    let fmp = Arc::new(Fmp::new(fmp)?);
    let stage = settled.home.open_stage()?;
    home::claim_source(&stage, &settled.fmp_url).await?;
    let warehouse = DuckDb::open(&settled.home.warehouse, stage.root())?;
    let mut host = Host { fmp: Arc::clone(&fmp), stage, warehouse, clock: Arc::new(settled.clock), started_at };
    let bars = Bars::new(fmp);
    let summary = host.run(request, &bars).await;
    bars.finish();
    Ok(summary?)
}

/// Prints a summary and gives the exit code.
pub(crate) fn print(settled: &Settled, summary: &Summary) -> Result<u8, Failure> {
    if settled.json {
        let json = serde_json::to_string(summary).map_err(|e| Error::Stop(format!("cannot write the summary: {e}")))?;
        say(&format!("{json}\n"))?;
    } else {
        say(&show::summary(summary, &settled.home.warehouse))?;
    }
    if summary.status == Status::Failed {
        let reason = summary.failures.first().map_or("nothing was done", |f| f.reason.as_str());
        eprintln!("findata: {reason}");
    }
    Ok(summary.status.exit_code())
}
