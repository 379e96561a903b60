//! Load and analytics killed before or after any statement. The next attempt ends with the tables
//! of an undisturbed run.

use std::collections::HashSet;

use findata_domain::{Error, Result, catalog::Column, clock::DayClock};
use findata_duckdb::{DuckDb, MemoryLimit};
use findata_local::{bus::LocalBus, stage::DirectoryStage};
use findata_pipeline::{landing::StagedFile, ledger, ports::warehouse::Warehouse, run::RunId};
use findata_snowflake::Snowflake;
use findata_tests::{FakeSnowflake, Home, Job, Simulator, analyze, today, wait};

use super::{Files, comparison, contract::set_up};

/// The crashes so far: the statement, and whether it had run.
type Crashes = HashSet<(String, bool)>;

/// A warehouse that crashes once per attempt, at the first selected point where no earlier attempt
/// crashed. After the crash it rejects everything.
struct CrashingWarehouse<'a, W> {
    warehouse: W,
    crashes: &'a mut Crashes,
    /// Whether to crash at a statement. The flag is `false` before the statement runs and `true`
    /// afterwards.
    at: fn(&str, bool) -> bool,
    crashed: bool,
}

impl<W: Warehouse> CrashingWarehouse<'_, W> {
    fn new(warehouse: W, crashes: &mut Crashes, at: fn(&str, bool) -> bool) -> CrashingWarehouse<'_, W> {
        CrashingWarehouse { warehouse, crashes, at, crashed: false }
    }

    /// Returns an error if the warehouse crashes here or has crashed. Called before and after each
    /// statement.
    fn crash_point(&mut self, statement: &str, done: bool) -> Result<()> {
        if !self.crashed && (self.at)(statement, done) {
            self.crashed = self.crashes.insert((statement.to_owned(), done));
        }
        if self.crashed { Err(Error::retry("killed")) } else { Ok(()) }
    }
}

impl<W: Warehouse> Warehouse for CrashingWarehouse<'_, W> {
    async fn execute(&mut self, sql: &str) -> Result<u64> {
        self.crash_point(sql, false)?;
        let done = self.warehouse.execute(sql).await?;
        self.crash_point(sql, true).map(|()| done)
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        self.crash_point(sql, false)?;
        self.warehouse.query(sql).await
    }

    async fn append(&mut self, table: &str, rows: Vec<Vec<Option<String>>>) -> Result<()> {
        self.crash_point(table, false)?;
        self.warehouse.append(table, rows).await?;
        self.crash_point(table, true)
    }

    fn copies(&self, columns: &[Column], files: &[StagedFile]) -> Vec<String> {
        self.warehouse.copies(columns, files)
    }

    async fn release(&mut self, tables: &[&str]) -> Result<()> {
        self.warehouse.release(tables).await
    }

    async fn close(&mut self) -> Result<()> {
        self.warehouse.close().await
    }
}

/// Makes a run of a few companies. Returns the home of the finished run, and a home with only the
/// files that the run staged.
fn homes(companies: usize) -> (Home, Home, RunId) {
    let server = Simulator::with_symbols(companies);
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let home = Home::new();
    let done = Job::new(server.url(), &symbols).run_ok(&home);
    let staged = Home::copy_of(&home);
    std::fs::remove_file(staged.warehouse()).unwrap();
    for key in [ledger::loaded_key(&done.run_id), ledger::summary_key(&done.run_id)] {
        std::fs::remove_file(staged.stage().join(key)).unwrap();
    }
    (home, staged, done.run_id)
}

/// Attempts to load and compute. Returns whether the attempt completed.
async fn completes(run: &RunId, home: &Home, warehouse: &mut impl Warehouse) -> bool {
    let stage = DirectoryStage::open(&home.stage()).unwrap();
    let (clock, bus) = (DayClock(today()), LocalBus::default());
    let done = async {
        findata_load::handle(run, &stage, warehouse, &clock).await?;
        analyze(run, &stage, warehouse, &bus, &clock).await
    };
    match done.await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, Error::retry("killed"));
            false
        }
    }
}

/// Selects all statements on DuckDB. Statements that only create temporary tables are alike, so a
/// twelfth of them is enough.
fn on_duckdb(statement: &str, done: bool) -> bool {
    let is = |words: &[&str]| words.iter().any(|word| statement.starts_with(word));
    match is(&["create or replace temporary", "alter table", "select", "with"]) {
        true => !done && statement.len().is_multiple_of(12),
        false => !done || is(&["begin", "commit", "insert into ops", "insert into raw"]),
    }
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn after_a_crash_at_any_statement_on_duckdb_the_next_attempt_gives_the_same_tables() {
    let (whole, home, run) = homes(1);
    let mut crashes = Crashes::new();
    loop {
        let duckdb = DuckDb::open(
            &home.warehouse(),
            &home.stage(),
            MemoryLimit::of_machine(),
            findata_tests::models(),
        )
        .unwrap();
        let mut warehouse = CrashingWarehouse::new(duckdb, &mut crashes, on_duckdb);
        if wait(completes(&run, &home, &mut warehouse)) {
            break;
        }
    }
    println!("killed {} times", crashes.len());
    assert!(crashes.len() > 100, "{}", crashes.len());
    let differences = whole.differences(&home);
    assert!(differences.is_empty(), "{differences:?}");
    for table in [
        "raw.income_statement",
        "raw.prices",
        "staging.prices",
        "ops.files",
        "ops.tasks",
        "ops.runs",
        "ops.quarantine",
    ] {
        let count = format!("select count(*) from {table}");
        assert_eq!(home.count(&count), whole.count(&count), "{table}");
    }
}

/// Selects the crashes that matter on Snowflake: around changes of permanent tables, and around
/// copies.
fn on_snowflake(statement: &str, done: bool) -> bool {
    let is = |words: &[&str]| words.iter().any(|word| statement.starts_with(word));
    match done {
        true => is(&["commit", "insert into ops.files", "insert into analytics.fact_market"]),
        false => is(&[
            "commit",
            "delete from",
            "insert into raw",
            "insert into ops.changes",
            "insert into analytics.dim",
            "copy into incoming",
        ]),
    }
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn after_a_crash_on_the_fake_the_next_attempt_gives_the_same_tables() {
    let Some(fake) = FakeSnowflake::start(&[]) else {
        return;
    };
    let fake: &'static FakeSnowflake = Box::leak(Box::new(fake));
    let (whole, home, run) = homes(2);
    let mut warehouse = fake.warehouse("killed");
    wait(set_up(&mut warehouse));
    let stage = DirectoryStage::open(&home.stage()).unwrap();
    let mut crashes = Crashes::new();
    wait(async {
        let staged: Option<ledger::Staged> =
            findata_pipeline::ports::stage::read_json(&stage, &ledger::staged_key(&run))
                .await
                .unwrap();
        assert!(Files::Fake(fake).copy_files(&stage, &staged.unwrap().files).await);
        loop {
            let snowflake = Snowflake::new(fake.settings("killed")).unwrap();
            let mut warehouse = CrashingWarehouse::new(snowflake, &mut crashes, on_snowflake);
            if completes(&run, &home, &mut warehouse).await {
                break;
            }
            // Ends the session of the crashed attempt. Snowflake itself does so when another
            // session waits for the locks of a dead session.
            tokio::task::block_in_place(|| fake.expire_sessions());
        }
    });
    println!("killed {} times", crashes.len());
    assert!(crashes.len() > 40, "{}", crashes.len());
    comparison::assert_same_tables(&whole, fake, "killed");
}
