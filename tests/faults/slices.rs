//! Load and analytics that are stopped before they finish, every time: each invocation makes progress, and the
//! tables are those of an undisturbed run.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use findata_domain::{Result, catalog::Column, clock::DayClock};
use findata_duckdb::{DuckDb, MemoryLimit};
use findata_extract::BatchResult;
use findata_local::{bus::LocalBus, queue::LocalQueue, stage::DirectoryStage};
use findata_pipeline::{
    landing::StagedFile,
    ledger,
    ports::{stage::Stage, warehouse::Warehouse},
    run::{Options, RunId},
    telemetry::Telemetry,
};
use findata_tests::{Home, Job, Simulator, analyze, client, models, request, today, wait};
use serde_json::json;
use tokio::sync::Notify;

use crate::warehouse::ONE_SECTOR;

/// Rows of prices per slice: two companies.
const ROWS_PER_SLICE: u64 = 250;
/// More invocations than any case needs.
const MOST_INVOCATIONS: usize = 60;

/// A session with a time limit. It never answers a statement after the first `statements`, nor a load of more than
/// `most_files` files: there, the test ends the invocation.
struct Limited {
    warehouse: DuckDb,
    statements: usize,
    files_per_load: usize,
    most_files: usize,
    stopped: Arc<Notify>,
    ends_at: Instant,
    /// Number of slices of companies that analytics has begun.
    slices: Arc<AtomicUsize>,
}

impl Limited {
    fn open(home: &Home, statements: usize, ends_at: Instant) -> Self {
        let memory = MemoryLimit::of_machine();
        let warehouse = DuckDb::open(&home.warehouse(), &home.stage(), memory, models()).unwrap();
        Limited {
            warehouse,
            statements,
            files_per_load: 1,
            most_files: usize::MAX,
            stopped: Arc::default(),
            ends_at,
            slices: Arc::default(),
        }
    }

    async fn count(&mut self) {
        if self.statements == 0 {
            self.stop().await;
        }
        self.statements -= 1;
    }

    async fn stop(&mut self) {
        self.stopped.notify_one();
        std::future::pending().await
    }
}

impl Warehouse for Limited {
    async fn execute(&mut self, sql: &str) -> Result<u64> {
        self.count().await;
        if sql.starts_with("create or replace temporary table company_slice") {
            self.slices.fetch_add(1, Relaxed);
        }
        let copies = sql.starts_with("create or replace temporary table incoming");
        if copies && sql.matches(".ndjson.gz'").count() > self.most_files {
            self.stop().await;
        }
        self.warehouse.execute(sql).await
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        self.count().await;
        self.warehouse.query(sql).await
    }

    async fn append(&mut self, table: &str, rows: Vec<Vec<Option<String>>>) -> Result<()> {
        self.count().await;
        self.warehouse.append(table, rows).await
    }

    async fn damaged_files(&mut self, files: &[StagedFile]) -> Result<BTreeMap<String, String>> {
        self.warehouse.damaged_files(files).await
    }

    fn copies(&self, columns: &[Column], files: &[StagedFile]) -> Vec<String> {
        self.warehouse.copies(columns, files)
    }

    async fn release(&mut self, tables: &[&str]) -> Result<()> {
        self.warehouse.release(tables).await
    }

    fn files_per_load(&self) -> usize {
        self.files_per_load
    }

    fn rows_per_slice(&self) -> u64 {
        ROWS_PER_SLICE
    }

    fn ends_at(&self) -> Option<Instant> {
        Some(self.ends_at)
    }

    async fn close(&mut self) -> Result<()> {
        self.warehouse.close().await
    }
}

/// Fetches a run. Returns its stage and its id.
async fn fetch(home: &Home, server: &Simulator, options: Options) -> (DirectoryStage, RunId) {
    fetch_symbols(home, server, &ONE_SECTOR, options).await
}

async fn fetch_symbols(
    home: &Home,
    server: &Simulator,
    symbols: &[&str],
    options: Options,
) -> (DirectoryStage, RunId) {
    let request = request(symbols, options);
    let stage = DirectoryStage::open(&home.stage()).unwrap();
    let (fmp, queue, clock) = (client(&server.url(), "test-key"), LocalQueue::default(), DayClock(today()));
    findata_fanout::handle(&request, &fmp, &stage, &queue, &clock).await.unwrap();
    while let Some(delivery) = queue.receive() {
        let done = findata_extract::handle(&delivery.message, &fmp, &stage, &clock, None, None).await;
        assert!(matches!(done, Ok(BatchResult::Done { .. })), "{done:?}");
    }
    (stage, request.run_id)
}

/// Runs load or analytics. `None` if the session stopped answering.
async fn invoke(
    function: &str,
    run: &RunId,
    stage: &DirectoryStage,
    mut warehouse: Limited,
) -> Option<Result<()>> {
    let (clock, bus, stopped) = (DayClock(today()), LocalBus::default(), Arc::clone(&warehouse.stopped));
    let work = async {
        match function {
            "load" => findata_load::handle(run, stage, &mut warehouse, &clock).await.map(drop),
            _ => analyze(run, stage, &mut warehouse, &bus, &clock).await.map(drop),
        }
    };
    // Dropping the future in the middle of a statement has the effect of killing the process.
    tokio::select! {
        result = work => Some(result),
        () = stopped.notified() => None,
    }
}

/// Stops every invocation of a function after this many statements, until one ends. Returns the number of
/// invocations.
async fn stop_always(
    function: &str,
    statements: usize,
    run: &RunId,
    stage: &DirectoryStage,
    home: &Home,
) -> usize {
    let in_an_hour = Instant::now() + Duration::from_secs(3_600);
    for invocation in 1..=MOST_INVOCATIONS {
        let warehouse = Limited::open(home, statements, in_an_hour);
        if let Some(result) = invoke(function, run, stage, warehouse).await {
            result.unwrap();
            return invocation;
        }
    }
    panic!("{function} makes no progress in {statements} statements");
}

fn leftovers(home: &Home) -> i64 {
    home.count(
        "select (select count(*) from ops.slices) + \
         (select count(*) from information_schema.tables where table_name like 'checkpoint_%')",
    )
}

#[test]
fn steps_that_are_always_stopped_end_with_the_tables_of_an_undisturbed_run() {
    let server = Simulator::with_symbols(41);
    let (undisturbed, home) = (Home::new(), Home::new());
    let job = Job::new(server.url(), &ONE_SECTOR);
    job.run_ok(&undisturbed);
    assert!(undisturbed.count("select count(*) from analytics.fact_sector_ranks") > 0);
    let calls = server.calls();
    wait(async {
        let (stage, run) = fetch(&home, &server, job.options.clone()).await;
        let loads = stop_always("load", 45, &run, &stage, &home).await;
        assert!(loads > 2, "{loads} invocations of load");
        let computations = stop_always("analytics", 190, &run, &stage, &home).await;
        assert!(computations > 2, "{computations} invocations of analytics");
        println!("{loads} invocations of load, {computations} of analytics");
    });
    assert_eq!(server.calls(), 2 * calls, "no step makes a call");
    assert!(home.content() == undisturbed.content(), "{:?}", home.differences(&undisturbed));
    assert_eq!(leftovers(&home), 0);
}

/// Invokes a function whose time is up after its first slice, as the Lambda function does. Returns the status of
/// its response, and the number of slices of companies.
async fn invoke_late(function: &str, run: &RunId, stage: &DirectoryStage, home: &Home) -> (String, usize) {
    let mut warehouse = Limited::open(home, usize::MAX, Instant::now());
    let slices = Arc::clone(&warehouse.slices);
    let (clock, bus, telemetry) = (DayClock(today()), LocalBus::default(), Telemetry::default());
    let (input, now) = (json!({"run_id": run}), DateTime::<Utc>::default());
    let response = match function {
        "load" => {
            findata_load::event::handle(&input, stage, Ok(&mut warehouse), &bus, &clock, now, &telemetry)
                .await
        }
        _ => {
            let (warehouse, memory) = (Ok(&mut warehouse), 1.0);
            let (models, telemetry) = (models(), &telemetry);
            findata_analytics::event::handle(
                &input, stage, warehouse, models, &bus, &clock, now, memory, telemetry,
            )
            .await
        }
    };
    let status = response.unwrap()["status"].as_str().unwrap().to_owned();
    (status, slices.load(Relaxed))
}

#[test]
fn an_invocation_hands_over_before_its_time_is_up() {
    let server = Simulator::with_symbols(41);
    let (undisturbed, home) = (Home::new(), Home::new());
    let job = Job::new(server.url(), &ONE_SECTOR);
    job.run_ok(&undisturbed);
    assert!(undisturbed.count("select count(*) from analytics.fact_sector_ranks") > 0);
    wait(async {
        let (stage, run) = fetch(&home, &server, job.options.clone()).await;
        let mut loads = 1;
        while invoke_late("load", &run, &stage, &home).await.0 == "continued" {
            loads += 1;
        }
        let files = home.count("select count(*) from ops.files");
        assert_eq!(loads, files + 1, "one file per invocation, and the rest of the step");
        let progress = home.keys(&format!("runs/{run}/slices/load-")).len();
        assert_eq!(i64::try_from(progress), Ok(files), "the sweeper sees the progress");

        let continued = ("continued".to_owned(), 1);
        assert_eq!(invoke_late("analytics", &run, &stage, &home).await, continued);
        assert_eq!(invoke_late("analytics", &run, &stage, &home).await, continued);
        let done = || home.count("select max(last_company) from ops.slices");
        let after_two = done();
        // Rows of a finished company that were loaded meanwhile: its figures may be stale.
        let change =
            "insert into ops.changes select 'later', 'prices', min(symbol), null from staging.prices";
        home_change(&home, change);
        assert_eq!(invoke_late("analytics", &run, &stage, &home).await, continued);
        assert!(done() < after_two, "the computation begins again");
        assert_eq!(home.count("select count(*) from analytics.fact_daily_prices"), 0, "nothing is published");

        // A run that ends meanwhile finishes the computation of the first one.
        let profiles = Options {
            datasets: vec!["profile".into()],
            full: true,
            ..Options::default()
        };
        let (_, other) = fetch(&home, &server, profiles).await;
        let in_an_hour = Instant::now() + Duration::from_secs(3_600);
        invoke("load", &other, &stage, Limited::open(&home, usize::MAX, in_an_hour))
            .await
            .unwrap()
            .unwrap();
        let warehouse = Limited::open(&home, usize::MAX, in_an_hour);
        let slices = Arc::clone(&warehouse.slices);
        invoke("analytics", &other, &stage, warehouse).await.unwrap().unwrap();
        let slices = slices.load(Relaxed);
        assert!(slices > 1, "{slices} slices");
        assert_eq!(home.text("select max(run_id) from ops.published"), other.as_str());

        assert_eq!(invoke_late("analytics", &run, &stage, &home).await, ("complete".into(), 0));
        assert!(stage.get(&ledger::summary_key(&run)).await.unwrap().is_some());
    });
    let differences = home.differences(&undisturbed);
    assert!(differences.is_empty(), "{differences:?}");
    assert_eq!(leftovers(&home), 0);
}

fn home_change(home: &Home, statement: &str) {
    duckdb::Connection::open(home.warehouse()).unwrap().execute_batch(statement).unwrap();
}

#[test]
fn slices_of_load_shrink_until_one_can_be_loaded() {
    let server = Simulator::with_symbols(101);
    let (undisturbed, home) = (Home::new(), Home::new());
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let job = Job::new(server.url(), &symbols).days(5).with(|o| (o.quarters, o.years) = (4, 1));
    job.run_ok(&undisturbed);
    let in_an_hour = Instant::now() + Duration::from_secs(3_600);
    let invocations = wait(async {
        let (stage, run) = fetch_symbols(&home, &server, &symbols, job.options.clone()).await;
        for invocation in 1..=MOST_INVOCATIONS {
            let warehouse = Limited {
                files_per_load: usize::MAX,
                most_files: 1,
                ..Limited::open(&home, usize::MAX, in_an_hour)
            };
            if let Some(result) = invoke("load", &run, &stage, warehouse).await {
                result.unwrap();
                let warehouse = Limited::open(&home, usize::MAX, in_an_hour);
                invoke("analytics", &run, &stage, warehouse).await.unwrap().unwrap();
                return invocation;
            }
        }
        panic!("load makes no progress")
    });
    // Two attempts with 100 files, then 25, 6 and 1. The files of the whole market are loaded before the others.
    assert!((5..=10).contains(&invocations), "{invocations} invocations");
    assert!(home.content() == undisturbed.content(), "{:?}", home.differences(&undisturbed));
}
