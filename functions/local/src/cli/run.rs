//! `findata run`: plan, fetch, load and compute.

use std::sync::Arc;

use chrono::Utc;
use findata_domain::Error;
use findata_duckdb::DuckDb;
use findata_fmp::{ClientSettings, Fmp, SourceKind, claim_source};
use findata_models::Models;
use findata_pipeline::{
    binding::is_bound,
    ports::{stage::Stage, warehouse::Warehouse},
    run::{Request, RunId, Status},
    summary::Summary,
};
use findata_snowflake::Snowflake;

use super::{
    Failure, Signals,
    global::{self, Global, ResolvedConfig},
    note, print, print_json,
    progress::Bars,
    request::RequestArgs,
    signals::NOTHING_LOST,
};
use crate::{host::Host, journal::Journals, render, stage::DirectoryStage};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    request: RequestArgs,
    /// Load the data, but compute no figures
    #[arg(long)]
    skip_analytics: bool,
    /// Mark this as a daily run: other runs that use the same API key get their calls first
    #[arg(long)]
    daily: bool,
}

pub(crate) async fn run(
    global: &Global,
    from_environment: &[&'static str],
    args: &Args,
    signals: &Signals,
) -> Result<u8, Failure> {
    let config = global.resolve(from_environment, "./findata-home")?;
    let mut request = args.request.request(&config, args.skip_analytics)?;
    if args.daily
        && let Some(now) = request.run_id.started()
    {
        request.run_id = RunId::scheduled(now);
    }
    let fmp = config.fmp(global::key()?);
    let summary = execute(&config, &request, &fmp, Work::Run, signals).await?;
    print_summary(config.json, &config.warehouse(), &summary)
}

/// Checks that the stage belongs to the same kind of source (FMP or another server) as this run. A
/// replay fetches nothing, so it needs no check.
async fn claim(stage: &impl Stage, config: &ResolvedConfig, work: Work) -> Result<(), Failure> {
    match work {
        Work::Run => Ok(claim_source(stage, &config.fmp_url).await?),
        Work::Replay => Ok(()),
    }
}

/// Opens the DuckDB warehouse. A damaged file is set aside; the run then fills a new one from the
/// stage.
#[expect(clippy::disallowed_methods, reason = "the command line reads the real clock")]
async fn open_warehouse(
    config: &ResolvedConfig,
    stage: &DirectoryStage,
    models: &Models,
) -> Result<DuckDb, Failure> {
    let open = || DuckDb::open(&config.data_dir.warehouse, stage.root(), config.memory, models);
    match open() {
        // A damaged file is replaced only if it is certainly findata's: the stage is bound to a
        // warehouse, or the file is the beginning of a new DuckDB file.
        Err(Error::Damaged(reason)) if is_bound(stage).await? || config.data_dir.has_warehouse_stump() => {
            let kept = config.data_dir.set_warehouse_aside(Utc::now())?;
            tracing::warn!(reason, kept = %kept.display(), "the warehouse is damaged: rebuilding it from the stage");
            Ok(open()?)
        }
        Err(Error::Damaged(_)) => Err(Error::Config(format!(
            "{} is not a DuckDB file: move it away, or choose another data directory with --home",
            config.data_dir.warehouse.display()
        ))
        .into()),
        opened => Ok(opened?),
    }
}

/// The steps that a command executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Plan, fetch, load and compute.
    Run,
    /// Only load the runs on the stage and compute their figures.
    Replay,
}

/// Executes a request on the configured stage and warehouse.
pub(crate) async fn execute(
    config: &ResolvedConfig,
    request: &Request,
    fmp: &ClientSettings,
    work: Work,
    signals: &Signals,
) -> Result<Summary, Failure> {
    if work == Work::Run {
        fmp.check()?;
    }
    let request = &Request {
        corrections: config.data_dir.read_corrections()?,
        ..request.clone()
    };
    signals.end_with(NOTHING_LOST);
    match &config.cloud {
        None => {
            let stage = config.data_dir.open_stage()?;
            claim(&stage, config, work).await?;
            let models = config.models_with(&stage).await?;
            let warehouse = open_warehouse(config, &stage, models).await?;
            let journals = Journals::beside(stage.root());
            execute_on(config, request, fmp, work, signals, stage, Some(journals), warehouse, models).await
        }
        Some(cloud) => {
            let warehouse = Snowflake::new(cloud.snowflake.clone())?;
            let stage = cloud.open_stage().await?;
            claim(&stage, config, work).await?;
            let models = config.models_with(&stage).await?;
            execute_on(config, request, fmp, work, signals, stage, None, warehouse, models).await
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the command line reads the real clock")]
#[expect(clippy::too_many_arguments, reason = "everything that a run may touch")]
async fn execute_on(
    config: &ResolvedConfig,
    request: &Request,
    fmp: &ClientSettings,
    work: Work,
    signals: &Signals,
    stage: impl Stage + Clone + 'static,
    journals: Option<Journals>,
    warehouse: impl Warehouse,
    models: &'static Models,
) -> Result<Summary, Failure> {
    let started_at = Utc::now();
    let client = Arc::new(Fmp::new(fmp)?.sharing(stage.clone()));
    let source = SourceKind::of(&config.fmp_url);
    let clock = Arc::new(source.planning(config.clock));
    let receipt_clock = Arc::new(source.receipt(config.clock));
    let mut host = Host {
        models,
        fmp: Arc::clone(&client),
        stage,
        journals,
        warehouse,
        clock,
        receipt_clock,
        started_at,
        // S3 is pruned only on request: other people may use the stage, and the role may not allow
        // deletes.
        prune_before: config.keep.filter(|_| config.cloud.is_none()).map(|keep| started_at - keep),
        stop: signals.stop(),
    };
    let bars = Bars::new(Arc::clone(&client), signals.clone());
    let summary = match work {
        Work::Run => host.run(request, &bars).await,
        Work::Replay => host.replay(request, &bars).await,
    };
    bars.finish();
    if summary.is_err() && host.warehouse.is_billed() {
        // The first error is reported, so an error from closing is ignored; an unclosed session
        // times out.
        let _ = host.warehouse.close().await;
    }
    match (summary, signals.received()) {
        (Err(Error::Interrupted(_)), Some(signal)) => {
            let calls = render::counted(client.stats().calls(), "call");
            Err(Failure::Signal(signal, format!("after {calls} to FMP: {NOTHING_LOST}")))
        }
        (summary, _) => Ok(summary?),
    }
}

/// Prints a summary and returns the exit code.
pub(crate) fn print_summary(json: bool, warehouse: &str, summary: &Summary) -> Result<u8, Failure> {
    if json {
        print_json(summary)?;
    } else {
        print(&render::summary(summary, warehouse, &Models::built_in()?.registry))?;
    }
    if summary.status == Status::Failed {
        let reason = summary.failures.first().map(|failure| &failure.reason).or(summary.notes.first());
        let reason = reason.map_or("no task succeeded", String::as_str);
        note(&format!("findata: {reason}"));
    }
    Ok(summary.status.exit_code())
}
