//! Duplicated and lost messages and events, batches that always fail, and killed functions.

use std::{
    thread,
    time::{Duration, Instant},
};

use findata_fmp_simulator::Options;
use findata_pipeline::run::{RunId, Status};
use findata_tests::{Bundle, Home, Job, Simulator, findata, today};
use serde_json::{Value, json};

use super::{SYMBOLS, assert_same_tables, bundle, permissions, request, run_locally, started_run, symbols};

/// A request that refetches every dataset, even if it is fresh.
fn full_request(server: &Simulator) -> Value {
    let mut request = request(server);
    request["full"] = json!(true);
    request
}

fn sweep(bundle: &Bundle) -> Value {
    bundle.invoke("fanout", &json!({"sweep": true, "patience": 0}))
}

pub(super) fn assert_complete(bundle: &Bundle, run: &RunId) {
    let summary = bundle.summary(run);
    assert_eq!(summary.status, Status::Complete, "{summary:#?}");
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn duplicate_messages_and_events_change_nothing() {
    let server = Simulator::with_symbols(SYMBOLS);
    let Some(bundle) = bundle(&server, &[]) else {
        return;
    };
    let home = run_locally(&server);
    for rule in ["LoadStaged", "AnalyticsLoaded", "FanoutRequested"] {
        bundle.control("/_deliver", &[("rule", rule), ("copies", "3"), ("times", "1")]);
    }
    let run: RunId = "20260918T110000000Z-0000000a".parse().unwrap();
    let mut request = request(&server);
    request["run_id"] = json!(run);
    bundle.put_event("RunRequested", &request);
    let plan = bundle.wait_for("a plan", || bundle.object(&format!("runs/{run}/plan.json")));
    let plan: Value = serde_json::from_str(&plan).unwrap();
    for batch in plan["batches"].as_array().unwrap().iter().chain(plan["batches"].as_array().unwrap()) {
        let message = json!({"run_id": run, "batch": batch}).to_string();
        bundle.call(
            "sqs",
            "send_message",
            json!({"QueueUrl": bundle.output("QueueUrl"), "MessageBody": message}),
        );
    }
    assert_complete(&bundle, &run);
    // Leaves time for the last duplicate to be processed.
    thread::sleep(Duration::from_secs(3));
    assert_same_tables(&home, &bundle);
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn two_concurrent_runs_finish_without_duplicate_rows() {
    let server = Simulator::with_symbols(SYMBOLS);
    let Some(bundle) = bundle(&server, &[]) else {
        return;
    };
    let home = run_locally(&server);
    let runs = ["20260918T110000000Z-0000000a", "20260918T110000001Z-0000000b"];
    for run in runs {
        let mut request = full_request(&server);
        request["run_id"] = json!(run);
        bundle.put_event("RunRequested", &request);
    }
    for run in runs {
        bundle.wait_for(run, || {
            // If the two runs block each other, a step of one of them fails; the sweeper repeats
            // it.
            thread::sleep(Duration::from_secs(3));
            sweep(&bundle);
            bundle.object(&format!("runs/{run}/summary.json"))
        });
        assert_complete(&bundle, &run.parse().unwrap());
    }
    assert_same_tables(&home, &bundle);
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn the_sweeper_recovers_lost_events_and_messages() {
    let server = Simulator::with_symbols(SYMBOLS);
    let Some(bundle) = bundle(&server, &[]) else {
        return;
    };
    let home = run_locally(&server);
    for rule in ["LoadStaged", "AnalyticsLoaded"] {
        bundle.control("/_deliver", &[("rule", rule), ("copies", "0"), ("times", "1")]);
    }
    let mapping =
        bundle.call("lambda", "list_event_source_mappings", json!({"FunctionName": "findata-extract"}));
    let mapping = mapping["EventSourceMappings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["EventSourceArn"].as_str().unwrap().contains("Tasks"))
        .unwrap()["UUID"]
        .clone();
    bundle.call("lambda", "update_event_source_mapping", json!({"UUID": mapping, "Enabled": false}));
    let run = started_run(&bundle.invoke("fanout", &request(&server)));
    bundle.call("sqs", "purge_queue", json!({"QueueUrl": bundle.output("QueueUrl")}));
    bundle.call("lambda", "update_event_source_mapping", json!({"UUID": mapping, "Enabled": true}));
    let swept = sweep(&bundle);
    assert_eq!((&swept["open"], &swept["sent"]), (&json!(1), &json!(1)), "{swept}");
    for step in ["staged", "loaded"] {
        bundle.wait_for(step, || bundle.object(&format!("runs/{run}/{step}.json")));
        thread::sleep(Duration::from_secs(1));
        assert!(bundle.object(&format!("runs/{run}/summary.json")).is_none());
        let swept = sweep(&bundle);
        assert_eq!(swept["announced"], 1, "{step}: {swept}");
    }
    assert_complete(&bundle, &run);
    assert_same_tables(&home, &bundle);
    assert_eq!(sweep(&bundle)["open"], 0);
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn a_run_with_a_batch_that_cannot_be_landed_closes_and_a_retry_completes_it() {
    let server = Simulator::with_symbols(SYMBOLS);
    let Some(bundle) = bundle(&server, &[]) else {
        return;
    };
    bundle.set_visibility_timeout(1);
    bundle.control(
        "/_fail",
        &[
            ("action", "s3:PutObject"),
            ("match", "landing/prices"),
            ("times", "3"),
            ("code", "AccessDenied"),
            ("status", "403"),
        ],
    );
    bundle.call(
        "sqs",
        "send_message",
        json!({"QueueUrl": bundle.output("QueueUrl"), "MessageBody": "{\"poison\": true}"}),
    );
    let failed = started_run(&bundle.invoke("fanout", &request(&server)));
    let summary = bundle.summary(&failed);
    assert_eq!(summary.status, Status::Failed, "its only batch failed");
    assert!(
        summary.failures.iter().all(|f| f.reason.contains("the batch failed 3 times")),
        "{:?}",
        summary.failures[0]
    );
    let calls = server.calls();
    let retried = findata(&["invoke", "--retry", failed.as_str(), "--wait", "--json"])
        .option("--bus", bundle.output("BusName"))
        .option("--stage", bundle.output("StageUrl"))
        .variable("AWS_ENDPOINT_URL", bundle.url())
        .variable("AWS_REGION", "us-east-1")
        .variable("AWS_ACCESS_KEY_ID", "test")
        .variable("AWS_SECRET_ACCESS_KEY", "test")
        .run();
    assert_eq!(retried.code, Some(0), "{retried:#?}");
    assert_eq!(retried.json()["tasks"]["planned"].as_u64(), Some(summary.tasks.failed));
    assert!(server.calls() - calls >= summary.tasks.failed);
    assert_same_tables(&run_locally(&server), &bundle);
    // A message that no function can parse stays in a queue that a person inspects.
    bundle.wait_for("the poison message", || {
        let request = json!({"QueueUrl": bundle.output("FailedEventsUrl"), "VisibilityTimeout": 0});
        let held = bundle.call("sqs", "receive_message", request).to_string();
        held.contains("poison").then_some(())
    });
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn a_killed_function_is_invoked_again_without_duplicate_rows() {
    let slow = Options {
        symbols: SYMBOLS,
        today: today(),
        latency: Duration::from_millis(700),
        ..Options::default()
    };
    let server = Simulator::start(slow);
    let Some(bundle) = bundle(&server, &[]) else {
        return;
    };
    bundle.set_visibility_timeout(4);
    let home = run_locally(&server);
    let run = started_run(&bundle.invoke("fanout", &request(&server)));
    let kill_when_running = |function: &str| {
        bundle.wait_for(function, || {
            let killed = bundle.control("/_kill", &[("function", &format!("findata-{function}"))]);
            killed["killed"].as_array().filter(|killed| !killed.is_empty()).map(|_| ())
        });
    };
    kill_when_running("extract");
    kill_when_running("load");
    kill_when_running("analytics");
    bundle.wait_for("the end", || {
        // Each sweep invokes the open step once more, so a busy machine needs time between two sweeps.
        thread::sleep(Duration::from_secs(10));
        sweep(&bundle);
        bundle.object(&format!("runs/{run}/summary.json"))
    });
    assert_complete(&bundle, &run);
    assert_same_tables(&home, &bundle);
    assert_eq!(symbols(&server).len(), SYMBOLS);
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn requests_to_a_busy_stage_are_retried() {
    let server = Simulator::with_symbols(SYMBOLS);
    let Some(bundle) = bundle(&server, &[]) else {
        return;
    };
    for (action, after) in [
        ("s3:PutObject", "0"),
        ("s3:GetObject", "0"),
        ("s3:PutObject", "1"),
        ("s3:ListBucket", "0"),
    ] {
        bundle.control("/_fail", &[("action", action), ("match", "."), ("times", "2"), ("after", after)]);
    }
    let run = started_run(&bundle.invoke("fanout", &request(&server)));
    assert_complete(&bundle, &run);
    assert_same_tables(&run_locally(&server), &bundle);
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn a_batch_that_is_handed_back_18_times_is_finished() {
    // About 180 calls. Eight are in flight at once, and an invocation has time for one such group of calls.
    const MANY: usize = 18;
    let slow = Options {
        symbols: MANY,
        today: today(),
        latency: Duration::from_millis(4_600),
        ..Options::default()
    };
    let (server, fast) = (Simulator::start(slow), Simulator::with_symbols(MANY));
    let Some(bundle) = bundle(&server, &[("FmpBurst", "2")]) else {
        return;
    };
    let brief = json!({"FunctionName": "findata-extract", "Timeout": 6});
    bundle.call("lambda", "update_function_configuration", brief);
    let mut request = request(&server);
    request["symbols"] = json!(server.symbols());
    let run = started_run(&bundle.invoke("fanout", &request));
    assert_complete(&bundle, &run);
    let handed_back = bundle.keys(&format!("runs/{run}/parts/")).len();
    assert!(handed_back >= 18, "{:?}", bundle.keys("runs/"));
    let requeued = permissions::compared(&bundle)["unused"]
        .as_array()
        .unwrap()
        .iter()
        .all(|pair| pair["role"] != "ExtractRole" || pair["action"] != "sqs:SendMessage");
    assert!(requeued, "extract enqueued the rest");
    let home = Home::new();
    let symbols = fast.symbols();
    Job::new(fast.url(), &symbols.iter().map(String::as_str).collect::<Vec<_>>())
        .days(20)
        .run_ok(&home);
    println!(
        "handed back {handed_back} times, {} calls, {} without a limit",
        server.calls(),
        fast.calls()
    );
    // A deadline abandons the calls in flight.
    assert!(server.calls() <= 2 * fast.calls());
    assert_same_tables(&home, &bundle);
}

/// Time limits of load and analytics in seconds. Half of each is reserved to close the session. Either step takes
/// several times as long.
const BRIEF: [(&str, u32); 2] = [("load", 14), ("analytics", 40)];

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn steps_that_are_stopped_every_time_end_with_the_same_tables() {
    // Enough for ranks, and for three slices.
    const COMPANIES: usize = 6;
    let server = Simulator::with_symbols(COMPANIES);
    let Some(bundle) = bundle(&server, &[]) else {
        return;
    };
    let home = Home::new();
    let all = server.symbols();
    Job::new(server.url(), &all.iter().map(String::as_str).collect::<Vec<_>>())
        .days(20)
        .run_ok(&home);
    let calls = server.calls();
    for (function, seconds) in BRIEF {
        let name = json!({"FunctionName": format!("findata-{function}")});
        let mut environment =
            bundle.call("lambda", "get_function_configuration", name.clone())["Environment"].clone();
        environment["Variables"]["SNOWFLAKE_ROWS_PER_SLICE"] = json!("300");
        let mut brief = name;
        (brief["Timeout"], brief["Environment"]) = (json!(seconds), environment);
        bundle.call("lambda", "update_function_configuration", brief);
    }
    let mut request = request(&server);
    request["symbols"] = json!(all);
    let run = started_run(&bundle.invoke("fanout", &request));
    let progress = |function: &str| bundle.keys(&format!("runs/{run}/slices/{function}-")).len();
    let mut to_kill: Vec<&str> = BRIEF.iter().map(|(function, _)| *function).collect();
    let (mut stored, mut since) = (0, Instant::now());
    let begun = Instant::now();
    while bundle.object(&format!("runs/{run}/summary.json")).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(500), "{:?}", bundle.keys("runs/"));
        thread::sleep(Duration::from_secs(1));
        // In the middle of a slice.
        to_kill.retain(|function| {
            let killed = progress(function) > 0
                && bundle.control("/_kill", &[("function", &format!("findata-{function}"))])["killed"]
                    != json!([]);
            !killed
        });
        let progress = progress("load") + progress("analytics");
        if progress > stored {
            (stored, since) = (progress, Instant::now());
        } else if since.elapsed() > Duration::from_secs(40) {
            // As on AWS, the sweeper repeats a step only if it makes no progress: invocations at the same time
            // would make each other start over.
            sweep(&bundle);
            since = Instant::now();
        }
    }
    assert_eq!(to_kill, [""; 0], "both functions were killed");
    assert_complete(&bundle, &run);
    assert_eq!(server.calls(), 2 * calls, "no step makes a call");
    for (function, _) in BRIEF {
        let log = bundle.log(function);
        let continued = log.iter().filter(|line| line.contains("continues in another invocation")).count();
        println!("{function}: {} slices, continued {continued} times", progress(function));
        assert!(progress(function) > 2, "{function}: {}", log.join("\n"));
        assert!(continued > 0 || function == "analytics", "{function}: {}", log.join("\n"));
    }
    assert_same_tables(&home, &bundle);
}
