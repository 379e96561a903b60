//! Restatements: the items in which a new version of a statement differs from the preceding one,
//! recorded in `ops.restatements`.

use findata_domain::catalog::{Column, Dataset, FLAGS, History, Kind};

/// Two end dates at most this many days apart belong to the same period, because FMP sometimes
/// corrects an end date. `staging.statement_versions` uses the same limit.
pub(crate) const SAME_PERIOD_DAYS: u32 = 14;

/// The items of a statement that can be restated: all columns but its key and those that extract
/// derives for the models.
fn items(dataset: &Dataset) -> impl Iterator<Item = &Column> {
    let excluded = ["symbol", "period_type", "accepted_at_source", "known_on", FLAGS];
    dataset.columns.iter().filter(move |c| !excluded.contains(&c.name))
}

/// Returns the SQL condition that two rows belong to the same period, even if FMP corrected its
/// end.
pub(crate) fn same_period(left: &str, right: &str) -> String {
    format!(
        "{left}.symbol = {right}.symbol and {left}.period_type = {right}.period_type and {left}.fiscal_date \
         between {right}.fiscal_date - {SAME_PERIOD_DAYS} and {right}.fiscal_date + {SAME_PERIOD_DAYS}"
    )
}

/// Builds `restated_rows`: each row of `new_rows` that has an older version, with the older
/// version's items beside it. `None` for a dataset without versions.
pub(crate) fn restated_rows(dataset: &Dataset) -> Option<String> {
    let table = dataset.name;
    if dataset.history != History::Versions {
        return None;
    }
    let older: Vec<String> = items(dataset).map(|c| format!("s.{0} as older_{0}", c.name)).collect();
    let columns = dataset.columns.iter().map(|c| c.name).chain(["observed_at", "source_file", "source_row"]);
    let columns = columns.collect::<Vec<_>>().join(", ");
    Some(format!(
        "create or replace temporary table restated_rows as \
         select n.*, {older}, s.source_file as older_source_file, s.source_row as older_source_row \
         from new_rows n join (select {columns} from staging.{table} union all select {columns} from new_rows) s on {same} \
         and (s.observed_at < n.observed_at or (s.observed_at = n.observed_at and (s.accepted_at < n.accepted_at \
             or (s.accepted_at = n.accepted_at and s.source_file = n.source_file and s.source_row < n.source_row)))) \
         qualify row_number() over (partition by n.source_file, n.source_row order by s.observed_at desc nulls last, \
             s.accepted_at desc nulls last, s.source_file desc nulls last, s.source_row desc nulls last) = 1",
        older = older.join(", "),
        same = same_period("s", "n"),
    ))
}

/// Query that returns a row if `restated_rows` has any. `None` for a dataset without versions.
pub(crate) fn any(dataset: &Dataset) -> Option<&'static str> {
    (dataset.history == History::Versions).then_some("select 'restated' from restated_rows limit 1")
}

/// Returns the statement that inserts every changed item with its old and new value. It has a branch for each item,
/// so callers leave it out if no row is restated. `run` is a SQL literal.
pub(crate) fn insert(dataset: &Dataset, run: &str) -> Option<String> {
    if dataset.history != History::Versions {
        return None;
    }
    // Snowflake prints a timestamp with as many digits of a second as the session's format has, and DuckDB with those
    // that it needs. The timestamps of statements have none.
    let text = |c: &Column, name: String| match c.kind {
        Kind::Instant => format!("substr({name}::varchar, 1, 19)"),
        _ => format!("{name}::varchar"),
    };
    let item = |c: &Column| {
        format!(
            "select {run} as run_id, '{table}' as dataset, symbol, period_type, fiscal_date, '{name}' as item, \
             {old} as old_value, {new} as new_value, accepted_at, observed_at, source_file, source_row, \
             older_source_file, older_source_row from restated_rows where older_{name} is distinct from {name}",
            table = dataset.name,
            name = c.name,
            old = text(c, format!("older_{}", c.name)),
            new = text(c, c.name.to_owned()),
        )
    };
    let branches: Vec<String> = items(dataset).map(item).collect();
    Some(format!(
        "insert into ops.restatements (run_id, dataset, symbol, period_type, fiscal_date, item, old_value, new_value, accepted_at, \
         observed_at, source_file, source_row, older_source_file, older_source_row) {}",
        branches.join(" union all ")
    ))
}
