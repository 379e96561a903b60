//! The memory that one delivery of a function needs when the plan has 50,000 symbols. The functions have
//! 256 MB.

use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use chrono::{DateTime, TimeDelta, Utc};
use findata_analytics::HostMetrics;
use findata_domain::{
    Error, Result, Symbol,
    catalog::{self, Column},
    clock::{Clock, DayClock},
    schema_version::{self, MARK, SCHEMA_VERSION},
};
use findata_fanout::{sweep, watch::Watch};
use findata_local::{bus::LocalBus, stage::DirectoryStage};
use findata_pipeline::{
    landing::StagedFile,
    ledger::{self, BatchEntry, Outcome, Staged, TaskRecord},
    plan::{Batch, BatchMessage, Cadence, FetchMode, Plan, Task, Window},
    ports::{queue::Queue, stage, warehouse::Warehouse},
    run::{Options, Request, RunId},
    telemetry::Telemetry,
};
use findata_tests::{Home, Simulator, client, today, wait};

const SYMBOLS: u32 = 50_000;
const SYMBOLS_PER_BATCH: u32 = 50;
const LIMIT: u64 = 256 << 20;

/// A warehouse without rows, so that only the function's own memory is measured.
struct NoRows;

impl Warehouse for NoRows {
    async fn execute(&mut self, _sql: &str) -> Result<u64> {
        Ok(1)
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        if sql == schema_version::RECORDED {
            return Ok(vec![vec![Some(MARK.into()), Some(SCHEMA_VERSION.to_string())]]);
        }
        let is_fence = sql.contains("from ops.turns");
        Ok(if is_fence { vec![vec![Some("0".into())]] } else { Vec::new() })
    }

    async fn append(&mut self, _table: &str, _rows: Vec<Vec<Option<String>>>) -> Result<()> {
        Ok(())
    }

    async fn damaged_files(&mut self, _files: &[StagedFile]) -> Result<BTreeMap<String, String>> {
        Ok(BTreeMap::new())
    }

    fn copies(&self, _columns: &[Column], _files: &[StagedFile]) -> Vec<String> {
        Vec::new()
    }

    async fn release(&mut self, _tables: &[&str]) -> Result<()> {
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The peak resident memory of this process in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// The tasks of a company on its first day.
fn tasks(number: u32) -> Vec<Task> {
    let symbol = || Some(format!("S{number:05}").parse::<Symbol>().unwrap());
    let statement = |dataset, cadence| Task::new(dataset, symbol(), Window::Newest { cadence, limit: 24 });
    let statements = [catalog::INCOME_STATEMENT, catalog::BALANCE_SHEET, catalog::CASH_FLOW];
    let quarters = statements.map(|dataset| statement(dataset, Cadence::Quarter));
    let years = statements.map(|dataset| statement(dataset, Cadence::Annual));
    let days = Window::Days { from: today() - TimeDelta::days(1826), to: today() };
    let others = [
        Task::new(catalog::PROFILE, symbol(), Window::All),
        Task::new(catalog::PRICES, symbol(), days),
        Task::new(catalog::DIVIDENDS, symbol(), Window::All),
        Task::new(catalog::dataset("splits").unwrap(), symbol(), Window::All),
        Task::new(catalog::MARKET_CAPS, symbol(), days),
    ];
    quarters.into_iter().chain(years).chain(others).collect()
}

fn batch(number: u32) -> Batch {
    let first = number * SYMBOLS_PER_BATCH;
    Batch {
        id: format!("b{number:05}"),
        fetch_mode: FetchMode::PerSymbol,
        tasks: (first..first + SYMBOLS_PER_BATCH).flat_map(tasks).collect(),
    }
}

/// The entry of a batch whose tasks all received rows.
fn entry(run: &RunId, batch: Batch, fetched_at: DateTime<Utc>) -> BatchEntry {
    let mut entry = BatchEntry::new(&batch.id);
    let datasets: BTreeMap<_, _> = batch.tasks.iter().map(|t| (t.dataset.name, t.dataset)).collect();
    entry.files = datasets
        .keys()
        .map(|name| StagedFile {
            dataset: (*name).to_owned(),
            key: format!("landing/{name}/{run}-{}.json.gz", batch.id),
            rows: 1_000,
            quarantined: 0,
            fields: None,
            bytes: 100_000,
            sha256: "0".repeat(64),
        })
        .collect();
    let record = |task| TaskRecord {
        task,
        outcome: Outcome::Rows { rows: 20, newest: Some(today()) },
        calls: 1,
        bytes: 20_000,
        fetched_at,
        fetch_mode: FetchMode::PerSymbol,
    };
    entry.tasks = batch.tasks.into_iter().map(record).collect();
    entry
}

/// Writes the plan, piece by piece so that the test itself needs little memory.
fn write_plan(run: &RunId, stage: &DirectoryStage) {
    let mut plan = Plan::without_tasks(run, Options { skip_analytics: true, ..Options::default() });
    plan.symbols = (0..SYMBOLS).map(|number| format!("S{number:05}").parse().unwrap()).collect();
    let text = serde_json::to_string(&plan).unwrap();
    let batches: Vec<_> = (0..SYMBOLS / SYMBOLS_PER_BATCH)
        .map(|number| serde_json::to_string(&batch(number)).unwrap())
        .collect();
    let text = text.replacen("\"batches\":[]", &format!("\"batches\":[{}]", batches.join(",")), 1);
    fs::create_dir_all(stage.root().join(format!("runs/{run}"))).unwrap();
    fs::write(stage.root().join(ledger::plan_key(run)), text).unwrap();
}

const TEST: &str = "faults::large_plans::deliveries_of_50_000_symbols_fit_into_the_memory_of_the_functions";
/// Tells a child process which delivery to perform, in which home.
const DELIVERY: &str = "FINDATA_TEST_DELIVERY";
const HOME: &str = "FINDATA_TEST_DELIVERY_HOME";
/// Tells a child process the address of FMP.
const FMP_URL: &str = "FINDATA_TEST_DELIVERY_FMP";

/// Performs a delivery in a process of its own, as on Lambda.
fn in_own_process(delivery: &str, home: &Home, server: &Simulator) {
    let status = Command::new(env::current_exe().unwrap())
        .args(["--exact", TEST, "--ignored", "--nocapture"])
        .env(DELIVERY, delivery)
        .env(HOME, home.path())
        .env(FMP_URL, server.url())
        .status();
    assert!(status.unwrap().success(), "{delivery}");
}

/// A queue that counts its messages.
#[derive(Default)]
struct Counted(AtomicUsize);

impl Queue for Counted {
    async fn send(&self, messages: Vec<BatchMessage>) -> Result<()> {
        self.0.fetch_add(messages.len(), Relaxed);
        Ok(())
    }
}

/// Plans a run of all symbols. Returns the number of batches and of calls.
fn plan(url: &str, stage: &DirectoryStage, clock: &DayClock) -> (usize, u64) {
    let names: Vec<String> = (0..SYMBOLS).map(|number| format!("S{number:05}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let options = Options {
        prices_from: Some(today() - TimeDelta::days(1826)),
        ..Options::default()
    };
    let request = findata_tests::request(&names, options);
    let request = Request { run_id: RunId::new(clock.now(), 2), ..request };
    let queue = Counted::default();
    let plan = wait(findata_fanout::handle(&request, &client(url, "key"), stage, &queue, clock)).unwrap();
    assert_eq!(plan.batches.len(), queue.0.load(Relaxed));
    (plan.batches.len(), plan.calls())
}

/// Sweeps when every delivery of the run is lost. Returns the number of batches that are sent again.
fn sweep(stage: &DirectoryStage, clock: &DayClock) -> usize {
    let (queue, bus) = (Counted::default(), LocalBus::default());
    let later = clock.now() + TimeDelta::hours(2);
    let (watch, telemetry) = (Watch::default(), Telemetry::default());
    let swept = wait(sweep::sweep(stage, &queue, &bus, later, None, watch, &telemetry)).unwrap();
    assert_eq!(swept.sent, queue.0.load(Relaxed));
    swept.sent
}

fn perform(delivery: &str, url: &str, run: &RunId, stage: &DirectoryStage, clock: &DayClock) {
    let batches = SYMBOLS / SYMBOLS_PER_BATCH;
    let close_after = |number| {
        let message = BatchMessage {
            batches: Some(batches as usize),
            ..BatchMessage::new(run.clone(), batch(number))
        };
        wait(ledger::close_after(&message, stage))
    };
    match delivery {
        "fanout, the first day" => {
            let (batches, calls) = plan(url, stage, clock);
            assert!(batches > 100 && calls >= u64::from(SYMBOLS) * 10, "{batches} batches, {calls} calls");
        }
        "fanout, the next day" => {
            let (batches, calls) = plan(url, stage, &DayClock(clock.0 + TimeDelta::days(1)));
            assert!(batches > 0 && calls < u64::from(SYMBOLS) * 10, "{batches} batches, {calls} calls");
        }
        "a sweep" => assert_eq!(sweep(stage, clock), batches as usize),
        "a batch" => assert_eq!(close_after(0), Ok(false)),
        "the last batch" => assert_eq!(close_after(batches - 1), Ok(true)),
        "load" => drop(wait(findata_load::handle(run, stage, &mut NoRows, clock)).unwrap()),
        _ => {
            let (models, bus, mut warehouse) = (findata_tests::models(), LocalBus::default(), NoRows);
            let metrics = HostMetrics::default();
            let handled =
                findata_analytics::handle(run, stage, &mut warehouse, models, &bus, clock, &metrics);
            drop(wait(handled).unwrap());
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "slow: a plan of 50,000 symbols"]
#[expect(clippy::disallowed_methods, reason = "test entry points may read the environment")]
fn deliveries_of_50_000_symbols_fit_into_the_memory_of_the_functions() {
    let clock = DayClock(today());
    let run = RunId::new(clock.now(), 1);
    if let (Ok(delivery), Ok(home), Ok(url)) = (env::var(DELIVERY), env::var(HOME), env::var(FMP_URL)) {
        let stage = DirectoryStage::open(&Path::new(&home).join("stage")).unwrap();
        perform(&delivery, &url, &run, &stage, &clock);
        eprintln!("{delivery}: {} MB", peak() >> 20);
        assert!(peak() < LIMIT, "{delivery}: {} bytes", peak());
        return;
    }
    let server = Simulator::with_symbols(2);
    in_own_process("fanout, the first day", &Home::new(), &server);
    let home = Home::new();
    let stage = DirectoryStage::open(&home.stage()).unwrap();
    write_plan(&run, &stage);
    in_own_process("a sweep", &home, &server);
    let batches = SYMBOLS / SYMBOLS_PER_BATCH;
    let write_entry = |number| {
        let entry = entry(&run, batch(number), clock.now());
        wait(stage::write_json_once(&stage, &ledger::batch_key(&run, &entry.batch), &entry)).unwrap();
    };
    (0..batches - 1).for_each(write_entry);
    in_own_process("a batch", &home, &server);
    write_entry(batches - 1);
    in_own_process("the last batch", &home, &server);
    let staged: Staged = wait(stage::read_json(&stage, &ledger::staged_key(&run))).unwrap().unwrap();
    assert_eq!(staged.batches.len(), batches as usize);
    // The warehouse of this test does not count the rows of files.
    let staged = Staged { files: Vec::new(), ..staged };
    wait(stage::replace_json(&stage, &ledger::staged_key(&run), &staged)).unwrap();
    in_own_process("load", &home, &server);
    in_own_process("analytics", &home, &server);
    in_own_process("fanout, the next day", &home, &server);
}

#[test]
fn only_the_last_delivery_reads_the_plan() {
    let (home, clock) = (Home::new(), DayClock(today()));
    let stage = DirectoryStage::open(&home.stage()).unwrap();
    let run = RunId::new(clock.now(), 1);
    let batches: Vec<_> = (0..2).map(batch).collect();
    let plan = Plan {
        batches: batches.clone(),
        ..Plan::without_tasks(&run, Options::default())
    };
    let messages = BatchMessage::of_plan(&plan, &plan.batches);
    let plan_file = stage.root().join(ledger::plan_key(&run));
    let write = |batch: &Batch| {
        let entry = entry(&run, batch.clone(), clock.now());
        wait(stage::write_json_once(&stage, &ledger::batch_key(&run, &entry.batch), &entry)).unwrap()
    };
    // Without the plan on the stage, reading it is an error.
    assert!(write(&batches[0]));
    assert_eq!(wait(ledger::close_after(&messages[0], &stage)), Ok(false));
    assert!(write(&batches[1]));
    assert!(matches!(wait(ledger::close_after(&messages[1], &stage)), Err(Error::Retry { .. })));
    fs::write(&plan_file, serde_json::to_vec(&plan).unwrap()).unwrap();
    assert_eq!(wait(ledger::close_after(&messages[1], &stage)), Ok(true));
    let staged: Staged = wait(stage::read_json(&stage, &ledger::staged_key(&run))).unwrap().unwrap();
    assert_eq!(staged.batches, ["b00000", "b00001"]);
    assert_eq!(wait(ledger::close_after(&messages[0], &stage)), Ok(false));
    // A message of an earlier build has no number of batches, so the plan is read.
    let earlier = BatchMessage { batches: None, ..messages[0].clone() };
    fs::remove_file(&plan_file).unwrap();
    assert!(matches!(wait(ledger::close_after(&earlier, &stage)), Err(Error::Retry { .. })));
}
