//! What the Snowflake client leaves out, added underneath it: between its requests and the network.
//!
//! The client alone reports a statement of over 45 seconds as an error while its work goes on, cuts long answers, loses
//! query ids and SQL states, sets no limit to anything, and cannot be pointed at another address. Here a request is sent
//! until it is answered, always with the same request id, so that Snowflake applies it once; an answer still to come is
//! asked for until the statement's deadline, at which the statement is aborted; an old token is renewed; and an answer
//! reaches the client whole, or as an error that says what to do.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use backon::{BackoffBuilder, ExponentialBuilder};
use http::{Extensions, HeaderMap, HeaderValue, header};
use reqwest::{Body, Client, Method, Request, RequestBuilder, Response, StatusCode, Url};
use reqwest_middleware::{Error as MiddlewareError, Middleware, Next};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    answer,
    failure::{Refusal, TOKEN_EXPIRED},
};
use findata_domain::{Error, Result};

/// Sends of one request, the first included.
const SENDS: usize = 5;
/// Codes of "not finished yet, ask there".
const IN_PROGRESS: [&str; 2] = ["333333", "333334"];
/// How long the abort of a statement may take, when its time is up already.
const TO_ABORT: Duration = Duration::from_secs(5);

/// What the adapter and the layer tell each other about the statement under way: a session has one at a time.
#[derive(Debug)]
pub(super) struct Call {
    /// When it must have ended.
    pub deadline: Instant,
    /// What ended it.
    pub failed: Option<Error>,
    /// Whether it met a session that is no more.
    pub session_is_gone: bool,
    /// Snowflake's id of it.
    pub query_id: Option<String>,
    /// What Snowflake's history says that it is for; as long as the next one is for the same.
    pub tag: String,
}

impl Call {
    pub(super) fn new(deadline: Instant) -> Self {
        Call { deadline, failed: None, session_is_gone: false, query_id: None, tag: r#"{"app":"findata"}"#.into() }
    }

    /// Begins the next statement.
    pub(super) fn begin(&mut self, deadline: Instant) {
        *self = Call { tag: std::mem::take(&mut self.tag), ..Call::new(deadline) };
    }
}

/// Both tokens of a session.
#[derive(Clone)]
struct Tokens {
    session: SecretString,
    master: SecretString,
}

/// The layer.
pub(super) struct Wire {
    pub base: Url,
    pub http: Client,
    /// The pause before the second send; each further one is twice as long.
    pub pause: Duration,
    pub call: Arc<Mutex<Call>>,
    tokens: Mutex<Option<Tokens>>,
}

/// Why a request came to nothing.
enum Failure {
    Refused(Refusal),
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait::async_trait]
impl Middleware for Wire {
    async fn handle(
        &self,
        request: Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> std::result::Result<Response, MiddlewareError> {
        let deadline = lock(&self.call).deadline;
        let ids = ["requestId", "request_guid"].map(|name| parameter(request.url(), name));
        let is_statement = request.url().path().ends_with("/query-request");
        let done = tokio::time::timeout_at(deadline.into(), self.answer(request)).await;
        let failure = match done {
            Ok(Ok(answer)) => return Ok(response(&answer)),
            Ok(Err(failure)) => failure,
            Err(_) => {
                if is_statement {
                    self.abort(&ids).await;
                }
                Error::retry("a statement did not end in the time that it has, and was aborted").into()
            }
        };
        let mut call = lock(&self.call);
        call.failed = Some(match failure {
            Failure::Refused(refusal) => {
                call.session_is_gone = refusal.session_is_gone();
                call.query_id = Some(refusal.query_id.clone()).filter(|id| !id.is_empty());
                refusal.error()
            }
            Failure::Other(error) => error,
        });
        Err(MiddlewareError::Middleware(anyhow::anyhow!("told to the adapter")))
    }
}

impl Wire {
    pub(super) fn new(base: Url, http: Client, pause: Duration, call: Arc<Mutex<Call>>) -> Self {
        Wire { base, http, pause, call, tokens: Mutex::new(None) }
    }

    /// The whole answer to a request of the client's.
    async fn answer(&self, mut request: Request) -> Result<Value, Failure> {
        let path = request.url().path().replace("//", "/");
        let url = request.url_mut();
        let (scheme, host) = (self.base.scheme(), self.base.host_str());
        let aimed =
            url.set_host(host).is_ok() && url.set_scheme(scheme).is_ok() && url.set_port(self.base.port()).is_ok();
        if !aimed {
            return Err(Error::Config(format!("{} is no address of Snowflake's", self.base)).into());
        }
        url.set_path(&path);
        let body = request.body().and_then(Body::as_bytes).unwrap_or_default();
        let mut body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        match path.as_str() {
            "/session/v1/login-request" => {
                answer::introduce(&mut body);
                self.log_in(self.post(request.url().clone(), &body, None)).await
            }
            "/queries/v1/query-request" => {
                let (deadline, tag) = {
                    let call = lock(&self.call);
                    (call.deadline, call.tag.clone())
                };
                let left = deadline.saturating_duration_since(Instant::now());
                body["parameters"] = json!({
                    "QUERY_TAG": tag,
                    // A second before ours, so that Snowflake's own time-out is heard; none of 0, which means two days.
                    "STATEMENT_TIMEOUT_IN_SECONDS": left.as_secs().max(2) - 1,
                });
                let mut answer = self.finished(request.url(), &body).await?;
                lock(&self.call).query_id = answer["data"]["queryId"].as_str().map(str::to_owned);
                self.complete(&mut answer).await?;
                Ok(answer)
            }
            // Closing; renewing is this layer's alone, since the client is told of no expiry.
            _ => self.send(|| self.post(request.url().clone(), &body, self.token().as_ref())).await,
        }
    }

    fn token(&self) -> Option<SecretString> {
        lock(&self.tokens).as_ref().map(|t| t.session.clone())
    }

    fn post(&self, url: Url, body: &Value, token: Option<&SecretString>) -> RequestBuilder {
        let request = self.http.post(url).header(header::CONTENT_TYPE, "application/json").body(body.to_string());
        request.headers(headers(token))
    }

    async fn log_in(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let mut answer = self.send(|| request.try_clone().unwrap_or_else(|| self.http.post(self.base.clone()))).await?;
        let data = &answer["data"];
        let (Some(session), Some(master)) = (data["token"].as_str(), data["masterToken"].as_str()) else {
            return Err(Error::retry("Snowflake let the user in and gave no token").into());
        };
        *lock(&self.tokens) = Some(Tokens { session: session.into(), master: master.into() });
        answer::without_expiry(&mut answer);
        Ok(answer)
    }

    /// A new session token for the master token; the session itself stays.
    async fn renew(&self) -> Result<(), Failure> {
        let Some(old) = lock(&self.tokens).clone() else { return Ok(()) };
        let mut url = self.base.clone();
        url.set_path("/session/token-request");
        let body = json!({ "oldSessionToken": old.session.expose_secret(), "requestType": "RENEW" });
        let answer = self.send(|| self.post(url.clone(), &body, Some(&old.master))).await?;
        let data = &answer["data"];
        let Some(session) = data["sessionToken"].as_str() else {
            return Err(Error::retry("Snowflake renewed the session and gave no token").into());
        };
        let master = data["masterToken"].as_str().map_or(old.master, SecretString::from);
        *lock(&self.tokens) = Some(Tokens { session: session.into(), master });
        Ok(())
    }

    /// A statement's answer when there is one, asked for as long as Snowflake says that it is still at it.
    async fn finished(&self, url: &Url, body: &Value) -> Result<Value, Failure> {
        let mut renewed = false;
        let mut next: Option<Url> = None;
        loop {
            let sent = self
                .send(|| match &next {
                    None => self.post(url.clone(), body, self.token().as_ref()),
                    Some(url) => self.http.get(url.clone()).headers(headers(self.token().as_ref())),
                })
                .await;
            match sent {
                Err(Failure::Refused(refusal)) if refusal.code == TOKEN_EXPIRED && !renewed => {
                    renewed = true;
                    self.renew().await?;
                }
                Ok(answer) if IN_PROGRESS.iter().any(|code| answer["code"] == *code) => {
                    let place = answer["data"]["getResultUrl"].as_str().and_then(|place| self.base.join(place).ok());
                    // The token goes there.
                    let place = place.filter(|place| place.origin() == self.base.origin());
                    next = Some(place.ok_or_else(|| Error::Stop("Snowflake names no place for its answer".into()))?);
                }
                other => return other,
            }
        }
    }

    /// Sends until there is an answer; what it says no to is an error.
    async fn send(&self, request: impl Fn() -> RequestBuilder) -> Result<Value, Failure> {
        let pauses = ExponentialBuilder::default().with_min_delay(self.pause).with_jitter().with_max_times(SENDS - 1);
        let mut pauses = pauses.build();
        let mut again = 0_usize;
        loop {
            let mut request = request();
            if again > 0 {
                request = request.query(&[("retryCount", again)]);
            }
            let error = match receive(request).await {
                Ok(answer) if answer["success"] == true => return Ok(answer),
                Ok(answer) => return Err(Failure::Refused(answer::refusal(&answer))),
                Err(error) => error,
            };
            match (error, pauses.next()) {
                (Error::Retry { reason, .. }, Some(pause)) => {
                    again += 1;
                    tracing::debug!(reason, again, "sending to Snowflake again");
                    tokio::time::sleep(pause).await;
                }
                (error, _) => return Err(error.into()),
            }
        }
    }

    /// Brings an answer into one piece: rows that lie elsewhere are fetched, in order.
    async fn complete(&self, answer: &mut Value) -> Result<()> {
        answer::fill(answer);
        let chunk_headers = answer::chunk_headers(answer);
        for url in answer::take_chunks(answer)? {
            // Addresses that are signed for this answer: the token has no business there.
            let request = || self.http.request(Method::GET, url.clone()).headers(chunk_headers.clone());
            let mut tries = 0;
            let text = loop {
                match text(request()).await {
                    Ok(text) => break text,
                    Err(Error::Retry { .. }) if tries + 1 < SENDS => tries += 1,
                    Err(error) => return Err(error),
                }
            };
            answer::add_rows(answer, &text)?;
        }
        answer::check(answer)
    }

    async fn abort(&self, [id, guid]: &[String; 2]) {
        let mut url = self.base.clone();
        url.set_path("/queries/v1/abort-request");
        // A request of its own: the statement's id would make it that one's second send.
        url.query_pairs_mut().append_pair("requestId", guid);
        let request = self.post(url, &json!({ "requestId": id }), self.token().as_ref()).timeout(TO_ABORT);
        // Nothing more can be done where this fails; Snowflake's own time-out ends the statement then.
        let _ = request.send().await;
    }
}

fn headers(token: Option<&SecretString>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/snowflake"));
    let token = token.map(|t| HeaderValue::from_str(&format!("Snowflake Token=\"{}\"", t.expose_secret())));
    if let Some(Ok(mut token)) = token {
        token.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, token);
    }
    headers
}

async fn receive(request: RequestBuilder) -> Result<Value> {
    let text = text(request).await?;
    serde_json::from_str(&text).map_err(|_| Error::retry("Snowflake's answer is no JSON"))
}

async fn text(request: RequestBuilder) -> Result<String> {
    let lost = |e: reqwest::Error| Error::retry(format!("no answer from Snowflake: {}", cause(&e.without_url())));
    let response = request.send().await.map_err(lost)?;
    match response.status() {
        status if status.is_success() => response.text().await.map_err(lost),
        status
            if status.is_server_error()
                || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status) =>
        {
            Err(Error::retry(format!("Snowflake answers HTTP {}", status.as_u16())))
        }
        status => Err(Error::Config(format!(
            "Snowflake answers HTTP {}: check the account's name, and that its network policy lets this machine in",
            status.as_u16()
        ))),
    }
}

/// An HTTP error's innermost cause.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "none in time".into() } else { cause.to_string() }
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// An answer as the client expects one from the network.
fn response(answer: &Value) -> Response {
    let mut response = http::Response::new(Body::from(answer.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.into()
}
