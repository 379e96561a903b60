//! The roles allow exactly the calls that the functions make.

use std::process::Command;

use findata_pipeline::run::Status;
use findata_tests::{Bundle, Simulator};
use serde_json::{Value, json};

use super::{SYMBOLS, bundle, started_run};

/// Runs `permissions.py`: returns the refused calls and the permissions that no call used.
pub(super) fn compared(bundle: &Bundle) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/aws/permissions.py");
    let python =
        findata_tests::prepared_python("FINDATA_TEST_AWS_PYTHON", "tests/aws/requirements.txt").unwrap();
    let done = Command::new(python).args([script, "--url", bundle.url()]).output().unwrap();
    serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&done.stderr)))
}

#[test]
fn every_permission_is_used_and_no_other_is_needed() {
    let server = Simulator::with_symbols(SYMBOLS);
    // A plan with a rate limit makes the functions keep the state of the rate limiter on the stage.
    let Some(bundle) = bundle(&server, &[("FmpPlan", "900")]) else {
        return;
    };
    // Landing files that an earlier attempt left behind. Each function reads such a file to find
    // out whether it wrote the file itself.
    let left_behind =
        [("sp500_constituents", "universe"), ("sp500_changes", "indexes"), ("profile", "b00001")];
    for (dataset, batch) in left_behind {
        let key = format!("home/landing/{dataset}/20260918T100000000Z-00000000/{batch}.ndjson.gz");
        bundle.call(
            "s3",
            "put_object",
            json!({"Bucket": bundle.output("BucketName"), "Key": key, "Body": "other"}),
        );
    }
    bundle.control("/_tick", &[("schedule", "findata-daily"), ("at", "2026-09-18T10:00:00Z")]);
    let daily = "20260918T100000000Z-00000000".parse().unwrap();
    assert_eq!(bundle.summary(&daily).status, Status::Complete);
    bundle.invoke("fanout", &json!({"sweep": true}));
    bundle.control("/_tick", &[("schedule", "findata-sweep")]);

    // A batch whose files cannot be written becomes a dead letter. A run that cannot be loaded is
    // reported.
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
    let mut input =
        json!({"symbols": server.symbols(), "full": true, "datasets": ["profile"], "max_calls": 1000});
    let run = started_run(&bundle.invoke("fanout", &input));
    assert_eq!(bundle.summary(&run).status, Status::Failed);
    // An invalid Snowflake key makes load report an error that only a person can fix.
    let secrets = bundle.call("secretsmanager", "list_secrets", json!({}));
    let secrets = secrets["SecretList"].as_array().unwrap();
    let arn = &secrets
        .iter()
        .find(|secret| secret["Name"].as_str().unwrap().contains("Snowflake"))
        .unwrap()["ARN"];
    bundle.call("secretsmanager", "put_secret_value", json!({"SecretId": arn, "SecretString": "no key"}));
    input["datasets"] = json!(["splits"]);
    let run = started_run(&bundle.invoke("fanout", &input));
    let trouble = format!("runs/{run}/trouble/load.json");
    bundle.wait_for(&trouble, || bundle.object(&trouble));
    // fanout rejects an invalid request, and load an invalid run. Unreadable messages stay in a
    // queue that a person inspects.
    assert_eq!(bundle.invoke("fanout", &json!({"symbols": []}))["status"], "rejected");
    for function in ["fanout", "load", "analytics"] {
        bundle.call("lambda", "invoke", json!({"FunctionName": format!("findata-{function}"), "InvocationType": "Event", "Payload": "{\"detail-type\": 3}"}));
    }
    bundle.call(
        "sqs",
        "send_message",
        json!({"QueueUrl": bundle.output("QueueUrl"), "MessageBody": "no message"}),
    );
    bundle.wait_for("failed events", || (bundle.queue_depth("FailedEventsUrl") >= 4).then_some(()));

    let compared = compared(&bundle);
    assert_eq!(compared["refused"], json!([]));
    // Three roles have permissions that this test does not use. Only Snowflake assumes
    // SnowflakeRole. The schedules' role sends a dead letter only if the function cannot be
    // invoked. Extract writes a checkpoint and enqueues the rest of a batch only when it runs out of
    // time, which another test covers, and it records a refused bulk file only in large runs.
    let expected_to_be_used = |pair: &&Value| {
        let resource = pair["resource"].as_str().unwrap();
        let sends = pair["action"] == "sqs:SendMessage";
        match pair["role"].as_str().unwrap() {
            "SnowflakeRole" => false,
            "ScheduleRole" => !sends,
            "ExtractRole" => {
                !sends && !resource.ends_with("/parts/*") && !resource.ends_with("/bulk-refused.json")
            }
            _ => true,
        }
    };
    let unused: Vec<&Value> =
        compared["unused"].as_array().unwrap().iter().filter(expected_to_be_used).collect();
    assert!(unused.is_empty(), "{unused:#?}");
}
