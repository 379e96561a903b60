//! Traces: the spans of a run across all functions, with W3C trace context
//! (<https://www.w3.org/TR/trace-context/>).
//!
//! The context travels in messages as `traceparent`. S3 events cannot carry it, so `staged.json` does, and
//! the ids of two spans are derived from the run: the request, whose repetitions are one span, and the
//! load that wrote `loaded.json`, which is the parent of analytics.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use findata_domain::{
    Result,
    clock::{Clock, SystemClock},
    hash,
};
use serde::Deserialize;
use serde_json::Value;

use super::vocabulary;
use crate::{
    ledger,
    ports::stage::{self, Stage},
    run::RunId,
};

/// Maximum number of spans that wait for their export. An invocation has three at most, a run on a laptop
/// one for each batch.
const MAX_SPANS: usize = 4_096;

/// Identifies a span in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: u128,
    /// The span.
    pub span: u64,
    /// Whether the trace is recorded.
    pub sampled: bool,
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

impl TraceContext {
    /// Reads a `traceparent`. Returns `None` for a malformed one, which the standard demands to ignore.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let has_rest = parts.next().is_some();
        if !is_hex(version, 2) || version == "ff" || (version == "00" && has_rest) {
            return None;
        }
        if !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) {
            return None;
        }
        let context = TraceContext {
            trace: u128::from_str_radix(trace, 16).ok()?,
            span: u64::from_str_radix(span, 16).ok()?,
            sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        };
        (context.trace != 0 && context.span != 0).then_some(context)
    }

    /// The context of a run's request, if its requester sent none.
    pub fn of_run(run: &RunId) -> Self {
        let part = |name: &str| u128::from(hash::number(&format!("{name} of {run}")).max(1));
        let trace = (part("trace") << 64) | part("rest of the trace");
        TraceContext { trace, span: derived(run, "request"), sampled: true }
    }
}

fn derived(run: &RunId, name: &str) -> u64 {
    hash::number(&format!("{name} of {run}")).max(1)
}

/// Who a span's work is done for; OpenTelemetry's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A part of the same function's work.
    Internal = 1,
    /// A request.
    Server = 2,
    /// A message or an event.
    Consumer = 5,
}

/// A piece of work. It is recorded by [`Tracer::finish`].
#[derive(Debug, Clone)]
pub struct Span {
    /// Its name: request, plan, batch, load or analytics.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its identity.
    pub context: TraceContext,
    /// The id of the span that caused it.
    pub parent: Option<u64>,
    /// When the work began.
    pub started_at: DateTime<Utc>,
    /// When the work ended.
    pub ended_at: DateTime<Utc>,
    /// What the work was about, with names of the [`vocabulary`].
    pub attributes: Vec<(&'static str, Value)>,
    /// Why the work failed.
    pub error: Option<String>,
    is_on: bool,
}

impl Span {
    /// The `traceparent` of messages that this work sends; `None` if traces are off.
    pub fn traceparent(&self) -> Option<String> {
        self.is_on.then(|| self.context.to_string())
    }

    /// Adds an attribute.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        debug_assert!(vocabulary::is_known(name), "{name}");
        if self.is_on {
            self.attributes.push((name, value.into()));
        }
    }

    /// Records the error of a result.
    pub fn fail<T>(&mut self, result: &Result<T>) {
        self.error = result.as_ref().err().map(ToString::to_string);
    }

    /// Makes this the load that the run's analytics follows.
    pub fn become_load_of(&mut self, run: &RunId) {
        self.context.span = derived(run, "load");
    }
}

/// Collects finished spans until they are exported. Off by default.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<Arc<Mutex<Vec<Span>>>>);

impl Tracer {
    /// A tracer that collects spans.
    pub fn on() -> Self {
        Tracer(Some(Arc::default()))
    }

    /// Whether spans are collected.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins the span of a run's request. `traceparent` is that of the requester.
    pub fn request(&self, run: &RunId, traceparent: Option<&str>) -> Span {
        let own = TraceContext::of_run(run);
        let caller = traceparent.and_then(TraceContext::parse);
        let context = caller.map_or(own, |caller| TraceContext { span: own.span, ..caller });
        self.begin("request", Kind::Server, context, caller.map(|caller| caller.span), run)
    }

    /// Begins the span of a part of another span's work.
    pub fn child(&self, name: &'static str, parent: &Span, run: &RunId) -> Span {
        self.span(name, Kind::Internal, parent.context, run)
    }

    /// Begins the span of a message's work. Without a valid `traceparent`, the run's request is its parent.
    pub fn consumer(&self, name: &'static str, traceparent: Option<&str>, run: &RunId) -> Span {
        let parent = traceparent.and_then(TraceContext::parse).unwrap_or_else(|| TraceContext::of_run(run));
        self.span(name, Kind::Consumer, parent, run)
    }

    /// Begins the span of a run's load. Its parent is the batch that closed the fetch step.
    pub async fn load(&self, run: &RunId, stage: &impl Stage) -> Span {
        self.consumer("load", self.staged(run, stage).await.as_deref(), run)
    }

    /// Begins the span of a run's analytics. Its parent is the load that wrote `loaded.json`.
    pub async fn analytics(&self, run: &RunId, stage: &impl Stage) -> Span {
        let staged = self.staged(run, stage).await.as_deref().and_then(TraceContext::parse);
        let parent = staged.unwrap_or_else(|| TraceContext::of_run(run));
        let load = TraceContext { span: derived(run, "load"), ..parent };
        self.span("analytics", Kind::Consumer, load, run)
    }

    /// The `traceparent` in a run's `staged.json`. A trace is not worth a failure, so errors count as none.
    async fn staged(&self, run: &RunId, stage: &impl Stage) -> Option<String> {
        #[derive(Deserialize)]
        struct Context {
            #[serde(default)]
            traceparent: Option<String>,
        }
        if !self.is_on() {
            return None;
        }
        let staged = stage::read_json::<Context>(stage, &ledger::staged_key(run)).await;
        staged.ok().flatten().and_then(|staged| staged.traceparent)
    }

    fn span(&self, name: &'static str, kind: Kind, parent: TraceContext, run: &RunId) -> Span {
        let context = TraceContext { span: fastrand::u64(1..), ..parent };
        self.begin(name, kind, context, Some(parent.span), run)
    }

    fn begin(
        &self,
        name: &'static str,
        kind: Kind,
        context: TraceContext,
        parent: Option<u64>,
        run: &RunId,
    ) -> Span {
        let now = SystemClock.now();
        let mut span = Span {
            name,
            kind,
            context,
            parent,
            started_at: now,
            ended_at: now,
            attributes: Vec::new(),
            error: None,
            is_on: self.is_on(),
        };
        span.set("run_id", run.as_str());
        span
    }

    /// Ends a span and keeps it for the export, if its trace is recorded.
    pub fn finish(&self, mut span: Span) {
        if let Some(spans) = self.0.as_ref().filter(|_| span.context.sampled) {
            span.ended_at = SystemClock.now().max(span.started_at);
            let mut spans = spans.lock().unwrap_or_else(PoisonError::into_inner);
            if spans.len() < MAX_SPANS {
                spans.push(span);
            }
        }
    }

    /// Removes and returns the spans that have ended.
    pub fn take(&self) -> Vec<Span> {
        let Some(spans) = &self.0 else {
            return Vec::new();
        };
        std::mem::take(&mut *spans.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_malformed_traceparent_is_ignored() {
        let context = TraceContext::parse(CALLER).unwrap();
        assert_eq!(context.to_string(), CALLER);
        assert!(!TraceContext::parse(&CALLER.replace("-01", "-00")).unwrap().sampled);
        // A later version may have more parts.
        assert!(TraceContext::parse(&format!("01{}-x", &CALLER[2..])).is_some());
        for malformed in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(TraceContext::parse(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn a_request_belongs_to_the_trace_of_its_requester() {
        let (tracer, run) = (Tracer::on(), "20261122T201533120Z-000000ab".parse().unwrap());
        let request = tracer.request(&run, Some(CALLER));
        assert_eq!(request.context.trace, TraceContext::parse(CALLER).unwrap().trace);
        assert_eq!(request.parent, Some(0x00f0_67aa_0ba9_02b7));
        let again = tracer.request(&run, None);
        assert_eq!((again.context.span, again.parent), (request.context.span, None));
        let lost = tracer.consumer("batch", None, &run);
        assert_eq!((lost.context.trace, lost.parent), (again.context.trace, Some(again.context.span)));

        let unrecorded = tracer.request(&run, Some(&CALLER.replace("-01", "-00")));
        tracer.finish(unrecorded);
        assert!(tracer.take().is_empty(), "the requester does not record the trace");
        assert_eq!(Tracer::default().request(&run, Some(CALLER)).traceparent(), None, "traces are off");
    }
}
