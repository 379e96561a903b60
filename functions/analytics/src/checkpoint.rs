//! Stores the results of finished slices, so that another invocation can continue after them.
//!
//! An invocation on AWS ends after 15 minutes at most. If the companies do not fit into one slice, the differences
//! of each slice are moved from the session's temporary tables into tables that outlive it. The same transaction
//! records the slice in `ops.slices`, under the write fence. So no slice is added twice, even if an invocation timed
//! out while its statement is still executing. The next invocation reads the scope and the companies
//! from such tables too, and continues after the last slice. After the last one, one transaction publishes all.
//!
//! The counter of the write fence names a computation and its tables. A computation can be continued only while
//! its newest row has the counter's present value: otherwise another run has published figures meanwhile, with
//! which the differences were not compared.

use chrono::NaiveDate;
use findata_domain::{Error, Result, hash, sql::literal};
use findata_models::{Models, PUBLISHED, PublishedTable};
use findata_pipeline::{batch::Batch, ports::warehouse::Warehouse, run::RunId, write_fence::WriteFence};

use crate::publish::CHANGED;

/// The temporary tables that say what a run computes.
const SCOPE: [&str; 4] = ["run_params", "pending", "last_published", "companies_to_recompute"];

/// The rows of `ops.slices`.
const ROWS: &str = "select computation::varchar, run_id, fingerprint, as_of::varchar, fence::varchar, \
     last_company::varchar from ops.slices order by fence";

/// Most halvings of the slices of a computation.
const MAX_HALVINGS: u32 = 20;

/// A computation whose finished slices are stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checkpoint {
    /// The number that names the computation.
    pub computation: u64,
    /// The run that began it.
    pub run: String,
    /// The day as of which it computes.
    pub as_of: NaiveDate,
    /// `company_no` of the last company that is computed.
    pub last_company: u64,
    /// How often to halve the slices, because invocations have ended before they finished one.
    pub halvings: u32,
    fingerprint: String,
    /// Whether the tables of the differences exist.
    has_tables: bool,
}

/// A row of `ops.slices`.
struct Row {
    computation: u64,
    run: String,
    fingerprint: String,
    as_of: NaiveDate,
    fence: u64,
    last_company: Option<u64>,
}

impl Checkpoint {
    /// Continues the computation of an earlier invocation: restores its scope. Returns `None` if there is none.
    /// Discards computations that cannot be continued.
    pub async fn open(
        models: &Models,
        today: NaiveDate,
        fence: &mut WriteFence,
        warehouse: &mut impl Warehouse,
    ) -> Result<Option<Checkpoint>> {
        let rows = warehouse.query(ROWS).await?;
        let rows = rows.into_iter().map(read).collect::<Result<Vec<Row>>>()?;
        if rows.last().is_some_and(|row| row.fence > fence.number()) {
            fence.check(warehouse).await?;
        }
        let newest = newest(&rows, fence.number());
        let newest = newest
            .filter(|checkpoint| checkpoint.fingerprint == fingerprint(models) && checkpoint.as_of <= today);
        if newest.is_none() && !rows.is_empty() {
            // The tables are about to be dropped, so an invocation that still uses them must start over.
            fence.write(warehouse, &[]).await?;
        }
        for row in rows.chunk_by(|a, b| a.computation == b.computation) {
            if newest.as_ref().is_none_or(|checkpoint| checkpoint.computation != row[0].computation) {
                discard(row[0].computation, warehouse).await?;
            }
        }
        let Some(checkpoint) = newest else { return Ok(None) };
        // Records the attempt without incrementing the write fence. If two invocations run at the same time, the one
        // that stores the next slice first continues, and the other one starts over.
        warehouse
            .execute(&checkpoint.insert(fence.number(), Some(checkpoint.last_company)))
            .await?;
        let mut batch = Batch::new(warehouse);
        for table in SCOPE {
            let from = checkpoint.table(table);
            let copy = format!("create or replace temporary table {table} as select * from {from}");
            batch.execute("scope", copy).await?;
        }
        batch.run().await?;
        if !warehouse.query(CHANGED).await?.is_empty() {
            tracing::warn!(
                run_id = checkpoint.run,
                "other rows were loaded meanwhile: the slices are computed again"
            );
            fence.write(warehouse, &[]).await?;
            checkpoint.discard(warehouse).await?;
            return Ok(None);
        }
        Ok(Some(checkpoint))
    }

    /// Begins a computation: stores the scope that the session has in temporary tables.
    pub async fn begin(
        run: &RunId,
        models: &Models,
        as_of: NaiveDate,
        fence: &mut WriteFence,
        warehouse: &mut impl Warehouse,
    ) -> Result<Checkpoint> {
        let checkpoint = Checkpoint {
            computation: fence.number() + 1,
            run: run.to_string(),
            as_of,
            last_company: 0,
            halvings: 0,
            fingerprint: fingerprint(models),
            has_tables: false,
        };
        fence.write(warehouse, &[checkpoint.insert(checkpoint.computation, None)]).await?;
        let mut batch = Batch::new(warehouse);
        for table in SCOPE {
            let into = checkpoint.table(table);
            batch
                .execute("scope", format!("create or replace table {into} as select * from {table}"))
                .await?;
        }
        batch.run().await?;
        fence.write(warehouse, &[checkpoint.insert(fence.number() + 1, Some(0))]).await?;
        Ok(checkpoint)
    }

    /// Stores the differences of a slice, which end with this company.
    pub async fn store(
        &mut self,
        tables: &[&'static PublishedTable],
        last_company: u64,
        fence: &mut WriteFence,
        warehouse: &mut impl Warehouse,
    ) -> Result<()> {
        let tables: Vec<String> = tables.iter().flat_map(|table| differences(table)).collect();
        if !self.has_tables {
            fence.check(warehouse).await?;
            let mut batch = Batch::new(warehouse);
            for table in &tables {
                let into = self.table(table);
                let create =
                    format!("create table if not exists {into} as select * from {table} where false");
                batch.execute("", create).await?;
            }
            batch.run().await?;
            self.has_tables = true;
        }
        let insert = |table: &String| format!("insert into {} select * from {table}", self.table(table));
        let mut statements: Vec<String> = tables.iter().map(insert).collect();
        statements.push(self.insert(fence.number() + 1, Some(last_company)));
        fence.write(warehouse, &statements).await?;
        self.last_company = last_company;
        Ok(())
    }

    /// Copies the differences of all slices into temporary tables.
    pub async fn restore(
        &self,
        tables: &[&'static PublishedTable],
        fence: &WriteFence,
        warehouse: &mut impl Warehouse,
    ) -> Result<()> {
        fence.check(warehouse).await?;
        let mut batch = Batch::new(warehouse);
        for table in tables.iter().flat_map(|table| differences(table)) {
            let from = self.table(&table);
            let copy = format!("create or replace temporary table {table} as select * from {from}");
            batch.execute("", copy).await?;
        }
        batch.run().await
    }

    /// Drops the computation's tables.
    pub async fn discard(self, warehouse: &mut impl Warehouse) -> Result<()> {
        discard(self.computation, warehouse).await
    }

    fn table(&self, table: &str) -> String {
        checkpoint_table(self.computation, table)
    }

    fn insert(&self, fence: u64, last_company: Option<u64>) -> String {
        let Checkpoint { computation, run, as_of, fingerprint, .. } = self;
        format!(
            "insert into ops.slices (computation, run_id, fingerprint, as_of, fence, last_company) \
             select {computation}, {}, '{fingerprint}', date '{as_of}', {fence}, {}",
            literal(run),
            last_company.map_or("null".into(), |company| company.to_string())
        )
    }
}

/// Returns the computation whose newest row has the counter's present value.
fn newest(rows: &[Row], fence: u64) -> Option<Checkpoint> {
    let last = rows.last().filter(|row| row.fence == fence)?;
    let last_company = last.last_company?;
    let of_computation = rows.iter().filter(|row| row.computation == last.computation);
    let since_progress = of_computation.filter(|row| row.last_company == Some(last_company)).count();
    Some(Checkpoint {
        computation: last.computation,
        run: last.run.clone(),
        as_of: last.as_of,
        last_company,
        // Storing a slice adds the first of these rows, and each invocation that continues after it adds one. One such
        // invocation may fail for any reason; if a second one is needed, the slices are too large.
        halvings: u32::try_from(since_progress).unwrap_or(u32::MAX).saturating_sub(1).min(MAX_HALVINGS),
        fingerprint: last.fingerprint.clone(),
        has_tables: last_company > 0,
    })
}

fn checkpoint_table(computation: u64, table: &str) -> String {
    format!("checkpoint_{computation}_{table}")
}

/// The temporary tables with a table's differences.
fn differences(table: &PublishedTable) -> [String; 2] {
    ["added", "removed"].map(|prefix| format!("{prefix}_{}", table.name))
}

async fn discard(computation: u64, warehouse: &mut impl Warehouse) -> Result<()> {
    let tables = SCOPE.into_iter().map(str::to_owned).chain(PUBLISHED.iter().flat_map(differences));
    let mut batch = Batch::new(warehouse);
    for table in tables {
        batch
            .execute("", format!("drop table if exists {}", checkpoint_table(computation, &table)))
            .await?;
    }
    batch
        .execute("", format!("delete from ops.slices where computation = {computation}"))
        .await?;
    batch.run().await
}

fn fingerprint(models: &Models) -> String {
    let texts = models.models.iter().chain(&models.tables).map(|model| model.sql.as_str());
    hash::sha256(texts.collect::<Vec<_>>().join("\n").as_bytes())
}

fn read(row: Vec<Option<String>>) -> Result<Row> {
    parse(&row).ok_or_else(|| Error::Stop("ops.slices has an unreadable row: delete its rows".into()))
}

fn parse(row: &[Option<String>]) -> Option<Row> {
    let [Some(computation), Some(run), Some(fingerprint), Some(as_of), Some(fence), last_company] = row
    else {
        return None;
    };
    Some(Row {
        computation: computation.parse().ok()?,
        run: run.clone(),
        fingerprint: fingerprint.clone(),
        as_of: as_of.parse().ok()?,
        fence: fence.parse().ok()?,
        last_company: last_company.as_deref().and_then(|company| company.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(computation: u64, fence: u64, last_company: Option<u64>) -> Row {
        Row {
            computation,
            run: "r".into(),
            fingerprint: String::new(),
            as_of: NaiveDate::default(),
            fence,
            last_company,
        }
    }

    #[test]
    fn a_computation_continues_only_while_nothing_else_was_published() {
        let claimed = [row(7, 7, None)];
        assert_eq!(newest(&claimed, 7), None, "its scope may not be complete");
        let rows = [row(7, 7, None), row(7, 8, Some(0)), row(7, 8, Some(0)), row(7, 9, Some(4))];
        let at =
            |fence| newest(&rows, fence).map(|checkpoint| (checkpoint.last_company, checkpoint.has_tables));
        assert_eq!((at(9), at(10), at(8)), (Some((4, true)), None, None));
    }

    #[test]
    fn slices_get_smaller_if_invocations_finish_none() {
        let halvings = |rows: &[Row]| newest(rows, 9).map(|checkpoint| checkpoint.halvings);
        let finished = || row(7, 9, Some(4));
        assert_eq!(halvings(&[finished()]), Some(0));
        // The invocation after the first attempt may have been killed for any reason.
        assert_eq!(halvings(&[finished(), finished()]), Some(1));
        assert_eq!(halvings(&[row(7, 8, Some(0)), row(7, 8, Some(0)), finished()]), Some(0));
        let many: Vec<Row> = std::iter::repeat_with(finished).take(100).collect();
        assert_eq!(halvings(&many), Some(MAX_HALVINGS));
    }
}
