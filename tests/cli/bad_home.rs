//! A home that findata cannot write, read or use.

use std::{fs, path::Path};

use duckdb::Connection;
use findata_domain::Error;
use findata_tests::{Home, Simulator, findata};

use super::{outcome, run};

#[test]
fn a_home_that_cannot_be_written_is_a_configuration_error() {
    let server = Simulator::with_symbols(12);
    let other = Home::new();
    let file = other.path().join("a-file");
    fs::write(&file, "in the way").unwrap();
    for path in [file.clone(), file.join("below"), "/proc/findata-home".into()] {
        let output = findata(&["run", "--json", "--symbols", "AAPL", "--days", "30"])
            .url(server.url())
            .option("--home", &path)
            .run();
        let line = output.failed(5);
        assert!(line.contains("--home") && line.contains(&*path.to_string_lossy()), "{line}");
        assert_eq!(output.stdout, "");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "in the way");
    assert_eq!(server.calls(), 0);
}

#[test]
fn a_query_of_a_warehouse_that_is_open_for_writing_names_the_process() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server.url(), "AAPL").run().code, Some(0));
    let holder = Connection::open(home.warehouse()).unwrap();
    let read = findata(&["sql", "select 1"]).home(&home).run();
    let line = read.failed(1);
    assert!(
        line.contains(&format!("another process holds the file (pid {})", std::process::id())),
        "{line}"
    );
    drop(holder);
    assert_eq!(findata(&["sql", "select 1"]).home(&home).run().code, Some(0));
}

/// Returns findata's error for a sort that needs more memory than DuckDB may use with these
/// settings.
fn sort_with(settings: &str) -> Error {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(&format!("set threads = 1; set memory_limit = '30MB'; {settings}"))
        .unwrap();
    let sort = "create table t as select md5(i::varchar) m from range(2000000) t(i) order by m";
    let error = connection.execute_batch(sort).unwrap_err();
    findata_duckdb::resource_failure(Path::new("x.duckdb"), &error)
        .unwrap_or_else(|| panic!("not classified: {error}"))
}

#[test]
fn a_lack_of_memory_or_disk_space_has_its_own_message() {
    let folder = tempfile::tempdir().unwrap();
    let memory = sort_with("set temp_directory = ''");
    assert!(memory.to_string().starts_with("not enough memory for x.duckdb"), "{memory}");
    let disk = sort_with(&format!(
        "set temp_directory = '{}'; set max_temp_directory_size = '1MB'",
        folder.path().display()
    ));
    assert!(disk.to_string().contains("no space") && disk.to_string().contains("TMPDIR"), "{disk}");
    for error in [memory, disk] {
        assert!(matches!(error, Error::Resource(_)), "{error:?}");
    }
}

#[test]
fn a_file_that_is_not_a_warehouse_is_a_configuration_error_and_is_not_changed() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let garbage = "not a database, but long enough to be mistaken for one. ".repeat(200);
    fs::write(home.warehouse(), &garbage).unwrap();
    for (command, code) in
        [(run(&home, &server.url(), "AAPL"), 5), (findata(&["sql", "select 1"]).home(&home), 1)]
    {
        let output = command.run();
        let line = output.failed(code);
        assert!(line.contains("not a DuckDB file") && line.contains("findata.duckdb"), "{line}");
    }
    assert_eq!(fs::read_to_string(home.warehouse()).unwrap(), garbage);
    assert_eq!(server.calls(), 0);
}

#[test]
fn a_damaged_object_on_the_stage_is_named_in_the_error() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server.url(), "AAPL").run().code, Some(0));
    let before = home.content();
    for key in ["state/source.json", "state/warehouse.json"] {
        let path = home.stage().join(key);
        let good = fs::read(&path).unwrap();
        for damage in ["", "{\"AAPL\":", "[1, 2]", "\0\0\0"] {
            fs::write(&path, damage).unwrap();
            let output = run(&home, &server.url(), "AAPL,MSFT").run();
            let line = output.failed(1);
            assert!(line.contains(key) && line.contains("damaged") && line.contains("delete it"), "{line}");
        }
        fs::write(&path, good).unwrap();
    }
    assert_eq!(home.content(), before);
    assert_eq!(outcome(&run(&home, &server.url(), "AAPL,MSFT").run()), (Some(0), "complete".into()));
}

#[test]
fn a_truncated_landing_file_is_never_loaded() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server.url(), "AAPL").run().code, Some(0));
    // Restores the state after a crash between staging and loading, and damages a landing file.
    let run_id = home.text("select run_id from ops.runs");
    for gone in [
        &format!("runs/{run_id}/loaded.json"),
        &format!("runs/{run_id}/summary.json"),
        "state/warehouse.json",
    ] {
        fs::remove_file(home.stage().join(gone)).unwrap();
    }
    fs::remove_dir_all(home.stage().join("state/freshness")).unwrap();
    fs::remove_file(home.warehouse()).unwrap();
    let file = home.stage().join(home.keys("landing/profile/").remove(0));
    let good = fs::read(&file).unwrap();
    fs::write(&file, &good[..good.len() / 2]).unwrap();
    let calls = server.calls();
    // The next run finishes the interrupted run without the file, and fetches only the file's rows
    // again.
    assert_eq!(outcome(&run(&home, &server.url(), "AAPL").run()), (Some(0), "complete".into()));
    assert_eq!(server.calls(), calls + 1);
    assert_eq!(home.count("select count(*) from staging.profile"), 1);
    let closed = fs::read_to_string(home.stage().join(format!("runs/{run_id}/summary.json"))).unwrap();
    assert!(
        closed.contains("\"partial\"") && closed.contains("was changed after it was written"),
        "{closed}"
    );
}

#[test]
fn a_home_filled_from_one_source_rejects_another() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server.url(), "AAPL").run().code, Some(0));
    let before = home.content();
    // Pretends that the home was filled from FMP itself. The server is local, because no test may
    // call FMP.
    let source = home.stage().join("state/source.json");
    let text = fs::read_to_string(&source).unwrap();
    assert!(text.contains("other"), "{text}");
    fs::write(&source, text.replace("other", "fmp")).unwrap();
    let calls = server.calls();
    let output = run(&home, &server.url(), "AAPL").arg("--full").run();
    let line = output.failed(5);
    assert!(line.contains("another --home"), "{line}");
    assert_eq!(server.calls(), calls);
    assert_eq!(home.content(), before);
}

#[test]
fn stage_and_warehouse_can_be_outside_the_home() {
    let (server, home, elsewhere) = (Simulator::with_symbols(12), Home::new(), Home::new());
    let file = elsewhere.path().join("deep/er/my.duckdb");
    let output = run(&home, &server.url(), "AAPL")
        .option("--stage", elsewhere.path().join("landing zone's"))
        .option("--warehouse", format!("duckdb:{}", file.display()))
        .run();
    assert_eq!(outcome(&output), (Some(0), "complete".into()), "{output:#?}");
    assert!(file.exists() && home.files().is_empty(), "{:?}", home.files());
    assert!(elsewhere.path().join("landing zone's/runs").exists());
}

#[test]
fn a_path_that_duckdb_cannot_use_is_refused_before_any_call() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let (server, folder) = (Simulator::with_symbols(12), Home::new());
    let not_utf8 = folder.path().join(OsStr::from_bytes(b"caf\xe9"));
    for (path, reason) in [(not_utf8, "UTF-8"), (folder.path().join("what?"), "`?`")] {
        let output = findata(&["run", "--symbols", "AAPL"]).url(server.url()).option("--home", &path).run();
        let line = output.failed(5);
        assert!(line.contains(reason) && line.contains("--home"), "{line}");
        // A symbolic link with an acceptable name must not hide the unusable path.
        fs::create_dir(&path).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let output = findata(&["run", "--symbols", "AAPL"]).url(server.url()).option("--home", &link).run();
        assert!(output.failed(5).contains(reason), "{output:#?}");
        fs::remove_file(link).unwrap();
    }
    assert_eq!(server.calls(), 0);
}

#[test]
fn a_warehouse_in_memory_is_refused() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    for warehouse in ["duckdb::memory:", "duckdb::memory:name"] {
        let output = run(&home, &server.url(), "AAPL").option("--warehouse", warehouse).run();
        assert!(output.failed(5).contains("lost at the end"), "{output:#?}");
    }
    assert!(home.files().is_empty() && server.calls() == 0);
}

#[test]
fn doctor_creates_nothing() {
    let home = Home::new();
    let missing = home.path().join("not/there");
    let doctor = || findata(&["doctor", "--json"]).option("--home", &missing).run();
    let output = doctor();
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert!(output.stdout.contains("does not exist yet"), "{output:#?}");
    assert!(!missing.exists() && home.files().is_empty());
    let unwritable = findata(&["doctor"]).option("--home", "/proc/findata").run();
    assert_eq!(unwritable.code, Some(5), "{unwritable:#?}");
    let server = Simulator::with_symbols(12);
    let ran = findata(&["run", "--symbols", "AAPL", "--days", "30"]).url(server.url());
    assert_eq!(ran.option("--home", &missing).option("--today", "2026-09-18").run().code, Some(0));
    let output = doctor();
    assert!(output.code == Some(0) && output.stdout.contains("can be opened"), "{output:#?}");
}

#[test]
fn a_stage_without_its_warehouse_fills_a_new_one() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server.url(), "AAPL").run().code, Some(0));
    let away = home.path().join("away.duckdb");
    fs::rename(home.warehouse(), &away).unwrap();
    let calls = server.calls();
    assert_eq!(outcome(&run(&home, &server.url(), "AAPL").run()), (Some(0), "complete".into()));
    assert_eq!(home.count("select count(distinct symbol) from analytics.fact_daily_prices"), 1);
    fs::rename(&away, home.warehouse()).unwrap();
    assert_eq!(outcome(&run(&home, &server.url(), "AAPL").run()), (Some(0), "complete".into()));
    assert_eq!(server.calls(), calls);
    // A run with the other stage does not touch the warehouse.
    let other = Home::new();
    assert_eq!(run(&other, &server.url(), "MSFT").run().code, Some(0));
    fs::copy(other.warehouse(), home.warehouse()).unwrap();
    let output = run(&home, &server.url(), "AAPL").run();
    let line = output.failed(5);
    assert!(line.contains("another warehouse") && line.contains("--home"), "{line}");
}

#[test]
fn a_url_with_a_password_or_key_is_rejected_and_not_echoed() {
    let home = Home::new();
    for url in [
        "http://user:sekret@127.0.0.1:1/stable",
        "http://127.0.0.1:1/stable?apikey=sekret",
        "http://127.0.0.1:1/stable#apikey=sekret",
        "http://127.0.0.1:1/apikey=sekret/stable",
        "http://127.0.0.1:1/sekret-of-the-test/stable",
        "http://127.0.0.1:1/%73ekret-of-the-test/stable",
        "http://financialmodelingprep.com/stable",
    ] {
        let output = run(&home, url, "AAPL").key("sekret-of-the-test").run();
        let line = output.failed(5);
        assert!(line.contains("FMP address") && !output.stderr.contains("ekret"), "{url}: {output:#?}");
        assert!(home.files().is_empty(), "{url}: {:?}", home.files());
    }
}
