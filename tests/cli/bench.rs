//! `findata bench`.

use std::fs;

use findata_tests::{Running, findata, wait_until};
use serde_json::Value;
use tempfile::TempDir;

fn is_empty(folder: &TempDir) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_benchmark_reports_each_stage_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = findata(&[
        "bench",
        "--symbols",
        "1",
        "--phases",
        "first-day",
        "--days",
        "5",
        "--latency",
        "5",
        "--jitter",
        "5",
        "--json",
    ])
    .variable("TMPDIR", folder.path().to_str().unwrap())
    .run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    let report = output.json();
    let runs = report["runs"].as_array().unwrap();
    assert_eq!((runs.len(), runs[0]["phase"].as_str()), (1, Some("first-day")), "{report}");
    let measured = &runs[0]["measured"];
    let stages: Vec<&str> = measured["stages"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|stage| stage["stage"].as_str())
        .collect();
    assert_eq!(stages, ["plan", "fetch", "load", "compute"]);
    let figure = |usage: &Value, name: &str| usage[name].as_f64().unwrap();
    for usage in measured["stages"].as_array().unwrap().iter().chain([&measured["total"]]) {
        assert!(figure(usage, "wall_seconds") > 0.0, "{usage}");
        if cfg!(target_os = "linux") {
            assert!(figure(usage, "peak_memory_bytes") > 1e6, "{usage}");
        }
    }
    if cfg!(target_os = "linux") {
        assert!(figure(&measured["total"], "cpu_seconds") > 0.0, "{measured}");
    }
    for count in ["calls", "bytes", "statements", "landing_files", "landing_bytes", "rows_loaded"] {
        assert!(figure(&measured["counts"], count) > 0.0, "{count}: {measured}");
    }
    let steps = report["throughput"].as_array().unwrap();
    assert!(
        steps.len() == 4 && steps.iter().all(|step| figure(step, "rows_per_second") > 0.0),
        "{report}"
    );
    assert!(is_empty(&folder), "a temporary folder is left");
}

#[test]
fn a_signal_stops_the_run_and_deletes_its_folder() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let folder = tempfile::tempdir().unwrap();
        let running = waiting(&folder);
        running.signal(signal);
        let output = running.wait();
        assert!(output.failed(code).contains("deleted its temporary folders"), "{output:#?}");
        assert!(is_empty(&folder), "a temporary folder is left");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "finds the run in /proc")]
fn a_run_that_fails_is_reported_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let running = waiting(&folder);
    let run = child_of(running.id());
    let killed = std::process::Command::new("kill").args(["-s", "KILL", &run]).status().unwrap();
    assert!(killed.success());
    let output = running.wait();
    assert_eq!(output.code, Some(1), "{output:#?}");
    let failed = &output.json()["runs"][0];
    assert!(failed["measured"].is_null(), "{failed}");
    assert!(failed["error"].as_str().unwrap().contains("signal: 9"), "{failed}");
    assert!(is_empty(&folder), "a temporary folder is left");
}

/// Starts a benchmark whose first run waits five seconds for each response.
fn waiting(folder: &TempDir) -> Running {
    let running = findata(&["bench", "--symbols", "1", "--latency", "5000", "--json"])
        .variable("TMPDIR", folder.path().to_str().unwrap())
        .start();
    let home = || fs::read_dir(folder).unwrap().next().map(|entry| entry.unwrap().path());
    wait_until("the run to plan", || home().is_some_and(|home| home.join("stage/runs").exists()));
    running
}

/// Returns the process id of the only child of a process.
fn child_of(parent: u32) -> String {
    let parents = |pid: &str| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse::<u32>().ok())
    };
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
    let mut children = processes
        .filter_map(|pid| pid.into_string().ok())
        .filter(|pid| parents(pid) == Some(parent));
    children.next().unwrap()
}
