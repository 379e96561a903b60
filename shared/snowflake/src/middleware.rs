//! A middleware that sends the requests of the Snowflake client, and adds features that the client lacks.
//!
//! Without the middleware, the client reports a statement that takes over 45 seconds as an error, although the
//! statement continues. The client also truncates long results, drops query ids and SQL states, sets no time limits and
//! cannot use another address. This middleware:
//!
//! - retries a request with the same request id, so that Snowflake executes it only once
//! - polls for the result of a statement until its deadline, then aborts the statement
//! - renews expired tokens
//! - gives the client a complete response, or records an error that tells the caller how to react

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::{Extensions, HeaderValue, header};
use reqwest::{Body, Client, Request, RequestBuilder, Response, Url};
use reqwest_middleware::{Error as MiddlewareError, Middleware, Next};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    failure::{BATCH_FAILED, TOKEN_EXPIRED},
    response,
    statement::{StatementState, lock},
    transport::{self, Failure},
};
use findata_domain::{Error, Result};

/// Codes of responses that say that the statement is still running.
const IN_PROGRESS: [&str; 2] = ["333333", "333334"];
/// Timeout of the request that aborts a statement after the statement's deadline.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

/// The two tokens of a session. The master token is used to renew the session token.
#[derive(Clone)]
struct Tokens {
    session: SecretString,
    master: SecretString,
}

/// The middleware of one session.
pub(super) struct SessionMiddleware {
    base: Url,
    http: Client,
    /// The pause before the first retry of a request. Each further pause is twice as long.
    retry_pause: Duration,
    statement: Arc<Mutex<StatementState>>,
    tokens: Mutex<Option<Tokens>>,
    /// Whether a login fails if the warehouse, the database or the schema does not exist.
    is_validated: bool,
}

#[async_trait::async_trait]
impl Middleware for SessionMiddleware {
    async fn handle(
        &self,
        request: Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> std::result::Result<Response, MiddlewareError> {
        let deadline = lock(&self.statement).deadline;
        let ids = ["requestId", "request_guid"].map(|name| parameter(request.url(), name));
        let is_statement = request.url().path().ends_with("/query-request");
        let result = tokio::time::timeout_at(deadline.into(), self.forward(request)).await;
        let failure = match result {
            Ok(Ok(response)) => return Ok(http_response(&response)),
            Ok(Err(failure)) => failure,
            Err(_) => {
                if is_statement {
                    self.abort(&ids).await;
                }
                Error::retry("the statement exceeded its time limit and was aborted").into()
            }
        };
        let mut statement = lock(&self.statement);
        statement.error = Some(match failure {
            Failure::Rejected(rejection) => {
                statement.session_ended = rejection.session_ended();
                statement.failed_batch = (rejection.code == BATCH_FAILED).then(|| rejection.query_id.clone());
                statement.query_ids = vec![rejection.query_id.clone()];
                statement.query_ids.retain(|id| !id.is_empty());
                rejection.error()
            }
            Failure::Other(error) => error,
        });
        Err(MiddlewareError::Middleware(anyhow::anyhow!("see StatementState::error")))
    }
}

impl SessionMiddleware {
    pub(super) fn new(
        base: Url,
        http: Client,
        retry_pause: Duration,
        statement: Arc<Mutex<StatementState>>,
        is_validated: bool,
    ) -> Self {
        SessionMiddleware {
            base,
            http,
            retry_pause,
            statement,
            tokens: Mutex::new(None),
            is_validated,
        }
    }

    /// Sends a request of the client. Returns the complete response.
    async fn forward(&self, mut request: Request) -> Result<Value, Failure> {
        let path = request.url().path().replace("//", "/");
        let url = request.url_mut();
        let (scheme, host) = (self.base.scheme(), self.base.host_str());
        let redirected = url.set_host(host).is_ok()
            && url.set_scheme(scheme).is_ok()
            && url.set_port(self.base.port()).is_ok();
        if !redirected {
            return Err(Error::Config(format!("{} is not a valid Snowflake URL", self.base)).into());
        }
        url.set_path(&path);
        let body = request.body().and_then(Body::as_bytes).unwrap_or_default();
        let mut body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        match path.as_str() {
            "/session/v1/login-request" => {
                response::prepare_login(&mut body, self.is_validated);
                self.log_in(request.url(), &body).await
            }
            "/queries/v1/query-request" => {
                let (deadline, tag, count) = {
                    let statement = lock(&self.statement);
                    (statement.deadline, statement.tag.clone(), statement.count)
                };
                let left = deadline.saturating_duration_since(Instant::now());
                body["parameters"] = json!({
                    "QUERY_TAG": tag,
                    // A text with another number of statements is rejected, so no value can add a statement.
                    "MULTI_STATEMENT_COUNT": count,
                    // Ends one second before the middleware's deadline, so that Snowflake reports the timeout. It is
                    // never 0, which would mean two days.
                    "STATEMENT_TIMEOUT_IN_SECONDS": left.as_secs().max(2) - 1,
                });
                let mut response = self.poll(request.url(), &body).await?;
                lock(&self.statement).query_ids = response::query_ids(&response);
                self.complete(&mut response).await?;
                Ok(response)
            }
            // The only other request closes the session. The client does not renew tokens, because `without_expiry`
            // removes their expiry times.
            _ => self.send(|| self.post(request.url().clone(), &body, self.token().as_ref())).await,
        }
    }

    fn token(&self) -> Option<SecretString> {
        lock(&self.tokens).as_ref().map(|t| t.session.clone())
    }

    fn post(&self, url: Url, body: &Value, token: Option<&SecretString>) -> RequestBuilder {
        let request = self
            .http
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_string());
        request.headers(transport::headers(token))
    }

    async fn send(&self, request: impl Fn() -> RequestBuilder) -> Result<Value, Failure> {
        let is_open = lock(&self.tokens).is_some();
        transport::send(self.retry_pause, is_open, request).await
    }

    async fn log_in(&self, url: &Url, body: &Value) -> Result<Value, Failure> {
        let mut response = self.send(|| self.post(url.clone(), body, None)).await?;
        let data = &response["data"];
        let (Some(session), Some(master)) = (data["token"].as_str(), data["masterToken"].as_str()) else {
            return Err(Error::retry("Snowflake's response to the login contains no token").into());
        };
        *lock(&self.tokens) = Some(Tokens { session: session.into(), master: master.into() });
        response::without_expiry(&mut response);
        Ok(response)
    }

    /// Gets a new session token with the master token. The session continues.
    async fn renew(&self) -> Result<(), Failure> {
        let Some(old) = lock(&self.tokens).clone() else {
            return Ok(());
        };
        let mut url = self.base.clone();
        url.set_path("/session/token-request");
        let body = json!({ "oldSessionToken": old.session.expose_secret(), "requestType": "RENEW" });
        let response = self.send(|| self.post(url.clone(), &body, Some(&old.master))).await?;
        let data = &response["data"];
        let Some(session) = data["sessionToken"].as_str() else {
            return Err(Error::retry("Snowflake's response to the token renewal contains no token").into());
        };
        let master = data["masterToken"].as_str().map_or(old.master, SecretString::from);
        *lock(&self.tokens) = Some(Tokens { session: session.into(), master });
        Ok(())
    }

    /// Sends a statement, then polls for its result while Snowflake reports that the statement is still running.
    async fn poll(&self, url: &Url, body: &Value) -> Result<Value, Failure> {
        let mut renewed = false;
        let mut next: Option<Url> = None;
        loop {
            let sent = self
                .send(|| match &next {
                    None => self.post(url.clone(), body, self.token().as_ref()),
                    Some(url) => {
                        self.http.get(url.clone()).headers(transport::headers(self.token().as_ref()))
                    }
                })
                .await;
            match sent {
                Err(Failure::Rejected(rejection)) if rejection.code == TOKEN_EXPIRED && !renewed => {
                    renewed = true;
                    self.renew().await?;
                }
                Ok(response) if IN_PROGRESS.iter().any(|code| response["code"] == *code) => {
                    let url =
                        response["data"]["getResultUrl"].as_str().and_then(|path| self.base.join(path).ok());
                    // Rejects a URL on another host, because the request contains the token.
                    let url = url.filter(|url| url.origin() == self.base.origin());
                    next = Some(url.ok_or_else(|| {
                        Error::Stop("Snowflake's response contains no valid URL for the result".into())
                    })?);
                }
                result => return result,
            }
        }
    }

    /// Adds the rows of the result's further chunks to the response, in order.
    async fn complete(&self, response: &mut Value) -> Result<()> {
        response::fill_in_defaults(response);
        let headers = response::chunk_headers(response);
        for url in response::take_chunks(response)? {
            // The URL is presigned. The request must not contain the token, because it may go to another host.
            let rows = transport::download(|| self.http.get(url.clone()).headers(headers.clone())).await?;
            response::append_rows(response, &rows)?;
        }
        response::check_row_count(response)
    }

    async fn abort(&self, [id, guid]: &[String; 2]) {
        let mut url = self.base.clone();
        url.set_path("/queries/v1/abort-request");
        // Uses a request id other than the statement's. Otherwise Snowflake would treat this request as a retry of the
        // statement.
        url.query_pairs_mut().append_pair("requestId", guid);
        let request =
            self.post(url, &json!({ "requestId": id }), self.token().as_ref()).timeout(ABORT_TIMEOUT);
        // If this request fails, Snowflake's own timeout ends the statement.
        let _ = request.send().await;
    }
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Converts a body to the HTTP response that the client expects.
fn http_response(body: &Value) -> Response {
    let mut response = http::Response::new(Body::from(body.to_string()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.into()
}
