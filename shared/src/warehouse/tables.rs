//! Tables of `raw`, `staging` and `ops`, rendered from the catalog. Those of `analytics` stand in `infra/models/tables`.

use crate::catalog::{CATALOG, Dataset, LINEAGE};

/// Schemas on every warehouse.
pub const SCHEMAS: [&str; 4] = ["raw", "staging", "analytics", "ops"];

/// Columns of a `raw` table: the row as received, and where it was first seen.
const RAW: &str = "symbol varchar, payload varchar, row_hash varchar, observed_at timestamp, run_id varchar, \
                   source_file varchar, source_row bigint";

/// Tables of `ops` that load and analytics keep.
const OPS: [(&str, &str); 9] = [
    (
        "runs",
        "run_id varchar, status varchar, started_at timestamp, seconds double, symbols bigint, tasks_planned bigint, \
         tasks_done bigint, tasks_skipped_fresh bigint, tasks_failed bigint, calls bigint, bytes bigint, published_at timestamp",
    ),
    (
        "tasks",
        "run_id varchar, batch varchar, dataset varchar, subject varchar, outcome varchar, reason varchar, row_count bigint, \
         calls bigint, bytes bigint, fetched_at timestamp",
    ),
    (
        "files",
        "run_id varchar, dataset varchar, source_file varchar, sha256 varchar, bytes bigint, staged bigint, loaded bigint, \
         unchanged bigint, quarantined bigint, loaded_at timestamp",
    ),
    (
        "quarantine",
        "run_id varchar, dataset varchar, symbol varchar, reason varchar, payload varchar, source_file varchar, \
         source_row bigint, observed_at timestamp",
    ),
    // Every item of a statement that a newer version says otherwise, with both versions' rows.
    (
        "restatements",
        "run_id varchar, dataset varchar, symbol varchar, period_type varchar, fiscal_date date, item varchar, old_value varchar, \
         new_value varchar, accepted_at timestamp, observed_at timestamp, source_file varchar, source_row bigint, \
         older_source_file varchar, older_source_row bigint",
    ),
    // What was loaded and not yet published: analytics takes its scope from here and empties it in the transaction
    // that publishes, so a run that failed to compute leaves its work to the next.
    ("changes", "run_id varchar, dataset varchar, symbol varchar, first_date date"),
    // As of which day and with which index the figures were computed, one row a run that changed some.
    ("published", "run_id varchar, as_of date, index_symbol varchar, published_at timestamp"),
    // Which files made the figures: figures of other models are computed anew.
    ("models", "file varchar, sha256 varchar"),
    // Which warehouse this is: the stage knows its name, and refuses another.
    ("identity", "warehouse_id varchar"),
];

/// Every statement that sets the warehouse up, in order; each may be repeated.
pub fn setup() -> Vec<String> {
    let mut statements: Vec<String> = SCHEMAS.iter().map(|s| format!("create schema if not exists {s}")).collect();
    for dataset in CATALOG {
        statements.push(format!("create table if not exists raw.{} ({RAW})", dataset.name));
        statements.push(format!("create table if not exists staging.{} ({})", dataset.name, staging_columns(dataset)));
    }
    statements.extend(OPS.iter().map(|(name, columns)| format!("create table if not exists ops.{name} ({columns})")));
    statements
}

fn staging_columns(dataset: &Dataset) -> String {
    let own = dataset.columns.iter().map(|c| (c.name, c.kind));
    let all = own.chain(LINEAGE.iter().copied());
    all.map(|(name, kind)| format!("{name} {}", kind.sql())).collect::<Vec<_>>().join(", ")
}
