//! Runs the models on the pending changes and publishes the result.
//!
//! The companies to recompute go through the models in slices, so that the temporary tables of
//! the models do not grow with their number. The differences of all slices are collected and published in one transaction.

use std::{collections::BTreeMap, time::Instant};

use chrono::NaiveDate;
use findata_domain::{Error, Result, clock::Clock, nyse_calendar, sql::literal};
use findata_models::{CUSTOM_METRICS, Extent, Model, Models, PUBLISHED, PublishedTable};
use findata_pipeline::{
    batch::Batch,
    ledger,
    plan::PlanOutline,
    ports::{
        stage::{self, Stage},
        warehouse::Warehouse,
    },
    run::RunId,
    summary::TableCounts,
    time_limit::TimeLimit,
    write_fence::WriteFence,
};
use serde_json::json;

use crate::{
    FUNCTION,
    checkpoint::Checkpoint,
    model_version, publish,
    publish::Differences,
    scope::{Scope, Slice},
};

/// Runs the models on the pending changes and publishes the result. Returns the counts by table. Finishes a
/// computation of an earlier invocation first.
pub(crate) async fn compute(
    run: &RunId,
    plan: &PlanOutline,
    models: &Models,
    fence: &mut WriteFence,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<BTreeMap<String, TableCounts>> {
    let today = nyse_calendar::new_york_date(clock.now());
    refuse_earlier_day(today, warehouse).await?;
    model_version::check_models(models, warehouse).await?;
    let mut checkpoint = match warehouse.ends_at() {
        Some(_) => Checkpoint::open(models, today, fence, warehouse).await?,
        None => None,
    };
    let mut before: BTreeMap<String, TableCounts> = BTreeMap::new();
    loop {
        let of_other_run = checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.run != run.as_str());
        let mut limit = TimeLimit::new(warehouse.ends_at());
        let counts =
            compute_changes(run, plan, models, checkpoint, &mut limit, fence, stage, warehouse, clock);
        let mut counts = counts.await.map_err(|error| limit.error(error))?;
        for (table, earlier) in &before {
            let sum = counts.entry(table.clone()).or_default();
            sum.written += earlier.written;
            sum.removed += earlier.removed;
        }
        if !of_other_run {
            return Ok(counts);
        }
        // The other run had begun before this run's changes were loaded.
        (checkpoint, before) = (None, counts);
    }
}

/// Computes the pending changes, or those of a computation of an earlier invocation.
#[expect(clippy::too_many_arguments, reason = "everything that a computation depends on")]
async fn compute_changes(
    run: &RunId,
    plan: &PlanOutline,
    models: &Models,
    mut checkpoint: Option<Checkpoint>,
    limit: &mut TimeLimit,
    fence: &mut WriteFence,
    stage: &impl Stage,
    warehouse: &mut impl Warehouse,
    clock: &impl Clock,
) -> Result<BTreeMap<String, TableCounts>> {
    let is_scope = |model: &&Model| model.builds() == "companies_to_recompute";
    let as_of = match &checkpoint {
        Some(checkpoint) => checkpoint.as_of,
        None => {
            let as_of = nyse_calendar::new_york_date(clock.now());
            let scope: Vec<&Model> = models.models.iter().filter(is_scope).collect();
            build(run, parameters(plan, as_of).to_vec(), &scope, &BTreeMap::new(), warehouse).await?;
            as_of
        }
    };
    let scope = Scope::read(models.registry.custom.len(), warehouse).await?;
    if scope.is_empty() {
        return publish::totals(warehouse).await;
    }
    let runs_once = |model: &&Model| {
        !is_scope(model)
            && !models.is_sliced(model)
            && !models.is_cross_section(model)
            && !scope.is_published(model)
    };
    let once: Vec<&Model> = models.models.iter().filter(runs_once).collect();
    build(run, Vec::new(), &once, &BTreeMap::new(), warehouse).await?;
    let mut differences = Differences::new(models, &scope.non_empty);
    let of_extent =
        |is_such: fn(Extent) -> bool| -> Vec<_> { scope.tables().filter(|t| is_such(t.extent)).collect() };
    let whole = of_extent(|extent| extent == Extent::Whole);
    let ranks = of_extent(|extent| extent == Extent::RankedDates);
    let sliced = of_extent(|extent| !matches!(extent, Extent::Whole | Extent::RankedDates));
    differences.add(&whole, warehouse).await?;
    let finished = models.finished_tables();
    let finished = finished.into_iter().map(|(position, tables)| (models.models[position].file, tables));
    let finished: BTreeMap<&str, Vec<&str>> = finished.collect();
    let in_slices: Vec<&Model> = models.models.iter().filter(|model| models.is_sliced(model)).collect();
    let (after, halvings) = checkpoint
        .as_ref()
        .map_or((0, 0), |checkpoint| (checkpoint.last_company, checkpoint.halvings));
    let slices: Vec<Slice> = scope.slices(warehouse.rows_per_slice() >> halvings, after).collect();
    if checkpoint.is_none() && warehouse.ends_at().is_some() && slices.len() > 1 {
        checkpoint = Some(Checkpoint::begin(run, models, as_of, fence, warehouse).await?);
    }
    for Slice { first, last, rows } in slices {
        if checkpoint.is_some() {
            limit.begin()?;
        }
        warehouse.expect_rows(rows)?;
        let slice = format!(
            "create or replace temporary table company_slice as select {first} as first_company, {last} as last_company"
        );
        build(run, vec![slice], &in_slices, &finished, warehouse).await?;
        warehouse.begin_step(run, FUNCTION, "publish");
        let Some(checkpoint) = &mut checkpoint else {
            differences.add(&sliced, warehouse).await?;
            continue;
        };
        Differences::new(models, &scope.non_empty).add(&sliced, warehouse).await?;
        checkpoint.store(&sliced, last, fence, warehouse).await?;
        limit.end();
        let key = ledger::slice_key(run, FUNCTION, &format!("{}-{last}", checkpoint.computation));
        stage::write_json_once(stage, &key, &json!({"last_company": last})).await?;
    }
    if let Some(checkpoint) = &checkpoint {
        limit.begin()?;
        checkpoint.restore(&sliced, fence, warehouse).await?;
        differences.assume(&sliced);
    }
    if scope.has_ranks {
        let cross_section = models.models.iter().filter(|model| models.is_cross_section(model));
        build(run, Vec::new(), &cross_section.collect::<Vec<_>>(), &BTreeMap::new(), warehouse).await?;
        warehouse.begin_step(run, FUNCTION, "publish");
        differences.add(&ranks, warehouse).await?;
    }
    let mut closing = closing_statements(run, as_of, scope.has_ranks, clock).to_vec();
    if scope.has_replaced_keys {
        closing.extend(delete_replaced_keys());
    }
    if scope.has_removed_metrics() {
        closing.push(format!("delete from analytics.{CUSTOM_METRICS}"));
    }
    let counts = differences.publish(run, clock.now(), fence, warehouse, &closing).await?;
    if let Some(checkpoint) = checkpoint {
        checkpoint.discard(warehouse).await?;
    }
    Ok(counts)
}

/// Runs statements that models depend on, then builds the models' temporary tables. `finished` has the tables that are no
/// longer read after a model, by the model's file. An error names the model's file.
async fn build(
    run: &RunId,
    before: Vec<String>,
    models: &[&Model],
    finished: &BTreeMap<&str, Vec<&str>>,
    warehouse: &mut impl Warehouse,
) -> Result<()> {
    warehouse.begin_step(run, FUNCTION, "models");
    let mut batch = Batch::new(warehouse);
    for statement in &before {
        batch.execute("scope", statement.clone()).await?;
    }
    for model in models {
        let started = Instant::now();
        batch
            .execute(model.builds(), model.sql.clone())
            .await
            .map_err(|error| of_model(model, error))?;
        tracing::debug!(table = model.file, seconds = started.elapsed().as_secs_f64(), "model built");
        if let Some(tables) = finished.get(model.file) {
            batch.release(tables).await?;
        }
    }
    match batch.run().await {
        // The error of a batch does not say which model failed, so they run again one by one.
        Err(Error::Stop(_)) => {}
        result => return result,
    }
    for statement in &before {
        warehouse.execute(statement).await?;
    }
    for model in models {
        warehouse.begin_step(run, FUNCTION, model.builds());
        warehouse.execute(&model.sql).await.map_err(|error| of_model(model, error))?;
    }
    Ok(())
}

/// Adds the model's file to an error.
fn of_model(model: &Model, error: Error) -> Error {
    match error {
        Error::Stop(reason) => Error::Stop(format!("model {}: {reason}", model.file)),
        other => other,
    }
}

/// The statements that build the tables which the models read besides `staging`.
fn parameters(plan: &PlanOutline, as_of: NaiveDate) -> [String; 3] {
    let index = plan
        .options
        .index
        .as_ref()
        .map_or("null::varchar".into(), |symbol| literal(symbol.as_str()));
    [
        format!(
            "create or replace temporary table run_params as select date '{as_of}' as as_of, {index} as index_symbol"
        ),
        "create or replace temporary table pending as select * from ops.changes".into(),
        last_published(as_of),
    ]
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

/// The statements of the publishing transaction that record what was published.
fn closing_statements(run: &RunId, as_of: NaiveDate, has_ranks: bool, clock: &impl Clock) -> [String; 3] {
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
        "insert into ops.published (run_id, as_of, index_symbol, published_at, has_ranks) \
         select {}, as_of, index_symbol, '{now}'::timestamp, {has_ranks} from run_params",
        literal(run.as_str())
    );
    [clear_changes.into(), forget_later, record]
}

/// The statements of the publishing transaction that delete the figures of replaced keys.
fn delete_replaced_keys() -> Vec<String> {
    const OTHERS: &str = "symbol, company_key, previous_symbol, since, run_id";
    let tables = PUBLISHED.iter().filter(|table| table.extent != Extent::Whole);
    let delete = |table: &PublishedTable| {
        let name = table.full_name();
        format!("delete from {name} t using ops.securities k where t.company_key = k.replaced_key")
    };
    let mut statements: Vec<String> = tables.map(delete).collect();
    statements.push(format!(
        "insert into ops.securities ({OTHERS}) select {OTHERS} from ops.securities where replaced_key is not null"
    ));
    statements.push("delete from ops.securities where replaced_key is not null".into());
    statements
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
