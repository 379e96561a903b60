//! The settings of the queues, and messages that wait for a person.

use std::collections::BTreeMap;

use findata_domain::Result;
use serde_json::{Value, json};

use super::{Check, Deployment, Problems, events::queue_arn};

/// How many times a queue hides a message longer than its function may take, as AWS recommends: Lambda may hold a
/// received message that long before it invokes the function.
const HIDDEN_TIMES: u64 = 6;
/// The shortest retention of messages in seconds: four days for tasks, and two weeks for messages that a person reads.
const RETENTION: [(&str, u64); 3] =
    [("Tasks", 345_600), ("DeadLetters", 1_209_600), ("FailedEvents", 1_209_600)];
/// Where a queue moves messages, and after how many deliveries.
const REDRIVE: [(&str, &str, u64); 2] = [("Tasks", "DeadLetters", 3), ("DeadLetters", "FailedEvents", 5)];

pub(super) async fn checks(deployment: &Deployment<'_>) -> Result<Vec<Check>> {
    let mut problems = Problems::default();
    let mut waiting = 0;
    for (queue, retention) in RETENTION {
        let url = deployment.resource(queue);
        let Some(attributes) = deployment.aws.queue(url).await? else {
            problems.add(
                format!("the queue {queue} was deleted"),
                format!("remove {queue} from infra/template.yaml, deploy, add it again, and deploy"),
            );
            continue;
        };
        let set = format!("aws sqs set-queue-attributes --queue-url {url} --attributes");
        let number = |name: &str| number(&attributes, name);
        let timeout = deployment.function("Extract").map_or(0, |function| function.timeout);
        let hidden = timeout * HIDDEN_TIMES;
        if queue != "FailedEvents" && number("VisibilityTimeout") < hidden {
            problems.add(
                format!(
                    "{queue} hides messages for {} seconds: less than {hidden}, which is {HIDDEN_TIMES} times the timeout of \
                     extract, so batches are fetched twice",
                    number("VisibilityTimeout")
                ),
                format!("{set} VisibilityTimeout={hidden}"),
            );
        }
        if number("MessageRetentionPeriod") < retention {
            problems.add(
                format!("{queue} deletes messages after {} seconds", number("MessageRetentionPeriod")),
                format!("{set} MessageRetentionPeriod={retention}"),
            );
        }
        if let Some((_, target, times)) = REDRIVE.iter().find(|(source, ..)| *source == queue) {
            let target_arn = queue_arn(deployment, target).await?;
            let policy: Value = attributes
                .get("RedrivePolicy")
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default();
            let count = policy["maxReceiveCount"].as_u64();
            let count = count.or_else(|| policy["maxReceiveCount"].as_str()?.parse().ok());
            if policy["deadLetterTargetArn"] != target_arn.as_str() || count != Some(*times) {
                let policy = json!({"deadLetterTargetArn": target_arn, "maxReceiveCount": times.to_string()});
                let policy = json!({"RedrivePolicy": policy.to_string()});
                problems.add(
                    format!("{queue} does not move messages to {target} after {times} deliveries"),
                    format!("{set} '{policy}'"),
                );
            }
        }
        if queue == "FailedEvents" {
            waiting = number("ApproximateNumberOfMessages");
        }
    }
    let mut checks =
        problems.or_ok("queues", "timeouts, retention and dead letters are as the functions need them");
    let mut problems = Problems::default();
    if waiting > 0 {
        problems.add(
            format!("messages wait in FailedEvents: {waiting}"),
            "read, repeat and delete them: infra/README.md, \"EventsFailed\"",
        );
    }
    checks.extend(problems.or_ok("failed events", "no message waits in FailedEvents"));
    Ok(checks)
}

fn number(attributes: &BTreeMap<String, String>, name: &str) -> u64 {
    attributes.get(name).and_then(|text| text.parse().ok()).unwrap_or_default()
}
