//! The schedules: whether they are on, when they fire, and for which universe.

use findata_aws::{
    inspect::Schedule,
    s3_stage::{Location, S3Stage},
};
use findata_domain::Result;
use findata_pipeline::{named_universe, run::Universe};
use serde_json::Value;

use super::{Check, DEPLOY, Deployment, Problems};

pub(super) async fn checks(deployment: &Deployment<'_>) -> Result<Vec<Check>> {
    let mut checks = daily(deployment).await?;
    let mut others = vec![("sweeps", "FanoutSweep", "Fanout")];
    if deployment.has("PriceLoads") {
        others.push(("loads of prices", "PriceLoads", "Load"));
    }
    for (what, resource, function) in others {
        let name = deployment.resource(resource);
        let mut problems = Problems::default();
        let mut found = String::new();
        match deployment.aws.schedule(name).await? {
            None => problems.add(format!("the schedule {name} was deleted"), restore(resource)),
            Some(schedule) => {
                found = format!("{name} is {}: {}", schedule.state, schedule.schedule_expression);
                check_target(deployment, name, function, &schedule, &mut problems);
                if schedule.state != "ENABLED" && (resource != "PriceLoads" || trusts_snowflake(deployment)) {
                    problems.add(format!("the schedule {name} is {}", schedule.state), enable(name));
                }
            }
        }
        checks.extend(problems.or_ok(what, found));
    }
    Ok(checks)
}

async fn daily(deployment: &Deployment<'_>) -> Result<Vec<Check>> {
    let name = deployment.resource("FanoutDaily");
    let mut problems = Problems::default();
    let Some(schedule) = deployment.aws.schedule(name).await? else {
        problems.add(format!("the schedule {name} was deleted"), restore("FanoutDaily"));
        return Ok(problems.or_ok("daily run", ""));
    };
    check_target(deployment, name, "Fanout", &schedule, &mut problems);
    let zone = schedule.schedule_expression_timezone.as_deref().unwrap_or("UTC");
    let expression = &schedule.schedule_expression;
    for (parameter, option, value) in [
        ("ScheduleExpression", "--schedule-expression", expression.as_str()),
        ("ScheduleTimeZone", "--schedule-expression-timezone", zone),
    ] {
        let expected = deployment.parameter(parameter);
        if value != expected {
            problems.add(
                format!("{name} has {value}, but the stack's {parameter} is {expected}"),
                change(name, &format!("{option} '{expected}'")),
            );
        }
    }
    let input: Value = schedule
        .target
        .input
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let universe = input["universe"].as_str().unwrap_or_default();
    if let Some((found, fix)) = universe_problem(deployment, universe).await? {
        problems.add(found, fix);
    }
    let is_off = schedule.state != "ENABLED";
    if is_off && !trusts_snowflake(deployment) {
        problems.add(format!("{name} is off until Snowflake's trust is set"), super::trust::FIX);
    } else if is_off && deployment.parameter("ScheduleState") == "ENABLED" {
        problems.add(
            format!("{name} is {}, but the stack's ScheduleState is ENABLED", schedule.state),
            enable(name),
        );
    }
    let state = if is_off {
        "off, as ScheduleState says; it would start"
    } else {
        "on:"
    };
    Ok(problems.or_ok("daily run", format!("{name} is {state} {expression} in {zone}, for {universe}")))
}

fn trusts_snowflake(deployment: &Deployment<'_>) -> bool {
    !deployment.parameter("SnowflakeIamUserArn").is_empty()
        && !deployment.parameter("SnowflakeExternalId").is_empty()
}

async fn universe_problem(deployment: &Deployment<'_>, universe: &str) -> Result<Option<(String, String)>> {
    let expected = deployment.parameter("Universe");
    if universe != expected {
        return Ok(Some((
            format!("the daily run is for {universe:?}, but the stack's Universe is {expected}"),
            format!("cd infra && sam deploy --save-params --parameter-overrides Universe={expected}"),
        )));
    }
    let Ok(location) = deployment.output("StageUrl").parse::<Location>() else {
        return Ok(None);
    };
    let stage = S3Stage::new(deployment.config, location.clone());
    let names = named_universe::names(&stage).await?;
    if Universe::of_index(universe).is_some() || names.iter().any(|name| name.to_string() == universe) {
        return Ok(None);
    }
    Ok(Some((
        format!("the daily run uses the list {universe}, which is not on the stage"),
        format!("findata universe put {universe} FILE --stage {location} --warehouse snowflake"),
    )))
}

fn check_target(
    deployment: &Deployment<'_>,
    name: &str,
    function: &str,
    schedule: &Schedule,
    problems: &mut Problems,
) {
    let arn = deployment.function(function).map_or("", |function| function.function_arn.as_str());
    if schedule.target.arn != arn {
        problems.add(format!("the schedule {name} invokes {} instead of {arn}", schedule.target.arn), DEPLOY);
    }
}

fn enable(name: &str) -> String {
    change(name, "--state ENABLED")
}

/// The command that changes a schedule. Without the other settings, the Scheduler would reset them.
fn change(name: &str, option: &str) -> String {
    format!(
        "aws scheduler update-schedule {option} --cli-input-json \"$(aws scheduler get-schedule --name {name} --output json \
         --query '{{Name: Name, ScheduleExpression: ScheduleExpression, ScheduleExpressionTimezone: \
         ScheduleExpressionTimezone, FlexibleTimeWindow: FlexibleTimeWindow, State: State, Target: Target}}')\""
    )
}

fn restore(resource: &str) -> String {
    format!("remove {resource} from infra/template.yaml, deploy, add it again, and deploy")
}
