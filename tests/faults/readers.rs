//! Programs that have the DuckDB file open do not stop runs, and runs do not disturb them. Tables that
//! users create in the file are kept.

use std::{fs, path::Path, thread, time::Duration};

use duckdb::Connection;
use findata_tests::{Command, Home, Simulator, findata, wait_until};

const SYMBOLS: &str =
    "select string_agg(symbol, ',' order by symbol) from analytics.dim_company where is_current";

fn run(home: &Home, server: &Simulator, symbols: &str) -> Command {
    findata(&["run", "--json", "--days", "30", "--quarters", "8"])
        .home(home)
        .url(server.url())
        .option("--symbols", symbols)
}

/// A home with figures of AAPL.
fn home_with_apple(server: &Simulator) -> Home {
    let home = Home::new();
    assert_eq!(run(&home, server, "AAPL").run().code, Some(0));
    home
}

fn next(home: &Home) -> std::path::PathBuf {
    home.path().join("findata.next.duckdb")
}

fn text(connection: &Connection, query: &str) -> String {
    connection.query_row(query, [], |row| row.get(0)).unwrap()
}

/// A program that opens the file for writing, and ends without moving its log into the file.
fn leave_a_log(home: &Home, statement: &str) {
    let connection = Connection::open(home.warehouse()).unwrap();
    connection
        .execute_batch(&format!("pragma disable_checkpoint_on_shutdown; {statement}"))
        .unwrap();
}

#[test]
fn a_reader_does_not_stop_a_run_and_keeps_its_tables() {
    let server = Simulator::with_symbols(12);
    let home = home_with_apple(&server);
    let reader = home.open();
    assert_eq!(text(&reader, SYMBOLS), "AAPL");
    let output = run(&home, &server, "AAPL,MSFT").run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!(text(&reader, SYMBOLS), "AAPL", "an open reader keeps the tables of its run");
    assert_eq!(home.text(SYMBOLS), "AAPL,MSFT", "a new reader sees the new run");
}

#[test]
fn a_run_that_changes_nothing_leaves_the_file_as_it_is() {
    let server = Simulator::with_symbols(12);
    let home = home_with_apple(&server);
    let before = fs::metadata(home.warehouse()).unwrap().modified().unwrap();
    assert_eq!(run(&home, &server, "AAPL").run().code, Some(0));
    assert_eq!(fs::metadata(home.warehouse()).unwrap().modified().unwrap(), before);
}

#[test]
fn a_run_waits_for_a_writer_and_keeps_its_tables() {
    let server = Simulator::with_symbols(12);
    let home = home_with_apple(&server);
    let writer = Connection::open(home.warehouse()).unwrap();
    let running = run(&home, &server, "AAPL,MSFT").start();
    wait_until("the result beside the file", || next(&home).exists());
    writer.execute_batch("create table mine as select 42 as answer").unwrap();
    drop(writer);
    let output = running.wait();
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert!(output.stderr.contains("open: waiting"), "{output:#?}");
    assert_eq!(home.text("select answer::varchar from mine"), "42");
    assert_eq!(home.text(SYMBOLS), "AAPL,MSFT");
    assert!(!next(&home).exists());
}

#[test]
fn after_the_wait_the_result_stays_beside_the_file_and_the_next_command_publishes_it() {
    let server = Simulator::with_symbols(12);
    let home = home_with_apple(&server);
    let writer = Connection::open(home.warehouse()).unwrap();
    let output = run(&home, &server, "AAPL,MSFT").option("--wait-lock", "0").run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    let process = format!("another process (pid {})", std::process::id());
    assert!(
        output.stderr.contains(&process) && output.stderr.contains("findata.next.duckdb"),
        "{output:#?}"
    );
    // Another run is not stopped either, and its result replaces the first one.
    let output = run(&home, &server, "AAPL,MSFT,NOCAP").option("--wait-lock", "0").run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!(text(&writer, SYMBOLS), "AAPL");
    drop(writer);
    let read =
        findata(&["sql", "--json", "select count(*) as n from analytics.dim_company where is_current"])
            .home(&home)
            .run();
    assert_eq!(read.json()[0]["n"], 3, "{read:#?}");
    assert!(!next(&home).exists());
}

#[test]
fn a_log_that_a_writer_left_is_moved_into_its_file_and_never_into_another() {
    let server = Simulator::with_symbols(12);
    let home = home_with_apple(&server);
    // Before a run, and while a result waits beside the file.
    leave_a_log(&home, "create table mine as select 42 as answer");
    let log = home.path().join("findata.duckdb.wal");
    assert!(log.exists());
    assert_eq!(run(&home, &server, "AAPL,MSFT").run().code, Some(0));
    let writer = Connection::open(home.warehouse()).unwrap();
    assert_eq!(run(&home, &server, "AAPL,MSFT,NOCAP").option("--wait-lock", "0").run().code, Some(0));
    drop(writer);
    leave_a_log(&home, "update mine set answer = 43");
    let read = findata(&["sql", "--json", "select answer from mine"]).home(&home).run();
    assert_eq!(read.json()[0]["answer"], 43, "{read:#?}");
    assert_eq!(run(&home, &server, "AAPL,MSFT,NOCAP").run().code, Some(0));
    assert!(!log.exists() && !next(&home).exists());
    assert_eq!(home.text("select answer::varchar from mine"), "43");
    assert_eq!(home.text(SYMBOLS), "AAPL,MSFT,NOCAP");
}

#[test]
fn a_second_run_on_the_same_home_waits_for_the_first() {
    let server = Simulator::with_symbols(12);
    let home = home_with_apple(&server);
    // With the file open for writing, the first run cannot finish.
    let writer = Connection::open(home.warehouse()).unwrap();
    let first = run(&home, &server, "AAPL,MSFT").start();
    wait_until("the result of the first run", || next(&home).exists());
    let refused = run(&home, &server, "NOCAP").option("--wait-lock", "0").run();
    let line = refused.failed(1);
    assert!(
        line.contains(&format!("another run (pid {})", first.id())) && line.contains("--wait-lock"),
        "{line}"
    );
    let second = run(&home, &server, "NOCAP").start();
    drop(writer);
    assert_eq!(first.wait().code, Some(0));
    assert_eq!(second.wait().code, Some(0));
    assert_eq!(home.text(SYMBOLS), "AAPL,MSFT,NOCAP");
}

#[test]
fn a_damaged_working_copy_is_replaced() {
    let server = Simulator::with_symbols(12);
    let home = home_with_apple(&server);
    let working = home.path().join("findata.working.duckdb");
    let length = fs::metadata(&working).unwrap().len();
    fs::write(&working, "x".repeat(length as usize)).unwrap();
    assert_eq!(run(&home, &server, "AAPL,MSFT").run().code, Some(0));
    assert_eq!(home.text(SYMBOLS), "AAPL,MSFT");
}

#[test]
fn a_deleted_working_copy_is_copied_again_with_the_tables_of_users() {
    let server = Simulator::with_symbols(12);
    let home = home_with_apple(&server);
    Connection::open(home.warehouse())
        .unwrap()
        .execute_batch("create table mine as select '42' as answer")
        .unwrap();
    assert_eq!(run(&home, &server, "AAPL,MSFT").run().code, Some(0));
    fs::remove_file(home.path().join("findata.working.duckdb")).unwrap();
    assert_eq!(run(&home, &server, "AAPL,MSFT,NOCAP").run().code, Some(0));
    assert_eq!(home.text("select answer from mine"), "42");
    assert_eq!(home.text(SYMBOLS), "AAPL,MSFT,NOCAP");
}

/// Kills a run `pause` after it wrote its summary, when it publishes its result, and checks the file.
fn kill_while_publishing(base: &Home, server: &Simulator, pause: Duration) {
    let home = Home::copy_of(base);
    let keys = home.keys("runs/").len();
    let running = run(&home, server, "AAPL,MSFT").start();
    let is_summary = |key: &String| key.ends_with("summary.json");
    wait_until("the summary", || {
        home.keys("runs/").len() > keys && home.keys("runs/").iter().filter(|key| is_summary(key)).count() > 1
    });
    thread::sleep(pause);
    running.kill();
    let symbols = home.text(SYMBOLS);
    assert!(symbols == "AAPL" || symbols == "AAPL,MSFT", "after {pause:?}: {symbols}");
    let figures = home
        .text("select string_agg(distinct symbol, ',' order by symbol) from analytics.fact_market_metrics");
    assert_eq!(figures, symbols, "after {pause:?}");
    assert_eq!(run(&home, server, "AAPL,MSFT").run().code, Some(0), "after {pause:?}");
    assert_eq!(home.text(SYMBOLS), "AAPL,MSFT", "after {pause:?}");
    let left: Vec<_> = fs::read_dir(home.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    let is_temporary = |name: &&std::ffi::OsString| {
        let name = name.to_string_lossy().into_owned();
        name.contains(".part") || name.contains(".next") || name.ends_with(".wal")
    };
    assert!(!left.iter().any(|name| is_temporary(&name)), "after {pause:?}: {left:?}");
}

/// A home whose file takes a moment to copy.
fn large_home(server: &Simulator) -> Home {
    let home = home_with_apple(server);
    let rows = "create table mine as select md5(i::varchar) || md5((i + 1)::varchar) as text from range(1000000) t(i)";
    Connection::open(home.warehouse()).unwrap().execute_batch(rows).unwrap();
    assert!(fs::metadata(home.warehouse()).unwrap().len() > 40 << 20);
    home
}

#[test]
fn a_run_killed_while_it_publishes_leaves_the_tables_of_one_run() {
    let server = Simulator::with_symbols(12);
    let home = large_home(&server);
    for milliseconds in [0, 40, 120] {
        kill_while_publishing(&home, &server, Duration::from_millis(milliseconds));
    }
}

#[test]
#[ignore = "slow: twenty runs"]
fn a_run_killed_at_twenty_moments_of_publishing_leaves_the_tables_of_one_run() {
    let server = Simulator::with_symbols(12);
    let home = large_home(&server);
    for step in 0..20 {
        kill_while_publishing(&home, &server, Duration::from_millis(step * 12));
    }
}

#[test]
fn a_warehouse_behind_a_link_is_replaced_where_it_is() {
    let server = Simulator::with_symbols(12);
    let (home, disk) = (Home::new(), tempfile::tempdir().unwrap());
    let target = disk.path().join("large-disk.duckdb");
    std::os::unix::fs::symlink(&target, home.warehouse()).unwrap();
    Connection::open(&target).unwrap().execute_batch("create table mine as select 1").unwrap();
    assert_eq!(run(&home, &server, "AAPL").run().code, Some(0));
    assert_eq!(run(&home, &server, "AAPL,MSFT").run().code, Some(0));
    assert!(fs::symlink_metadata(home.warehouse()).unwrap().is_symlink());
    assert_eq!(home.text(SYMBOLS), "AAPL,MSFT");
    assert!(Path::new(&disk.path().join("large-disk.working.duckdb")).exists());
}

#[test]
fn a_link_to_a_missing_file_is_followed() {
    let server = Simulator::with_symbols(12);
    let (home, disk) = (Home::new(), tempfile::tempdir().unwrap());
    let target = disk.path().join("large-disk.duckdb");
    std::os::unix::fs::symlink(&target, home.warehouse()).unwrap();
    assert_eq!(run(&home, &server, "AAPL").run().code, Some(0));
    let is_link = || fs::symlink_metadata(home.warehouse()).unwrap().is_symlink();
    assert!(is_link() && target.is_file());
    // A rebuild sets the file aside, not the link.
    let rebuilt = findata(&["replay", "--rebuild"]).home(&home).run();
    assert_eq!(rebuilt.code, Some(0), "{rebuilt:#?}");
    assert!(is_link() && target.is_file());
    assert_eq!(home.text(SYMBOLS), "AAPL");
    let names = fs::read_dir(disk.path()).unwrap().flatten().map(|entry| entry.file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().contains(".replaced-")).count(), 1);
}

#[test]
fn a_rebuild_waits_for_a_run_before_it_renames_the_file() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server, "AAPL").run().code, Some(0));
    let (files, content) = (home.files(), home.content());
    let rebuild = || findata(&["replay", "--rebuild", "--wait-lock", "0"]).home(&home).run();
    // A run holds this lock.
    let lock = fs::File::options().write(true).open(home.path().join("findata.lock")).unwrap();
    lock.lock().unwrap();
    assert!(rebuild().failed(1).contains("another run"));
    assert_eq!(home.files(), files);
    drop(lock);
    assert_eq!(rebuild().code, Some(0));
    assert_eq!(home.content(), content);
    assert!(home.files().iter().any(|path| path.to_string_lossy().contains(".replaced-")));
}
