//! The real `findata` command: exit codes, one line on standard error, one JSON object on standard
//! output.

mod bad_arguments;
mod bad_home;
mod bad_server;
mod bench;
mod configuration;
mod corrections;
mod dictionary;
mod diff;
mod doctor;
mod echoed_key;
mod explain;
mod export;
mod fmp_server;
mod generated_files;
mod json;
mod key;
mod metrics;
mod models;
mod older_file;
mod options;
mod output;
mod plan;
mod show;
mod signals;
mod sql;
mod universe;

use findata_tests::{Command, Home, Output, Simulator, findata};
use serde_json::Value;

/// A run of these symbols with 30 days of prices and JSON output.
fn run(home: &Home, url: &str, symbols: &str) -> Command {
    findata(&["run", "--json", "--days", "30"])
        .home(home)
        .url(url)
        .option("--symbols", symbols)
}

/// The keys that a summary must have, each with the keys of its nested object.
const SUMMARY: [(&str, &[&str]); 21] = [
    ("run_id", &[]),
    ("status", &[]),
    ("started_at", &[]),
    ("seconds", &[]),
    ("symbols", &[]),
    ("tasks", &["planned", "done", "skipped_fresh", "failed"]),
    ("calls", &[]),
    ("calls_per_symbol", &[]),
    ("bytes", &[]),
    ("cache_hit_rate", &[]),
    ("rows", &["prices", "income_statement", "profile"]),
    ("rows_per_second", &[]),
    ("analytics", &["fact_financials", "fact_market_metrics"]),
    ("stages", &["plan", "fetch", "load", "compute"]),
    (
        "budget",
        &[
            "waited_seconds",
            "limit_per_minute",
            "limit_answers",
            "limit_seconds",
            "retry_seconds",
            "max_call_seconds",
        ],
    ),
    ("connections", &["opened", "peak"]),
    ("failures", &[]),
    ("notes", &[]),
    (
        "cost",
        &["fmp_calls", "lambda_gb_s", "s3_puts", "sqs_requests", "usd", "snowflake_credits"],
    ),
    ("highlights", &[]),
    ("cost", &["usd"]),
];

fn missing_keys(summary: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    for (key, parts) in SUMMARY {
        if summary.get(key).is_none() {
            missing.push(key.to_owned());
        }
        missing.extend(
            parts
                .iter()
                .filter(|part| summary[key].get(part).is_none())
                .map(|part| format!("{key}.{part}")),
        );
    }
    missing
}

#[test]
fn a_complete_run_exits_with_0_and_prints_one_json_object_with_every_key() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let output = run(&home, &server.url(), "AAPL,MSFT").run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    let summary = output.json();
    assert_eq!(missing_keys(&summary), Vec::<String>::new());
    assert_eq!(
        (&summary["status"], &summary["symbols"], &summary["calls"]),
        (&"complete".into(), &2.into(), &24.into())
    );
    for (dataset, rows) in summary["rows"].as_object().unwrap() {
        let of = |name: &str| rows[name].as_u64().unwrap_or_else(|| panic!("{dataset}.{name}"));
        assert_eq!(of("staged"), of("loaded") + of("unchanged") + of("quarantined"), "{dataset}");
    }
    assert!(summary["connections"]["opened"].as_u64().is_some_and(|n| n >= 1));
    assert_eq!(output.stdout.trim().lines().count(), 1, "one line");
    assert!(output.errors().is_empty(), "{output:#?}");
    assert!(!output.stderr.contains('\u{1b}'), "no escape sequences without a terminal");
}

#[test]
fn the_check_for_keys_finds_missing_ones() {
    let summary = serde_json::json!({"run_id": "x", "tasks": {"planned": 1}});
    let missing = missing_keys(&summary);
    assert!(
        missing.contains(&"status".to_owned())
            && missing.contains(&"tasks.done".to_owned())
            && !missing.contains(&"run_id".to_owned())
    );
}

#[test]
fn a_second_run_makes_no_call_and_changes_no_row() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server.url(), "AAPL,KO").run().code, Some(0));
    let (before, calls) = (home.content(), server.calls());
    let second = run(&home, &format!("{}/", server.url()), "AAPL,KO").run();
    assert_eq!((second.code, server.calls()), (Some(0), calls), "{second:#?}");
    assert_eq!(home.content(), before);
    assert_eq!(second.json()["cache_hit_rate"], 1.0);
}

#[test]
fn reaching_the_call_limit_exits_with_4_and_the_next_run_completes() {
    let (server, home, whole) = (Simulator::with_symbols(12), Home::new(), Home::new());
    let limited = run(&home, &server.url(), "AAPL").option("--max-calls", "5").run();
    assert_eq!((limited.code, &limited.json()["status"]), (Some(4), &"budget".into()), "{limited:#?}");
    assert!(server.calls() <= 5, "{}", server.calls());
    assert_eq!(limited.json()["calls"], 5);
    let next = run(&home, &server.url(), "AAPL").run();
    assert_eq!((next.code, server.calls()), (Some(0), 13), "{next:#?}");
    assert_eq!(run(&whole, &server.url(), "AAPL").run().code, Some(0));
    let differences = home.differences(&whole);
    assert!(differences.is_empty(), "{differences:?}");
}

#[test]
fn retries_count_towards_the_call_limit() {
    let (server, home) = (Simulator::with_faults(12, &["server-error"]), Home::new());
    let limited = run(&home, &server.url(), "AAPL").option("--max-calls", "7").run();
    assert_eq!(limited.code, Some(4), "{limited:#?}");
    assert_eq!(server.calls(), 7);
}

/// The exit code and the status in the JSON output.
fn outcome(output: &Output) -> (Option<i32>, String) {
    (output.code, output.json()["status"].as_str().unwrap_or_default().to_owned())
}
