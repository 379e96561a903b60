//! What the roles allow is what the functions call, both ways.

use std::process::Command;

use findata_shared::run::Status;
use findata_tests::{Bundle, Simulator};
use serde_json::{Value, json};

use super::{SYMBOLS, bundle, started_run};

/// Refused calls, and what was allowed and never used.
pub(super) fn compared(bundle: &Bundle) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/aws/permissions.py");
    let python = findata_tests::prepared_python("FINDATA_TEST_AWS_PYTHON", "tests/aws/requirements.txt").unwrap();
    let done = Command::new(python).args([script, "--url", bundle.url()]).output().unwrap();
    serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&done.stderr)))
}

#[test]
fn every_permission_is_used_and_nothing_else_is_asked_for() {
    let server = Simulator::with_symbols(SYMBOLS);
    // With a limit, calls are counted on the stage.
    let Some(bundle) = bundle(&server, &[("FmpPlan", "900")]) else { return };
    // Files of an earlier try: each function looks whose they are.
    for (dataset, batch) in [("sp500_constituents", "universe"), ("profile", "b00001")] {
        let key = format!("home/landing/{dataset}/20260918T100000000Z-00000000/{batch}.ndjson.gz");
        bundle.call("s3", "put_object", json!({"Bucket": bundle.output("BucketName"), "Key": key, "Body": "other"}));
    }
    bundle.control("/_tick", &[("schedule", "findata-daily"), ("at", "2026-09-18T10:00:00Z")]);
    let daily = "20260918T100000000Z-00000000".parse().unwrap();
    assert_eq!(bundle.summary(&daily).status, Status::Complete);
    bundle.invoke("fanout", &json!({"sweep": true}));
    bundle.control("/_tick", &[("schedule", "findata-sweep")]);

    // A batch that cannot be landed becomes a dead letter; what cannot be loaded is announced.
    bundle.set_visibility_timeout(1);
    bundle.control(
        "/_fail",
        &[
            ("action", "s3:PutObject"),
            ("match", "landing/profile"),
            ("times", "1000"),
            ("code", "AccessDenied"),
            ("status", "403"),
        ],
    );
    let mut asked = json!({"symbols": server.symbols(), "full": true, "datasets": ["profile"]});
    let run = started_run(&bundle.invoke("fanout", &asked));
    assert_eq!(bundle.summary(&run).status, Status::Failed);
    // load says what only a person can mend.
    let secrets = bundle.call("secretsmanager", "list_secrets", json!({}));
    let secrets = secrets["SecretList"].as_array().unwrap();
    let arn = &secrets.iter().find(|secret| secret["Name"].as_str().unwrap().contains("Snowflake")).unwrap()["ARN"];
    bundle.call("secretsmanager", "put_secret_value", json!({"SecretId": arn, "SecretString": "no key"}));
    asked["datasets"] = json!(["splits"]);
    let run = started_run(&bundle.invoke("fanout", &asked));
    let trouble = format!("runs/{run}/trouble/load.json");
    bundle.wait_for(&trouble, || bundle.object(&trouble));
    // fanout refuses what is no request, load what is no run, and a person finds the messages that nobody could read.
    assert_eq!(bundle.invoke("fanout", &json!({"symbols": []}))["status"], "failed");
    for function in ["fanout", "load", "analytics"] {
        bundle.call("lambda", "invoke", json!({"FunctionName": format!("findata-{function}"), "InvocationType": "Event", "Payload": "{\"detail-type\": 3}"}));
    }
    bundle.call("sqs", "send_message", json!({"QueueUrl": bundle.output("QueueUrl"), "MessageBody": "no message"}));
    bundle.wait_for("failed events", || (bundle.queue_depth("FailedEventsUrl") >= 4).then_some(()));

    let compared = compared(&bundle);
    assert_eq!(compared["refused"], json!([]));
    // Snowflake's role is Snowflake's; a schedule's dead letter is of a function that could not even be called; extract hands
    // the rest of a batch back where its time ends, which a test of its own shows.
    let ours = |pair: &&Value| {
        let hands_back = pair["role"] == "ExtractRole" && pair["action"] == "sqs:SendMessage";
        pair["role"] != "SnowflakeRole" && pair["role"] != "FanoutDailyRole" && !hands_back
    };
    let unused: Vec<&Value> = compared["unused"].as_array().unwrap().iter().filter(ours).collect();
    assert!(unused.is_empty(), "{unused:#?}");
}
