//! Misconfiguration is reported in the log and in the ledger and is not retried endlessly.

use findata_fmp_simulator::Options;
use findata_pipeline::run::{RunId, Status};
use findata_tests::{Bundle, Simulator, today};
use serde_json::{Value, json};

use super::{SYMBOLS, assert_same_tables, bundle, request, run_locally, started_run};

fn logged(bundle: &Bundle, function: &str, text: &str) -> usize {
    bundle.log(function).iter().filter(|line| line.contains(text)).count()
}

#[test]
fn a_refused_fmp_key_is_reported_and_a_new_secret_is_picked_up() {
    let good = Options {
        symbols: SYMBOLS,
        today: today(),
        key: Some("another-key".into()),
        ..Options::default()
    };
    let server = Simulator::start(good);
    let Some(bundle) = bundle(&server, &[]) else {
        return;
    };
    let calls = server.calls();
    let refused_run = started_run(&bundle.invoke("fanout", &request(&server)));
    let summary = bundle.summary(&refused_run);
    assert_eq!(summary.status, Status::Failed);
    assert!(summary.failures[0].reason.contains("refused the key"), "{:?}", summary.failures[0]);
    assert!(server.calls() - calls < 70, "no retry storm: {}", server.calls() - calls);
    // No function is restarted: a running function that holds the old key reads the new key.
    let secrets = bundle.call("secretsmanager", "list_secrets", json!({}));
    let arn = secrets["SecretList"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["Name"].as_str().unwrap().contains("Fmp"));
    let new_secret = json!({"SecretId": arn.unwrap()["ARN"], "SecretString": "another-key"});
    bundle.call("secretsmanager", "put_secret_value", new_secret);
    let run = started_run(&bundle.invoke("fanout", &request(&server)));
    assert_eq!(bundle.summary(&run).status, Status::Complete);
}

/// Subscribes a queue to the topic of the alarms, in place of a person's mailbox, and returns its URL.
fn mailbox(bundle: &Bundle) -> Value {
    let topics = bundle.call("sns", "list_topics", json!({}));
    let topic = &topics["Topics"][0]["TopicArn"];
    let queue = bundle.call("sqs", "create_queue", json!({"QueueName": "mailbox"}))["QueueUrl"].clone();
    let named = json!({"QueueUrl": queue, "AttributeNames": ["QueueArn"]});
    let arn = bundle.call("sqs", "get_queue_attributes", named)["Attributes"]["QueueArn"].clone();
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }]});
    let attributes = json!({"QueueUrl": queue, "Attributes": {"Policy": policy.to_string()}});
    bundle.call("sqs", "set_queue_attributes", attributes);
    bundle.call("sns", "subscribe", json!({"TopicArn": topic, "Protocol": "sqs", "Endpoint": arn}));
    queue
}

#[test]
fn a_missing_secret_or_bucket_fails_the_run_with_a_reason() {
    let server = Simulator::with_symbols(SYMBOLS);
    let Some(bundle) = bundle(&server, &[("AlarmEmail", "oncall@example.com")]) else {
        return;
    };
    let mailbox = mailbox(&bundle);
    let secrets = bundle.call("secretsmanager", "list_secrets", json!({}));
    for secret in secrets["SecretList"].as_array().unwrap() {
        let gone = json!({"SecretId": secret["ARN"], "ForceDeleteWithoutRecovery": true});
        bundle.call("secretsmanager", "delete_secret", gone);
    }
    let answer = bundle.invoke("fanout", &request(&server));
    assert_eq!(answer["status"], "failed", "{answer}");
    let reason = answer["reason"].as_str().unwrap();
    assert!(
        reason.contains("secret arn:") && reason.contains("does not exist in this account"),
        "{reason}"
    );
    let run: RunId = answer["run_id"].as_str().unwrap().parse().unwrap();
    let summary = bundle.summary(&run);
    assert_eq!((summary.status, summary.notes.len()), (Status::Failed, 1));
    assert_eq!(server.calls(), 0);
    // The person behind the alarms learns which run failed, why, and what to do.
    let message = bundle.wait_for("notice", || {
        let received = bundle.call("sqs", "receive_message", json!({"QueueUrl": mailbox}));
        received["Messages"][0]["Body"].as_str().map(str::to_owned)
    });
    let envelope: Value = serde_json::from_str(&message).unwrap();
    let notice = envelope["Message"].as_str().unwrap();
    assert_eq!(notice.lines().count(), 4, "{notice}");
    assert!(
        notice.contains(run.as_str()) && notice.contains("does not exist in this account"),
        "{notice}"
    );
    assert_eq!(logged(&bundle, "fanout", "cannot start the run"), 1);
    assert_eq!(
        logged(&bundle, "fanout", "\"RunsFailed\":1.0"),
        1,
        "the alarm's metric is emitted: {:#?}",
        bundle.log("fanout")
    );

    // Without the bucket there is no ledger, so only the response contains the reason.
    let bucket = bundle.output("BucketName");
    let versions = bundle.call("s3", "list_object_versions", json!({"Bucket": bucket}));
    for kind in ["Versions", "DeleteMarkers"] {
        for version in versions[kind].as_array().into_iter().flatten() {
            let version = json!({"Bucket": bucket, "Key": version["Key"], "VersionId": version["VersionId"]});
            bundle.call("s3", "delete_object", version);
        }
    }
    bundle.call("s3", "delete_bucket", json!({"Bucket": bucket}));
    let answer = bundle.invoke("fanout", &request(&server));
    let response = answer.to_string();
    assert!(
        response.contains("the bucket does not exist") && response.contains("Config"),
        "{response}"
    );
}

#[test]
fn a_snowflake_error_is_reported_once_and_the_sweeper_finishes_the_run() {
    let server = Simulator::with_symbols(SYMBOLS);
    let Some(bundle) = bundle(&server, &[]) else {
        return;
    };
    let set_secret = |text: &str| {
        let secrets = bundle.call("secretsmanager", "list_secrets", json!({}));
        let secrets = secrets["SecretList"].as_array().unwrap();
        let arn = &secrets.iter().find(|s| s["Name"].as_str().unwrap().contains("Snowflake")).unwrap()["ARN"];
        bundle.call("secretsmanager", "put_secret_value", json!({"SecretId": arn, "SecretString": text}));
    };
    set_secret("no key");
    let run = started_run(&bundle.invoke("fanout", &request(&server)));
    let key = format!("runs/{run}/trouble/load.json");
    let trouble: Value = serde_json::from_str(&bundle.wait_for(&key, || bundle.object(&key))).unwrap();
    assert!(trouble["reason"].as_str().unwrap().contains("PKCS#8"), "{trouble}");
    assert!(
        bundle.object(&format!("runs/{run}/summary.json")).is_none(),
        "the fetched data is kept for the sweeper"
    );
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(logged(&bundle, "load", "load failed"), 1, "no retry storm");
    let counted = bundle.log("load").iter().filter(|line| line.contains("RunsFailed\":1")).count();
    assert_eq!(counted, 1, "{:#?}", bundle.log("load"));
    // After the key is corrected, the next sweep resumes the run.
    set_secret(bundle.snowflake.key());
    bundle.invoke("fanout", &json!({"sweep": true, "patience": 0}));
    assert_eq!(bundle.summary(&run).status, Status::Complete);
    assert_same_tables(&run_locally(&server), &bundle);
}

#[test]
fn all_invalid_environment_variables_are_named() {
    let server = Simulator::with_symbols(SYMBOLS);
    let Some(bundle) = bundle(&server, &[]) else {
        return;
    };
    let break_environment = |function: &str| {
        let variables = json!({"Variables": {"FINDATA_FMP_PLAN": "gold"}});
        let wrong = json!({"FunctionName": format!("findata-{function}"), "Environment": variables});
        bundle.call("lambda", "update_function_configuration", wrong);
    };
    break_environment("extract");
    bundle.set_visibility_timeout(1);
    let run = started_run(&bundle.invoke("fanout", &request(&server)));

    break_environment("fanout");
    let response = bundle.invoke("fanout", &request(&server)).to_string();
    for name in [
        "FINDATA_QUEUE_URL",
        "FINDATA_BUS",
        "FINDATA_FMP_PLAN",
        "FINDATA_FMP_SECRET",
        "FINDATA_STAGE",
    ] {
        assert!(response.contains(name), "{name}: {response}");
    }
    // Lambda and SQS retry the schedule's event and the batch a few times. Both then stay in a
    // queue that an alarm watches.
    let alarms = bundle.call("cloudwatch", "describe_alarms", json!({}));
    let has_alarm = |metric: &str, name: &str| {
        let mut alarms = alarms["MetricAlarms"].as_array().unwrap().iter();
        alarms.any(|a| {
            a["MetricName"] == metric && a["Dimensions"][0]["Value"].as_str().unwrap().contains(name)
        })
    };
    assert!(has_alarm("NumberOfMessagesSent", "FailedEvents"), "{alarms:#}");
    assert!(has_alarm("Errors", "findata-extract"), "{alarms:#}");
    bundle.control("/_tick", &[("schedule", "findata-daily"), ("at", "2026-09-18T10:00:00Z")]);
    // The logs are JSON, so quotation marks are escaped.
    let tries = |function: &str| logged(&bundle, function, r#"FINDATA_FMP_PLAN: \"gold\""#);
    bundle.wait_for("failed events", || (bundle.queue_depth("FailedEventsUrl") >= 2).then_some(()));
    assert_eq!(tries("fanout"), 1 + 3, "the invocation and the tick");
    // SQS delivers the batch three times, and then up to five times as a dead letter. This SQS
    // emulator counts the first three deliveries towards the five.
    assert!((5..=8).contains(&tries("extract")), "{}", tries("extract"));
    assert!(
        bundle.object(&format!("runs/{run}/summary.json")).is_none(),
        "the sweeper continues the run once the environment is fixed"
    );
    assert_eq!(server.calls(), 1, "the list of symbol changes");
}
