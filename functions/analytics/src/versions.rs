//! Merges vintages into versions: a row of a past vintage becomes an older version if the row of
//! the next vintage with the same key differs from it, and is dropped otherwise.
//!
//! A version was known from `known_from` until just before `known_to`; the newest version has no
//! `known_to`. Versions are compared by set differences over whole rows, so that NULLs compare as
//! equal and no column can be missed.

use findata_domain::{Result, sql::ONE_ROW};
use findata_pipeline::{batch::Batch, ports::warehouse::Warehouse};

use findata_models::{Extent, PublishedTable};

/// Whether any company has a past vintage in this run.
pub(crate) async fn has_past_vintages(warehouse: &mut impl Warehouse) -> Result<bool> {
    let query =
        format!("select 'past' from {ONE_ROW} where exists (select 1 from vintages where not is_current)");
    Ok(!warehouse.query(&query).await?.is_empty())
}

/// Returns the query for the versions of the vintages in `new_<table>`: without the helper columns, with `known_from`
/// and `known_to`. The figures get the types of the table first (`conversions`), so that values that are equal when
/// published are equal here.
pub(crate) fn merged(table: &PublishedTable, conversions: &str, has_past: bool) -> String {
    match has_past {
        true => all_vintages(table, conversions),
        false => current_vintages(table, conversions),
    }
}

/// Replaces the vintages in `new_<table>` by their versions.
pub(crate) async fn merge_vintages(
    table: &PublishedTable,
    merged: &str,
    batch: &mut Batch<'_, impl Warehouse>,
) -> Result<()> {
    let name = table.name;
    batch
        .execute("", format!("create or replace temporary table versions as {merged}"))
        .await?;
    // The table is renamed, not copied: two copies of the daily market metrics would determine the
    // run's peak memory.
    batch.execute("", format!("drop table new_{name}")).await?;
    batch.execute("", format!("alter table versions rename to new_{name}")).await
}

/// Returns the query for the newest `known_to` of each key among the older versions that this run
/// does not recompute, which are those of companies without past vintages.
fn ended(table: &PublishedTable) -> String {
    let key = table.key.iter().map(|k| format!("t.{k}")).collect::<Vec<_>>().join(", ");
    format!(
        "select {key}, max(t.known_to) as ended from analytics.{} t join companies s on s.company_key = t.company_key and not s.with_history \
         where t.known_to is not null group by {key}",
        table.name
    )
}

/// Returns the SQL for `known_from` of a version: its first filing, or the end of the preceding
/// version if that is later.
fn known_from(previous_end: &str) -> String {
    format!(
        "case when {previous_end} > first_known_from then {previous_end} else first_known_from end as known_from"
    )
}

fn join_on(table: &PublishedTable, left: &str, right: &str) -> String {
    table
        .key
        .iter()
        .map(|k| format!("{left}.{k} = {right}.{k}"))
        .collect::<Vec<_>>()
        .join(" and ")
}

fn current_vintages(table: &PublishedTable, conversions: &str) -> String {
    let helpers = table.helpers().join(", ");
    format!(
        "with ended as ({ended}) \
         select n.* exclude ({helpers}), {known_from}, null::timestamp as known_to \
         from (select *{conversions} from new_{name}) n left join ended e on {same}",
        ended = ended(table),
        name = table.name,
        known_from = known_from("e.ended"),
        same = join_on(table, "e", "n"),
    )
}

fn all_vintages(table: &PublishedTable, conversions: &str) -> String {
    let helpers = table.helpers().join(", ");
    let key = table.key.join(", ");
    // A past vintage cannot differ from the next one before `changed_from`, so earlier periods are
    // not compared.
    let changed = match table.extent {
        Extent::Companies | Extent::Fundamentals => "and n.fiscal_date >= v.changed_from",
        Extent::Whole | Extent::Days(_) | Extent::DaysAndFundamentals(_) | Extent::RankedDates => "",
    };
    let markers = "cutoff, is_current, next_vintage_id";
    format!(
        "with past_rows as ( \
             select n.*, v.cutoff from ({converted}) n join vintages v on v.vintage_id = n.vintage_id and not v.is_current {changed} \
         ), \
         contested_keys as (select distinct {key} from past_rows), \
         current_rows as (select n.*, v.cutoff from ({converted}) n join vintages v on v.vintage_id = n.vintage_id and v.is_current), \
         candidates as ( \
             select *, false as is_current from past_rows \
             union all select n.*, true from current_rows n join contested_keys c on {same_contested} \
         ), \
         ordered as (select *, lead(vintage_id) over (partition by {key} order by cutoff) as next_vintage_id from candidates), \
         changed as ( \
             select next_vintage_id as vintage_id, * exclude (vintage_id, first_known_from, {markers}) from ordered where next_vintage_id is not null \
             except select vintage_id, * exclude (vintage_id, first_known_from, {markers}) from ordered \
         ), \
         kept as ( \
             select f.*, lag(f.cutoff) over (partition by {f_key} order by f.cutoff) as previous_cutoff \
             from ordered f left join changed c on c.vintage_id = f.next_vintage_id and {same_changed} \
             where f.next_vintage_id is null or c.vintage_id is not null \
         ), \
         ended as ({ended}), \
         dated as ( \
             select * exclude ({helpers}, {markers}, previous_cutoff), {from_before}, \
                 case when is_current then null else cutoff end as known_to from kept \
             union all \
             select n.* exclude ({helpers}, cutoff), {from_ended}, null::timestamp \
             from current_rows n left join contested_keys c on {same_contested} left join ended e on {same_ended} \
             where c.company_key is null \
         ) \
         select * from dated where known_to is null or known_from < known_to",
        // Not a common table expression: DuckDB would store its rows, because it is used twice.
        converted = format!("select *{conversions} from new_{}", table.name),
        f_key = table.key.iter().map(|k| format!("f.{k}")).collect::<Vec<_>>().join(", "),
        same_contested = join_on(table, "c", "n"),
        same_changed = join_on(table, "c", "f"),
        same_ended = join_on(table, "e", "n"),
        ended = ended(table),
        from_before = known_from("previous_cutoff"),
        from_ended = known_from("e.ended"),
    )
}
