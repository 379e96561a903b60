//! An OpenTelemetry collector for traces, on this machine.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri},
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{runtime, wait};

/// What the collector does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It takes the spans.
    Accept,
    /// It answers 500.
    Fail,
    /// It never answers.
    Hang,
}

/// A span, as the collector received it.
#[derive(Debug, Clone)]
pub struct Received {
    /// The service that sent it.
    pub service: String,
    /// The trace.
    pub trace: String,
    /// The id.
    pub id: String,
    /// The id of the parent; empty without one.
    pub parent: String,
    /// The name.
    pub name: String,
    /// The attributes by name, without their types.
    pub attributes: BTreeMap<String, String>,
    /// Why the work failed.
    pub error: Option<String>,
}

/// A collector. It ends when dropped.
pub struct Collector {
    url: String,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
    task: JoinHandle<()>,
}

impl Collector {
    /// Starts a collector.
    pub fn start(behaviour: Behaviour) -> Self {
        wait(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
            let url = format!("http://{}", listener.local_addr().expect("an address"));
            let requests = Arc::<Mutex<Vec<(String, Value)>>>::default();
            let router = Router::new().fallback(handle).with_state((behaviour, Arc::clone(&requests)));
            let task = runtime().spawn(async move {
                let _ = axum::serve(listener, router).await;
            });
            Collector { url, requests, task }
        })
    }

    /// The address, as `OTEL_EXPORTER_OTLP_ENDPOINT` takes it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The paths and bodies of the requests so far.
    pub fn requests(&self) -> Vec<(String, Value)> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans received so far.
    pub fn spans(&self) -> Vec<Received> {
        self.requests().iter().flat_map(|(_, body)| received(body)).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Shared = (Behaviour, Arc<Mutex<Vec<(String, Value)>>>);

async fn handle(State((behaviour, requests)): State<Shared>, uri: Uri, body: String) -> StatusCode {
    let Ok(body) = serde_json::from_str(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push((uri.path().to_owned(), body));
    match behaviour {
        Behaviour::Accept => StatusCode::OK,
        Behaviour::Fail => StatusCode::INTERNAL_SERVER_ERROR,
        Behaviour::Hang => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            StatusCode::OK
        }
    }
}

/// The spans in the body of an export.
pub fn received(body: &Value) -> Vec<Received> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let attributes = |list: &Value| -> BTreeMap<String, String> {
        let attribute = |pair: &Value| {
            let value = pair["value"].as_object().expect("a value").values().next().expect("a value").clone();
            (text(&pair["key"]), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        list.as_array().expect("attributes").iter().map(attribute).collect()
    };
    let mut found = Vec::new();
    for resource in body["resourceSpans"].as_array().expect("resources") {
        let service = attributes(&resource["resource"]["attributes"])["service.name"].clone();
        for span in resource["scopeSpans"][0]["spans"].as_array().expect("spans") {
            found.push(Received {
                service: service.clone(),
                trace: text(&span["traceId"]),
                id: text(&span["spanId"]),
                parent: text(&span["parentSpanId"]),
                name: text(&span["name"]),
                attributes: attributes(&span["attributes"]),
                error: span["status"]["message"].as_str().map(str::to_owned),
            });
        }
    }
    found
}
