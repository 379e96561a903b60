//! `findata run`: plan, fetch, load and compute.

use std::sync::Arc;

use chrono::Utc;
use findata_domain::Error;
use findata_duckdb::DuckDb;
use findata_fmp::{ClientSettings, Fmp, SourceKind, claim_source};
use findata_pipeline::{
    binding::bind_warehouse,
    ports::{stage::Stage, warehouse::Warehouse},
    run::{Request, RunId, Status},
    summary::Summary,
};
use findata_snowflake::Snowflake;

use super::{
    Failure,
    global::{self, Global, ResolvedConfig},
    print,
    progress::Bars,
    request::RequestArgs,
};
use crate::{host::Host, render};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    request: RequestArgs,
    /// Load the data, but compute no figures
    #[arg(long)]
    skip_analytics: bool,
    /// Mark this as a daily run: it yields FMP calls to other runs that use the same key
    #[arg(long)]
    daily: bool,
}

pub(crate) async fn run(
    global: &Global,
    from_environment: &[&'static str],
    args: &Args,
) -> Result<u8, Failure> {
    let config = global.resolve(from_environment, "./findata-home")?;
    let mut request = args.request.request(&config, args.skip_analytics)?;
    if args.daily
        && let Some(now) = request.run_id.started()
    {
        request.run_id = RunId::scheduled(now);
    }
    let fmp = config.fmp(global::key()?);
    let summary = execute(&config, &request, &fmp).await?;
    print_summary(config.json, &config.warehouse(), &summary)
}

/// Executes a request on the configured stage and warehouse.
pub(crate) async fn execute(
    config: &ResolvedConfig,
    request: &Request,
    fmp: &ClientSettings,
) -> Result<Summary, Failure> {
    match &config.cloud {
        None => {
            let stage = config.data_dir.open_stage()?;
            claim_source(&stage, &config.fmp_url).await?;
            let mut warehouse = DuckDb::open(&config.data_dir.warehouse, stage.root())?;
            bind_warehouse(&stage, &mut warehouse, &request.run_id).await?;
            execute_on(config, request, fmp, stage, warehouse).await
        }
        Some(cloud) => {
            let warehouse = Snowflake::new(cloud.snowflake.clone())?;
            let stage = cloud.open_stage().await?;
            claim_source(&stage, &config.fmp_url).await?;
            execute_on(config, request, fmp, stage, warehouse).await
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the command line reads the real clock")]
async fn execute_on(
    config: &ResolvedConfig,
    request: &Request,
    fmp: &ClientSettings,
    stage: impl Stage + Clone + 'static,
    warehouse: impl Warehouse,
) -> Result<Summary, Failure> {
    let started_at = Utc::now();
    let client = Arc::new(Fmp::new(fmp)?.sharing(stage.clone()));
    let source = SourceKind::of(&config.fmp_url);
    let clock = Arc::new(source.planning(config.clock));
    let receipt_clock = Arc::new(source.receipt(config.clock));
    let mut host = Host {
        fmp: Arc::clone(&client),
        stage,
        warehouse,
        clock,
        receipt_clock,
        started_at,
    };
    let bars = Bars::new(client);
    let summary = host.run(request, &bars).await;
    bars.finish();
    if summary.is_err() && host.warehouse.is_billed() {
        // Report the first error, not one from closing; an unclosed session times out.
        let _ = host.warehouse.close().await;
    }
    Ok(summary?)
}

/// Prints a summary and returns the exit code.
pub(crate) fn print_summary(json: bool, warehouse: &str, summary: &Summary) -> Result<u8, Failure> {
    if json {
        let json = serde_json::to_string(summary)
            .map_err(|e| Error::Stop(format!("cannot write the summary: {e}")))?;
        print(&format!("{json}\n"))?;
    } else {
        print(&render::summary(summary, warehouse))?;
    }
    if summary.status == Status::Failed {
        let reason = summary.failures.first().map(|failure| &failure.reason).or(summary.notes.first());
        let reason = reason.map_or("no task succeeded", String::as_str);
        eprintln!("findata: {reason}");
    }
    Ok(summary.status.exit_code())
}
