//! A server that answers FMP requests with prepared responses.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::{Query, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{runtime, wait};

/// Endpoint, symbol and period of a request. Symbol and period may be empty.
type Key = (String, String, String);
type Reply = (u16, String);

/// Prepared responses by request. Any other request gets `[]`, as FMP returns for unknown symbols.
#[derive(Debug, Default, Clone)]
pub struct Replay {
    answers: BTreeMap<Key, Reply>,
    /// A response to the first requests to each URL, and the number of those requests.
    first: Option<(u32, Reply)>,
    /// By endpoint: a response to the first requests to each URL, and the number of those requests.
    endpoint_overrides: BTreeMap<String, (u32, Reply)>,
}

#[derive(Debug)]
struct Shared {
    replay: Replay,
    tries: Mutex<BTreeMap<String, u32>>,
    calls: Mutex<Vec<String>>,
}

/// A running replay server. It stops when dropped.
pub struct ReplayServer {
    url: String,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Replay {
    /// A replay without responses.
    pub fn new() -> Self {
        Replay::default()
    }

    /// Sets the rows for a symbol. The JSON text is sent unchanged, so every digit is kept.
    pub fn answer(mut self, endpoint: &str, symbol: &str, period: &str, json: impl Into<String>) -> Self {
        self.answers.insert((endpoint.into(), symbol.into(), period.into()), (200, json.into()));
        self
    }

    /// Sends this response to the first `times` requests to each URL, or to every request if
    /// `times` is `None`.
    pub fn respond_to_all(mut self, times: Option<u32>, status: u16, body: &str) -> Self {
        self.first = Some((times.unwrap_or(u32::MAX), (status, body.into())));
        self
    }

    /// Sends this response to every request to an endpoint.
    pub fn override_endpoint(self, endpoint: &str, status: u16, body: &str) -> Self {
        self.fail_first(endpoint, u32::MAX, status, body)
    }

    /// Sends this response to the first `times` requests to each URL of an endpoint.
    pub fn fail_first(mut self, endpoint: &str, times: u32, status: u16, body: &str) -> Self {
        self.endpoint_overrides.insert(endpoint.into(), (times, (status, body.into())));
        self
    }

    /// Starts the server.
    pub fn start(self) -> ReplayServer {
        wait(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
            let url = format!("http://{}/stable", listener.local_addr().expect("an address"));
            let shared = Arc::new(Shared {
                replay: self,
                tries: Mutex::default(),
                calls: Mutex::default(),
            });
            let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
            let (stop, stopped) = oneshot::channel::<()>();
            let task = runtime().spawn(async move {
                let signal = async { drop(stopped.await) };
                let _ = axum::serve(listener, router).with_graceful_shutdown(signal).await;
            });
            ReplayServer { url, shared, stop: Some(stop), task: Some(task) }
        })
    }
}

impl ReplayServer {
    /// The base URL, including `/stable`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The path and query of every call so far.
    pub fn calls(&self) -> Vec<String> {
        self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for ReplayServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let call = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    shared.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
    let Query(query) = Query::<BTreeMap<String, String>>::try_from_uri(request.uri()).unwrap_or_default();
    let value = |name: &str| query.get(name).cloned().unwrap_or_default();
    let endpoint = request.uri().path().trim_start_matches("/stable/").to_owned();
    let tries = {
        let mut all = shared.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let tries = all.entry(call).or_default();
        *tries += 1;
        *tries
    };
    let (status, body) = match (&shared.replay.first, shared.replay.endpoint_overrides.get(&endpoint)) {
        (Some((times, reply)), _) if tries <= *times => reply.clone(),
        (_, Some((times, reply))) if tries <= *times => reply.clone(),
        _ => {
            let key = (endpoint.clone(), value("symbol"), value("period"));
            let known = shared.replay.answers.get(&key).cloned();
            known.map_or((200, "[]".into()), |(status, body)| {
                (status, in_range(&endpoint, &body, &value("from"), &value("to")))
            })
        }
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// The bars between two days, with their digits unchanged.
fn in_range(endpoint: &str, body: &str, from: &str, to: &str) -> String {
    if !endpoint.starts_with("historical-price-eod") || from.is_empty() {
        return body.to_owned();
    }
    let rows: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(body).expect("rows");
    let day = |row: &str| {
        let row: Value = serde_json::from_str(row).expect("a row");
        row["date"].as_str().unwrap_or_default().to_owned()
    };
    let kept = rows.iter().map(|row| row.get()).filter(|row| (from..=to).contains(&day(row).as_str()));
    format!("[{}]", kept.collect::<Vec<_>>().join(","))
}
