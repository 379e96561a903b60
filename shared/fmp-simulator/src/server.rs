//! Handles HTTP requests: counts and delays them, checks the key and the limits, and responds or
//! injects a fault.

use super::fault_responses::{respond, response};
use super::faults::{Call, Fault, Kind};
use super::listener::Connections;
use super::plan::{self, Plan};
use super::routes::{Answer, Answers, Query};
use super::{Options, rng};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

const JSON: &str = "application/json";
const MINUTE: Duration = Duration::from_secs(60);

/// The state that all requests of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub answers: Answers,
    pub options: Options,
    pub connections: Arc<Connections>,
    pub calls: AtomicU64,
    /// Number of calls rejected because of the limit per minute or day.
    pub refused: AtomicU64,
    /// Number of bulk calls rejected because they came too soon after another bulk call.
    pub refused_bulk: AtomicU64,
    /// Number of calls by endpoint, in the order of [`plan::ENDPOINTS`]. The last element counts
    /// the calls of all other paths.
    by_endpoint: Vec<AtomicU64>,
    /// Time of the last accepted bulk call.
    last_bulk: Mutex<Option<Instant>>,
    /// How often each kind of fault was injected.
    injected: Mutex<BTreeMap<Kind, u64>>,
    /// Times of the accepted calls of the last minute.
    window: Mutex<VecDeque<Instant>>,
    /// Number of requests of each URL, by the URL's hash. Counted only if faults are configured.
    attempts: Mutex<HashMap<u64, u32>>,
    /// The faults to inject, which can be changed while the server runs.
    faults: Mutex<Vec<Fault>>,
    /// Becomes true when the server stops.
    stop: watch::Receiver<bool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(
        answers: Answers,
        options: Options,
        connections: Arc<Connections>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Shared {
            faults: Mutex::new(options.faults.clone()),
            answers,
            options,
            connections,
            calls: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            refused_bulk: AtomicU64::new(0),
            last_bulk: Mutex::default(),
            by_endpoint: (0..=plan::ENDPOINTS.len()).map(|_| AtomicU64::new(0)).collect(),
            injected: Mutex::default(),
            window: Mutex::default(),
            attempts: Mutex::default(),
            stop,
        }
    }

    /// Number of calls by endpoint, without endpoints that were not called. Other paths count as
    /// `other`.
    pub(super) fn calls_by_endpoint(&self) -> BTreeMap<&'static str, u64> {
        let names = plan::ENDPOINTS.iter().map(|(name, _)| *name).chain(["other"]);
        let counts = self.by_endpoint.iter().map(|c| c.load(Ordering::Relaxed));
        names.zip(counts).filter(|(_, n)| *n > 0).collect()
    }

    /// Replaces the faults to inject.
    pub(super) fn set_faults(&self, faults: Vec<Fault>) {
        *lock(&self.faults) = faults;
    }

    /// How often each kind of fault was injected.
    pub(super) fn faults(&self) -> BTreeMap<Kind, u64> {
        lock(&self.injected).clone()
    }

    /// Whether this call exceeds the limit per minute, or per day on the free plan.
    fn over_limit(&self, calls: u64) -> bool {
        if self.options.plan == Plan::Free && calls > plan::FREE_CALLS {
            return true;
        }
        let Some(limit) = self.options.calls_per_minute else {
            return false;
        };
        let now = Instant::now();
        let mut window = lock(&self.window);
        while window.front().is_some_and(|t| now.duration_since(*t) >= MINUTE) {
            window.pop_front();
        }
        // Rejected calls do not count towards the limit, so a client that waits succeeds.
        let over = window.len() >= limit as usize;
        if !over {
            window.push_back(now);
        }
        over
    }

    /// Whether this bulk call comes too soon after the last accepted bulk call. Rejected calls do
    /// not count, so a client that waits succeeds.
    fn too_soon(&self, endpoint: &str) -> bool {
        if self.options.bulk_pause.is_zero() || !endpoint.ends_with("-bulk") {
            return false;
        }
        let mut last = lock(&self.last_bulk);
        let now = Instant::now();
        let too_soon = last.is_some_and(|last| now.duration_since(last) < self.options.bulk_pause);
        if !too_soon {
            *last = Some(now);
        }
        too_soon
    }

    fn key_is_valid(&self, request: &Request, query: &Query) -> bool {
        let header = request.headers().get("apikey").and_then(|v| v.to_str().ok()).filter(|k| !k.is_empty());
        match (header.or_else(|| query.get("apikey")), &self.options.key) {
            (Some(key), Some(expected)) => key == expected,
            (key, _) => key.is_some(),
        }
    }

    /// The first configured fault that applies to this call.
    fn fault(&self, endpoint: &str, query: &Query) -> Option<Fault> {
        let faults = lock(&self.faults).clone();
        if faults.is_empty() {
            return None;
        }
        let mut parts: Vec<String> =
            query.0.iter().filter(|(n, _)| n != "apikey").map(|(n, v)| format!("{n}={v}")).collect();
        parts.sort();
        let url = format!("{endpoint}?{}", parts.join("&"));
        let attempt = {
            let mut attempts = lock(&self.attempts);
            let n = attempts.entry(rng::of_text(&url)).or_insert(0);
            *n += 1;
            *n
        };
        let symbols = query.get("symbol").or_else(|| query.get("symbols")).unwrap_or_default();
        let call = Call { endpoint, symbols, url: &url };
        let fault = faults.into_iter().find(|f| f.applies_to(self.options.seed, &call, attempt))?;
        *lock(&self.injected).entry(fault.kind).or_insert(0) += 1;
        Some(fault)
    }
}

/// The parameters of a URL; empty if the query cannot be parsed.
fn parameters(uri: &Uri) -> Query {
    axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map(|q| Query(q.0))
        .unwrap_or_default()
}

/// Responds to one request.
pub(super) async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let calls = shared.calls.fetch_add(1, Ordering::Relaxed) + 1;
    let path = request.uri().path();
    let endpoint = path.strip_prefix("/stable/").map(|p| p.trim_end_matches('/'));
    let number = endpoint.and_then(plan::endpoint);
    if let Some(counter) = shared.by_endpoint.get(number.unwrap_or(plan::ENDPOINTS.len())) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
    let delay = shared.options.delay(calls);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let query = parameters(request.uri());
    if path.starts_with("/api/v3/") || path.starts_with("/api/v4/") {
        return response(403, JSON, plan::LEGACY);
    }
    if !shared.key_is_valid(&request, &query) {
        return response(401, JSON, plan::INVALID_KEY);
    }
    if shared.over_limit(calls) {
        shared.refused.fetch_add(1, Ordering::Relaxed);
        return response(429, JSON, plan::LIMIT_REACH);
    }
    let (Some(endpoint), Some(_)) = (endpoint, number) else {
        return response(404, JSON, "[]");
    };
    if shared.too_soon(endpoint) {
        shared.refused_bulk.fetch_add(1, Ordering::Relaxed);
        return response(200, JSON, plan::BULK_TOO_SOON);
    }
    let fault = shared.fault(endpoint, &query);
    let stop = || shared.stop.clone();
    match (shared.answers.answer(endpoint, &query), fault) {
        (Answer::Json(json), None) => response(200, JSON, json),
        (Answer::Csv(chunks), None) => {
            let chunks = chunks.map(|p| Ok::<_, Infallible>(Bytes::from(p)));
            response(200, "text/csv", Body::from_stream(stream::iter(chunks)))
        }
        (Answer::Refused(status, text), None) => response(status, JSON, text),
        (Answer::Json(json), Some(fault)) => respond(&fault, json, JSON, stop()).await,
        (Answer::Csv(chunks), Some(fault)) => respond(&fault, chunks.collect(), "text/csv", stop()).await,
        (Answer::Refused(_, text), Some(fault)) => respond(&fault, text, JSON, stop()).await,
    }
}
