//! The statements that compare two runs.

use ::duckdb::Connection;
use findata_domain::{Result, sql::literal};
use findata_models::metrics::Registry;

use super::{Filter, Run, unreadable};
use crate::export::texts;

/// The tables with versions, each with the column that tells the periods of one day apart.
const TABLES: [(&str, &str); 4] = [
    ("fact_financials", "period_type"),
    ("fact_financials_ttm", "'TTM'"),
    ("fact_financial_ratios", "basis"),
    ("fact_growth_rates", "basis"),
];
/// The table with a row per day. Only the newest day of each run is compared.
const MARKET: &str = "fact_market_metrics";

/// Returns the statement that creates the temporary table `changes`.
pub(super) fn changes(connection: &Connection, registry: &Registry, old: &Run, new: &Run) -> Result<String> {
    let (a, b) = (moment(old), moment(new));
    let (old_id, new_id) = (literal(&old.run_id), literal(&new.run_id));
    let between = |column: &str| format!("{column} > {a} and {column} <= {b}");
    let mut parts = Vec::new();
    for (table, basis) in TABLES {
        let columns = figures(connection, table)?;
        let rows = |visible: &str, replaced: &str| {
            format!(
                "select symbol, {basis} as basis, fiscal_date as day, {columns} from analytics.{table}_history \
                 where {visible} and {replaced} and symbol not in (from new_companies)"
            )
        };
        let before = rows(&visible(&a), &between("known_to"));
        let after = rows(&visible(&b), &format!("known_from > {a}"));
        parts.push(compared(table, &before, &after));
    }
    let columns = figures(connection, MARKET)?;
    let newest = |moment: &str| {
        format!(
            "select symbol, 'market' as basis, metric_date as day, {columns} from analytics.{MARKET}_history \
             where {} and symbol not in (from new_companies) \
             qualify row_number() over (partition by symbol order by metric_date desc, known_from desc) = 1",
            visible(moment)
        )
    };
    parts.push(compared_market(&newest(&a), &newest(&b)));
    // Other market metrics are attributed to a filing or a restatement even if the price changed too.
    let names = registry.prices.iter().map(|metric| metric.name.as_str()).chain(["close_price"]);
    let prices = names.map(literal).collect::<Vec<_>>().join(", ");
    let corrected = format!("({}) or ({})", between("known_from"), between("known_to"));
    Ok(format!(
        "create temp table changes as \
         with seen as (select symbol, run_id from staging.income_statement union all \
             select subject, run_id from ops.tasks where dataset = 'profile' and outcome = 'rows'), \
         new_companies as (select symbol from seen group by 1 having min(run_id) > {old_id} and min(run_id) <= {new_id}), \
         restated as (select distinct symbol, fiscal_date from ops.restatements where run_id > {old_id} and run_id <= {new_id}), \
         corrected as (select distinct symbol from staging.corrections where {corrected}), \
         reclassified as (select distinct symbol from staging.profile_changes where run_id > {old_id} and run_id <= {new_id}), \
         compared as ({}), \
         filed as (select distinct symbol from compared where fact = 'fact_financials' and is_new), \
         added as (select symbol, '{MARKET}' as fact, 'market' as basis, max(metric_date) as day, 'all figures' as metric, \
             null::double as old_value, null::double as new_value from analytics.{MARKET}_history \
             where symbol in (from new_companies) and {} group by 1) \
         select c.symbol, fact, basis, day, metric, old_value, new_value, case \
             when is_removed then 'withdrawn' \
             when metric in ({prices}) then 'price' \
             when exists (from restated r where r.symbol = c.symbol and (r.fiscal_date = c.day or not is_new)) then 'restatement' \
             when is_new then 'new filing' \
             when c.symbol in (from corrected) then 'correction' \
             when c.symbol in (from reclassified) then 'new classification' \
             when c.symbol in (from filed) then 'new filing' \
             when fact = '{MARKET}' then 'price' else 'other' end as reason \
         from compared c where old_value is distinct from new_value \
         union all select symbol, fact, basis, day, metric, old_value, new_value, 'new company' from added",
        parts.join(" union all "),
        visible(&b)
    ))
}

/// Compares the versions of periods, figure by figure.
fn compared(table: &str, before: &str, after: &str) -> String {
    let missing =
        |rows: &str| format!("(symbol, basis, day) not in (select (symbol, basis, day) from ({rows}))");
    format!(
        "select symbol, '{table}' as fact, basis, day, metric, o.figure as old_value, n.figure as new_value, \
         {} as is_new, {} as is_removed from {} o full join {} n using (symbol, basis, day, metric)",
        missing(before),
        missing(after),
        unpivoted(before),
        unpivoted(after)
    )
}

/// Compares the newest days of companies, figure by figure.
fn compared_market(before: &str, after: &str) -> String {
    format!(
        "select symbol, '{MARKET}' as fact, basis, coalesce(n.day, o.day) as day, metric, o.figure as old_value, \
         n.figure as new_value, false as is_new, false as is_removed \
         from {} o full join {} n using (symbol, basis, metric)",
        unpivoted(before),
        unpivoted(after)
    )
}

/// Makes a row of each figure that is not NULL.
fn unpivoted(rows: &str) -> String {
    format!("(unpivot ({rows}) on columns(* exclude (symbol, basis, day)) into name metric value figure)")
}

/// The condition for versions known at a moment.
fn visible(moment: &str) -> String {
    format!("known_from <= {moment} and (known_to is null or known_to > {moment})")
}

fn moment(run: &Run) -> String {
    format!("timestamp {}", literal(&run.published_at))
}

/// The select list of a table's figures, as doubles.
fn figures(connection: &Connection, table: &str) -> Result<String> {
    let query = format!(
        "select column_name from information_schema.columns where table_schema = 'analytics' \
         and table_name = '{table}_history' and (data_type = 'DOUBLE' or data_type like 'DECIMAL%' \
         or column_name like '%shares_outstanding%') order by ordinal_position"
    );
    let names = texts(connection, &query).map_err(|e| unreadable(&e))?;
    let columns = names.iter().map(|name| format!("{name}::double as {name}"));
    Ok(columns.collect::<Vec<_>>().join(", "))
}

/// The condition for the changes that the user asked for.
pub(super) fn filter(filter: &Filter) -> String {
    let mut conditions = vec!["true".to_owned()];
    if !filter.symbols.is_empty() {
        let symbols: Vec<String> = filter.symbols.iter().map(|symbol| literal(symbol)).collect();
        conditions.push(format!("symbol in ({})", symbols.join(", ")));
    }
    if let Some(metric) = &filter.metric {
        conditions.push(format!("metric = {}", literal(metric)));
    }
    conditions.join(" and ")
}
