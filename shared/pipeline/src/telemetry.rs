//! Metrics and traces of the functions.
//!
//! Metrics are log lines in CloudWatch's embedded metric format (EMF), which requires no API call:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
//! Each combination of dimension values is billed as a separate metric, so the stack is the only
//! dimension. [`trace`] collects spans, and [`vocabulary`] lists the names of fields.

pub mod otlp;
pub mod trace;
pub mod vocabulary;

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::{run::Status, summary::Summary};
use trace::Tracer;

/// Namespace of every findata metric.
pub const NAMESPACE: &str = "findata";

/// All metrics: name, CloudWatch unit, and the functions that write it. Tests compare the alarms, the
/// dashboard and the table in `infra/README.md` with this list.
pub const METRICS: [(&str, &str, &str); 21] = [
    ("RunsCompleted", "Count", "analytics"),
    ("RunsPartial", "Count", "analytics"),
    ("RunsBudget", "Count", "analytics"),
    ("RunsFailed", "Count", "fanout, load, analytics"),
    ("RunsToRetry", "Count", "fanout, analytics"),
    ("RequestsRejected", "Count", "fanout"),
    ("RunSeconds", "Seconds", "fanout, analytics"),
    ("OpenRunMinutes", "None", "fanout"),
    ("Calls", "Count", "fanout, analytics"),
    ("Rows", "Count", "analytics"),
    ("RowsPerSecond", "Count/Second", "analytics"),
    ("CallsPerSymbol", "None", "analytics"),
    ("CacheHitRate", "Percent", "analytics"),
    ("Connections", "Count", "analytics"),
    ("ConcurrentCalls", "Count", "analytics"),
    ("BudgetWaitSeconds", "Seconds", "analytics"),
    ("Suspicions", "Count", "analytics"),
    ("SuspectCompanies", "Count", "analytics"),
    ("Ticks", "Count", "stream"),
    ("TicksQuarantined", "Count", "stream"),
    ("TicksLate", "Count", "stream"),
];

/// Where metrics are written to.
#[derive(Debug, Clone)]
enum Output {
    /// Standard output, which Lambda logs.
    Stdout,
    /// A list in memory.
    Memory(Arc<Mutex<Vec<Value>>>),
}

/// Writes metrics and collects spans. Both are off by default.
#[derive(Debug, Clone, Default)]
pub struct Telemetry {
    metrics: Option<(String, Output)>,
    /// Collects the spans of an invocation or of a run.
    pub tracer: Tracer,
}

impl Telemetry {
    /// Creates the telemetry of a stack. Without a stack, no metrics are written.
    pub fn of(stack: Option<String>, tracer: Tracer) -> Self {
        Telemetry { metrics: stack.map(|stack| (stack, Output::Stdout)), tracer }
    }

    /// Creates telemetry that keeps metrics in memory instead of writing them, and the list of its lines.
    pub fn in_memory(stack: &str, tracer: Tracer) -> (Self, Arc<Mutex<Vec<Value>>>) {
        let lines = Arc::<Mutex<Vec<Value>>>::default();
        let metrics = Some((stack.to_owned(), Output::Memory(Arc::clone(&lines))));
        (Telemetry { metrics, tracer }, lines)
    }

    /// Writes metrics in one line. Each figure is a metric's name and value.
    pub fn emit(&self, now: DateTime<Utc>, figures: &[(&str, f64)]) {
        let Some((stack, output)) = &self.metrics else {
            return;
        };
        let line = line(stack, now, figures);
        match output {
            Output::Memory(lines) => lines.lock().unwrap_or_else(PoisonError::into_inner).push(line),
            Output::Stdout => {
                // A metric that cannot be written must not fail the function.
                let _ = writeln!(std::io::stdout().lock(), "{line}");
            }
        }
    }

    /// Writes the metrics of a run that has ended. Without a plan or rows, a ratio has no meaning and is
    /// left out, so that it does not change the average.
    pub fn ended(&self, now: DateTime<Utc>, summary: &Summary) {
        let name = match summary.status {
            Status::Complete => "RunsCompleted",
            Status::Partial | Status::Failed if summary.is_retried() => "RunsToRetry",
            Status::Partial => "RunsPartial",
            Status::Budget => "RunsBudget",
            Status::Failed => "RunsFailed",
        };
        let mut figures = vec![(name, 1.0)];
        figures.extend(kpis(summary));
        self.emit(now, &figures);
    }

    /// Writes the metrics of a failed run that was counted as failed before.
    pub fn ended_after_failure(&self, now: DateTime<Utc>, summary: &Summary) {
        self.emit(now, &kpis(summary));
    }
}

fn kpis(summary: &Summary) -> Vec<(&'static str, f64)> {
    let rows: u64 = summary.rows.values().map(|rows| rows.staged).sum();
    let mut figures = vec![("RunSeconds", summary.seconds), ("Calls", summary.calls as f64)];
    if summary.symbols > 0 {
        figures.extend([
            ("Rows", rows as f64),
            ("CallsPerSymbol", summary.calls_per_symbol),
            ("Connections", summary.connections.opened as f64),
            ("ConcurrentCalls", summary.connections.peak as f64),
            ("BudgetWaitSeconds", summary.budget.waited_seconds),
            ("Suspicions", summary.quality.suspicions as f64),
            ("SuspectCompanies", summary.quality.suspect_companies as f64),
        ]);
    }
    if rows > 0 {
        figures.push(("RowsPerSecond", summary.rows_per_second));
    }
    if summary.tasks.planned + summary.tasks.skipped_fresh > 0 {
        figures.push(("CacheHitRate", summary.cache_hit_rate * 100.0));
    }
    figures
}

fn line(stack: &str, now: DateTime<Utc>, figures: &[(&str, f64)]) -> Value {
    let unit = |name: &str| METRICS.iter().find(|(metric, ..)| *metric == name).map(|(_, unit, _)| *unit);
    debug_assert!(figures.iter().all(|(name, _)| unit(name).is_some()), "{figures:?}");
    let metrics: Vec<Value> = figures
        .iter()
        .map(|(name, _)| json!({"Name": name, "Unit": unit(name).unwrap_or("None")}))
        .collect();
    let mut line = Map::new();
    line.insert(
        "_aws".into(),
        json!({
            "Timestamp": now.timestamp_millis(),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["stack"]], "Metrics": metrics}],
        }),
    );
    line.insert("stack".into(), stack.into());
    line.extend(figures.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_in_the_embedded_metric_format() {
        let at = "2026-11-22T20:15:33Z".parse().unwrap();
        let line = line("findata", at, &[("Calls", 5.0), ("RunSeconds", 1.5)]);
        assert_eq!(line["_aws"]["Timestamp"], 1_795_378_533_000_i64);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            (directive["Namespace"].as_str(), directive["Dimensions"][0][0].as_str()),
            (Some("findata"), Some("stack"))
        );
        assert_eq!(directive["Metrics"][1], json!({"Name": "RunSeconds", "Unit": "Seconds"}));
        assert_eq!((line["stack"].as_str(), line["Calls"].as_f64()), (Some("findata"), Some(5.0)));
    }

    #[test]
    fn a_run_without_a_plan_has_no_ratios() {
        let run = "r".parse().unwrap();
        let (telemetry, lines) = Telemetry::in_memory("findata", Tracer::default());
        telemetry.ended(DateTime::default(), &Summary::failed(&run, DateTime::default(), "no key"));
        let lines = lines.lock().unwrap();
        assert_eq!(lines[0]["RunsFailed"], 1.0);
        assert!(lines[0].get("CacheHitRate").is_none() && lines[0].get("RowsPerSecond").is_none());
    }

    #[test]
    fn contradictions_in_the_data_are_counted() {
        let mut summary = Summary::failed(&"r".parse().unwrap(), DateTime::default(), "");
        (summary.symbols, summary.status) = (3, Status::Complete);
        (summary.quality.suspicions, summary.quality.suspect_companies) = (4, 2);
        let (telemetry, lines) = Telemetry::in_memory("findata", Tracer::default());
        telemetry.ended(DateTime::default(), &summary);
        let lines = lines.lock().unwrap();
        assert_eq!((&lines[0]["Suspicions"], &lines[0]["SuspectCompanies"]), (&json!(4.0), &json!(2.0)));
        assert_eq!(lines[0]["RunsCompleted"], 1.0);
    }
}
