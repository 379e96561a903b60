//! Fetched data is never fetched twice: a killed run keeps its responses, a run stays open if the
//! disk is full or memory is short, and a damaged object affects only itself.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    path::Path,
    time::Duration,
};

use findata_domain::{Error, Result, catalog::Column, clock::DayClock};
use findata_fmp_simulator::Options;
use findata_pipeline::{landing::StagedFile, ports::warehouse::Warehouse};
use findata_tests::{
    Command, Home, Job, NoProgress, Simulator, client, findata, host, request, today, wait, wait_until,
    with_warehouse,
};

use super::{SYMBOLS, assert_fault_free_tables, fault_free};

fn command(server: &Simulator, home: &Home, symbols: &str) -> Command {
    findata(&["run", "--json", "--days", "30", "--quarters", "8", "--years", "6"])
        .home(home)
        .url(server.url())
        .option("--symbols", symbols)
}

/// Starts a run and kills it once its files are staged.
fn staged_and_killed(server: &Simulator) -> Home {
    let home = Home::new();
    let running = RefCell::new(command(server, &home, &SYMBOLS.join(",")).start());
    wait_until("staged.json", || {
        assert!(!running.borrow_mut().has_ended(), "the run ended before the test could kill it");
        home.keys("runs/").iter().any(|key| key.ends_with("/staged.json"))
    });
    running.into_inner().kill();
    home
}

#[test]
fn a_kill_costs_only_the_calls_in_flight() {
    // The companies fit into one batch, so the ledger has no finished batch when the run is killed.
    const COMPANIES: usize = 24;
    // At 750 calls a minute, 45 calls are in flight until the client knows FMP's latency. The next
    // run also makes up to ten other calls: it reads the change feeds, and refetches a profile
    // whose share count was in flight.
    const IN_FLIGHT: u64 = 45 + 10;
    let command = |server: &Simulator, home: &Home, symbols: &str| {
        command(server, home, symbols).option("--fmp-plan", "750")
    };
    let options = |latency| Options {
        symbols: COMPANIES,
        today: today(),
        latency: Duration::from_millis(latency),
        ..Options::default()
    };
    let (undisturbed, undisturbed_home) = (Simulator::start(options(0)), Home::new());
    let symbols = undisturbed.symbols().join(",");
    assert_eq!(command(&undisturbed, &undisturbed_home, &symbols).run().code, Some(0));
    let needed = undisturbed.calls();

    let (server, home) = (Simulator::start(options(20)), Home::new());
    let running = RefCell::new(command(&server, &home, &symbols).start());
    wait_until("most calls", || server.calls() >= needed * 3 / 4 || running.borrow_mut().has_ended());
    assert!(running.into_inner().kill(), "the run ended before the test could kill it");
    let killed_at = server.calls();
    assert!(home.keys("runs/").iter().all(|key| !key.contains("/batches/")), "the batch was recorded");
    assert_eq!(command(&server, &home, &symbols).run().code, Some(0));
    let again = server.calls() - needed;
    assert!(
        again <= IN_FLIGHT,
        "{again} calls were made again; the kill came at call {killed_at} of {needed}"
    );
    if home.content() != undisturbed_home.content() {
        panic!("{:?}", home.differences(&undisturbed_home));
    }
    assert_eq!(journals(&home), 0);
}

/// The number of response journals in a home.
fn journals(home: &Home) -> usize {
    home.files().iter().filter(|path| path.iter().any(|part| part == ".journal")).count()
}

/// A warehouse on a full disk: loading a file fails.
struct Lacking<W>(W);

impl<W: Warehouse> Warehouse for Lacking<W> {
    async fn execute(&mut self, sql: &str) -> Result<u64> {
        if sql.starts_with("create or replace temporary table incoming") {
            return Err(Error::Resource("no space left".into()));
        }
        self.0.execute(sql).await
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        self.0.query(sql).await
    }

    async fn append(&mut self, table: &str, rows: Vec<Vec<Option<String>>>) -> Result<()> {
        self.0.append(table, rows).await
    }

    async fn damaged_files(&mut self, files: &[StagedFile]) -> Result<BTreeMap<String, String>> {
        self.0.damaged_files(files).await
    }

    fn copies(&self, columns: &[Column], files: &[StagedFile]) -> Vec<String> {
        self.0.copies(columns, files)
    }

    async fn release(&mut self, tables: &[&str]) -> Result<()> {
        self.0.release(tables).await
    }

    async fn close(&mut self) -> Result<()> {
        self.0.close().await
    }
}

#[test]
fn a_run_that_meets_a_full_disk_stays_open_and_makes_no_call_again() {
    fault_free();
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let job = Job::new(server.url(), &SYMBOLS);
    for _ in 0..2 {
        let failed = wait(async {
            let whole = host(&home, client(&server.url(), "test-key"), DayClock(today())).unwrap();
            let mut lacking = with_warehouse(whole, Lacking);
            lacking.run(&request(&SYMBOLS, job.options.clone()), &NoProgress).await
        });
        assert_eq!(failed.unwrap_err(), Error::Resource("no space left".into()));
    }
    assert_eq!(home.keys("runs/").iter().filter(|key| key.ends_with("/summary.json")).count(), 0);
    let calls = server.calls();
    job.run_ok(&home);
    assert_eq!(server.calls(), calls);
    assert_fault_free_tables(&home, "after a full disk");
}

#[test]
fn too_little_memory_leaves_the_run_open_and_names_the_option() {
    fault_free();
    let server = Simulator::with_symbols(12);
    let home = staged_and_killed(&server);
    let calls = server.calls();
    let open = || home.keys("runs/").iter().filter(|key| key.ends_with("/summary.json")).count() == 0;
    let failed = wait(async {
        let stage = findata_local::stage::DirectoryStage::open(&home.stage()).unwrap();
        let memory = findata_duckdb::MemoryLimit::bytes(3_000_000);
        let mut warehouse =
            findata_duckdb::DuckDb::open(&home.warehouse(), stage.root(), memory, findata_tests::models())?;
        let run = home.keys("runs/")[0].split('/').nth(1).unwrap().parse().unwrap();
        findata_load::handle(&run, &stage, &mut warehouse, &DayClock(today())).await.map(|_| ())
    });
    assert!(
        matches!(&failed, Err(Error::Resource(reason)) if reason.contains("--memory")),
        "{failed:?}"
    );
    assert!(open());
    assert_eq!(command(&server, &home, &SYMBOLS.join(",")).run().code, Some(0));
    assert_eq!(server.calls(), calls);
    assert_fault_free_tables(&home, "after too little memory");
}

#[test]
fn damaged_ledger_objects_of_an_open_run_do_not_stop_later_runs() {
    fault_free();
    let server = Simulator::with_symbols(12);
    let staged = staged_and_killed(&server);
    // Only the answers that a damaged batch entry lists are lost.
    for (ending, damage, keeps_answers) in [
        ("/plan.json", "", true),
        ("/batches/b00001.json", "{\"batch\":", false),
        ("/staged.json", "", true),
        ("/plan.json", "{}", true),
    ] {
        let home = Home::copy_of(&staged);
        let key = home.keys("runs/").into_iter().find(|key| key.ends_with(ending)).unwrap();
        fs::write(home.stage().join(&key), damage).unwrap();
        let calls = server.calls();
        let next = command(&server, &home, &SYMBOLS.join(",")).run();
        assert_eq!(next.code, Some(0), "{key}: {next:#?}");
        assert_eq!(server.calls() == calls, keeps_answers, "{key}: {next:#?}");
        assert_fault_free_tables(&home, &key);
    }
    // A plan of a run that has no other object.
    let home = Home::copy_of(&staged);
    fs::create_dir_all(home.stage().join("runs/zz")).unwrap();
    fs::write(home.stage().join("runs/zz/plan.json"), "{}").unwrap();
    assert_eq!(command(&server, &home, &SYMBOLS.join(",")).run().code, Some(0));
    assert_fault_free_tables(&home, "a stray plan");
}

#[test]
fn a_changed_or_missing_landing_file_costs_only_its_own_calls() {
    fault_free();
    let server = Simulator::with_symbols(12);
    let staged = staged_and_killed(&server);
    for damage in [replace_revenue as fn(&Path), |path: &Path| fs::remove_file(path).unwrap()] {
        let home = Home::copy_of(&staged);
        let keys = home.keys("landing/income_statement/");
        damage(&home.stage().join(&keys[0]));
        let calls = server.calls();
        let next = command(&server, &home, &SYMBOLS.join(",")).run();
        assert_eq!(next.code, Some(0), "{next:#?}");
        assert!(next.stderr.contains("income_statement"), "{next:#?}");
        // The run refetches the annual and quarterly income statements of both companies.
        assert_eq!(server.calls() - calls, 4);
        assert_fault_free_tables(&home, "a damaged landing file");
    }
}

#[test]
fn a_retry_fetches_the_rows_of_a_damaged_landing_file() {
    let server = Simulator::with_symbols(12);
    let home = staged_and_killed(&server);
    let run = home.keys("runs/")[0].split('/').nth(1).unwrap().to_owned();
    let keys = home.keys("landing/income_statement/");
    fs::remove_file(home.stage().join(&keys[0])).unwrap();
    let calls = server.calls();
    // The retry first finishes the killed run, whose damaged statements are then missing.
    let retried = findata(&["retry", &run, "--json"]).home(&home).url(server.url()).run();
    assert_eq!(retried.code, Some(0), "{retried:#?}");
    assert_eq!(server.calls() - calls, 4);
    assert_fault_free_tables(&home, "a retry");
}

/// Changes an amount in a landing file without changing the number of rows.
fn replace_revenue(path: &Path) {
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs::File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let changed = text.replacen("\"revenue\":\"1", "\"revenue\":\"9", 1);
    assert_ne!(changed, text);
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(changed.as_bytes()).unwrap();
    fs::write(path, out.finish().unwrap()).unwrap();
}
