//! Every way to start a run on AWS gives the tables of a local run.

use findata_fmp_simulator::Options;
use findata_pipeline::{
    run::{RunId, Status},
    summary::Summary,
};
use findata_tests::{
    Bundle, Home, Job, Simulator,
    collector::{Behaviour, Collector},
    findata, today,
};
use serde_json::{Value, json};

use crate::telemetry::assert_one_trace;

use super::{SYMBOLS, assert_same_tables, bundle, request, started_run};

/// Creates a queue that receives the RunCompleted and RunFailed events. Returns its URL.
fn listen(bundle: &Bundle) -> String {
    let url = bundle.call("sqs", "create_queue", json!({"QueueName": "listener"}));
    let url = url["QueueUrl"].as_str().unwrap().to_owned();
    let query = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
    let arn = bundle.call("sqs", "get_queue_attributes", query)["Attributes"]["QueueArn"].clone();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}]});
    let attributes = json!({"Policy": policy.to_string()});
    bundle.call("sqs", "set_queue_attributes", json!({"QueueUrl": url, "Attributes": attributes}));
    let bus = bundle.output("BusName");
    let pattern = json!({"source": ["findata"], "detail-type": ["RunCompleted", "RunFailed"]});
    bundle.call(
        "events",
        "put_rule",
        json!({"Name": "listen", "EventBusName": bus, "EventPattern": pattern.to_string()}),
    );
    bundle.call(
        "events",
        "put_targets",
        json!({"Rule": "listen", "EventBusName": bus, "Targets": [{"Id": "1", "Arn": arn}]}),
    );
    url
}

/// Returns the events about a run that the queue has received.
fn received(bundle: &Bundle, queue: &str, run: &RunId) -> Vec<Value> {
    let query = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0});
    let messages = bundle.call("sqs", "receive_message", query);
    let events = messages["Messages"].as_array().into_iter().flatten();
    let events =
        events.map(|message| serde_json::from_str::<Value>(message["Body"].as_str().unwrap()).unwrap());
    events.filter(|event| event["detail"]["run_id"] == run.as_str()).collect()
}

fn assert_complete(bundle: &Bundle, queue: &str, run: &RunId) -> Summary {
    let summary = bundle.summary(run);
    assert_eq!(summary.status, Status::Complete, "{summary:#?}");
    assert_eq!(summary.warehouse.resumes, 2, "one session for load and one for analytics");
    assert!(summary.cost.usd > 0.0 && summary.cost.lambda_gb_s > 0.0, "{:?}", summary.cost);
    let events = bundle
        .wait_for("RunCompleted", || Some(received(bundle, queue, run)).filter(|events| !events.is_empty()));
    for event in &events {
        assert_eq!(
            (&event["detail-type"], &event["detail"]["status"]),
            (&json!("RunCompleted"), &json!("complete"))
        );
    }
    summary
}

/// The log lines of the functions are JSON with known fields, their metrics equal the summary, and their
/// spans are one trace.
fn assert_telemetry(bundle: &Bundle, collector: &Collector, summary: &Summary) {
    let run = summary.run_id.as_str();
    // An invocation exports its spans and logs after the run has ended.
    let metrics = bundle.wait_for("the metrics of the run", || {
        let lines = bundle.log("analytics");
        lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|line| line.get("_aws").is_some())
    });
    assert!(
        summary.connections.opened > 0 && summary.budget.longest_call_seconds > 0.0,
        "{summary:#?}"
    );
    for (name, value) in [
        ("RunSeconds", summary.seconds),
        ("Calls", summary.calls as f64),
        ("RowsPerSecond", summary.rows_per_second),
        ("CallsPerSymbol", summary.calls_per_symbol),
        ("CacheHitRate", summary.cache_hit_rate * 100.0),
        ("Connections", summary.connections.opened as f64),
        ("ConcurrentCalls", summary.connections.peak as f64),
        ("BudgetWaitSeconds", summary.budget.waited_seconds),
        ("Suspicions", summary.quality.suspicions as f64),
    ] {
        assert_eq!(metrics[name].as_f64(), Some(value), "{name}: {metrics}");
    }
    for function in ["fanout", "extract", "load", "analytics"] {
        let lines = bundle.log(function);
        let is_platform = |line: &&String| {
            ["START ", "END ", "REPORT ", "INIT_START "].iter().any(|start| line.starts_with(start))
        };
        let own = lines.iter().filter(|line| !is_platform(line) && !line.trim().is_empty());
        let own: Vec<Value> = own
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect();
        let of_run = own.iter().filter(|line| line["run_id"] == run).collect::<Vec<_>>();
        assert!(!of_run.is_empty(), "{function}: {lines:#?}");
        for line in of_run {
            assert_eq!(
                (&line["function"], &line["level"]),
                (&json!(format!("findata-{function}")), &json!("INFO"))
            );
            assert!(line["request_id"].is_string() && line["timestamp"].is_string(), "{line}");
        }
    }
    let spans = bundle.wait_for("the span of analytics", || {
        let spans = collector
            .spans()
            .into_iter()
            .filter(|span| span.attributes["run_id"] == run)
            .collect::<Vec<_>>();
        spans.iter().any(|span| span.name == "analytics").then_some(spans)
    });
    let by_name = assert_one_trace(&spans, 1);
    for (name, function) in
        [("request", "fanout"), ("batch", "extract"), ("load", "load"), ("analytics", "analytics")]
    {
        assert_eq!(by_name[name][0].service, format!("findata-{function}"));
    }
}

#[test]
fn a_tick_an_event_and_an_invocation_give_the_tables_of_a_local_run() {
    let server = Simulator::with_symbols(SYMBOLS);
    let collector = Collector::start(Behaviour::Accept);
    let Some(bundle) = bundle(&server, &[("OtlpEndpoint", collector.url())]) else {
        return;
    };
    let queue = listen(&bundle);
    let home = Home::new();
    let all = server.symbols();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    // The schedule does not set a number of days, so new symbols get five years of prices.
    Job::new(server.url(), &all)
        .with(|o| *o = findata_pipeline::run::Options::default())
        .run_ok(&home);

    let tick = [("schedule", "findata-daily"), ("at", "2026-09-18T10:00:00Z")];
    bundle.control("/_tick", &tick);
    let daily: RunId = "20260918T100000000Z-00000000".parse().unwrap();
    let first = assert_complete(&bundle, &queue, &daily);
    assert_eq!(first.symbols, SYMBOLS as u64);
    assert_same_tables(&home, &bundle);
    assert_telemetry(&bundle, &collector, &first);
    // A repeated tick does not start another run.
    bundle.control("/_tick", &tick);

    let mut input = request(&server);
    input["full"] = json!(true);
    input["run_id"] = json!("20260918T110000000Z-0000000a");
    bundle.put_event("RunRequested", &input);
    let second = assert_complete(&bundle, &queue, &"20260918T110000000Z-0000000a".parse().unwrap());
    assert!(second.rows.values().all(|rows| rows.loaded == 0), "{:?}", second.rows);
    assert_same_tables(&home, &bundle);

    input.as_object_mut().unwrap().remove("run_id");
    let run = started_run(&bundle.invoke("fanout", &input));
    assert!(run.started().is_some());
    assert_complete(&bundle, &queue, &run);
    assert_same_tables(&home, &bundle);

    // A run without `full` does not refetch fresh data.
    let calls = server.calls();
    input["full"] = json!(false);
    let run = started_run(&bundle.invoke("fanout", &input));
    assert_eq!(assert_complete(&bundle, &queue, &run).calls, 0);
    assert_eq!(server.calls(), calls);
    let plans = bundle.keys("runs/").into_iter().filter(|key| key.ends_with("/plan.json")).count();
    assert_eq!(plans, 4, "a repeated tick starts one run");
}

#[test]
fn the_invoke_command_requests_a_run_and_waits_for_it() {
    let server = Simulator::start(Options { symbols: SYMBOLS, today: today(), ..Options::default() });
    let Some(bundle) = bundle(&server, &[]) else {
        return;
    };
    let symbols = super::symbols(&server);
    let invoke = |arguments: &[&str]| {
        findata(arguments)
            .option("--bus", bundle.output("BusName"))
            .variable("AWS_ENDPOINT_URL", bundle.url())
            .variable("AWS_REGION", "us-east-1")
            .variable("AWS_ACCESS_KEY_ID", "test")
            .variable("AWS_SECRET_ACCESS_KEY", "test")
            .no_key()
    };
    let place = bundle.output("StageUrl");
    let output = invoke(&[
        "invoke",
        &symbols.join(","),
        "--days",
        "20",
        "--quarters",
        "8",
        "--years",
        "6",
        "--wait",
        "--json",
        "--stage",
        &place,
    ])
    .run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    let summary = output.json();
    assert_eq!(
        (summary["status"].as_str(), summary["symbols"].as_u64()),
        (Some("complete"), Some(SYMBOLS as u64))
    );
    assert!(output.stderr.contains("requested run"), "{}", output.stderr);
    let home = super::run_locally(&server);
    assert_same_tables(&home, &bundle);

    let response = invoke(&["invoke", &symbols[0], "--json"]).run().json();
    let run: RunId = response["run_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(bundle.summary(&run).symbols, 1);

    let calls = server.calls();
    let few =
        invoke(&["invoke", &symbols[0], "--full", "--max-calls", "3", "--reconcile", "--ttl", "profile=7d"])
            .arg("--wait")
            .option("--minutes", "30")
            .option("--stage", &place)
            .arg("--json")
            .run();
    assert_eq!((few.code, server.calls() - calls), (Some(4), 3), "{few:#?}");

    for (arguments, code, text) in [
        (vec!["invoke", "A'B"], 2, "A'B"),
        (vec!["invoke", "AAPL", "--wait"], 2, "--stage s3://"),
        (vec!["invoke", "--universe", "All"], 2, "is not the name of a universe"),
        (vec!["invoke", "AAPL", "--wait", "--stage", "/tmp/x"], 2, "not a valid S3 location"),
    ] {
        let output = invoke(&arguments).run();
        assert_eq!(output.code, Some(code), "{arguments:?}: {output:#?}");
        assert!(output.stderr.contains(text), "{arguments:?}: {}", output.stderr);
    }
    let nowhere = invoke(&["invoke", "AAPL"]).option("--bus", "elsewhere").run();
    assert_ne!(nowhere.code, Some(0), "{nowhere:#?}");
}
