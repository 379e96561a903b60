//! Builds the statements that create the tables of `raw`, `staging` and `ops`. The statements for
//! `raw` and `staging` are derived from the catalog. The tables of `analytics` are declared in
//! `infra/models/tables`.

use crate::ops::{OPS, RAW, STAGING, sql};
use findata_domain::{
    catalog::{CATALOG, Dataset, FLAGS, Kind, LINEAGE},
    sql::ONE_ROW,
};

/// The schemas of every warehouse.
pub const SCHEMAS: [&str; 4] = ["raw", "staging", "analytics", "ops"];

/// The functions that write to a warehouse. Each has a row in `ops.turns`.
pub const WRITERS: [&str; 2] = ["load", "analytics"];

/// Columns that tables created by earlier builds lack, as table, column and type. [`setup`] adds
/// them.
const ADDED_COLUMNS: &[(&str, &str, Kind)] = &[
    ("ops.quarantine", "status", Kind::Text),
    ("ops.quarantine", "column_name", Kind::Text),
    ("ops.quarantine", "column_text", Kind::Text),
    ("staging.income_statement", FLAGS, Kind::Text),
    ("staging.balance_sheet", FLAGS, Kind::Text),
    ("staging.cash_flow", FLAGS, Kind::Text),
    ("ops.published", "has_ranks", Kind::Boolean),
    ("staging.ratios_ttm", "shareholders_equity_per_share_ttm", Kind::Double),
];

/// Returns the statements that set up a warehouse, in order. Each is idempotent.
pub fn setup() -> Vec<String> {
    let mut statements: Vec<String> =
        SCHEMAS.iter().map(|s| format!("create schema if not exists {s}")).collect();
    for dataset in CATALOG {
        statements.push(format!("create table if not exists raw.{} ({})", dataset.name, sql(RAW)));
        statements.push(format!(
            "create table if not exists staging.{} ({})",
            dataset.name,
            staging_columns(dataset)
        ));
    }
    statements.extend(
        STAGING
            .iter()
            .map(|t| format!("create table if not exists staging.{} ({})", t.name, sql(t.columns))),
    );
    statements.extend(
        OPS.iter()
            .map(|t| format!("create table if not exists ops.{} ({})", t.name, sql(t.columns))),
    );
    statements.extend(ADDED_COLUMNS.iter().map(|(table, column, kind)| {
        format!("alter table {table} add column if not exists {column} {}", kind.sql())
    }));
    statements.extend(WRITERS.iter().map(|function| {
        format!(
            "insert into ops.turns (function, number) select '{function}', 0 from {ONE_ROW} \
             where not exists (select 1 from ops.turns where function = '{function}')"
        )
    }));
    statements
}

fn staging_columns(dataset: &Dataset) -> String {
    let own = dataset.columns.iter().map(|c| (c.name, c.kind));
    let all = own.chain(LINEAGE.iter().copied());
    all.map(|(name, kind)| format!("{name} {}", kind.sql())).collect::<Vec<_>>().join(", ")
}
