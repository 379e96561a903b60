//! `findata run`.

use std::sync::Arc;

use chrono::Utc;
use findata_domain::Error;
use findata_fmp::{Fmp, Settings, SourceKind, claim_source};
use findata_pipeline::{
    binding::match_warehouse,
    ports::{stage::Stage, warehouse::Warehouse},
    run::{Request, RunId, Status},
    summary::Summary,
};
use findata_snowflake::Snowflake;

use super::{
    Failure,
    global::{self, Global, Settled},
    progress::Bars,
    request::Wanted,
    say,
};
use crate::{host::Host, show};
use findata_duckdb::DuckDb;

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

/// Runs a request on the chosen stage and warehouse.
pub(crate) async fn whole_job(settled: &Settled, request: &Request, fmp: &Settings) -> Result<Summary, Failure> {
    match &settled.cloud {
        None => {
            let stage = settled.home.open_stage()?;
            claim_source(&stage, &settled.fmp_url).await?;
            let mut warehouse = DuckDb::open(&settled.home.warehouse, stage.root())?;
            match_warehouse(&stage, &mut warehouse, &request.run_id).await?;
            run_on(settled, request, fmp, stage, warehouse).await
        }
        Some(cloud) => {
            let warehouse = Snowflake::new(cloud.snowflake.clone())?;
            let stage = cloud.open_stage().await?;
            claim_source(&stage, &settled.fmp_url).await?;
            run_on(settled, request, fmp, stage, warehouse).await
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge reads the real clock")]
async fn run_on(
    settled: &Settled,
    request: &Request,
    fmp: &Settings,
    stage: impl Stage + Clone + 'static,
    warehouse: impl Warehouse,
) -> Result<Summary, Failure> {
    let started_at = Utc::now();
    let client = Arc::new(Fmp::new(fmp)?.sharing(stage.clone()));
    let clock = Arc::new(settled.clock);
    let receipt = Arc::new(SourceKind::of(&settled.fmp_url).receipt(settled.clock));
    let mut host = Host { fmp: Arc::clone(&client), stage, warehouse, clock, receipt, started_at };
    let bars = Bars::new(client);
    let summary = host.run(request, &bars).await;
    bars.finish();
    if summary.is_err() && host.warehouse.is_billed() {
        // The first error is the one to report; an unclosed session times out.
        let _ = host.warehouse.close().await;
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
