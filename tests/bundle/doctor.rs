//! `findata doctor --aws`: finds each fault of a stack, and its fixes repair it.

use std::process::Command;

use findata_tests::{Bundle, Output, Simulator, findata, prepared_python};
use serde_json::{Value, json};

/// Parameters of a stack that is ready for the daily run.
const READY: [(&str, &str); 3] = [
    ("SnowflakeIamUserArn", "arn:aws:iam::123456789012:user/snowflake"),
    ("SnowflakeExternalId", "XY12345_SFCRole=1_abc="),
    ("AlarmTopicArn", "arn:aws:sns:us-east-1:000000000000:alarms"),
];

fn doctor(bundle: &Bundle, stack: &str) -> Output {
    doctor_with_key(bundle, stack, "test", "test")
}

fn doctor_with_key(bundle: &Bundle, stack: &str, id: &str, secret: &str) -> Output {
    findata(&["doctor", "--aws", stack, "--json"])
        .variable("AWS_ENDPOINT_URL", bundle.url())
        .variable("AWS_REGION", "us-east-1")
        .variable("AWS_ACCESS_KEY_ID", id)
        .variable("AWS_SECRET_ACCESS_KEY", secret)
        .no_key()
        .run()
}

/// The failed checks of the stack: what was found, and the fix.
fn failures(bundle: &Bundle) -> Vec<(String, String)> {
    let output = doctor(bundle, "findata");
    for secret in ["the-key-of-fmp", "PRIVATE KEY", "not-a-key"] {
        assert!(!output.stdout.contains(secret) && !output.stderr.contains(secret), "{output:#?}");
    }
    let checks = output.json();
    let text = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    let failed = checks["checks"].as_array().unwrap().iter().filter(|check| !check["fix"].is_null());
    let failed: Vec<_> = failed
        .map(|check| (format!("{}: {}", text(check, "what"), text(check, "found")), text(check, "fix")))
        .collect();
    assert_eq!(output.code, Some(if failed.is_empty() { 0 } else { 5 }), "{output:#?}");
    failed
}

/// Whether each text is in one failed check, and each failed check has one of the texts.
fn assert_failures(bundle: &Bundle, texts: &[&str]) -> Vec<String> {
    let failures = failures(bundle);
    for text in texts {
        assert_eq!(
            failures.iter().filter(|(found, _)| found.contains(text)).count(),
            1,
            "{text}: {failures:#?}"
        );
    }
    assert_eq!(failures.len(), texts.len(), "{failures:#?}");
    failures.into_iter().map(|(_, fix)| fix).collect()
}

/// Updates the stack with other parameters. `change` changes the template.
fn update(bundle: &Bundle, parameters: &[(&str, &str)], change: impl FnOnce(&mut Value)) {
    let key = json!({"Bucket": "artifacts", "Key": "findata/template.json"});
    let template = bundle.call("s3", "get_object", key.clone());
    let mut template: Value = serde_json::from_str(template["Body"].as_str().unwrap()).unwrap();
    change(&mut template);
    let mut put = json!({"Bucket": "artifacts", "Key": "changed.json"});
    put["Body"] = json!(template.to_string());
    bundle.call("s3", "put_object", put);
    let kept = bundle.call("cloudformation", "describe_stacks", json!({"StackName": "findata"}));
    let all = kept["Stacks"][0]["Parameters"].as_array().unwrap().iter().map(|parameter| {
        let name = parameter["ParameterKey"].as_str().unwrap();
        let changed = parameters.iter().find(|(changed, _)| *changed == name);
        let value = changed.map_or(parameter["ParameterValue"].clone(), |(_, value)| json!(value));
        json!({"ParameterKey": name, "ParameterValue": value})
    });
    let request = json!({
        "StackName": "findata", "Capabilities": ["CAPABILITY_IAM"], "Parameters": all.collect::<Vec<_>>(),
        "TemplateURL": format!("{}/artifacts/changed.json", bundle.url()),
    });
    bundle.call("cloudformation", "update_stack", request);
    bundle.wait_for("the update", || {
        let stack = bundle.call("cloudformation", "describe_stacks", json!({"StackName": "findata"}));
        (stack["Stacks"][0]["StackStatus"] == "UPDATE_COMPLETE").then_some(())
    });
}

/// Executes a fix with the `aws` command.
fn execute(bundle: &Bundle, fix: &str) {
    let python = prepared_python("FINDATA_TEST_AWS_PYTHON", "tests/aws/requirements.txt").unwrap();
    let folder = python.parent().unwrap();
    let done = Command::new("bash")
        .args(["-euo", "pipefail", "-c"])
        .arg(format!("aws() {{ command aws --endpoint-url {} \"$@\"; }}\n{fix}", bundle.url()))
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display()))
        .envs([
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("FMP_API_KEY", "the-key-of-fmp"),
        ])
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .output()
        .unwrap();
    assert!(done.status.success(), "{fix}\n{}", String::from_utf8_lossy(&done.stderr));
}

fn mapping(bundle: &Bundle, queue: &str) -> Value {
    let all = bundle.call("lambda", "list_event_source_mappings", json!({"FunctionName": "findata-extract"}));
    let all = all["EventSourceMappings"].as_array().unwrap();
    let is_of_queue = |mapping: &&Value| mapping["EventSourceArn"].as_str().unwrap().contains(queue);
    all.iter().find(is_of_queue).unwrap()["UUID"].clone()
}

fn physical_id(bundle: &Bundle, resource: &str) -> String {
    let request = json!({"StackName": "findata", "LogicalResourceId": resource});
    let found = bundle.call("cloudformation", "describe_stack_resource", request);
    found["StackResourceDetail"]["PhysicalResourceId"].as_str().unwrap().to_owned()
}

fn turn_off(bundle: &Bundle, schedule: &str) {
    let mut settings = bundle.call("scheduler", "get_schedule", json!({"Name": schedule}));
    let settings = settings.as_object_mut().unwrap();
    let kept = ["Name", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target"];
    settings.retain(|name, value| kept.contains(&name.as_str()) && !value.is_null());
    settings.insert("State".into(), json!("DISABLED"));
    settings.insert("ScheduleExpressionTimezone".into(), json!("UTC"));
    bundle.call("scheduler", "update_schedule", json!(settings));
}

#[test]
fn doctor_finds_each_fault_of_a_stack_and_its_fixes_repair_it() {
    let server = Simulator::with_symbols(1);
    let Some(bundle) = Bundle::start(&server, &[]) else {
        return;
    };
    let absent = doctor(&bundle, "elsewhere");
    assert!(
        absent.code == Some(5) && absent.stdout.contains("the stack elsewhere does not exist in us-east-1"),
        "{absent:#?}"
    );

    let bucket =
        json!({"Resources": {"Other": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "other"}}}});
    bundle.call(
        "cloudformation",
        "create_stack",
        json!({"StackName": "other", "TemplateBody": bucket.to_string()}),
    );
    let other = bundle.wait_for("another stack", || {
        let output = doctor(&bundle, "other");
        (!output.stdout.contains("IN_PROGRESS")).then_some(output)
    });
    assert!(
        other.code == Some(5) && other.stdout.contains("or of another project: it has no Analytics,"),
        "{other:#?}"
    );

    // The state after the first deploy, with the settings of the tests.
    bundle.set_visibility_timeout(1_800);
    let new = [
        "compute for 2026-09-18 instead of the current day",
        "nobody can assume",
        "findata-daily is off until",
        "the alarms have no recipient",
    ];
    assert_failures(&bundle, &new);
    update(&bundle, &[&READY[..], &[("Today", "")]].concat(), |_| {});
    assert_failures(&bundle, &[]);

    // Outputs and parameters.
    update(&bundle, &[("Universe", "mine"), ("ScheduleState", "DISABLED")], |template| {
        template["Outputs"].as_object_mut().unwrap().remove("QueueUrl");
        template["Outputs"]["BusName"]["Value"] = json!("default");
    });
    let wrong_bus = [
        "findata-fanout: FINDATA_BUS is",
        "findata-load: FINDATA_BUS is",
        "findata-analytics: FINDATA_BUS is",
    ];
    let outputs = [
        "the output QueueUrl is missing",
        "the output BusName is default, but Bus is",
        "the list mine, which is not on the stage",
    ];
    assert_failures(&bundle, &[&wrong_bus[..], &outputs].concat());
    update(&bundle, &[("Universe", "sp500"), ("ScheduleState", "ENABLED")], |_| {});
    assert_failures(&bundle, &[]);

    check_policy(&bundle);
    repair_resources(&bundle);
    repair_wiring(&bundle);
}

/// The policy in the README is sufficient, and without it the missing actions are named.
fn check_policy(bundle: &Bundle) {
    let name = "inspector";
    bundle.call("iam", "create_user", json!({"UserName": name}));
    let key = bundle.call("iam", "create_access_key", json!({"UserName": name}))["AccessKey"].clone();
    let run = || {
        let (id, secret) = (key["AccessKeyId"].as_str().unwrap(), key["SecretAccessKey"].as_str().unwrap());
        doctor_with_key(bundle, "findata", id, secret)
    };
    let denied = run();
    assert!(
        denied.code == Some(5) && denied.stdout.contains("cloudformation:DescribeStacks"),
        "{denied:#?}"
    );
    let readme = include_str!("../../infra/README.md");
    let mut policies = readme.split("```json\n").filter_map(|part| part.split("```").next());
    let policy = policies.find(|policy| policy.contains("cloudformation:DescribeStacks")).unwrap();
    // For reading the concurrency, the emulated AWS wants the permission to change it.
    let policy = policy.replace("lambda:GetFunctionConcurrency", "lambda:PutFunctionConcurrency");
    let put = json!({"UserName": name, "PolicyName": "inspect", "PolicyDocument": policy});
    bundle.call("iam", "put_user_policy", put);
    let allowed = run();
    assert_eq!(allowed.code, Some(0), "{allowed:#?}");
}

/// Faults of functions, queues, secrets and the role.
fn repair_resources(bundle: &Bundle) {
    let brief = json!({"FunctionName": "findata-load", "Timeout": 3});
    bundle.call("lambda", "update_function_configuration", brief);
    let stopped = json!({"FunctionName": "findata-analytics", "ReservedConcurrentExecutions": 0});
    bundle.call("lambda", "put_function_concurrency", stopped);
    bundle.set_visibility_timeout(20);
    let kept = json!({"QueueUrl": bundle.output("QueueUrl"), "Attributes": {"RedrivePolicy": ""}});
    bundle.call("sqs", "set_queue_attributes", kept);
    let secrets = bundle.call("secretsmanager", "list_secrets", json!({}));
    let secret = |name: &str| {
        let mut all = secrets["SecretList"].as_array().unwrap().iter();
        all.find(|secret| secret["Name"].as_str().unwrap().contains(name)).unwrap()["ARN"].clone()
    };
    let quoted = json!({"SecretId": secret("Fmp"), "SecretString": "{\"key\": \"not-a-key\"}"});
    bundle.call("secretsmanager", "put_secret_value", quoted);
    bundle.call("secretsmanager", "delete_secret", json!({"SecretId": secret("Snowflake")}));
    let nobody = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": "arn:aws:iam::123456789012:user/snowflake"}}]});
    let role = physical_id(bundle, "SnowflakeRole");
    let trust = json!({"RoleName": role, "PolicyDocument": nobody.to_string()});
    bundle.call("iam", "update_assume_role_policy", trust);
    repair(
        bundle,
        &[
            "findata-load may take 3 seconds instead of 900",
            "findata-analytics cannot be invoked",
            "Tasks hides messages for 20 seconds",
            "DeadLetters hides messages for 20 seconds",
            "Tasks does not move messages to DeadLetters",
            "it must contain the key as plain text",
            "is being deleted",
            "does not trust arn:aws:iam::123456789012:user/snowflake",
        ],
    );
    let code = |architecture: &str| {
        let code = json!({"FunctionName": "findata-fanout", "S3Bucket": "artifacts", "S3Key": "findata/Fanout.zip",
            "Architectures": [architecture]});
        bundle.call("lambda", "update_function_code", code);
    };
    code("x86_64");
    assert_failures(bundle, &["findata-fanout is executed on x86_64, but built for arm64"]);
    code("arm64");
    let gone = json!({"SecretId": secret("Fmp"), "ForceDeleteWithoutRecovery": true});
    bundle.call("secretsmanager", "delete_secret", gone);
    let fixes = assert_failures(bundle, &["does not exist"]);
    assert!(fixes[0].starts_with("aws secretsmanager create-secret --name findata/fmp"), "{fixes:#?}");
    bundle.call(
        "secretsmanager",
        "create_secret",
        json!({"Name": "findata/fmp", "SecretString": "the-key-of-fmp"}),
    );
    let created = bundle.call("secretsmanager", "describe_secret", json!({"SecretId": "findata/fmp"}));
    update(bundle, &[("FmpSecretArn", created["ARN"].as_str().unwrap())], |_| {});
    assert_failures(bundle, &[]);
}

/// Faults of what invokes functions, and states that a person ends.
fn repair_wiring(bundle: &Bundle) {
    bundle.call(
        "lambda",
        "update_event_source_mapping",
        json!({"UUID": mapping(bundle, "Tasks"), "Enabled": false}),
    );
    let whole = json!({"UUID": mapping(bundle, "DeadLetters"), "FunctionResponseTypes": []});
    bundle.call("lambda", "update_event_source_mapping", whole);
    let silent = json!({"Bucket": bundle.output("BucketName"), "NotificationConfiguration": {}});
    bundle.call("s3", "put_bucket_notification_configuration", silent);
    bundle.call("events", "disable_rule", json!({"Name": physical_id(bundle, "LoadStaged")}));
    let rule = physical_id(bundle, "FanoutRequested");
    let rule = rule.rsplit('|').next().unwrap();
    let at = json!({"Rule": rule, "EventBusName": bundle.output("BusName")});
    let targets = bundle.call("events", "list_targets_by_rule", at.clone());
    let mut removed = at;
    removed["Ids"] = json!([targets["Targets"][0]["Id"]]);
    bundle.call("events", "remove_targets", removed);
    let policy = bundle.call("lambda", "get_policy", json!({"FunctionName": "findata-analytics"}));
    let policy: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    let permission =
        json!({"FunctionName": "findata-analytics", "StatementId": policy["Statement"][0]["Sid"]});
    bundle.call("lambda", "remove_permission", permission);
    turn_off(bundle, "findata-daily");
    turn_off(bundle, "findata-sweep");
    repair(
        bundle,
        &[
            "the event source Tasks of findata-extract is Disabled",
            "one failed record of DeadLetters fails the whole batch",
            "sends no events to EventBridge",
            "which invokes findata-load, is DISABLED",
            "does not invoke findata-fanout",
            "may not invoke findata-analytics",
            "findata-daily is DISABLED",
            "findata-daily has UTC, but the stack's ScheduleTimeZone is America/New_York",
            "the schedule findata-sweep is DISABLED",
        ],
    );

    let waiting = json!({"QueueUrl": bundle.output("FailedEventsUrl"), "MessageBody": "{}"});
    bundle.call("sqs", "send_message", waiting);
    let alarm = physical_id(bundle, "RunFailed");
    let raised = json!({"AlarmName": alarm, "StateValue": "ALARM", "StateReason": "test"});
    bundle.call("cloudwatch", "set_alarm_state", raised);
    assert_failures(bundle, &["messages wait in FailedEvents: 1", "is raised: A run failed"]);
}

/// Executes the fixes of these failures until no check fails.
fn repair(bundle: &Bundle, failures: &[&str]) {
    for fix in assert_failures(bundle, failures) {
        execute(bundle, &fix.replace("file://key.pem", "file:///dev/null"));
    }
    assert_failures(bundle, &[]);
}
