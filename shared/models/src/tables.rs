//! Builds the statements that create the tables of `raw`, `staging` and `ops`. The statements for
//! `raw` and `staging` are derived from the catalog. The tables of `analytics` are declared in
//! `infra/models/tables`.

use crate::ops::{OPS, OpsColumn, RAW, RAW_TICKS, STAGING};
use findata_domain::{
    catalog::{CATALOG, Dataset, FLAGS, Kind, LINEAGE},
    sql::ONE_ROW,
};

/// The schemas of every warehouse.
pub const SCHEMAS: [&str; 4] = ["raw", "staging", "analytics", "ops"];

/// What writes to a warehouse: functions, and load when it loads ticks. Each has a row in `ops.turns`.
pub const WRITERS: [&str; 3] = ["load", "analytics", "ticks"];

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

/// A table that keeps its rows for ever.
pub(crate) struct DataTable {
    /// Schema and name.
    pub name: String,
    /// Columns, in order.
    pub columns: Vec<(&'static str, Kind)>,
}

/// Returns the tables of `raw`, `staging` and `ops`, in order.
pub(crate) fn data_tables() -> Vec<DataTable> {
    let named = |columns: &[OpsColumn]| columns.iter().map(|(name, kind, _)| (*name, *kind)).collect();
    let mut all = Vec::new();
    let mut add = |schema: &str, name: &str, columns| {
        all.push(DataTable { name: format!("{schema}.{name}"), columns });
    };
    for dataset in CATALOG {
        add("raw", dataset.name, named(RAW));
        add("staging", dataset.name, staging_columns(dataset));
    }
    add("raw", RAW_TICKS.name, named(RAW_TICKS.columns));
    STAGING.iter().for_each(|table| add("staging", table.name, named(table.columns)));
    OPS.iter().for_each(|table| add("ops", table.name, named(table.columns)));
    all
}

/// Returns the statements that set up a warehouse, in order. Each is idempotent.
pub fn setup() -> Vec<String> {
    let mut statements: Vec<String> =
        SCHEMAS.iter().map(|s| format!("create schema if not exists {s}")).collect();
    statements.extend(data_tables().into_iter().map(|DataTable { name, columns }| {
        let columns: Vec<String> =
            columns.iter().map(|(column, kind)| format!("{column} {}", kind.sql())).collect();
        format!("create table if not exists {name} ({})", columns.join(", "))
    }));
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

fn staging_columns(dataset: &Dataset) -> Vec<(&'static str, Kind)> {
    dataset.columns.iter().map(|c| (c.name, c.kind)).chain(LINEAGE.iter().copied()).collect()
}
