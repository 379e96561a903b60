//! A server that answers FMP's requests from what it was given.

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

/// What is asked for: endpoint, symbol, period; the last two may be empty.
type Key = (String, String, String);
type Reply = (u16, String);

/// Answers by request. What was not given is answered with `[]`, as FMP does for what it does not know.
#[derive(Debug, Default, Clone)]
pub struct Replay {
    answers: BTreeMap<Key, Reply>,
    /// Answered instead, so many times, before the request's own answer.
    first: Option<(u32, Reply)>,
    /// Answered instead, so many times, to this endpoint.
    of_endpoint: BTreeMap<String, (u32, Reply)>,
}

#[derive(Debug)]
struct Shared {
    replay: Replay,
    tries: Mutex<BTreeMap<String, u32>>,
    calls: Mutex<Vec<String>>,
}

/// A running replay; it stops when dropped.
pub struct ReplayServer {
    url: String,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Replay {
    /// Without an answer.
    pub fn new() -> Self {
        Replay::default()
    }

    /// Answers a symbol's request with rows; a string is taken as it is, so that every digit stays.
    pub fn answer(mut self, endpoint: &str, symbol: &str, period: &str, json: impl Into<String>) -> Self {
        self.answers.insert((endpoint.into(), symbol.into(), period.into()), (200, json.into()));
        self
    }

    /// Answers every request so, always or only its first tries.
    pub fn instead(mut self, times: Option<u32>, status: u16, body: &str) -> Self {
        self.first = Some((times.unwrap_or(u32::MAX), (status, body.into())));
        self
    }

    /// Answers every request to an endpoint so.
    pub fn always(self, endpoint: &str, status: u16, body: &str) -> Self {
        self.instead_of(endpoint, u32::MAX, status, body)
    }

    /// Answers the first tries of every request to an endpoint so.
    pub fn instead_of(mut self, endpoint: &str, times: u32, status: u16, body: &str) -> Self {
        self.of_endpoint.insert(endpoint.into(), (times, (status, body.into())));
        self
    }

    /// Starts answering.
    pub fn start(self) -> ReplayServer {
        wait(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
            let url = format!("http://{}/stable", listener.local_addr().expect("an address"));
            let shared = Arc::new(Shared { replay: self, tries: Mutex::default(), calls: Mutex::default() });
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
    /// Its address, `/stable` included.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Every call, as path and query.
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
    let (status, body) = match (&shared.replay.first, shared.replay.of_endpoint.get(&endpoint)) {
        (Some((times, reply)), _) if tries <= *times => reply.clone(),
        (_, Some((times, reply))) if tries <= *times => reply.clone(),
        _ => {
            let key = (endpoint.clone(), value("symbol"), value("period"));
            let known = shared.replay.answers.get(&key).cloned();
            known.map_or((200, "[]".into()), |(status, body)| {
                (status, within(&endpoint, &body, &value("from"), &value("to")))
            })
        }
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Bars of the days that were asked for, digits untouched.
fn within(endpoint: &str, body: &str, from: &str, to: &str) -> String {
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
