//! Runs the models on the pending changes and publishes the figures.

use std::{collections::BTreeMap, time::Instant};

use chrono::NaiveDate;
use findata_domain::{Error, Result, clock::Clock, nyse_calendar, sql::literal};
use findata_models::Models;
use findata_pipeline::{
    plan::Plan, ports::warehouse::Warehouse, run::RunId, summary::TableCounts, write_fence::WriteFence,
};

use crate::{FUNCTION, model_version, publish};

/// Runs the models on the pending changes and publishes the result.
pub(crate) async fn compute(
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
pub(crate) async fn newest_price_day(warehouse: &mut impl Warehouse) -> Result<Option<NaiveDate>> {
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
