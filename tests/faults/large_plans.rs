//! The memory that one delivery of a function needs when the plan has 50,000 symbols. The functions have
//! 256 MB.

use std::{collections::BTreeMap, fs};

use chrono::{DateTime, TimeDelta, Utc};
use findata_analytics::HostMetrics;
use findata_domain::{
    Result, Symbol,
    catalog::{self, Dataset},
    clock::{Clock, DayClock},
};
use findata_local::{bus::LocalBus, stage::DirectoryStage};
use findata_pipeline::{
    freshness::FetchLog,
    landing::StagedFile,
    ledger::{self, BatchEntry, Outcome, Staged, TaskRecord},
    plan::{Batch, BatchMessage, Cadence, FetchMode, Plan, Task, Window},
    ports::{stage, warehouse::Warehouse},
    run::{Options, RunId},
};
use findata_tests::{Home, today, wait};

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
        let is_fence = sql.contains("from ops.turns");
        Ok(if is_fence { vec![vec![Some("0".into())]] } else { Vec::new() })
    }

    async fn append(&mut self, _table: &str, _rows: Vec<Vec<Option<String>>>) -> Result<()> {
        Ok(())
    }

    async fn damaged_files(&mut self, _files: &[StagedFile]) -> Result<BTreeMap<String, String>> {
        Ok(BTreeMap::new())
    }

    async fn copy_in(&mut self, _dataset: &'static Dataset, _files: &[StagedFile]) -> Result<()> {
        Ok(())
    }

    async fn release(&mut self, _tables: &[&str]) -> Result<()> {
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Performs an action and returns its peak resident memory in bytes, that of the process included.
fn peak_of<T>(what: &str, action: impl Future<Output = T>) -> (T, u64) {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let result = wait(action);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak = line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10;
    eprintln!("{what}: {} MB", peak >> 20);
    (result, peak)
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
    eprintln!("the plan has {} MB", text.len() >> 20);
    fs::create_dir_all(stage.root().join(format!("runs/{run}"))).unwrap();
    fs::write(stage.root().join(ledger::plan_key(run)), text).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "slow: a plan of 50,000 symbols; run it alone, because it measures the process"]
fn deliveries_of_50_000_symbols_fit_into_the_memory_of_the_functions() {
    let (home, clock) = (Home::new(), DayClock(today()));
    let stage = DirectoryStage::open(&home.stage()).unwrap();
    let run = RunId::new(clock.now(), 1);
    write_plan(&run, &stage);
    let batches = SYMBOLS / SYMBOLS_PER_BATCH;
    for number in 0..batches - 1 {
        let entry = entry(&run, batch(number), clock.now());
        wait(stage::write_json_once(&stage, &ledger::batch_key(&run, &entry.batch), &entry)).unwrap();
    }
    let batch_of = |number| BatchMessage {
        batches: Some(batches as usize),
        ..BatchMessage::new(run.clone(), batch(number))
    };
    let (closed, waiting) = peak_of("extract, a batch", ledger::close_after(&batch_of(0), &stage));
    assert_eq!(closed, Ok(false));
    let last = entry(&run, batch(batches - 1), clock.now());
    wait(stage::write_json_once(&stage, &ledger::batch_key(&run, &last.batch), &last)).unwrap();
    let (closed, closing) =
        peak_of("extract, the last batch", ledger::close_after(&batch_of(batches - 1), &stage));
    assert_eq!(closed, Ok(true));
    let staged: Option<Staged> = wait(stage::read_json(&stage, &ledger::staged_key(&run))).unwrap();
    assert_eq!(staged.as_ref().map(|staged| staged.batches.len()), Some(batches as usize));
    // The warehouse of this test does not count the rows of files.
    let staged = Staged { files: Vec::new(), ..staged.unwrap() };
    wait(stage::replace_json(&stage, &ledger::staged_key(&run), &staged)).unwrap();
    let (loaded, loading) = peak_of("load", findata_load::handle(&run, &stage, &mut NoRows, &clock));
    loaded.unwrap();
    let bus = LocalBus::default();
    let metrics = HostMetrics::default();
    let (summary, computing) = peak_of(
        "analytics",
        findata_analytics::handle(&run, &stage, &mut NoRows, findata_tests::models(), &bus, &clock, &metrics),
    );
    summary.unwrap();
    let (log, planning) = peak_of("fetch log", FetchLog::read(&stage, clock.latest(), &mut Vec::new()));
    drop(log.unwrap());
    for peak in [waiting, closing, loading, computing, planning] {
        assert!(peak < LIMIT, "{peak} bytes");
    }
}
