//! Reads the resources of a deployed stack. All requests only read; `None` means that a resource does not exist.

mod resources;

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{Api, Service},
    s3_stage, secrets,
};
use findata_domain::{Error, Result};
pub use resources::{
    Alarm, DeadLetters, Environment, Function, Mapping, Rule, Schedule, SecretState, Stack, Target,
};
use resources::{Members, members};

/// Reads the resources of one region.
#[derive(Debug, Clone)]
pub struct Inspector {
    api: Api,
    config: SdkConfig,
}

impl Inspector {
    /// Creates a client. Sends no request.
    ///
    /// # Errors
    /// `Config` if the configuration has no region or no source of credentials.
    pub fn new(config: &SdkConfig) -> Result<Self> {
        Ok(Inspector { api: Api::new(config)?, config: config.clone() })
    }

    /// The region.
    pub fn region(&self) -> &str {
        self.api.region()
    }

    /// The ARN of the user or role that the credentials belong to.
    ///
    /// # Errors
    /// `Config` without valid credentials; `Retry` if AWS does not respond.
    pub async fn caller(&self) -> Result<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Response {
            get_caller_identity_result: Identity,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Identity {
            arn: String,
        }
        let response: Option<Response> = self.api.query(Service::Sts, "GetCallerIdentity", &[]).await?;
        let identity = response.ok_or_else(|| Error::Stop("AWS does not know the caller".into()))?;
        Ok(identity.get_caller_identity_result.arn)
    }

    /// Reads a stack.
    ///
    /// # Errors
    /// `Config` if access is denied; `Retry` if AWS does not respond.
    pub async fn stack(&self, name: &str) -> Result<Option<Stack>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Response {
            describe_stacks_result: Described,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Described {
            stacks: Members<Found>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Found {
            stack_status: String,
            #[serde(default, deserialize_with = "members")]
            parameters: Vec<Parameter>,
            #[serde(default, deserialize_with = "members")]
            outputs: Vec<Output>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Parameter {
            parameter_key: String,
            #[serde(default)]
            parameter_value: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Output {
            output_key: String,
            #[serde(default)]
            output_value: String,
        }
        let response: Option<Response> =
            self.api.query(Service::CloudFormation, "DescribeStacks", &[("StackName", name)]).await?;
        let Some(found) =
            response.and_then(|mut response| response.describe_stacks_result.stacks.member.pop())
        else {
            return Ok(None);
        };
        Ok(Some(Stack {
            status: found.stack_status,
            parameters: found.parameters.into_iter().map(|p| (p.parameter_key, p.parameter_value)).collect(),
            outputs: found.outputs.into_iter().map(|o| (o.output_key, o.output_value)).collect(),
            resources: self.resources(name).await?,
        }))
    }

    async fn resources(&self, stack: &str) -> Result<BTreeMap<String, String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Response {
            list_stack_resources_result: Page,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page {
            stack_resource_summaries: Members<Resource>,
            next_token: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Resource {
            logical_resource_id: String,
            #[serde(default)]
            physical_resource_id: String,
        }
        let (mut found, mut token) = (BTreeMap::new(), None::<String>);
        loop {
            let mut input = vec![("StackName", stack)];
            input.extend(token.as_deref().map(|token| ("NextToken", token)));
            let page: Option<Response> =
                self.api.query(Service::CloudFormation, "ListStackResources", &input).await?;
            let Some(page) = page.map(|page| page.list_stack_resources_result) else {
                return Ok(found);
            };
            let resources = page.stack_resource_summaries.member.into_iter();
            found.extend(resources.map(|r| (r.logical_resource_id, r.physical_resource_id)));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Reads the configuration of a function.
    ///
    /// # Errors
    /// `Config` if access is denied; `Retry` if AWS does not respond.
    pub async fn function(&self, name: &str) -> Result<Option<Function>> {
        let path = format!("/2015-03-31/functions/{name}/configuration");
        self.api.rest(Service::Lambda, "GetFunctionConfiguration", path).await
    }

    /// The number of concurrent invocations that are reserved for a function; `None` if none are.
    ///
    /// # Errors
    /// `Config` if access is denied; `Retry` if AWS does not respond.
    pub async fn reserved_concurrency(&self, function: &str) -> Result<Option<u64>> {
        let path = format!("/2019-09-30/functions/{function}/concurrency");
        let response: Option<Value> = self.api.rest(Service::Lambda, "GetFunctionConcurrency", path).await?;
        Ok(response.and_then(|response| response["ReservedConcurrentExecutions"].as_u64()))
    }

    /// The resource policy of a function, which says who may invoke it.
    ///
    /// # Errors
    /// `Config` if access is denied; `Retry` if AWS does not respond.
    pub async fn invokers(&self, function: &str) -> Result<Option<Value>> {
        let path = format!("/2015-03-31/functions/{function}/policy");
        let response: Option<Value> = self.api.rest(Service::Lambda, "GetPolicy", path).await?;
        Ok(response.and_then(|response| embedded(&response["Policy"])))
    }

    /// The queues and streams that Lambda reads for a function.
    ///
    /// # Errors
    /// `Config` if access is denied; `Retry` if AWS does not respond.
    pub async fn mappings(&self, function: &str) -> Result<Vec<Mapping>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Response {
            event_source_mappings: Vec<Mapping>,
        }
        let path = format!("/2015-03-31/event-source-mappings?FunctionName={function}");
        let response: Option<Response> =
            self.api.rest(Service::Lambda, "ListEventSourceMappings", path).await?;
        Ok(response.map(|response| response.event_source_mappings).unwrap_or_default())
    }

    /// The account's limit of concurrent invocations in this region, and how many of them are not reserved.
    ///
    /// # Errors
    /// `Config` if access is denied; `Retry` if AWS does not respond.
    pub async fn concurrency(&self) -> Result<(u64, u64)> {
        let path = "/2016-08-19/account-settings".to_owned();
        let settings: Option<Value> = self.api.rest(Service::Lambda, "GetAccountSettings", path).await?;
        let limit = settings.map(|settings| settings["AccountLimit"].clone()).unwrap_or_default();
        let number = |name: &str| limit[name].as_u64().unwrap_or_default();
        Ok((number("ConcurrentExecutions"), number("UnreservedConcurrentExecutions")))
    }

    /// Reads a rule with its targets. `bus` is `default` for the rules on events of S3.
    ///
    /// # Errors
    /// `Config` if access is denied; `Retry` if AWS does not respond.
    pub async fn rule(&self, name: &str, bus: &str) -> Result<Option<Rule>> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        struct Targets {
            targets: Vec<Target>,
        }
        let input = json!({"Name": name, "EventBusName": bus});
        let rule: Option<Value> = self.api.json(Service::EventBridge, "DescribeRule", &input).await?;
        let Some(rule) = rule else { return Ok(None) };
        let input = json!({"Rule": name, "EventBusName": bus});
        let targets: Option<Targets> =
            self.api.json(Service::EventBridge, "ListTargetsByRule", &input).await?;
        let text = |name: &str| rule[name].as_str().unwrap_or_default().to_owned();
        Ok(Some(Rule {
            arn: text("Arn"),
            state: text("State"),
            pattern: embedded(&rule["EventPattern"]).unwrap_or_default(),
            targets: targets.unwrap_or_default().targets,
        }))
    }

    /// Reads the attributes of a queue.
    ///
    /// # Errors
    /// `Config` if access is denied; `Retry` if AWS does not respond.
    pub async fn queue(&self, url: &str) -> Result<Option<BTreeMap<String, String>>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Response {
            attributes: BTreeMap<String, String>,
        }
        let input = json!({"QueueUrl": url, "AttributeNames": ["All"]});
        let response: Option<Response> = self.api.json(Service::Sqs, "GetQueueAttributes", &input).await?;
        Ok(response.map(|response| response.attributes))
    }

    /// Reads a schedule of the default group.
    ///
    /// # Errors
    /// `Config` if access is denied; `Retry` if AWS does not respond.
    pub async fn schedule(&self, name: &str) -> Result<Option<Schedule>> {
        self.api.rest(Service::Scheduler, "GetSchedule", format!("/schedules/{name}")).await
    }

    /// The trust policy of a role, which says who may assume it.
    ///
    /// # Errors
    /// `Config` if access is denied; `Retry` if AWS does not respond.
    pub async fn trust(&self, role: &str) -> Result<Option<Value>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Response {
            get_role_result: Got,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Got {
            role: Role,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Role {
            assume_role_policy_document: String,
        }
        let response: Option<Response> =
            self.api.query(Service::Iam, "GetRole", &[("RoleName", role)]).await?;
        let Some(response) = response else { return Ok(None) };
        // IAM encodes the policy like a part of a URL.
        let encoded = response.get_role_result.role.assume_role_policy_document;
        let url = Url::parse(&format!("http://policy/?{encoded}"));
        let decoded =
            url.ok().and_then(|url| url.query_pairs().next().map(|(policy, _)| policy.into_owned()));
        let policy = decoded.and_then(|text| serde_json::from_str(&text).ok());
        policy
            .map(Some)
            .ok_or_else(|| Error::Stop(format!("the trust policy of {role} cannot be read")))
    }

    /// The alarms whose names begin with `prefix`.
    ///
    /// # Errors
    /// `Config` if access is denied; `Retry` if AWS does not respond.
    pub async fn alarms(&self, prefix: &str) -> Result<Vec<Alarm>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Response {
            describe_alarms_result: Page,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page {
            #[serde(default, deserialize_with = "members")]
            metric_alarms: Vec<Alarm>,
        }
        let input = [("AlarmNamePrefix", prefix), ("MaxRecords", "100")];
        let response: Option<Response> =
            self.api.query(Service::CloudWatch, "DescribeAlarms", &input).await?;
        Ok(response.map(|response| response.describe_alarms_result.metric_alarms).unwrap_or_default())
    }

    /// The addresses that have not confirmed their subscription to a topic.
    ///
    /// # Errors
    /// `Config` if access is denied; `Retry` if AWS does not respond.
    pub async fn unconfirmed(&self, topic: &str) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Response {
            list_subscriptions_by_topic_result: Page,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page {
            #[serde(default, deserialize_with = "members")]
            subscriptions: Vec<Subscription>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Subscription {
            subscription_arn: String,
            endpoint: String,
        }
        let input = [("TopicArn", topic)];
        let response: Option<Response> =
            self.api.query(Service::Sns, "ListSubscriptionsByTopic", &input).await?;
        let all = response.map(|response| response.list_subscriptions_by_topic_result.subscriptions);
        let waiting = all
            .unwrap_or_default()
            .into_iter()
            .filter(|s| s.subscription_arn == "PendingConfirmation");
        Ok(waiting.map(|subscription| subscription.endpoint).collect())
    }

    /// Whether a bucket sends its events to EventBridge.
    ///
    /// # Errors
    /// `Config` if the bucket does not exist or access is denied; `Retry` if AWS does not respond.
    pub async fn sends_events(&self, bucket: &str) -> Result<bool> {
        s3_stage::sends_events(&self.config, bucket).await
    }

    /// Whether a secret exists.
    ///
    /// # Errors
    /// `Config` if access is denied; `Retry` if AWS does not respond.
    pub async fn secret_state(&self, arn: &str) -> Result<SecretState> {
        let input = json!({"SecretId": arn});
        let response: Option<Value> =
            self.api.json(Service::SecretsManager, "DescribeSecret", &input).await?;
        Ok(match response {
            None => SecretState::Absent,
            Some(response) if response["DeletedDate"].is_null() => SecretState::Present,
            Some(_) => SecretState::Deleted,
        })
    }

    /// Reads the text of a secret.
    ///
    /// # Errors
    /// The errors of [`secrets::read`].
    pub async fn secret(&self, arn: &str) -> Result<SecretString> {
        secrets::read(&self.config, arn).await
    }
}

/// JSON in a text of JSON.
fn embedded(text: &Value) -> Option<Value> {
    serde_json::from_str(text.as_str()?).ok()
}
