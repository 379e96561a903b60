//! Runs with less memory than their data needs: DuckDB spills to disk, and the tables are the same.

use std::collections::BTreeMap;

use findata_domain::{Error, Result, catalog::Column, clock::DayClock};
use findata_duckdb::{DuckDb, MemoryLimit};
use findata_fmp_simulator::Options;
use findata_pipeline::{landing::StagedFile, ports::warehouse::Warehouse, run::Status};
use findata_tests::{
    Home, Job, NoProgress, Simulator, client, findata, host, request, today, wait, with_warehouse,
};

/// A warehouse that records the largest size of DuckDB's spill files, in bytes.
struct Watched {
    warehouse: DuckDb,
    spilled: u64,
}

impl Watched {
    async fn note(&mut self) -> Result<()> {
        let rows = self
            .warehouse
            .query("select coalesce(sum(size), 0)::bigint::varchar from duckdb_temporary_files()")
            .await?;
        let size = rows.first().and_then(|row| row.first()?.as_deref()?.parse().ok());
        self.spilled = self.spilled.max(size.unwrap_or_default());
        Ok(())
    }
}

impl Warehouse for Watched {
    async fn execute(&mut self, sql: &str) -> Result<u64> {
        let changed = self.warehouse.execute(sql).await?;
        self.note().await.map(|()| changed)
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        self.warehouse.query(sql).await
    }

    async fn append(&mut self, table: &str, rows: Vec<Vec<Option<String>>>) -> Result<()> {
        self.warehouse.append(table, rows).await
    }

    async fn damaged_files(&mut self, files: &[StagedFile]) -> Result<BTreeMap<String, String>> {
        self.warehouse.damaged_files(files).await
    }

    fn files_per_load(&self) -> usize {
        self.warehouse.files_per_load()
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

#[test]
fn a_run_at_its_memory_limit_spills_and_finishes() {
    // With 125 MB, the models of 22 companies with a year of prices spill 10 MB; with 150 MB they
    // spill nothing.
    const LIMIT: MemoryLimit = MemoryLimit::bytes(125_000_000);
    let (server, home, unlimited) = (Simulator::with_symbols(22), Home::new(), Home::new());
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let job = Job::new(server.url(), &symbols).days(385);
    job.run_ok(&unlimited);
    let (summary, spilled) = wait(async {
        let whole = host(&home, client(&server.url(), "test-key"), DayClock(today())).unwrap();
        let mut small = with_warehouse(whole, |warehouse| {
            drop(warehouse);
            let warehouse =
                DuckDb::open(&home.warehouse(), &home.stage(), LIMIT, findata_tests::models()).unwrap();
            Watched { warehouse, spilled: 0 }
        });
        let summary = small.run(&request(&symbols, job.options.clone()), &NoProgress).await;
        (summary, small.warehouse.spilled)
    });
    assert_eq!(summary.map(|summary| summary.status), Ok(Status::Complete));
    assert!(spilled > 1_000_000, "only {spilled} bytes were spilled: lower the limit");
    assert_eq!(home.content(), unlimited.content());
}

#[test]
fn a_statement_that_cannot_spill_gets_a_higher_limit() {
    // DuckDB cannot spill a list. A list of 60 million numbers takes 1.5 GB.
    let list =
        "create or replace temporary table numbers as select len(list(i)) as n from range(60000000) t(i)";
    wait(async {
        let home = Home::new();
        let small = MemoryLimit::bytes(800_000_000);
        let mut warehouse =
            DuckDb::open(&home.warehouse(), &home.stage(), small, findata_tests::models()).unwrap();
        assert!(matches!(warehouse.execute(list).await, Err(Error::Resource(_))));
        drop(warehouse);
        let enough = MemoryLimit::bytes(3_000_000_000);
        let mut warehouse =
            DuckDb::open(&home.warehouse(), &home.stage(), enough, findata_tests::models()).unwrap();
        warehouse.execute(list).await.unwrap();
        let rows = warehouse.query("select n::varchar from numbers").await.unwrap();
        assert_eq!(rows, [[Some("60000000".to_owned())]]);
    });
}

#[test]
fn the_limit_is_not_raised_further_than_a_statement_needs() {
    // The list takes 375 MB and cannot spill.
    let list =
        "create or replace temporary table numbers as select len(list(i)) as n from range(15000000) t(i)";
    let home = Home::new();
    let full = MemoryLimit::bytes(16 << 30);
    let mut warehouse =
        DuckDb::open(&home.warehouse(), &home.stage(), full, findata_tests::models()).unwrap();
    let limit = |warehouse: &mut DuckDb| {
        let rows = wait(warehouse.query("select current_setting('memory_limit')")).unwrap();
        rows[0][0].clone().unwrap()
    };
    assert_eq!(limit(&mut warehouse), "256.0 MiB");
    wait(warehouse.execute(list)).unwrap();
    assert_eq!(limit(&mut warehouse), "512.0 MiB");
    // A transaction is repeated with each limit, and its rows are written once.
    wait(async {
        warehouse.execute("create table t (i bigint)").await.unwrap();
        warehouse.execute("begin transaction").await.unwrap();
        warehouse.execute("insert into t values (1)").await.unwrap();
        warehouse.execute(&list.replace("15000000", "35000000")).await.unwrap();
        warehouse.execute("insert into t values (2)").await.unwrap();
        warehouse.execute("commit").await.unwrap();
    });
    assert_eq!(limit(&mut warehouse), "1.0 GiB");
    let rows = wait(warehouse.query("select count(*)::varchar from t")).unwrap();
    assert_eq!(rows, [[Some("2".to_owned())]]);
}

#[test]
#[ignore = "slow: writes 700 MB"]
fn a_large_write_ahead_log_is_checkpointed_during_a_run() {
    let home = Home::new();
    let full = MemoryLimit::bytes(1 << 30);
    let mut warehouse =
        DuckDb::open(&home.warehouse(), &home.stage(), full, findata_tests::models()).unwrap();
    let log = home.warehouse().with_extension("duckdb.wal");
    wait(warehouse.execute("create table t (i bigint, text varchar)")).unwrap();
    let mut largest = 0;
    for first in (0..700_000).step_by(100_000) {
        // 100 MB. Fewer rows than a row group, which DuckDB would write to the file directly.
        let insert = format!(
            "insert into t select i, repeat(md5(i::varchar), 31) from range({first}, {first} + 100000) r(i)"
        );
        wait(warehouse.execute(&insert)).unwrap();
        largest = largest.max(std::fs::metadata(&log).map_or(0, |file| file.len()));
    }
    let last = std::fs::metadata(&log).map_or(0, |file| file.len());
    assert!(largest > 400_000_000, "the log only had {largest} bytes");
    assert!(last < 200_000_000, "the log has {last} bytes");
    let rows = wait(warehouse.query("select count(distinct text)::varchar from t")).unwrap();
    assert_eq!(rows, [[Some("700000".to_owned())]]);
}

#[test]
fn a_commit_makes_a_checkpoint_when_the_log_is_large() {
    let home = Home::new();
    let full = MemoryLimit::bytes(1 << 30);
    let mut warehouse =
        DuckDb::open(&home.warehouse(), &home.stage(), full, findata_tests::models()).unwrap();
    let threshold = wait(warehouse.query("select current_setting('checkpoint_threshold')")).unwrap();
    assert_eq!(threshold, [[Some("488.2 MiB".to_owned())]]);
}

#[test]
fn payloads_are_compressed_with_a_fixed_method() {
    let home = Home::new();
    let mut warehouse =
        DuckDb::open(&home.warehouse(), &home.stage(), MemoryLimit::of_machine(), findata_tests::models())
            .unwrap();
    // DuckDB would choose the dictionary method for texts that repeat.
    wait(warehouse.execute(
        "insert into raw.profile (symbol, payload) select 'A', '{\"price\": ' || (i % 3) || '}' from range(5000) r(i)",
    ))
    .unwrap();
    wait(warehouse.close()).unwrap();
    let methods = "select distinct compression from pragma_storage_info('raw.profile') \
        where column_name = 'payload' and segment_type = 'VARCHAR'";
    assert_eq!(wait(warehouse.query(methods)).unwrap(), [[Some("FSST".to_owned())]]);
}

#[test]
fn a_transaction_that_cannot_spill_is_repeated_with_a_higher_limit() {
    let rows = |warehouse: &mut DuckDb| wait(warehouse.query("select i::varchar from t order by i")).unwrap();
    let home = Home::new();
    let enough = MemoryLimit::bytes(3_000_000_000);
    let mut warehouse =
        DuckDb::open(&home.warehouse(), &home.stage(), enough, findata_tests::models()).unwrap();
    let text = |i: u32| Some(i.to_string());
    wait(async {
        warehouse.execute("create table t (i bigint)").await.unwrap();
        warehouse.execute("insert into t values (1)").await.unwrap();
        warehouse.execute("begin transaction").await.unwrap();
        warehouse.execute("insert into t values (2)").await.unwrap();
        warehouse.append("t", vec![vec![text(3)], vec![text(4)]]).await.unwrap();
        // The list takes 1.5 GB and cannot spill. The session starts with a smaller limit.
        warehouse
            .execute("insert into t select len(list(i)) from range(60000000) t(i)")
            .await
            .unwrap();
        warehouse.execute("delete from t where i = 2").await.unwrap();
        warehouse.execute("commit").await.unwrap();
    });
    assert_eq!(rows(&mut warehouse), [[text(1)], [text(3)], [text(4)], [text(60_000_000)]]);
    wait(async {
        warehouse.execute("begin transaction").await.unwrap();
        warehouse.execute("delete from t").await.unwrap();
        warehouse.execute("rollback").await.unwrap();
    });
    assert_eq!(rows(&mut warehouse).len(), 4);
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "slow: a run of 5,000 symbols"]
fn five_thousand_symbols_load_with_a_bounded_peak() {
    let server = Simulator::start(Options { symbols: 5_000, today: today(), ..Options::default() });
    let home = Home::new();
    let symbols = server.symbols();
    let file = home.path().join("symbols.txt");
    std::fs::write(&file, symbols.join("\n")).unwrap();
    let mut running = findata(&["run", "--json", "--days", "2", "--quarters", "8"])
        .home(&home)
        .url(server.url())
        .option("--universe", &file)
        .start();
    let mut peak = 0;
    while !running.has_ended() {
        peak = peak.max(running.peak_memory());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let output = running.wait();
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!(output.json()["symbols"], 5_000);
    assert!(peak < 700_000_000, "peak memory: {peak} bytes");
}
