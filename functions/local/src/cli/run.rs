//! `findata run`.

use std::sync::Arc;

use chrono::Utc;
use findata_shared::{
    Error,
    clock::SystemClock,
    fmp::{Fmp, Settings},
    run::{Request, Status, Summary},
    warehouse::snowflake::Snowflake,
};

use super::{
    Failure,
    global::{self, AnyClock, Global, Settled},
    progress::Bars,
    request::Wanted,
    say,
};
use crate::{
    duckdb::DuckDb,
    home::{self, SourceKind},
    host::Host,
    places::{AnyStage, AnyWarehouse},
    show,
};

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
    let (stage, warehouse) = match &settled.cloud {
        None => {
            let stage = settled.home.open_stage()?;
            home::claim_source(&stage, &settled.fmp_url).await?;
            let mut warehouse = DuckDb::open(&settled.home.warehouse, stage.root())?;
            home::match_warehouse(&stage, &mut warehouse, &request.run_id).await?;
            (AnyStage::Directory(stage), AnyWarehouse::DuckDb(warehouse))
        }
        Some(cloud) => {
            let warehouse = Snowflake::new(cloud.snowflake.clone())?;
            let stage = cloud.open_stage().await?;
            home::claim_source(&stage, &settled.fmp_url).await?;
            (stage, AnyWarehouse::Snowflake(Box::new(warehouse)))
        }
    };
    let clock = Arc::new(settled.clock);
    let receipt = match SourceKind::of(&settled.fmp_url) {
        SourceKind::Fmp => Arc::new(AnyClock::System(SystemClock)),
        SourceKind::Other => Arc::clone(&clock),
    };
    let mut host = Host { fmp: Arc::clone(&fmp), stage, warehouse, clock, receipt, started_at };
    let bars = Bars::new(fmp);
    let summary = host.run(request, &bars).await;
    bars.finish();
    if summary.is_err() && host.warehouse.is_billed() {
        // The error is the one to tell; a session that is not closed ends by itself.
        let _ = host.warehouse.settle().await;
    }
    Ok(summary?)
}

/// Prints a summary and gives the exit code.
pub(crate) fn print(settled: &Settled, summary: &Summary) -> Result<u8, Failure> {
    if settled.json {
        let json = serde_json::to_string(summary).map_err(|e| Error::Stop(format!("cannot write the summary: {e}")))?;
        say(&format!("{json}\n"))?;
    } else {
        say(&show::summary(summary, &settled.warehouse()))?;
    }
    if summary.status == Status::Failed {
        let reason = summary.failures.first().map_or("nothing was done", |f| f.reason.as_str());
        eprintln!("findata: {reason}");
    }
    Ok(summary.status.exit_code())
}
