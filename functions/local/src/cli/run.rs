//! `findata run`.

use std::sync::Arc;

use chrono::Utc;
use findata_shared::{
    Error,
    fmp::{self, Fmp, Settings, SourceKind},
    run::{Request, RunId, Status, Summary},
    warehouse::{match_warehouse, snowflake::Snowflake},
};

use super::{
    Failure,
    global::{self, Global, Settled},
    progress::Bars,
    request::Wanted,
    say,
};
use crate::{
    duckdb::DuckDb,
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
    /// A run of every day: calls of other runs with the same key go first
    #[arg(long)]
    daily: bool,
}

pub(crate) async fn run(global: &Global, from_environment: &[&'static str], args: &Args) -> Result<u8, Failure> {
    let settled = global.settle(from_environment, "./findata-home")?;
    let mut request = args.wanted.request(&settled, args.skip_analytics)?;
    if args.daily
        && let Some(now) = request.run_id.started()
    {
        request.run_id = RunId::scheduled(now);
    }
    let fmp = settled.fmp(global::key()?);
    let summary = whole_job(&settled, &request, &fmp).await?;
    print(settled.json, &settled.warehouse(), &summary)
}

/// Runs a request on a home.
#[expect(clippy::disallowed_methods, reason = "the edge reads the real clock")]
pub(crate) async fn whole_job(settled: &Settled, request: &Request, fmp: &Settings) -> Result<Summary, Failure> {
    let started_at = Utc::now();
    let client = Fmp::new(fmp)?;
    let (stage, warehouse) = match &settled.cloud {
        None => {
            let stage = settled.home.open_stage()?;
            fmp::claim_source(&stage, &settled.fmp_url).await?;
            let mut warehouse = DuckDb::open(&settled.home.warehouse, stage.root())?;
            match_warehouse(&stage, &mut warehouse, &request.run_id).await?;
            (AnyStage::Directory(stage), AnyWarehouse::DuckDb(warehouse))
        }
        Some(cloud) => {
            let warehouse = Snowflake::new(cloud.snowflake.clone())?;
            let stage = cloud.open_stage().await?;
            fmp::claim_source(&stage, &settled.fmp_url).await?;
            (stage, AnyWarehouse::Snowflake(Box::new(warehouse)))
        }
    };
    let clock = Arc::new(settled.clock);
    let receipt = Arc::new(SourceKind::of(&settled.fmp_url).receipt(settled.clock));
    let client = Arc::new(client.sharing(stage.clone()));
    let mut host = Host { fmp: Arc::clone(&client), stage, warehouse, clock, receipt, started_at };
    let bars = Bars::new(client);
    let summary = host.run(request, &bars).await;
    bars.finish();
    if summary.is_err() && host.warehouse.is_billed() {
        // The error is the one to tell; a session that is not closed ends by itself.
        let _ = host.warehouse.settle().await;
    }
    Ok(summary?)
}

/// Prints a summary and gives the exit code.
pub(crate) fn print(json: bool, warehouse: &str, summary: &Summary) -> Result<u8, Failure> {
    if json {
        let json = serde_json::to_string(summary).map_err(|e| Error::Stop(format!("cannot write the summary: {e}")))?;
        say(&format!("{json}\n"))?;
    } else {
        say(&show::summary(summary, warehouse))?;
    }
    if summary.status == Status::Failed {
        let reason = summary.failures.first().map(|failure| &failure.reason).or(summary.notes.first());
        let reason = reason.map_or("nothing was done", String::as_str);
        eprintln!("findata: {reason}");
    }
    Ok(summary.status.exit_code())
}
