//! What a new version of a statement says otherwise than the one before: `ops.restatements`, one row an item.

use findata_domain::catalog::{Column, Dataset, History};

/// Days by which FMP may correct a period's end and still mean the same period (as in `staging.statement_versions`).
const SAME_PERIOD_DAYS: u32 = 14;

/// Items of a statement that can be restated: not what names it, nor what extract derives for the models alone.
fn items(dataset: &Dataset) -> impl Iterator<Item = &Column> {
    let named = ["symbol", "period_type", "accepted_at_source", "known_on"];
    dataset.columns.iter().filter(move |c| !named.contains(&c.name))
}

/// Two rows of one period, whichever end it was given.
pub(crate) fn same_period(left: &str, right: &str) -> String {
    format!(
        "{left}.symbol = {right}.symbol and {left}.period_type = {right}.period_type and {left}.fiscal_date \
         between {right}.fiscal_date - {SAME_PERIOD_DAYS} and {right}.fiscal_date + {SAME_PERIOD_DAYS}"
    )
}

/// Builds `restated`: each row of `fresh` that an older version stands before, beside that version's items. None for a
/// dataset that keeps no versions.
pub(crate) fn against_older(dataset: &Dataset) -> Option<String> {
    let table = dataset.name;
    if dataset.history != History::Versions {
        return None;
    }
    let older: Vec<String> = items(dataset).map(|c| format!("s.{0} as older_{0}", c.name)).collect();
    Some(format!(
        "create or replace temporary table restated as \
         select f.*, {older}, s.source_file as older_source_file, s.source_row as older_source_row \
         from fresh f join staging.{table} s on {same} \
         qualify row_number() over (partition by f.source_file, f.source_row order by s.observed_at desc nulls last, \
             s.source_file desc nulls last, s.source_row desc nulls last) = 1",
        older = older.join(", "),
        same = same_period("s", "f"),
    ))
}

/// Notes every item that changed, from what to what. `run` is a literal.
pub(crate) fn note(dataset: &Dataset, run: &str) -> Option<String> {
    if dataset.history != History::Versions {
        return None;
    }
    let item = |c: &Column| {
        format!(
            "select {run} as run_id, '{table}' as dataset, symbol, period_type, fiscal_date, '{name}' as item, \
             older_{name}::varchar as old_value, {name}::varchar as new_value, accepted_at, observed_at, source_file, source_row, \
             older_source_file, older_source_row from restated where older_{name} is distinct from {name}",
            table = dataset.name,
            name = c.name,
        )
    };
    let branches: Vec<String> = items(dataset).map(item).collect();
    Some(format!(
        "insert into ops.restatements (run_id, dataset, symbol, period_type, fiscal_date, item, old_value, new_value, accepted_at, \
         observed_at, source_file, source_row, older_source_file, older_source_row) {}",
        branches.join(" union all ")
    ))
}
