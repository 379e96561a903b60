//! What the roles allow is what the functions call, both ways.

use std::{process::Command, time::Duration};

use findata_local::fmp_server::Options;
use findata_shared::run::Status;
use findata_tests::{Bundle, Server, today};
use serde_json::{Value, json};

use super::{begun, bundle};

/// Refused calls, and what was allowed and never used.
pub(super) fn compared(bundle: &Bundle) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/aws/permissions.py");
    let python = findata_tests::prepared("FINDATA_TEST_AWS_PYTHON", "tests/aws/requirements.txt").unwrap();
    let done = Command::new(python).args([script, "--url", bundle.url()]).output().unwrap();
    serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&done.stderr)))
}

#[test]
fn every_permission_is_used_and_nothing_else_is_asked_for() {
    let slow = Duration::from_millis(1_700);
    let server = Server::start(Options { symbols: 12, today: today(), latency: slow, ..Options::default() });
    let Some(bundle) = bundle(&server, &[]) else { return };
    // Files of an earlier try: each function looks whose they are.
    for (dataset, batch) in [("sp500_constituents", "universe"), ("profile", "b00001")] {
        let key = format!("home/landing/{dataset}/20260918T100000000Z-00000000/{batch}.ndjson.gz");
        bundle.call("s3", "put_object", json!({"Bucket": bundle.output("BucketName"), "Key": key, "Body": "other"}));
    }
    bundle.ask("/_tick", &[("schedule", "findata-daily"), ("at", "2026-09-18T10:00:00Z")]);
    let daily = "20260918T100000000Z-00000000".parse().unwrap();
    assert_eq!(bundle.summary(&daily).status, Status::Complete);
    bundle.invoke("fanout", &json!({"sweep": true}));
    bundle.ask("/_tick", &[("schedule", "findata-sweep")]);

    // With less time than its batch needs, extract hands the rest back.
    let timeout = |seconds: u32| {
        bundle.call(
            "lambda",
            "update_function_configuration",
            json!({"FunctionName": "findata-extract", "Timeout": seconds}),
        );
    };
    timeout(3);
    let mut asked = json!({"symbols": server.symbols(), "days": 20, "full": true});
    let run = begun(&bundle.invoke("fanout", &asked));
    assert_eq!(bundle.summary(&run).status, Status::Complete);
    assert!(bundle.object(&format!("runs/{run}/parts/b00001-0.json")).is_some(), "{:?}", bundle.keys("runs/"));
    timeout(300);

    // A batch that cannot be landed becomes a dead letter; what cannot be loaded is announced.
    bundle.comes_again_after(1);
    bundle.ask(
        "/_fail",
        &[
            ("action", "s3:PutObject"),
            ("match", "landing/profile"),
            ("times", "1000"),
            ("code", "AccessDenied"),
            ("status", "403"),
        ],
    );
    asked["datasets"] = json!(["profile"]);
    let run = begun(&bundle.invoke("fanout", &asked));
    assert_eq!(bundle.summary(&run).status, Status::Failed);
    // fanout refuses what is no request, load what is no run, and a person finds the messages that nobody could read.
    assert_eq!(bundle.invoke("fanout", &json!({"symbols": []}))["status"], "failed");
    for function in ["fanout", "load", "analytics"] {
        bundle.call("lambda", "invoke", json!({"FunctionName": format!("findata-{function}"), "InvocationType": "Event", "Payload": "{\"detail-type\": 3}"}));
    }
    bundle.call("sqs", "send_message", json!({"QueueUrl": bundle.output("QueueUrl"), "MessageBody": "no message"}));
    bundle.until("failed events", || {
        let asked =
            json!({"QueueUrl": bundle.output("FailedEventsUrl"), "AttributeNames": ["ApproximateNumberOfMessages"]});
        let held =
            bundle.call("sqs", "get_queue_attributes", asked)["Attributes"]["ApproximateNumberOfMessages"].clone();
        held.as_str().filter(|held| held.parse().is_ok_and(|held: u32| held >= 4)).map(|_| ())
    });

    let compared = compared(&bundle);
    assert_eq!(compared["refused"], json!([]));
    let unused: Vec<&Value> =
        compared["unused"].as_array().unwrap().iter().filter(|pair| pair["role"] != "SnowflakeRole").collect();
    assert!(unused.is_empty(), "{unused:#?}");
}
