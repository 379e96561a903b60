//! What invokes the functions: the bucket's events, the rules, and what Lambda reads for extract and stream.

use findata_aws::inspect::{Mapping, Rule};
use findata_domain::Result;
use serde_json::{Value, json};

use super::{Check, Deployment, Problems};

/// The report of single failed records, which extract and stream return.
const RESPONSE_TYPE: &str = "ReportBatchItemFailures";

pub(super) async fn checks(deployment: &Deployment<'_>) -> Result<Vec<Check>> {
    let bucket = deployment.resource("Bucket");
    let mut problems = Problems::default();
    if !deployment.aws.sends_events(bucket).await? {
        problems.add(
            format!("{bucket} sends no events to EventBridge, so load and analytics are not invoked"),
            format!(
                "aws s3api put-bucket-notification-configuration --bucket {bucket} --notification-configuration \
                 '{{\"EventBridgeConfiguration\": {{}}}}'"
            ),
        );
    }
    let mut checks = problems.or_ok("bucket events", format!("{bucket} sends its events to EventBridge"));
    checks.extend(rules(deployment).await?);
    checks.extend(mappings(deployment).await?);
    Ok(checks)
}

async fn rules(deployment: &Deployment<'_>) -> Result<Vec<Check>> {
    let bus = deployment.resource("Bus");
    let created = |file: &str| {
        let key = format!("{}/runs/*/{file}", deployment.parameter("StagePrefix"));
        json!({"source": ["aws.s3"], "detail-type": ["Object Created"], "detail":
            {"bucket": {"name": [deployment.resource("Bucket")]}, "object": {"key": [{"wildcard": key}]}}})
    };
    let requested = json!({"source": ["findata"], "detail-type": ["RunRequested"]});
    let mut problems = Problems::default();
    for (resource, bus, function, pattern) in [
        ("FanoutRequested", bus, "Fanout", requested),
        ("LoadStaged", "default", "Load", created("staged.json")),
        ("AnalyticsLoaded", "default", "Analytics", created("loaded.json")),
    ] {
        // The id of a rule on another bus than the default one is BUS|RULE.
        let name = deployment.resource(resource).rsplit('|').next().unwrap_or_default();
        let rule = deployment.aws.rule(name, bus).await?;
        if let Some((found, fix)) = rule_problem(deployment, name, bus, function, &pattern, rule).await? {
            problems.add(found, fix);
        }
    }
    Ok(problems
        .or_ok("rules", "requests invoke fanout, staged.json invokes load, loaded.json invokes analytics"))
}

/// The first problem of a rule, with its fix.
async fn rule_problem(
    deployment: &Deployment<'_>,
    name: &str,
    bus: &str,
    function: &str,
    pattern: &Value,
    rule: Option<Rule>,
) -> Result<Option<(String, String)>> {
    let id = deployment.resource(function);
    let put = format!("aws events put-rule --name {name} --event-bus-name {bus} --event-pattern '{pattern}'");
    let Some(rule) = rule else {
        return Ok(Some((format!("the rule {name}, which invokes {id}, was deleted"), put)));
    };
    if rule.state != "ENABLED" {
        return Ok(Some((
            format!("the rule {name}, which invokes {id}, is {}", rule.state),
            format!("aws events enable-rule --name {name} --event-bus-name {bus}"),
        )));
    }
    if rule.pattern != *pattern {
        return Ok(Some((format!("the rule {name} matches {} instead of {pattern}", rule.pattern), put)));
    }
    let arn = deployment.function(function).map_or("", |function| function.function_arn.as_str());
    let failed_events = queue_arn(deployment, "FailedEvents").await?;
    let has_target = rule.targets.iter().any(|target| {
        let dead_letters = target.dead_letter_config.as_ref().map(|queue| queue.arn.as_str());
        target.arn == arn && dead_letters == Some(failed_events.as_str())
    });
    if !has_target {
        return Ok(Some((
            format!("the rule {name} does not invoke {id}, or loses events that cannot be delivered"),
            format!(
                "aws events put-targets --rule {name} --event-bus-name {bus} --targets \
                 '[{{\"Id\": \"{function}\", \"Arn\": \"{arn}\", \"DeadLetterConfig\": {{\"Arn\": \"{failed_events}\"}}}}]'"
            ),
        )));
    }
    if !may_invoke(&deployment.aws.invokers(id).await?.unwrap_or_default(), &rule.arn) {
        return Ok(Some((
            format!("the rule {name} may not invoke {id}"),
            format!(
                "aws lambda add-permission --function-name {id} --statement-id {name} --action lambda:InvokeFunction \
                 --principal events.amazonaws.com --source-arn {}",
                rule.arn
            ),
        )));
    }
    Ok(None)
}

/// Whether a function's policy lets a rule invoke it.
fn may_invoke(policy: &Value, rule: &str) -> bool {
    let statements = policy["Statement"].as_array();
    statements.into_iter().flatten().any(|statement| {
        let conditions = statement["Condition"].as_object();
        let sources = conditions.into_iter().flat_map(|conditions| conditions.values());
        let mut sources =
            sources.flat_map(|condition| [&condition["AWS:SourceArn"], &condition["aws:SourceArn"]]);
        statement["Effect"] == "Allow"
            && statement["Principal"]["Service"] == "events.amazonaws.com"
            && sources.any(|source| source == rule)
    })
}

pub(super) async fn queue_arn(deployment: &Deployment<'_>, resource: &str) -> Result<String> {
    let attributes = deployment.aws.queue(deployment.resource(resource)).await?.unwrap_or_default();
    Ok(attributes.get("QueueArn").cloned().unwrap_or_default())
}

/// Checks what Lambda reads for extract and stream.
async fn mappings(deployment: &Deployment<'_>) -> Result<Vec<Check>> {
    let mut problems = Problems::default();
    let mut expected = Vec::new();
    for queue in ["Tasks", "DeadLetters"] {
        expected.push(("Extract", queue, queue_arn(deployment, queue).await?, 1));
    }
    if deployment.has("Stream") {
        let prices = format!("stream/{}", deployment.resource("Prices"));
        expected.push(("Stream", "Prices", prices, 1_000));
    }
    for (function, source, arn, batch_size) in expected {
        let id = deployment.resource(function);
        let mappings = deployment.aws.mappings(id).await?;
        match mappings.iter().find(|m| !arn.is_empty() && m.event_source_arn.ends_with(&arn)) {
            Some(mapping) => check_mapping(mapping, id, source, batch_size, &mut problems),
            None if function == "Extract" => problems.add(
                format!("Lambda does not read {source} for {id}"),
                format!(
                    "aws lambda create-event-source-mapping --function-name {id} --event-source-arn {arn} --batch-size 1 \
                     --function-response-types {RESPONSE_TYPE} --scaling-config MaximumConcurrency={}",
                    if source == "Tasks" { deployment.parameter("Workers") } else { "2" }
                ),
            ),
            None => problems.add(
                format!("Lambda does not read {source} for {id}"),
                "deploy with PriceStream=DISABLED, and then with PriceStream=ENABLED; records in the stream are lost",
            ),
        }
    }
    Ok(problems.or_ok("event sources", "Lambda reads the tasks and the dead letters for extract"))
}

fn check_mapping(mapping: &Mapping, id: &str, source: &str, batch_size: u64, problems: &mut Problems) {
    let Mapping { uuid, state, .. } = mapping;
    let update = format!("aws lambda update-event-source-mapping --uuid {uuid}");
    if matches!(state.as_str(), "Disabled" | "Disabling") {
        problems.add(format!("the event source {source} of {id} is {state}"), format!("{update} --enabled"));
    }
    if mapping.function_response_types != [RESPONSE_TYPE] {
        problems.add(
            format!("one failed record of {source} fails the whole batch of {id}"),
            format!("{update} --function-response-types {RESPONSE_TYPE}"),
        );
    }
    if mapping.batch_size != batch_size {
        problems.add(
            format!("{id} gets {} records of {source} at once instead of {batch_size}", mapping.batch_size),
            format!("{update} --batch-size {batch_size}"),
        );
    }
    let filters = mapping.filter_criteria.as_ref().and_then(|criteria| criteria["Filters"].as_array());
    if filters.is_some_and(|filters| !filters.is_empty()) {
        problems.add(
            format!("a filter on {source} drops records before {id} reads them"),
            format!("{update} --filter-criteria '{{}}'"),
        );
    }
}
