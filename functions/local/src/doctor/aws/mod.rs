//! Checks a stack on AWS: whether its resources are set up as the template describes them, and whether a person
//! has something to do. Only reads, and never shows the content of a secret.

mod alarms;
mod events;
mod functions;
mod queues;
mod runs;
mod schedules;
mod secrets;
mod stack;
mod trust;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use findata_aws::{
    SdkConfig,
    inspect::{Function, Inspector, Stack},
};
use findata_domain::Result;

use super::Check;

/// The command that deploys the template of this version. [`for_stack`] adds the stack.
const DEPLOY: &str = "cd infra && sam build && sam deploy";

/// Adds to the `sam deploy` of a fix the option that names the stack. The first two are the environments of
/// infra/samconfig.toml.
fn for_stack(fix: &str, name: &str) -> String {
    let options = match name {
        "findata" => String::new(),
        "findata-production" => " --config-env production".into(),
        other => format!(" --stack-name {other}"),
    };
    fix.replace("sam deploy", &format!("sam deploy{options}"))
}

/// A deployed stack.
struct Deployment<'a> {
    aws: &'a Inspector,
    config: &'a SdkConfig,
    name: &'a str,
    stack: Stack,
    /// The functions that exist, by their names in the template.
    functions: BTreeMap<&'static str, Function>,
    now: DateTime<Utc>,
}

impl Deployment<'_> {
    /// The physical id of a resource; empty if the stack does not have it.
    fn resource(&self, name: &str) -> &str {
        self.stack.resources.get(name).map_or("", String::as_str)
    }

    fn has(&self, resource: &str) -> bool {
        self.stack.resources.contains_key(resource)
    }

    fn output(&self, name: &str) -> &str {
        self.stack.outputs.get(name).map_or("", String::as_str)
    }

    fn parameter(&self, name: &str) -> &str {
        self.stack.parameters.get(name).map_or("", String::as_str)
    }

    fn function(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }

    /// The value of a function's variable; empty if it is not set.
    fn variable(&self, function: &str, name: &str) -> &str {
        let function = self.function(function);
        function
            .and_then(|function| function.environment.variables.get(name))
            .map_or("", String::as_str)
    }
}

/// The problems that a check found.
#[derive(Debug, Default)]
struct Problems(Vec<(String, String)>);

impl Problems {
    fn add(&mut self, found: impl Into<String>, fix: impl Into<String>) {
        self.0.push((found.into(), fix.into()));
    }

    /// One failed check for each problem, or a passed one.
    fn or_ok(self, what: &str, found: impl Into<String>) -> Vec<Check> {
        match self.0.is_empty() {
            true => vec![Check::ok(what, found)],
            false => self.0.into_iter().map(|(found, fix)| Check::failed(what, found, fix)).collect(),
        }
    }
}

/// Checks the stack `name` in the region of `config`.
///
/// # Errors
/// `Config` if `config` has no region.
pub async fn aws(config: &SdkConfig, name: &str, now: DateTime<Utc>) -> Result<Vec<Check>> {
    let aws = Inspector::new(config)?;
    let mut checks = Vec::new();
    match aws.caller().await {
        Ok(caller) => checks.push(Check::ok("account", format!("{caller} in {}", aws.region()))),
        Err(error) => {
            let fix = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` \
                       shows whom they belong to";
            return Ok(vec![Check::from_error("account", &error, fix)]);
        }
    }
    let found = match aws.stack(name).await {
        Ok(Some(stack)) => stack,
        Ok(None) => {
            checks.push(stack::absent(name, aws.region()));
            return Ok(checks);
        }
        Err(error) => {
            checks.push(unread("stack", &error));
            return Ok(checks);
        }
    };
    let mut deployment = Deployment {
        aws: &aws,
        config,
        name,
        stack: found,
        functions: BTreeMap::new(),
        now,
    };
    if let Some(other) = stack::other_template(&deployment) {
        checks.push(other);
        return Ok(checks);
    }
    checks.extend(stack::checks(&deployment));
    let functions = functions::read(&mut deployment).await;
    let mut add = |what: &str, result: Result<Vec<Check>>| match result {
        Ok(found) => checks.extend(found),
        Err(error) => checks.push(unread(what, &error)),
    };
    add("functions", functions);
    add("concurrency", functions::concurrency(&deployment).await);
    add("events", events::checks(&deployment).await);
    add("queues", queues::checks(&deployment).await);
    add("secrets", secrets::checks(&deployment).await);
    add("schedules", schedules::checks(&deployment).await);
    add("snowflake trust", trust::checks(&deployment).await);
    add("alarms", alarms::checks(&deployment).await);
    add("runs", runs::checks(&deployment).await);
    for fix in checks.iter_mut().filter_map(|check| check.fix.as_mut()) {
        *fix = for_stack(fix, name);
    }
    Ok(checks)
}

fn unread(what: &str, error: &findata_domain::Error) -> Check {
    let fix = "fix the problem that the message names; infra/README.md, \"Check a stack\", has the policy that this \
               command needs";
    Check::from_error(what, error, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_deploys_the_checked_stack() {
        assert_eq!(for_stack(DEPLOY, "findata"), DEPLOY);
        assert_eq!(
            for_stack(DEPLOY, "findata-production"),
            "cd infra && sam build && sam deploy --config-env production"
        );
        assert_eq!(
            for_stack("sam deploy --save-params", "other"),
            "sam deploy --stack-name other --save-params"
        );
    }
}
