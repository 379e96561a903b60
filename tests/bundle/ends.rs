//! Everything that can begin a run ends it with the tables of a laptop.

use findata_fmp_simulator::Options;
use findata_pipeline::{
    run::{RunId, Status},
    summary::Summary,
};
use findata_tests::{Bundle, Home, Job, Server, ended_json, findata, today};
use serde_json::{Value, json};

use super::{SYMBOLS, begun, bundle, expect_same, request};

/// A queue that hears of every end of a run.
fn listen(bundle: &Bundle) -> String {
    let url = bundle.call("sqs", "create_queue", json!({"QueueName": "listener"}));
    let url = url["QueueUrl"].as_str().unwrap().to_owned();
    let asked = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
    let arn = bundle.call("sqs", "get_queue_attributes", asked)["Attributes"]["QueueArn"].clone();
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

/// The events that were heard about a run.
fn heard(bundle: &Bundle, queue: &str, run: &RunId) -> Vec<Value> {
    let asked = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0});
    let messages = bundle.call("sqs", "receive_message", asked);
    let events = messages["Messages"].as_array().into_iter().flatten();
    let events = events.map(|message| serde_json::from_str::<Value>(message["Body"].as_str().unwrap()).unwrap());
    events.filter(|event| event["detail"]["run_id"] == run.as_str()).collect()
}

fn expect_complete(bundle: &Bundle, queue: &str, run: &RunId) -> Summary {
    let summary = bundle.summary(run);
    assert_eq!(summary.status, Status::Complete, "{summary:#?}");
    assert_eq!(summary.warehouse.resumes, 2, "a session of load's and one of analytics'");
    assert!(summary.cost.usd > 0.0 && summary.cost.lambda_gb_s > 0.0, "{:?}", summary.cost);
    let events = bundle.until("RunCompleted", || Some(heard(bundle, queue, run)).filter(|events| !events.is_empty()));
    for event in &events {
        assert_eq!((&event["detail-type"], &event["detail"]["status"]), (&json!("RunCompleted"), &json!("complete")));
    }
    summary
}

#[test]
fn a_tick_an_event_and_a_call_end_in_the_tables_of_a_laptop() {
    let server = Server::of(SYMBOLS);
    let Some(bundle) = bundle(&server, &[]) else { return };
    let queue = listen(&bundle);
    let home = Home::new();
    let all = server.symbols();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    // The schedule names no days: five years for symbols not seen before.
    Job::new(server.url(), &all).with(|o| o.prices_from = None).done(&home);

    let tick = [("schedule", "findata-daily"), ("at", "2026-09-18T10:00:00Z")];
    bundle.ask("/_tick", &tick);
    let daily: RunId = "20260918T100000000Z-00000000".parse().unwrap();
    let first = expect_complete(&bundle, &queue, &daily);
    assert_eq!(first.symbols, SYMBOLS as u64);
    expect_same(&home, &bundle);
    // The same tick once more is the same run.
    bundle.ask("/_tick", &tick);

    let mut asked = request(&server);
    asked["full"] = json!(true);
    asked["run_id"] = json!("20260918T110000000Z-0000000a");
    bundle.put_event("RunRequested", &asked);
    let second = expect_complete(&bundle, &queue, &"20260918T110000000Z-0000000a".parse().unwrap());
    assert!(second.rows.values().all(|rows| rows.loaded == 0), "{:?}", second.rows);
    expect_same(&home, &bundle);

    asked.as_object_mut().unwrap().remove("run_id");
    let run = begun(&bundle.invoke("fanout", &asked));
    assert!(run.started().is_some());
    expect_complete(&bundle, &queue, &run);
    expect_same(&home, &bundle);

    // What is fresh is not asked for again.
    let calls = server.calls();
    asked["full"] = json!(false);
    let run = begun(&bundle.invoke("fanout", &asked));
    assert_eq!(expect_complete(&bundle, &queue, &run).calls, 0);
    assert_eq!(server.calls(), calls);
    let plans = bundle.keys("runs/").into_iter().filter(|key| key.ends_with("/plan.json")).count();
    assert_eq!(plans, 4, "a tick that came twice is one run");
}

#[test]
fn the_command_asks_for_a_run_and_waits_for_it() {
    let server = Server::start(Options { symbols: SYMBOLS, today: today(), ..Options::default() });
    let Some(bundle) = bundle(&server, &[]) else { return };
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
    let ended = invoke(&["invoke", &symbols.join(","), "--days", "20", "--wait", "--json", "--stage", &place]).run();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let summary = ended_json(&ended);
    assert_eq!((summary["status"].as_str(), summary["symbols"].as_u64()), (Some("complete"), Some(SYMBOLS as u64)));
    assert!(ended.stderr.contains("asked for run"), "{}", ended.stderr);
    let home = super::laptop(&server);
    expect_same(&home, &bundle);

    let asked = ended_json(&invoke(&["invoke", &symbols[0], "--json"]).run());
    let run: RunId = asked["run_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(bundle.summary(&run).symbols, 1);

    let calls = server.calls();
    let few =
        invoke(&["invoke", &symbols[0], "--full", "--max-calls", "3", "--wait", "--json", "--stage", &place]).run();
    assert_eq!((few.code, server.calls() - calls), (Some(4), 3), "{few:#?}");

    for (arguments, code, text) in [
        (vec!["invoke", "A'B"], 2, "A'B"),
        (vec!["invoke", "AAPL", "--wait"], 2, "--stage s3://"),
        (vec!["invoke", "--universe", "all"], 2, "sp500 alone"),
        (vec!["invoke", "AAPL", "--wait", "--stage", "/tmp/x"], 2, "not a valid S3 location"),
    ] {
        let ended = invoke(&arguments).run();
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:#?}");
        assert!(ended.stderr.contains(text), "{arguments:?}: {}", ended.stderr);
    }
    let nowhere = invoke(&["invoke", "AAPL"]).option("--bus", "elsewhere").run();
    assert_ne!(nowhere.code, Some(0), "{nowhere:#?}");
}
