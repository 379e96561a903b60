//! The state of the stack, and its outputs.

use super::{Check, DEPLOY, Deployment, Problems};

/// Outputs and the resources that they name.
const OUTPUTS: [(&str, &str); 15] = [
    ("AnalyticsArn", "Analytics"),
    ("AnalyticsName", "Analytics"),
    ("BucketName", "Bucket"),
    ("BusName", "Bus"),
    ("DeadLettersUrl", "DeadLetters"),
    ("ExtractArn", "Extract"),
    ("ExtractName", "Extract"),
    ("FailedEventsUrl", "FailedEvents"),
    ("FanoutArn", "Fanout"),
    ("FanoutName", "Fanout"),
    ("LoadArn", "Load"),
    ("LoadName", "Load"),
    ("PriceStreamName", "Prices"),
    ("QueueUrl", "Tasks"),
    ("SnowflakeRoleArn", "SnowflakeRole"),
];
/// The resources that the checks read.
const REQUIRED: [&str; 15] = [
    "Analytics",
    "AnalyticsLoaded",
    "Bucket",
    "Bus",
    "DeadLetters",
    "Extract",
    "FailedEvents",
    "Fanout",
    "FanoutDaily",
    "FanoutRequested",
    "FanoutSweep",
    "Load",
    "LoadStaged",
    "SnowflakeRole",
    "Tasks",
];

pub(super) fn absent(name: &str, region: &str) -> Check {
    Check::failed(
        "stack",
        format!("the stack {name} does not exist in {region}"),
        format!(
            "choose another name or region; `aws cloudformation list-stacks --region {region} --query \
             'StackSummaries[].[StackName, StackStatus]'` lists the stacks"
        ),
    )
}

/// Reports a stack of another template; `None` if it has the resources that the checks read.
pub(super) fn other_template(deployment: &Deployment<'_>) -> Option<Check> {
    let missing: Vec<_> = REQUIRED.into_iter().filter(|name| !deployment.has(name)).collect();
    let found = format!(
        "{} is of another version of the template, or of another project: it has no {}",
        deployment.name,
        missing.join(", ")
    );
    (!missing.is_empty()).then(|| Check::failed("resources", found, DEPLOY))
}

pub(super) fn checks(deployment: &Deployment<'_>) -> Vec<Check> {
    let mut checks =
        state(deployment).or_ok("stack", format!("{}: {}", deployment.name, deployment.stack.status));
    let found = format!("all {} outputs name resources of the stack", deployment.stack.outputs.len());
    checks.extend(outputs(deployment).or_ok("outputs", found));
    checks
}

fn state(deployment: &Deployment<'_>) -> Problems {
    let (name, status) = (deployment.name, &deployment.stack.status);
    let mut problems = Problems::default();
    if status.ends_with("_IN_PROGRESS") {
        problems.add(format!("a deploy of {name} is in progress: {status}"), "check again when it has ended");
    } else if !matches!(status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE") {
        problems.add(
            format!("the last deploy of {name} failed: {status}"),
            format!(
                "aws cloudformation describe-stack-events --stack-name {name} --query \
                 \"StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatusReason]\" names the \
                 reason; correct it and deploy again"
            ),
        );
    }
    problems
}

fn outputs(deployment: &Deployment<'_>) -> Problems {
    let mut problems = Problems::default();
    for (output, resource) in OUTPUTS {
        let (value, id) = (deployment.output(output), deployment.resource(resource));
        let is_name = |separator: char| value.rsplit_once(separator).is_some_and(|(_, name)| name == id);
        match (value.is_empty(), deployment.has(resource)) {
            // Only with a parameter.
            (_, false) => {}
            (true, true) => problems.add(format!("the output {output} is missing"), DEPLOY),
            (false, true) if value == id || is_name(':') || is_name('/') => {}
            (false, true) => {
                problems.add(format!("the output {output} is {value}, but {resource} is {id}"), DEPLOY);
            }
        }
    }
    let stage = format!("s3://{}/{}", deployment.resource("Bucket"), deployment.parameter("StagePrefix"));
    match deployment.output("StageUrl") {
        "" => problems.add("the output StageUrl is missing", DEPLOY),
        url if url == stage => {}
        url => problems.add(format!("the output StageUrl is {url}, but the stage is {stage}"), DEPLOY),
    }
    problems
}
