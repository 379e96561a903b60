//! Publishes the models' results: writes the rows of all tables that differ, in one transaction.
//!
//! For each table, the temporary table `added_<table>` has the new and changed rows, and
//! `removed_<table>` the deleted and replaced ones. Both are set differences over whole rows, so
//! NULLs compare as equal and no column can be missed. Each slice of companies adds its differences.
//! The tables are built before the transaction, which contains only DELETE and INSERT, because
//! Snowflake commits at every DDL statement.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use findata_domain::sql::literal;
use findata_domain::{Error, Result};
use findata_pipeline::{
    batch::Batch, ports::warehouse::Warehouse, run::RunId, summary::TableCounts, write_fence::WriteFence,
};

use crate::versions;
use findata_models::{Extent, Models, PUBLISHED, PublishedTable, Versions};

/// Finds rows that load has changed since the run began to read: changes of its companies, or of the index, that are not
/// in `pending`. The models read `staging` in many statements, and figures must come from one state of it.
pub(crate) const CHANGED: &str = "select 1 from ops.changes c \
     join (select symbol from companies_to_recompute union all select index_symbol from run_params) s \
         on s.symbol = c.symbol \
     left join pending p on p.run_id = c.run_id and p.dataset = c.dataset and p.symbol = c.symbol \
     where p.run_id is null";

/// The differences between computed and published rows, collected slice by slice.
pub(crate) struct Differences<'a> {
    models: &'a Models,
    /// The published tables that had rows when the run began.
    non_empty: &'a BTreeSet<String>,
    /// The tables with differences of at least one slice, in publishing order.
    tables: Vec<&'static PublishedTable>,
}

impl<'a> Differences<'a> {
    /// No differences yet.
    pub fn new(models: &'a Models, non_empty: &'a BTreeSet<String>) -> Self {
        Differences { models, non_empty, tables: Vec::new() }
    }

    /// Compares the tables that the models have built for a slice, and drops them.
    pub async fn add(
        &mut self,
        tables: &[&'static PublishedTable],
        warehouse: &mut impl Warehouse,
    ) -> Result<()> {
        if tables.is_empty() {
            return Ok(());
        }
        let has_past = tables.iter().any(|table| table.versions == Versions::OfVintages)
            && versions::has_past_vintages(warehouse).await?;
        let mut batch = Batch::new(warehouse);
        for table in tables {
            let conversions = self.models.conversions(table);
            let is_empty = !self.non_empty.contains(table.name);
            let computed = if table.versions == Versions::OfVintages {
                let merged = versions::merged(table, &conversions, has_past);
                if is_empty {
                    // Nothing to compare with: the versions are read once, so they need no table.
                    Computed { rows: merged, is_whole_table: false }
                } else {
                    versions::merge_vintages(table, &merged, &mut batch).await?;
                    Computed::of(table, &conversions)
                }
            } else {
                Computed::of(table, &conversions)
            };
            let is_first = self.tables.iter().all(|other| other.name != table.name);
            if is_first {
                self.tables.push(table);
            }
            if is_empty {
                add_all(table, &computed, is_first, &mut batch).await?;
            } else {
                add_difference(table, &computed, is_first, &mut batch).await?;
            }
        }
        batch.run().await
    }

    /// Adds tables whose differences are already in their temporary tables.
    pub fn assume(&mut self, tables: &[&'static PublishedTable]) {
        self.tables.extend(tables);
    }

    /// Writes the differences, and runs `also` in the same transaction. Returns the counts by table.
    pub async fn publish(
        self,
        run: &RunId,
        now: DateTime<Utc>,
        fence: &mut WriteFence,
        warehouse: &mut impl Warehouse,
        also: &[String],
    ) -> Result<BTreeMap<String, TableCounts>> {
        let changed = counts(&self.tables, warehouse).await?;
        let mut statements = Vec::new();
        for table in self
            .tables
            .iter()
            .filter(|t| changed.get(&summary_name(t.name)).is_some_and(|c| c.written + c.removed > 0))
        {
            statements.extend(apply_difference(table, run, now));
        }
        statements.extend_from_slice(also);
        fence.write_unless(CHANGED, warehouse, &statements).await?;
        let both =
            |table: &&PublishedTable| ["added", "removed"].map(|prefix| format!("{prefix}_{}", table.name));
        let temporary: Vec<String> = self.tables.iter().flat_map(both).collect();
        warehouse.release(&temporary.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        with_totals(changed, warehouse).await
    }
}

/// Adds the rows in which a computed table differs from the published one.
async fn add_difference(
    table: &PublishedTable,
    computed: &Computed,
    is_first: bool,
    batch: &mut Batch<'_, impl Warehouse>,
) -> Result<()> {
    let computed = computed.rows.as_str();
    let (name, published) = (table.name, published_rows(table));
    let published = published.as_str();
    for (prefix, left, right) in [("added", computed, published), ("removed", published, computed)] {
        let into = destination(&format!("{prefix}_{name}"), is_first);
        batch.execute("", format!("{into} {left} except {right}")).await?;
    }
    batch.release(&[&format!("new_{name}")]).await
}

/// Adds all computed rows of a table without published rows: there is nothing to compare with.
async fn add_all(
    table: &PublishedTable,
    computed: &Computed,
    is_first: bool,
    batch: &mut Batch<'_, impl Warehouse>,
) -> Result<()> {
    let name = table.name;
    if is_first && computed.is_whole_table {
        // An earlier attempt in the same session may have left the table.
        batch.execute("", format!("drop table if exists added_{name}")).await?;
        batch.execute("", format!("alter table new_{name} rename to added_{name}")).await?;
    } else {
        let into = destination(&format!("added_{name}"), is_first);
        batch.execute("", format!("{into} {}", computed.rows)).await?;
        batch.release(&[&format!("new_{name}")]).await?;
    }
    if is_first {
        let none = format!(
            "create or replace temporary table removed_{name} as select * from added_{name} where false"
        );
        batch.execute("", none).await?;
    }
    Ok(())
}

/// The beginning of a statement that stores the rows of a query: the first slice creates the table.
fn destination(table: &str, is_first: bool) -> String {
    if is_first {
        format!("create or replace temporary table {table} as")
    } else {
        format!("insert into {table}")
    }
}

/// The computed rows of a table, with the types of the table.
struct Computed {
    /// A SELECT.
    rows: String,
    /// Whether it returns all columns of the model's table as they are.
    is_whole_table: bool,
}

impl Computed {
    fn of(table: &PublishedTable, conversions: &str) -> Self {
        let (name, helpers) = (table.name, table.helpers().join(", "));
        let changed = match table.versions {
            Versions::OfStatements => format!(" exclude ({helpers}){conversions}"),
            // Merging the vintages into versions has dropped the helper columns and converted the others.
            Versions::OfVintages => String::new(),
            Versions::None | Versions::AsKnown => conversions.to_owned(),
        };
        Computed {
            rows: format!("select *{changed} from new_{name}"),
            is_whole_table: changed.is_empty(),
        }
    }
}

/// The published rows that the run recomputes. They are found by key, because the symbol of a
/// security may have changed.
fn published_rows(table: &PublishedTable) -> String {
    let rows = format!("select t.* exclude (run_id, computed_at) from {} t", table.full_name());
    // Past vintages are computed for some companies only. For all others, only the newest versions
    // are compared, so their older versions stay unchanged.
    let versions = match table.versions {
        Versions::OfVintages => " and (s.with_history or t.known_to is null)",
        Versions::None | Versions::OfStatements | Versions::AsKnown => "",
    };
    match table.extent {
        Extent::Whole => rows,
        Extent::RankedDates => format!("{rows} join ranked_dates s on s.as_of_date = t.as_of_date"),
        Extent::Companies => format!("{rows} join companies s on s.company_key = t.company_key{versions}"),
        Extent::Fundamentals => {
            format!(
                "{rows} join companies s on s.company_key = t.company_key and s.with_fundamentals{versions}"
            )
        }
        Extent::DaysAndFundamentals(day) => format!(
            "{rows} join companies s on s.company_key = t.company_key and case when t.basis = 'MARKET' \
             then t.{day} >= s.prices_from else s.with_fundamentals end{versions}"
        ),
        Extent::Days(day) => {
            format!(
                "{rows} join companies s on s.company_key = t.company_key and t.{day} >= s.prices_from{versions}"
            )
        }
    }
}

fn apply_difference(table: &PublishedTable, run: &RunId, now: DateTime<Utc>) -> [String; 2] {
    let (name, target) = (table.name, table.full_name());
    let same = table.full_key().map(|k| format!("t.{k} = g.{k}")).collect::<Vec<_>>().join(" and ");
    let (run, now) = (literal(run.as_str()), now.format("%Y-%m-%d %H:%M:%S%.3f"));
    [
        format!("delete from {target} t using removed_{name} g where {same}"),
        format!("insert into {target} select d.*, {run}, '{now}'::timestamp from added_{name} d"),
    ]
}

async fn counts(
    tables: &[&PublishedTable],
    warehouse: &mut impl Warehouse,
) -> Result<BTreeMap<String, TableCounts>> {
    let one = |table: &&PublishedTable| {
        let name = table.name;
        let same = table.full_key().map(|k| format!("d.{k} = g.{k}")).collect::<Vec<_>>().join(" and ");
        format!(
            "select '{name}', (select count(*) from added_{name})::varchar, \
             (select count(*) from removed_{name} g where not exists (select 1 from added_{name} d where {same}))::varchar"
        )
    };
    let query = tables.iter().map(one).collect::<Vec<_>>().join(" union all ");
    let mut counts = BTreeMap::new();
    for row in warehouse.query(&query).await? {
        let [Some(name), written, removed] = row.as_slice() else {
            return Err(Error::Stop("the warehouse did not return the counts of changed rows".into()));
        };
        let (written, removed) = (number(written), number(removed));
        counts.insert(summary_name(name), TableCounts { rows: 0, written, removed });
    }
    Ok(counts)
}

/// Returns the row count of every table, for a run that changes nothing.
pub(crate) async fn totals(warehouse: &mut impl Warehouse) -> Result<BTreeMap<String, TableCounts>> {
    with_totals(BTreeMap::new(), warehouse).await
}

async fn with_totals(
    mut counts: BTreeMap<String, TableCounts>,
    warehouse: &mut impl Warehouse,
) -> Result<BTreeMap<String, TableCounts>> {
    let one = |table: &PublishedTable| {
        format!("select '{}', count(*)::varchar from {}", table.name, table.full_name())
    };
    let query = PUBLISHED.iter().map(one).collect::<Vec<_>>().join(" union all ");
    for row in warehouse.query(&query).await? {
        if let [Some(name), rows] = row.as_slice() {
            counts.entry(summary_name(name)).or_default().rows = number(rows);
        }
    }
    Ok(counts)
}

/// Returns a table's name in the summary: the name without `_history`, the suffix of tables with
/// versions.
fn summary_name(table: &str) -> String {
    table.strip_suffix("_history").unwrap_or(table).to_owned()
}

fn number(cell: &Option<String>) -> u64 {
    cell.as_deref().and_then(|n| n.parse().ok()).unwrap_or_default()
}
