//! `findata run`: plan, fetch, load and compute.

use std::{sync::Arc, time::SystemTime};

use chrono::Utc;
use findata_domain::Error;
use findata_duckdb::DuckDb;
use findata_explain::dictionary;
use findata_fmp::{ClientSettings, Fmp, SourceKind, claim_source};
use findata_models::Models;
use findata_pipeline::{
    binding::is_bound,
    command_input::CommandInput,
    ports::{stage::Stage, warehouse::Warehouse},
    run::{Request, RunId, Status, Universe},
    summary::Summary,
    telemetry::trace::Tracer,
};
use findata_snowflake::Snowflake;

use super::{
    Failure, Signals,
    global::{Global, ResolvedConfig},
    last_home::DefaultHome,
    note,
    output::{self, Report},
    print, print_json,
    progress::Bars,
    request::{RequestArgs, new_request},
    signals::NOTHING_LOST,
    terminal,
};
use crate::{
    host::Host,
    journal::Journals,
    render,
    stage::DirectoryStage,
    working_copy::{Patience, Published, WorkingCopy},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    request: RequestArgs,
    /// Load the data, but compute no figures
    #[arg(long)]
    skip_analytics: bool,
    /// Exit with 3 if FMP has no data of a symbol, because it is unknown or has left the market
    #[arg(long)]
    strict: bool,
    /// Mark this as a daily run: other runs that use the same API key get their calls first
    #[arg(long)]
    daily: bool,
}

pub(crate) async fn run(global: &Global, args: &Args, signals: &Signals) -> Result<u8, Failure> {
    let config = global.resolve(DefaultHome::Own)?;
    let mut request = args.request.request(&config, args.skip_analytics)?;
    if args.daily
        && let Some(now) = request.run_id.started()
    {
        request.run_id = RunId::scheduled(now);
    }
    let fmp = config.fmp(global.key()?);
    let summary = execute(&config, &request, &fmp, Work::Run, signals).await?;
    let code = print_summary(config.json, &config.warehouse(), &summary)?;
    let has_missing = summary.failures.iter().any(|failure| failure.no_such_symbol);
    Ok(if args.strict && code == 0 && has_missing {
        Status::Partial.exit_code()
    } else {
        code
    })
}

/// Number of times that a run is loaded if somebody changes the warehouse each time.
pub(super) const ATTEMPTS: u32 = 3;

/// Checks that the stage belongs to the same kind of source (FMP or another server) as this run. A
/// replay fetches nothing, so it needs no check.
async fn claim(stage: &impl Stage, config: &ResolvedConfig, work: Work) -> Result<(), Failure> {
    match work {
        Work::Run => Ok(claim_source(stage, &config.fmp_url).await?),
        Work::Replay | Work::Rebuild => Ok(()),
    }
}

/// Creates the working copy. Sets the warehouse aside for a rebuild, or if its write-ahead log is damaged.
pub(super) async fn open_copy(
    config: &ResolvedConfig,
    stage: &DirectoryStage,
    work: Work,
) -> Result<WorkingCopy, Failure> {
    let (file, patience) = (&config.data_dir.warehouse, patience(config));
    let rebuilt = async |reason: &str| {
        WorkingCopy::open_after(file, config.memory, &patience, || set_aside(config, reason)).await
    };
    if work == Work::Rebuild {
        return Ok(rebuilt("--rebuild").await?);
    }
    match WorkingCopy::open(file, config.memory, &patience).await {
        Err(Error::Damaged(reason)) if is_bound(stage).await? => Ok(rebuilt(&reason).await?),
        opened => Ok(opened?),
    }
}

/// Renames the warehouse, so that the run fills a new one from the stage. Call it only while no other run can
/// change the file.
#[expect(clippy::disallowed_methods, reason = "the command line reads the real clock")]
fn set_aside(config: &ResolvedConfig, reason: &str) -> Result<(), Error> {
    if config.data_dir.warehouse.exists() {
        let kept = config.data_dir.set_warehouse_aside(Utc::now())?;
        tracing::warn!(reason, key = %kept.display(), "renamed the warehouse: building a new one from the stage");
    }
    Ok(())
}

/// Opens the working copy of the DuckDB warehouse. If it is damaged, it is copied again. A damaged
/// warehouse is set aside; the run then fills a new one from the stage.
pub(super) async fn open_warehouse(
    config: &ResolvedConfig,
    stage: &DirectoryStage,
    copy: &WorkingCopy,
    models: &Models,
) -> Result<DuckDb, Failure> {
    let open = || {
        let mut warehouse = DuckDb::open(copy.path(), stage.root(), config.memory, models)?;
        warehouse.describe(&dictionary::comments(models)).map(|()| warehouse)
    };
    let opened = match open() {
        Err(Error::Damaged(reason)) => {
            tracing::warn!(reason, "the working copy of the warehouse is damaged: copying it again");
            copy.renew(&patience(config)).await?;
            open()
        }
        opened => opened,
    };
    match opened {
        // A damaged file is replaced only if it is certainly findata's: the stage is bound to a
        // warehouse, or the file is the beginning of a new DuckDB file.
        Err(Error::Damaged(reason)) if is_bound(stage).await? || config.data_dir.has_warehouse_stump() => {
            set_aside(config, &reason)?;
            copy.renew(&patience(config)).await?;
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
    /// Like `Replay`, with a new warehouse.
    Rebuild,
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
            if let Some(homes) = &config.last_homes {
                homes.note(&config.home.home, SystemTime::now());
            }
            execute_on_duckdb(config, request, fmp, work, signals, stage).await
        }
        Some(cloud) => {
            let warehouse = Snowflake::new(cloud.snowflake.clone())?;
            let stage = cloud.open_stage().await?;
            claim(&stage, config, work).await?;
            let models = config.models_with(&stage).await?;
            execute_on(config, request, fmp, work, signals, stage, None, warehouse, models)
                .await
                .map(|done| done.0)
        }
    }
}

/// Executes a request on a working copy of the DuckDB warehouse, and publishes the result. If
/// somebody changes the warehouse meanwhile, loads the run into a copy of the changed warehouse.
async fn execute_on_duckdb(
    config: &ResolvedConfig,
    request: &Request,
    fmp: &ClientSettings,
    work: Work,
    signals: &Signals,
    stage: DirectoryStage,
) -> Result<Summary, Failure> {
    let patience = patience(config);
    let models = config.models_with(&stage).await?;
    let mut summary = None;
    for attempt in 0..ATTEMPTS {
        let copy = open_copy(config, &stage, if attempt == 0 { work } else { Work::Replay }).await?;
        let warehouse = open_warehouse(config, &stage, &copy, models).await?;
        let journals = Some(Journals::beside(stage.root()));
        let stage = stage.clone();
        let (done, continued_earlier_runs) = if attempt == 0 {
            execute_on(config, request, fmp, work, signals, stage, journals, warehouse, models).await?
        } else {
            let again = new_request(Universe::Symbols(Vec::new()), CommandInput::default(), config);
            execute_on(config, &again, fmp, Work::Replay, signals, stage, journals, warehouse, models).await?
        };
        let changed = continued_earlier_runs || changes_data(&done);
        let summary = summary.get_or_insert(done);
        match copy.publish(changed, &patience).await? {
            Published::Unchanged | Published::Replaced => return Ok(summary.clone()),
            Published::Kept(reason) => {
                note(&format!("findata: {reason}"));
                return Ok(summary.clone());
            }
            Published::Outdated => {}
        }
    }
    Err(changed_too_often(config))
}

/// The failure of a command during whose attempts somebody changed the warehouse each time.
pub(super) fn changed_too_often(config: &ResolvedConfig) -> Failure {
    Failure::Run(Error::Resource(format!(
        "{} was changed {ATTEMPTS} times during the run: the result is on the stage; publish it with `findata replay` when \
         no other program changes the file",
        config.data_dir.warehouse.display()
    )))
}

/// Whether a run changed more than the log of runs.
fn changes_data(summary: &Summary) -> bool {
    summary.tasks.planned > 0
        || summary.rows.values().any(|rows| rows.loaded + rows.quarantined > 0)
        || summary.analytics.values().any(|table| table.written + table.removed > 0)
}

/// How long to wait for other processes, with a message on stderr when a wait begins.
pub(super) fn patience(config: &ResolvedConfig) -> Patience<'static> {
    Patience { limit: config.wait_lock, tell: &note }
}

/// Executes a request. Also returns whether data of earlier runs was loaded first.
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
) -> Result<(Summary, bool), Failure> {
    let started_at = Utc::now();
    let client = Arc::new(Fmp::new(fmp)?.sharing(stage.clone()));
    let source = SourceKind::of(&config.fmp_url);
    let clock = Arc::new(source.planning(config.clock));
    let receipt_clock = Arc::new(source.receipt(config.clock));
    let exporter = config.exporter();
    let tracer = if exporter.is_some() { Tracer::on() } else { Tracer::default() };
    let mut host = Host {
        tracer: tracer.clone(),
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
        continued_earlier_runs: false,
    };
    let bars = Bars::new(Arc::clone(&client), config.display, signals.clone());
    let summary = match work {
        Work::Run => host.run(request, &bars).await,
        Work::Replay | Work::Rebuild => host.replay(request, &bars).await,
    };
    bars.finish();
    if let Some(exporter) = exporter {
        exporter.export(&tracer).await;
    }
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
        (summary, _) => Ok((summary?, host.continued_earlier_runs)),
    }
}

/// Prints a summary and returns the exit code.
pub(crate) fn print_summary(json: bool, warehouse: &str, summary: &Summary) -> Result<u8, Failure> {
    if json {
        print_json(summary)?;
    } else {
        print(&render::summary(summary, warehouse, &Models::built_in()?.registry, terminal::width()))?;
    }
    if summary.status == Status::Failed {
        let reason = summary.failures.first().map(|failure| &failure.reason).or(summary.notes.first());
        let reason = reason.map_or("no task succeeded", String::as_str);
        output::failure(&Report {
            kind: "run_failed",
            message: reason,
            hint: "the summary on standard output has the reasons; correct them, then run again",
            exit_code: summary.status.exit_code(),
        });
    }
    Ok(summary.status.exit_code())
}
