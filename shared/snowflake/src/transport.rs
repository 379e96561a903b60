//! Sends HTTP requests to Snowflake and retries them.

use std::{io::Read, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use findata_domain::{Error, Result};
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, header};
use reqwest::{Request, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{failure::Rejection, response};

/// Maximum number of attempts per request, including the first.
const MAX_ATTEMPTS: usize = 5;
/// Maximum number of redirects per attempt.
const MAX_REDIRECTS: usize = 5;
/// The client errors that Snowflake's Python driver retries (`is_retryable_http_code` in its `network.py`). The front end
/// returns them during its own deployments too.
const PASSING: [StatusCode; 5] = [
    StatusCode::BAD_REQUEST,
    StatusCode::FORBIDDEN,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::TOO_MANY_REQUESTS,
];
/// The domains of Snowflake's accounts. A request with a token may be redirected to a host below them.
const DOMAINS: [&str; 2] = [".snowflakecomputing.com", ".snowflakecomputing.cn"];
/// The first bytes of gzip data.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why a request failed.
pub(super) enum Failure {
    /// Snowflake's response reports a failure.
    Rejected(Rejection),
    /// The request failed for another reason.
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}

/// Why no body arrived.
enum NoBody {
    /// No response, or an error that may pass.
    Lost(String),
    /// A client error that may pass. The login gets the same errors if the account's name is wrong.
    Passing(StatusCode),
    /// Any other status.
    Status(StatusCode),
}

impl NoBody {
    fn is_transient(&self) -> bool {
        !matches!(self, NoBody::Status(_))
    }

    /// The error for the caller, after the last attempt. `is_open` says whether the session is open, so that account
    /// and network policy are known to be right.
    fn error(self, is_open: bool) -> Error {
        match self {
            NoBody::Lost(reason) => Error::retry(reason),
            NoBody::Passing(status) if is_open => {
                Error::retry(format!("Snowflake responded with HTTP {}", status.as_u16()))
            }
            NoBody::Passing(status) | NoBody::Status(status) => Error::Config(format!(
                "Snowflake responded with HTTP {}: check the account name and that its network policy allows this machine",
                status.as_u16()
            )),
        }
    }
}

/// Sends a request until Snowflake responds. Retries transient failures with exponential backoff, which starts at
/// `retry_pause`. A retry has the same request id, so that Snowflake executes the request only once. `is_open` says
/// whether the session is open.
///
/// # Errors
/// `Rejected` if the response reports a failure; `Other` if no valid response arrives.
pub(super) async fn send(
    retry_pause: Duration,
    is_open: bool,
    request: impl Fn() -> RequestBuilder,
) -> Result<Value, Failure> {
    let backoff = ExponentialBuilder::default().with_min_delay(retry_pause).with_jitter();
    let mut pauses = backoff.with_max_times(MAX_ATTEMPTS - 1).build();
    let mut retries = 0_usize;
    loop {
        let mut request = request();
        if retries > 0 {
            request = request.query(&[("retryCount", retries)]);
        }
        let failure = match receive(request).await {
            Ok(response) if response["success"] == true => return Ok(response),
            Ok(response) => return Err(Failure::Rejected(response::rejection(&response))),
            Err(failure) => failure,
        };
        match pauses.next().filter(|_| failure.is_transient()) {
            Some(pause) => {
                retries += 1;
                tracing::debug!(attempt = retries, "retrying a Snowflake request");
                tokio::time::sleep(pause).await;
            }
            None => return Err(failure.error(is_open).into()),
        }
    }
}

/// Downloads one chunk of rows. Retries transient failures without a pause. The storage may serve a gzip file without
/// saying so in `Content-Encoding`, so gzip data is recognized by its first bytes, as Snowflake's drivers do.
pub(super) async fn download(request: impl Fn() -> RequestBuilder) -> Result<String> {
    let mut attempts = 1;
    let body = loop {
        match body(request(), |from, to| is_trusted(from, to) || to.scheme() == "https").await {
            Err(failure) if failure.is_transient() && attempts < MAX_ATTEMPTS => attempts += 1,
            result => break result.map_err(|failure| failure.error(true))?,
        }
    };
    let unreadable = |_| Error::retry("Snowflake returned a chunk of rows that is not text");
    if !body.starts_with(&GZIP) {
        return String::from_utf8(body).map_err(|e| unreadable(std::io::Error::other(e)));
    }
    let mut text = String::new();
    MultiGzDecoder::new(body.as_slice()).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// The headers of a request: the accepted format, and the session token if there is one.
pub(super) fn headers(token: Option<&SecretString>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/snowflake"));
    let token = token.map(|t| HeaderValue::from_str(&format!("Snowflake Token=\"{}\"", t.expose_secret())));
    if let Some(Ok(mut token)) = token {
        token.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, token);
    }
    headers
}

async fn receive(request: RequestBuilder) -> Result<Value, NoBody> {
    let body = body(request, is_trusted).await?;
    serde_json::from_slice(&body).map_err(|_| NoBody::Lost("Snowflake's response is not JSON".into()))
}

/// Whether a request may be redirected from one URL to another with its token: to the same server, or to Snowflake.
fn is_trusted(from: &Url, to: &Url) -> bool {
    let is_snowflake = |host: &str| DOMAINS.iter().any(|domain| host.ends_with(domain));
    from.origin() == to.origin() || (to.scheme() == "https" && to.host_str().is_some_and(is_snowflake))
}

async fn body(request: RequestBuilder, may_follow: fn(&Url, &Url) -> bool) -> Result<Vec<u8>, NoBody> {
    let lost =
        |e: reqwest::Error| NoBody::Lost(format!("no response from Snowflake: {}", cause(&e.without_url())));
    let (client, request) = request.build_split();
    let mut request = request.map_err(lost)?;
    let mut redirects = 0;
    loop {
        let next = request.try_clone();
        let response = client.execute(request).await.map_err(lost)?;
        match (redirected(next, &response, may_follow), response.status()) {
            (Some(next), _) if redirects < MAX_REDIRECTS => {
                redirects += 1;
                request = next;
            }
            (_, status) if status.is_success() => {
                return response.bytes().await.map(Vec::from).map_err(lost);
            }
            (_, status) if status.is_server_error() => {
                return Err(NoBody::Lost(format!("Snowflake responded with HTTP {}", status.as_u16())));
            }
            (_, status) if PASSING.contains(&status) => return Err(NoBody::Passing(status)),
            (_, status) => return Err(NoBody::Status(status)),
        }
    }
}

/// The request to send instead, if the response is a redirect that keeps method and body (307, 308). The HTTP client
/// does not follow redirects, because it would follow them to any host.
fn redirected(
    request: Option<Request>,
    response: &Response,
    may_follow: fn(&Url, &Url) -> bool,
) -> Option<Request> {
    if ![StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT].contains(&response.status()) {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let mut request = request?;
    let to = request.url().join(location).ok().filter(|to| may_follow(request.url(), to))?;
    *request.url_mut() = to;
    Some(request)
}

/// The innermost cause of an HTTP error, for a message.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() {
        "timed out".into()
    } else {
        cause.to_string()
    }
}
