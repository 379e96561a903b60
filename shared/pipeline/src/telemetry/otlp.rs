//! Encodes spans as OTLP/JSON (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>): ids in
//! hexadecimal, 64-bit integers as text, names in lowerCamelCase and enumerations as numbers.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::trace::Span;

/// OpenTelemetry's status of a failed span.
const ERROR: u8 = 2;

/// The body of a request that exports spans. `service` names the function or program; `stack` is the stack
/// on AWS.
pub fn body(service: &str, stack: Option<&str>, spans: &[Span]) -> Value {
    let mut resource = vec![
        attribute("service.name", &service.into()),
        attribute("service.namespace", &"findata".into()),
        attribute("service.version", &env!("CARGO_PKG_VERSION").into()),
    ];
    resource.extend(stack.map(|stack| attribute("stack", &stack.into())));
    json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": {"name": "findata"}, "spans": spans.iter().map(span).collect::<Vec<_>>()}],
    }]})
}

fn span(span: &Span) -> Value {
    let attributes: Vec<Value> = span.attributes.iter().map(|(name, value)| attribute(name, value)).collect();
    let mut json = json!({
        "traceId": format!("{:032x}", span.context.trace),
        "spanId": format!("{:016x}", span.context.span),
        "name": span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": nanoseconds(span.started_at),
        "endTimeUnixNano": nanoseconds(span.ended_at),
        "attributes": attributes,
        "status": {},
    });
    if let Some(parent) = span.parent {
        json["parentSpanId"] = format!("{parent:016x}").into();
    }
    if let Some(error) = &span.error {
        json["status"] = json!({"code": ERROR, "message": error});
    }
    json
}

fn nanoseconds(at: DateTime<Utc>) -> String {
    at.timestamp_nanos_opt().unwrap_or_default().to_string()
}

fn attribute(name: &str, value: &Value) -> Value {
    let value = match value {
        Value::Bool(value) => json!({"boolValue": value}),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => json!({"intValue": integer.to_string()}),
            None => json!({"doubleValue": number}),
        },
        Value::String(text) => json!({"stringValue": text}),
        other => json!({"stringValue": other.to_string()}),
    };
    json!({"key": name, "value": value})
}

#[cfg(test)]
mod tests {
    use super::super::trace::Tracer;
    use super::*;

    #[test]
    fn spans_are_encoded_as_the_specification_demands() {
        let (tracer, run) = (Tracer::on(), "r1".parse().unwrap());
        let request = tracer.request(&run, None);
        let mut plan = tracer.child("plan", &request, &run);
        plan.set("calls", 3);
        plan.set("seconds", 0.5);
        plan.set("closed", true);
        plan.error = Some("no key".into());
        plan.started_at = "2026-11-22T20:15:33.000000001Z".parse().unwrap();
        let body = body("findata-fanout", Some("prod"), &[request.clone(), plan]);
        let resource = &body["resourceSpans"][0];
        assert_eq!(
            resource["resource"]["attributes"][0],
            json!({"key": "service.name", "value": {"stringValue": "findata-fanout"}})
        );
        let spans = &resource["scopeSpans"][0]["spans"];
        assert!(spans[0].get("parentSpanId").is_none());
        assert_eq!(spans[1]["parentSpanId"], format!("{:016x}", request.context.span));
        assert_eq!(spans[1]["traceId"].as_str().unwrap().len(), 32);
        assert_eq!(spans[1]["startTimeUnixNano"], "1795378533000000001");
        assert_eq!((&spans[0]["kind"], &spans[1]["kind"]), (&json!(2), &json!(1)));
        assert_eq!(
            spans[1]["attributes"],
            json!([
                {"key": "run_id", "value": {"stringValue": "r1"}},
                {"key": "calls", "value": {"intValue": "3"}},
                {"key": "seconds", "value": {"doubleValue": 0.5}},
                {"key": "closed", "value": {"boolValue": true}},
            ])
        );
        assert_eq!(spans[1]["status"], json!({"code": 2, "message": "no key"}));
    }
}
