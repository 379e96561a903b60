//! Log lines as JSON objects. Their fields have the names of
//! [`findata_pipeline::telemetry::vocabulary`].

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::SecondsFormat;
use findata_domain::clock::{Clock, SystemClock};
use findata_pipeline::telemetry::vocabulary;
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Formats events as JSON. Clones share the id of the invocation.
#[derive(Debug, Clone)]
pub(super) struct JsonLines {
    function: String,
    request_id: Arc<Mutex<String>>,
}

impl JsonLines {
    /// The format of a function's log.
    pub(super) fn of(function: String) -> Self {
        JsonLines { function, request_id: Arc::default() }
    }

    /// Names the invocation of the following lines.
    pub(super) fn begin(&self, request_id: &str) {
        request_id.clone_into(&mut self.request_id.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn line(&self, event: &Event<'_>) -> Value {
        // Other crates choose the names of their own fields.
        let is_own = event.metadata().target().starts_with("findata");
        let mut fields = Fields { line: Map::new(), is_own };
        let mut set = |name: &str, value: String| fields.line.insert(name.to_owned(), value.into());
        set("timestamp", SystemClock.now().to_rfc3339_opts(SecondsFormat::Millis, true));
        set("level", event.metadata().level().to_string());
        set("function", self.function.clone());
        let request_id = self.request_id.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !request_id.is_empty() {
            set("request_id", request_id);
        }
        event.record(&mut fields);
        Value::Object(fields.line)
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writeln!(writer, "{}", self.line(event))
    }
}

/// Collects the fields of an event.
struct Fields {
    line: Map<String, Value>,
    /// Whether a crate of findata logs the event.
    is_own: bool,
}

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        debug_assert!(!self.is_own || vocabulary::is_known(field.name()), "{}", field.name());
        self.line.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use findata_domain::Error;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_json_object() {
        let (lines, format) = (Lines::default(), JsonLines::of("load".into()));
        let to = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .event_format(format.clone())
            .with_writer(move || to.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(rows = 3_u64, "starting");
            format.begin("id-1");
            let error = Error::Stop("line 1\nline \"2\"".into());
            tracing::error!(run_id = %"r1", seconds = 0.5, closed = true, %error, "failed");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].get("request_id").is_none() && lines[0]["rows"] == 3, "{text}");
        let failed = &lines[1];
        assert_eq!(
            (&failed["level"], &failed["function"], &failed["request_id"], &failed["message"]),
            (&"ERROR".into(), &"load".into(), &"id-1".into(), &"failed".into())
        );
        assert_eq!(
            (&failed["run_id"], &failed["seconds"], &failed["closed"]),
            (&"r1".into(), &0.5.into(), &true.into())
        );
        assert!(failed["error"].as_str().unwrap().contains("line \"2\""), "{text}");
        assert!(failed["timestamp"].as_str().unwrap().ends_with('Z'));
    }
}
