//! analytics: computes figures from the loaded rows, publishes them in one transaction and closes
//! the run with a summary.
//!
//! It runs the SQL models of `infra/models` ([`Models`]). `versions` merges vintages (figures as
//! known at past times) into versions with the time at which each was known; `publish` writes the
//! rows that differ; `quality` reads the results of the checks; `summary` adds up the ledger.

pub mod event;
mod model_version;
mod publish;
mod quality;
mod summary;
mod versions;

use std::{collections::BTreeMap, iter, time::Instant};

use chrono::{DateTime, NaiveDate, Utc};
use findata_domain::sql::literal;
use findata_domain::{
    Error, Result,
    clock::{Clock, DayClock},
    nyse_calendar,
};
use findata_models::Models;
use findata_pipeline::{
    ledger::{self, BatchEntry, Loaded},
    plan::Plan,
    ports::{
        bus::{Bus, Event},
        stage::{self, Stage},
        warehouse::Warehouse,
    },
    run::{RunId, Status},
    summary::{Highlight, Summary, TableCounts},
    write_fence::WriteFence,
};
pub use summary::HostMetrics;

/// The function's name in query tags and in the ledger.
const FUNCTION: &str = "analytics";

/// Computes and publishes all pending changes, writes the summary and announces the end of the run.
/// Idempotent.
///
/// `metrics` are the run's time and connections as measured by the host.
///
/// # Errors
/// `Retry` while the run is not loaded; the warehouse's, the stage's and the bus's errors. After an
/// error the changes stay pending for the next run.
pub async fn handle(
    run: &RunId,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    models: &Models,
    bus: &impl Bus,
    clock: &impl Clock,
    metrics: &HostMetrics,
) -> Result<Summary> {
    if let Some(summary) = stage::read_json(stage, &ledger::summary_key(run)).await? {
        // The attempt that wrote the summary may have crashed before it announced the end.
        bus.publish(closing_event(&summary, &ledger::entries(stage, run).await?)).await?;
        return Ok(summary);
    }
    let started = Instant::now();
    let plan = ledger::plan(stage, run).await?;
    let loaded: Loaded = stage::read_json(stage, &ledger::loaded_key(run))
        .await?
        .ok_or_else(|| Error::retry(format!("run {run} is not loaded yet")))?;
    let mut entries = ledger::entries(stage, run).await?;
    ledger::fail_tasks_of(&loaded.damaged, &mut entries);
    let closed = close(run, &plan, &entries, loaded, warehouse, models, clock, metrics, started).await;
    let usage = warehouse.take_usage();
    // A failed attempt records its usage too. Its error takes precedence over an error of the
    // recording.
    let recorded = usage.record(run, FUNCTION, stage).await;
    let mut summary = closed?;
    recorded?;
    summary.warehouse.add(&usage);
    summary.cost.snowflake_credits = summary.warehouse.credits();
    stage::write_json_once(stage, &ledger::summary_key(run), &summary).await?;
    bus.publish(closing_event(&summary, &entries)).await?;
    Ok(summary)
}

/// Replays a finished run whose files were loaded again: computes the figures as of the day of
/// `fetched_at`, its newest answer, and writes its row of `ops.runs`. A run that fetched nothing
/// has no figures to compute. Runs are replayed one by one, so that companies get the same history
/// as the first time.
///
/// # Errors
/// The warehouse's and the stage's errors.
pub async fn replay(
    run: &RunId,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    models: &Models,
    fetched_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut fence = WriteFence::read(FUNCTION, warehouse).await?;
    // If the plan is missing, the next run computes this run's figures.
    let plan: Option<Plan> = stage::read_rebuildable(stage, &ledger::plan_key(run), &mut Vec::new()).await?;
    if let (Some(plan), Some(fetched_at)) = (plan, fetched_at)
        && !plan.options.skip_analytics
    {
        let clock = DayClock(nyse_calendar::new_york_date(fetched_at));
        if newest_price_day(warehouse).await?.is_none_or(|newest| newest <= clock.0) {
            compute(run, &plan, models, &mut fence, warehouse, &clock).await?;
        }
    }
    // If the summary is missing, the run only lacks its row in `ops.runs`.
    match stage::read_rebuildable(stage, &ledger::summary_key(run), &mut Vec::new()).await? {
        Some(summary) => fence.write(warehouse, &summary::record_run(&summary, now)).await,
        None => Ok(()),
    }
}

/// Computes and publishes the figures, and writes the run to `ops.runs`. Returns the summary.
#[expect(clippy::too_many_arguments, reason = "everything that the handler may touch")]
async fn close(
    run: &RunId,
    plan: &Plan,
    entries: &[BatchEntry],
    loaded: Loaded,
    warehouse: &mut impl Warehouse,
    models: &Models,
    clock: &impl Clock,
    metrics: &HostMetrics,
    started: Instant,
) -> Result<Summary> {
    warehouse.begin_step(run, FUNCTION, "scope");
    let mut fence = WriteFence::read(FUNCTION, warehouse).await?;
    let compute_figures = !plan.options.skip_analytics;
    let tables = if compute_figures {
        compute(run, plan, models, &mut fence, warehouse, clock).await?
    } else {
        BTreeMap::new()
    };
    warehouse.begin_step(run, FUNCTION, "summary");
    let highlights = if compute_figures {
        highlights(plan, models, warehouse).await?
    } else {
        Vec::new()
    };
    let quality = quality::read(warehouse).await?;
    let mut summary =
        summary::summarise(plan, entries, loaded, tables, highlights, metrics, started.elapsed());
    summary.quality = quality;
    fence.write(warehouse, &summary::record_run(&summary, clock.now())).await?;
    Ok(summary)
}

/// Runs the models on the pending changes and publishes the result.
async fn compute(
    run: &RunId,
    plan: &Plan,
    models: &Models,
    fence: &mut WriteFence,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<BTreeMap<String, TableCounts>> {
    let index = plan
        .options
        .index
        .as_ref()
        .map_or("null::varchar".into(), |symbol| literal(symbol.as_str()));
    let as_of = nyse_calendar::new_york_date(clock.now());
    refuse_earlier_day(as_of, warehouse).await?;
    model_version::check_models(models, warehouse).await?;
    for statement in [
        format!(
            "create or replace temporary table run_params as select date '{as_of}' as as_of, {index} as index_symbol"
        ),
        "create or replace temporary table pending as select * from ops.changes".into(),
        last_published(as_of),
    ] {
        warehouse.execute(&statement).await?;
    }
    for (position, model) in models.models.iter().enumerate() {
        let started = Instant::now();
        warehouse.begin_step(run, FUNCTION, model.builds());
        warehouse.execute(&model.sql).await.map_err(|error| in_model(error, model.file))?;
        tracing::debug!(model = model.file, seconds = started.elapsed().as_secs_f64(), "model built");
        if model.builds() == "companies_to_recompute" && nothing_to_compute(warehouse).await? {
            return publish::totals(warehouse).await;
        }
        warehouse.release(&models.finished_after(position).collect::<Vec<_>>()).await?;
    }
    // If the clock was set back, entries of later days are deleted, so that the next run compares
    // its day with this run's day.
    let forget_later = format!(
        "delete from ops.published where as_of > date '{as_of}' or run_id > {}",
        literal(run.as_str())
    );
    let clear_changes = "delete from ops.changes c using pending p \
        where p.run_id = c.run_id and p.dataset = c.dataset and p.symbol = c.symbol";
    let now = clock.now().format("%Y-%m-%d %H:%M:%S%.3f");
    let record = format!(
        "insert into ops.published (run_id, as_of, index_symbol, published_at) \
         select {}, as_of, index_symbol, '{now}'::timestamp from run_params",
        literal(run.as_str())
    );
    warehouse.begin_step(run, FUNCTION, "publish");
    publish::publish(run, clock.now(), fence, warehouse, &[clear_changes.into(), forget_later, record]).await
}

/// Builds `last_published`: the range of days from the last published figures to `today`, in which
/// events take effect, and the index of those figures. If the clock was set back, the range goes
/// from the newest bar to the later day, because events of these days were applied without any
/// bars.
fn last_published(today: NaiveDate) -> String {
    format!(
        "create or replace temporary table last_published as \
         select case when as_of > date '{today}' then coalesce(newest, as_of) else as_of end as as_of, \
             case when as_of > date '{today}' then as_of else date '{today}' end as until_day, index_symbol \
         from ops.published cross join (select max(price_date) as newest from analytics.fact_daily_prices) n \
         qualify row_number() over (order by run_id desc nulls last) = 1"
    )
}

/// Rejects a planning day that is earlier than the newest published prices: computing it would
/// remove the figures of the later days. A day that is only earlier than the planning day of a
/// previous run is allowed. Otherwise, a clock that was ahead once would stop all later runs.
///
/// # Errors
/// `Config` if there are later figures; the warehouse's errors.
pub async fn refuse_earlier_day(today: NaiveDate, warehouse: &mut impl Warehouse) -> Result<()> {
    match newest_price_day(warehouse).await? {
        Some(newest) if newest > today => Err(Error::Config(format!(
            "the run is planned for {today}, but the warehouse has figures up to {newest}, which the run would remove: \
             use --today {newest} or a later day, or another --home for an earlier day"
        ))),
        _ => Ok(()),
    }
}

/// The newest day with a published price.
async fn newest_price_day(warehouse: &mut impl Warehouse) -> Result<Option<NaiveDate>> {
    let newest = warehouse
        .query("select max(price_date)::varchar from analytics.fact_daily_prices")
        .await?;
    Ok(newest.first().and_then(|row| row.first()?.as_deref()?.parse().ok()))
}

async fn nothing_to_compute(warehouse: &mut impl Warehouse) -> Result<bool> {
    let query = "select 'pending' where exists (select 1 from companies_to_recompute) or exists (select 1 from pending)";
    Ok(warehouse.query(query).await?.is_empty())
}

/// Adds the model's file name to an error.
fn in_model(error: Error, file: &str) -> Error {
    match error {
        Error::Stop(reason) => Error::Stop(format!("model {file}: {reason}")),
        other => other,
    }
}

/// Returns the newest figures of the first six companies of the universe: the close and the
/// headline metrics.
async fn highlights(plan: &Plan, models: &Models, warehouse: &mut impl Warehouse) -> Result<Vec<Highlight>> {
    const COMPANIES: usize = 6;
    let symbols: Vec<_> = plan.symbols.iter().take(COMPANIES).map(|s| literal(s.as_str())).collect();
    if symbols.is_empty() {
        return Ok(Vec::new());
    }
    let headlines: Vec<_> = models.registry.headlines().collect();
    let names: Vec<&str> = iter::once("close_price").chain(headlines.iter().map(|h| h.name)).collect();
    let columns = headlines.iter().map(|h| {
        let table = if h.of_session { "m" } else { "r" };
        format!(", {table}.{}::varchar", h.name)
    });
    let query = format!(
        "with metrics as (select * from analytics.fact_market_metrics where symbol in ({list}) \
             qualify row_number() over (partition by symbol order by metric_date desc nulls last) = 1), \
         ratios as (select * from analytics.fact_financial_ratios where symbol in ({list}) and basis = 'TTM' \
             qualify row_number() over (partition by symbol order by fiscal_date desc nulls last) = 1) \
         select m.symbol, m.close_price::varchar{columns} from metrics m left join ratios r on r.symbol = m.symbol",
        list = symbols.join(", "),
        columns = columns.collect::<String>(),
    );
    let rows = warehouse.query(&query).await?;
    let mut found: Vec<Highlight> = rows
        .into_iter()
        .filter_map(|row| {
            let (symbol, cells) = row.split_first()?;
            let figure = |(name, cell): (&&str, &Option<String>)| {
                Some((name.to_string(), cell.as_ref()?.parse().ok()?))
            };
            Some(Highlight {
                symbol: symbol.clone()?,
                figures: names.iter().zip(cells).filter_map(figure).collect(),
            })
        })
        .collect();
    found.sort_by_key(|h| plan.symbols.iter().position(|s| s.as_str() == h.symbol));
    Ok(found)
}

/// The event that announces the end of a run.
fn closing_event(summary: &Summary, entries: &[BatchEntry]) -> Event {
    let run_id = summary.run_id.to_string();
    if summary.status != Status::Failed {
        return Event::RunCompleted { run_id, status: summary.status };
    }
    let stop = entries.iter().find_map(|entry| entry.stop.clone());
    let first = summary.failures.first().map(|failure| failure.reason.clone());
    Event::RunFailed {
        run_id,
        reason: stop.or(first).unwrap_or_else(|| "no task was done".into()),
    }
}
