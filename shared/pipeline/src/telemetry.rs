//! Writes CloudWatch metrics as log lines in the embedded metric format, which requires no API
//! call.
//!
//! Format:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
//! Each combination of dimension values is billed as a separate metric, so the stack is the only
//! dimension.

use std::io::Write;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::{run::Status, summary::Summary};

/// Namespace of every findata metric.
pub const NAMESPACE: &str = "findata";

/// Names of all metrics. A test checks the alarms and the dashboard of the template against them.
pub const METRICS: [&str; 13] = [
    "RunsCompleted",
    "RunsPartial",
    "RunsBudget",
    "RunsFailed",
    "RunsToRetry",
    "RequestsRejected",
    "Calls",
    "Rows",
    "RunSeconds",
    "OpenRunMinutes",
    "Ticks",
    "TicksQuarantined",
    "TicksLate",
];

/// Writes metrics to standard output, which Lambda logs. Writes nothing without a stack name.
#[derive(Debug, Clone, Default)]
pub struct Telemetry {
    stack: Option<String>,
}

impl Telemetry {
    /// Creates the telemetry of a stack; with `None`, nothing is written.
    pub fn of(stack: Option<String>) -> Self {
        Telemetry { stack }
    }

    /// Writes metrics in one line. Each figure is a metric's name, value and CloudWatch unit.
    pub fn emit(&self, now: DateTime<Utc>, figures: &[(&str, f64, &str)]) {
        debug_assert!(figures.iter().all(|(name, ..)| METRICS.contains(name)), "{figures:?}");
        if let Some(stack) = &self.stack {
            // A metric that cannot be written must not fail the function.
            let _ = writeln!(std::io::stdout().lock(), "{}", line(stack, now, figures));
        }
    }

    /// Writes the metrics of a finished run.
    pub fn ended(&self, now: DateTime<Utc>, summary: &Summary) {
        let rows: u64 = summary.rows.values().map(|rows| rows.staged).sum();
        let name = match summary.status {
            Status::Complete => "RunsCompleted",
            Status::Partial => "RunsPartial",
            Status::Budget => "RunsBudget",
            Status::Failed if summary.is_retried() => "RunsToRetry",
            Status::Failed => "RunsFailed",
        };
        self.emit(
            now,
            &[
                (name, 1.0, "Count"),
                ("Calls", summary.calls as f64, "Count"),
                ("Rows", rows as f64, "Count"),
                ("RunSeconds", summary.seconds, "Seconds"),
            ],
        );
    }
}

fn line(stack: &str, now: DateTime<Utc>, figures: &[(&str, f64, &str)]) -> Value {
    let metrics: Vec<Value> =
        figures.iter().map(|(name, _, unit)| json!({"Name": name, "Unit": unit})).collect();
    let mut line = Map::new();
    line.insert(
        "_aws".into(),
        json!({
            "Timestamp": now.timestamp_millis(),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["stack"]], "Metrics": metrics}],
        }),
    );
    line.insert("stack".into(), stack.into());
    line.extend(figures.iter().map(|(name, value, _)| ((*name).to_owned(), json!(value))));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_in_the_embedded_metric_format() {
        let at = "2026-11-22T20:15:33Z".parse().unwrap();
        let line = line("findata", at, &[("Calls", 5.0, "Count"), ("RunSeconds", 1.5, "Seconds")]);
        assert_eq!(line["_aws"]["Timestamp"], 1_795_378_533_000_i64);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            (directive["Namespace"].as_str(), directive["Dimensions"][0][0].as_str()),
            (Some("findata"), Some("stack"))
        );
        assert_eq!(directive["Metrics"][1], json!({"Name": "RunSeconds", "Unit": "Seconds"}));
        assert_eq!((line["stack"].as_str(), line["Calls"].as_f64()), (Some("findata"), Some(5.0)));
    }
}
