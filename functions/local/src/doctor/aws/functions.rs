//! The functions and the account's limit of concurrent invocations.

use findata_aws::inspect::Function;
use findata_domain::Result;

use super::{Check, Deployment, Problems};

/// The functions with their timeouts in seconds, as in the template.
const FUNCTIONS: [(&str, u64); 5] =
    [("Fanout", 300), ("Extract", 300), ("Load", 900), ("Analytics", 900), ("Stream", 60)];
/// The architecture that `sam build` compiles for.
const ARCHITECTURE: &str = "arm64";
/// Variables that name other resources, with the output that has the same value.
const LINKS: [(&str, &str); 3] = [
    ("FINDATA_BUS", "BusName"),
    ("FINDATA_QUEUE_URL", "QueueUrl"),
    ("FINDATA_STAGE", "StageUrl"),
];

/// Reads the functions into the deployment, and checks them.
pub(super) async fn read(deployment: &mut Deployment<'_>) -> Result<Vec<Check>> {
    let mut problems = Problems::default();
    let mut names = Vec::new();
    let day = deployment.parameter("Today");
    if !day.is_empty() {
        problems.add(
            format!("the functions plan and compute for {day} instead of the current day"),
            "cd infra && sam deploy --save-params --parameter-overrides Today=\"\"",
        );
    }
    for (name, timeout) in FUNCTIONS {
        if !deployment.has(name) {
            continue;
        }
        let id = deployment.resource(name).to_owned();
        let Some(function) = deployment.aws.function(&id).await? else {
            problems.add(
                format!("the function {id} was deleted"),
                format!("remove {name} from infra/template.yaml, deploy, add it again, and deploy"),
            );
            continue;
        };
        check(deployment, &id, timeout, &function, &mut problems);
        if deployment.aws.reserved_concurrency(&id).await? == Some(0) {
            problems.add(
                format!("{id} cannot be invoked: its reserved concurrency is 0"),
                format!("aws lambda delete-function-concurrency --function-name {id}"),
            );
        }
        deployment.functions.insert(name, function);
        names.push(id);
    }
    Ok(problems.or_ok(
        "functions",
        format!("{} are active on {ARCHITECTURE} and configured alike", names.join(", ")),
    ))
}

fn check(deployment: &Deployment<'_>, id: &str, timeout: u64, function: &Function, problems: &mut Problems) {
    for (what, state) in [("is", &function.state), ("was not updated:", &function.last_update_status)] {
        if state == "Failed" {
            problems.add(
                format!("{id} {what} {state}"),
                format!(
                    "aws lambda get-function-configuration --function-name {id} --query '[StateReason, \
                     LastUpdateStatusReason]' names the reason; correct it and deploy again"
                ),
            );
        }
    }
    if function.architectures != [ARCHITECTURE] {
        problems.add(
            format!("{id} is executed on {}, but built for {ARCHITECTURE}", function.architectures.join(", ")),
            format!("leave `Architectures: [{ARCHITECTURE}]` in infra/template.yaml; cd infra && sam build && sam deploy"),
        );
    }
    if function.timeout != timeout {
        problems.add(
            format!("{id} may take {} seconds instead of {timeout}", function.timeout),
            format!("aws lambda update-function-configuration --function-name {id} --timeout {timeout}"),
        );
    }
    let mut variables = function.environment.variables.clone();
    let mut wrong = Vec::new();
    for (variable, output) in LINKS {
        let expected = deployment.output(output);
        if let Some(value) = variables.get_mut(variable)
            && !expected.is_empty()
            && value != expected
        {
            wrong.push(format!("{variable} is {value}, but the output {output} is {expected}"));
            expected.clone_into(value);
        }
    }
    if !wrong.is_empty() {
        let environment = serde_json::json!({"Variables": variables});
        problems.add(
            format!("{id}: {}", wrong.join("; ")),
            format!(
                "aws lambda update-function-configuration --function-name {id} --environment '{environment}'"
            ),
        );
    }
}

/// Checks that the functions of one run can be invoked at the same time.
pub(super) async fn concurrency(deployment: &Deployment<'_>) -> Result<Vec<Check>> {
    let (limit, unreserved) = deployment.aws.concurrency().await?;
    let number = |name: &str| deployment.parameter(name).parse::<u64>().unwrap_or_default();
    // Workers and dead letters of extract, fanout, load, analytics.
    let reserved = if deployment.parameter("ReserveConcurrency") == "true" {
        2
    } else {
        0
    };
    let shards = if deployment.has("Stream") { number("PriceShards") } else { 0 };
    let needed = number("Workers") + 2 + 3 + shards - reserved;
    let mut problems = Problems::default();
    if unreserved < needed {
        problems.add(
            format!("a run may need {needed} invocations at once; the account allows {unreserved} of {limit} in this region"),
            format!(
                "deploy with fewer Workers, or ask for a higher limit: aws service-quotas request-service-quota-increase \
                 --service-code lambda --quota-code L-B99A9384 --region {} --desired-value 1000",
                deployment.aws.region()
            ),
        );
    }
    Ok(problems.or_ok(
        "concurrency",
        format!("a run may need {needed} invocations at once; the account allows {unreserved} of {limit}"),
    ))
}
