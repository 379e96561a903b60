//! Whether Snowflake can assume the role that reads the landing files.

use findata_domain::Result;
use serde_json::Value;

use super::{Check, Deployment, Problems};

/// How to set the trust.
pub(super) const FIX: &str = "run `desc integration findata_s3` in Snowflake, then cd infra && sam deploy \
     --save-params --parameter-overrides SnowflakeIamUserArn=STORAGE_AWS_IAM_USER_ARN SnowflakeExternalId=STORAGE_AWS_EXTERNAL_ID";

pub(super) async fn checks(deployment: &Deployment<'_>) -> Result<Vec<Check>> {
    let role = deployment.resource("SnowflakeRole");
    let mut problems = Problems::default();
    let (user, id) =
        (deployment.parameter("SnowflakeIamUserArn"), deployment.parameter("SnowflakeExternalId"));
    match deployment.aws.trust(role).await? {
        None => problems.add(
            format!("the role {role} was deleted"),
            "remove SnowflakeRole from infra/template.yaml, deploy, add it again, and deploy",
        ),
        Some(_) if user.is_empty() || id.is_empty() => problems.add(
            format!("nobody can assume {role}: the stack does not know Snowflake's IAM user and external id"),
            FIX,
        ),
        Some(policy) if !trusts(&policy, user, id) => problems.add(
            format!("{role} does not trust {user} with the external id of the stack"),
            format!(
                "aws iam update-assume-role-policy --role-name {role} --policy-document '{}'",
                expected(user, id)
            ),
        ),
        Some(_) => {}
    }
    Ok(problems.or_ok("snowflake trust", format!("{role} trusts {user} with an external id")))
}

/// Whether a policy lets a user assume the role with an external id, without other conditions.
fn trusts(policy: &Value, user: &str, id: &str) -> bool {
    let statements = policy["Statement"].as_array();
    let expected = &expected(user, id)["Statement"][0];
    statements.into_iter().flatten().any(|statement| {
        ["Effect", "Principal", "Action", "Condition"]
            .iter()
            .all(|part| statement[*part] == expected[*part])
    })
}

fn expected(user: &str, id: &str) -> Value {
    serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": id}},
    }]})
}
