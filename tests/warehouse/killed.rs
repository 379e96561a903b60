//! Load and analytics killed at any statement, before it and after it: the next try ends with the tables of one that was not.

use std::collections::HashSet;

use findata_analytics::HostMetrics;
use findata_domain::{Error, Result, catalog::Dataset, clock::DayClock};
use findata_duckdb::DuckDb;
use findata_local::{bus::LocalBus, stage::DirectoryStage};
use findata_pipeline::{landing::StagedFile, ledger, ports::warehouse::Warehouse, run::RunId};
use findata_snowflake::Snowflake;
use findata_tests::{Double, Home, Job, Server, today, wait};

use super::{Files, contract::set_up, same};

/// Where a try died: the statement, and whether it was done by then.
type Deaths = HashSet<(String, bool)>;

/// A warehouse that dies once a try, at the first statement at which no try has died; it takes no word after.
struct Mortal<'a, W> {
    warehouse: W,
    deaths: &'a mut Deaths,
    /// At which statements to die at all, before or after.
    at: fn(&str, bool) -> bool,
    dead: bool,
}

impl<W: Warehouse> Mortal<'_, W> {
    fn new(warehouse: W, deaths: &mut Deaths, at: fn(&str, bool) -> bool) -> Mortal<'_, W> {
        Mortal { warehouse, deaths, at, dead: false }
    }

    /// Whether to die now; a statement is met before it runs and after.
    fn dies(&mut self, statement: &str, done: bool) -> Result<()> {
        if !self.dead && (self.at)(statement, done) {
            self.dead = self.deaths.insert((statement.to_owned(), done));
        }
        if self.dead { Err(Error::retry("killed")) } else { Ok(()) }
    }
}

impl<W: Warehouse> Warehouse for Mortal<'_, W> {
    async fn execute(&mut self, sql: &str) -> Result<u64> {
        self.dies(sql, false)?;
        let done = self.warehouse.execute(sql).await?;
        self.dies(sql, true).map(|()| done)
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        self.dies(sql, false)?;
        self.warehouse.query(sql).await
    }

    async fn append(&mut self, table: &str, rows: Vec<Vec<Option<String>>>) -> Result<()> {
        self.dies(table, false)?;
        self.warehouse.append(table, rows).await?;
        self.dies(table, true)
    }

    async fn copy_in(&mut self, dataset: &'static Dataset, files: &[StagedFile]) -> Result<()> {
        self.dies(dataset.name, false)?;
        self.warehouse.copy_in(dataset, files).await?;
        self.dies(dataset.name, true)
    }

    async fn release(&mut self, tables: &[&str]) -> Result<()> {
        self.warehouse.release(tables).await
    }

    async fn close(&mut self) -> Result<()> {
        self.warehouse.close().await
    }
}

/// A home with a finished run of a few companies, and one with what that run had staged.
fn homes(companies: usize) -> (Home, Home, RunId) {
    let server = Server::of(companies);
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let home = Home::new();
    let done = Job::new(server.url(), &symbols).done(&home);
    let staged = Home::copy_of(&home);
    std::fs::remove_file(staged.warehouse()).unwrap();
    for key in [ledger::loaded_key(&done.run_id), ledger::summary_key(&done.run_id)] {
        std::fs::remove_file(staged.stage().join(key)).unwrap();
    }
    (home, staged, done.run_id)
}

/// A try of load and analytics; whether it came to its end.
async fn comes_to_its_end(run: &RunId, home: &Home, warehouse: &mut impl Warehouse) -> bool {
    let stage = DirectoryStage::open(&home.stage()).unwrap();
    let (clock, bus) = (DayClock(today()), LocalBus::default());
    let done = async {
        findata_load::handle(run, &stage, warehouse, &clock).await?;
        findata_analytics::handle(run, &stage, warehouse, &bus, &clock, &HostMetrics::default()).await
    };
    match done.await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, Error::retry("killed"));
            false
        }
    }
}

/// Everywhere; but what only makes temporary tables is all one, so a few of these do.
fn on_duckdb(statement: &str, done: bool) -> bool {
    let is = |words: &[&str]| words.iter().any(|word| statement.starts_with(word));
    match is(&["create or replace temporary", "alter table", "select", "with"]) {
        true => !done && statement.len().is_multiple_of(12),
        false => !done || is(&["begin", "commit", "insert into ops", "insert into raw"]),
    }
}

#[test]
fn killed_at_any_statement_on_duckdb_the_next_try_ends_with_the_same_tables() {
    let (whole, home, run) = homes(1);
    let mut deaths = Deaths::new();
    loop {
        let duckdb = DuckDb::open(&home.warehouse(), &home.stage()).unwrap();
        let mut warehouse = Mortal::new(duckdb, &mut deaths, on_duckdb);
        if wait(comes_to_its_end(&run, &home, &mut warehouse)) {
            break;
        }
    }
    println!("killed {} times", deaths.len());
    assert!(deaths.len() > 100, "{}", deaths.len());
    let differences = whole.differences(&home);
    assert!(differences.is_empty(), "{differences:?}");
    for table in
        ["raw.income_statement", "raw.prices", "staging.prices", "ops.files", "ops.tasks", "ops.runs", "ops.quarantine"]
    {
        let count = format!("select count(*) from {table}");
        assert_eq!(home.count(&count), whole.count(&count), "{table}");
    }
}

/// Where it matters there: around what changes a table that stays, and around the copies.
fn on_snowflake(statement: &str, done: bool) -> bool {
    let is = |words: &[&str]| words.iter().any(|word| statement.starts_with(word));
    match done {
        true => is(&["commit", "insert into ops.files", "insert into analytics.fact_market", "income_statement"]),
        false => is(&[
            "commit",
            "delete from",
            "insert into raw",
            "insert into ops.changes",
            "insert into analytics.dim",
            "prices",
        ]),
    }
}

#[test]
fn killed_on_the_double_the_next_try_ends_with_the_same_tables() {
    let Some(double) = Double::start(&[]) else { return };
    let double: &'static Double = Box::leak(Box::new(double));
    let (whole, home, run) = homes(2);
    let mut warehouse = double.warehouse("killed");
    wait(set_up(&mut warehouse));
    let stage = DirectoryStage::open(&home.stage()).unwrap();
    let mut deaths = Deaths::new();
    wait(async {
        let staged: Option<ledger::Staged> =
            findata_pipeline::ports::stage::read_json(&stage, &ledger::staged_key(&run)).await.unwrap();
        assert!(Files::Double(double).bring(&stage, &staged.unwrap().files).await);
        loop {
            let snowflake = Snowflake::new(double.settings("killed")).unwrap();
            let mut warehouse = Mortal::new(snowflake, &mut deaths, on_snowflake);
            if comes_to_its_end(&run, &home, &mut warehouse).await {
                break;
            }
            // What Snowflake does with the transaction of a session that died, once another waits for its locks.
            tokio::task::block_in_place(|| double.forget_sessions());
        }
    });
    println!("killed {} times", deaths.len());
    assert!(deaths.len() > 40, "{}", deaths.len());
    same::expect(&whole, double, "killed");
}
