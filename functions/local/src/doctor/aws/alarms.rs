//! The alarms: whether one is raised, and whether they have a confirmed recipient.

use findata_domain::Result;

use super::{Check, Deployment, Problems};

pub(super) async fn checks(deployment: &Deployment<'_>) -> Result<Vec<Check>> {
    let resources = &deployment.stack.resources;
    // Other stacks may have names that begin with this one's.
    let mut alarms = deployment.aws.alarms(&format!("{}-", deployment.name)).await?;
    alarms.retain(|alarm| resources.values().any(|id| *id == alarm.alarm_name));
    let mut problems = Problems::default();
    for alarm in alarms.iter().filter(|alarm| alarm.state_value == "ALARM") {
        problems.add(
            format!("{} is raised: {}", alarm.alarm_name, alarm.alarm_description),
            "follow the runbook in infra/README.md",
        );
    }
    let mut checks = problems.or_ok("alarms", format!("none of {} is raised", alarms.len()));
    let mut problems = Problems::default();
    if alarms.iter().any(|alarm| alarm.alarm_actions.is_empty()) {
        problems.add(
            "the alarms have no recipient",
            "cd infra && sam deploy --save-params --parameter-overrides AlarmEmail=ADDRESS (or AlarmTopicArn=ARN)",
        );
    }
    if deployment.has("AlarmTopic") {
        for address in deployment.aws.unconfirmed(deployment.resource("AlarmTopic")).await? {
            problems.add(
                format!("{address} has not confirmed its subscription to the alarms"),
                "open the link in the mail \"AWS Notification - Subscription Confirmation\"",
            );
        }
    }
    checks.extend(problems.or_ok("recipients", "alarms have a recipient"));
    Ok(checks)
}
