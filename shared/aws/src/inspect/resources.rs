//! The resources of a stack, as far as the checks need them.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A stack of CloudFormation.
#[derive(Debug, Clone, Default)]
pub struct Stack {
    /// Its state, such as `UPDATE_COMPLETE`.
    pub status: String,
    /// The values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// The physical ids of its resources by their names in the template.
    pub resources: BTreeMap<String, String>,
}

/// The configuration of a Lambda function.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Function {
    /// Its address.
    pub function_arn: String,
    /// The ARN of its role.
    pub role: String,
    /// Its longest duration in seconds.
    pub timeout: u64,
    /// `Active`, or why it cannot be invoked.
    pub state: String,
    /// `Successful`, or why the last change has not taken effect.
    pub last_update_status: String,
    /// The architecture that its code is executed on.
    pub architectures: Vec<String>,
    /// Its variables.
    pub environment: Environment,
}

/// The variables of a function.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Environment {
    #[allow(missing_docs)]
    pub variables: BTreeMap<String, String>,
}

/// What makes Lambda read a queue or a stream for a function.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Mapping {
    #[serde(rename = "UUID")]
    #[allow(missing_docs)]
    pub uuid: String,
    /// The queue or stream.
    pub event_source_arn: String,
    /// `Enabled`, or another state.
    pub state: String,
    /// Maximum number of records in an invocation.
    pub batch_size: u64,
    /// Whether the function may report single failed records.
    pub function_response_types: Vec<String>,
    /// Filters of records, if any.
    pub filter_criteria: Option<Value>,
}

/// A rule of EventBridge with its targets.
#[derive(Debug, Clone, Default)]
pub struct Rule {
    /// Its address.
    pub arn: String,
    /// `ENABLED` or `DISABLED`.
    pub state: String,
    /// The events that it matches.
    pub pattern: Value,
    /// Where it sends them.
    pub targets: Vec<Target>,
}

/// Where a rule or a schedule sends events.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Target {
    /// The target.
    pub arn: String,
    /// The event of a schedule.
    pub input: Option<String>,
    /// Where undelivered events go.
    pub dead_letter_config: Option<DeadLetters>,
}

/// Where undelivered events go.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeadLetters {
    /// The queue.
    pub arn: String,
}

/// A schedule of EventBridge Scheduler.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Schedule {
    /// `ENABLED` or `DISABLED`.
    pub state: String,
    /// When it fires.
    pub schedule_expression: String,
    /// The time zone of the expression.
    pub schedule_expression_timezone: Option<String>,
    /// What it invokes.
    pub target: Target,
}

/// An alarm of CloudWatch.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Alarm {
    /// Its name, which begins with the stack's.
    pub alarm_name: String,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state_value: String,
    /// What it means.
    #[serde(default)]
    pub alarm_description: String,
    /// Whom it tells.
    #[serde(default, deserialize_with = "members")]
    pub alarm_actions: Vec<String>,
}

/// Whether a secret exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretState {
    /// It exists.
    Present,
    /// It was deleted and can be restored.
    Deleted,
    /// It does not exist.
    Absent,
}

/// A list in a response of a query API.
#[derive(Deserialize)]
pub(super) struct Members<T> {
    #[serde(default = "Vec::new")]
    pub(super) member: Vec<T>,
}

pub(super) fn members<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Members::deserialize(deserializer)?.member)
}
