//! Sends HTTP requests to Snowflake and retries them.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use findata_domain::{Error, Result};
use http::{HeaderMap, HeaderValue, header};
use reqwest::{RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{failure::Rejection, response};

/// Maximum number of attempts per request, including the first.
const MAX_ATTEMPTS: usize = 5;

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

/// Sends a request until Snowflake responds. Retries transient failures with exponential backoff, which starts at
/// `retry_pause`. A retry has the same request id, so that Snowflake executes the request only once.
///
/// # Errors
/// `Rejected` if the response reports a failure; `Other` if no valid response arrives.
pub(super) async fn send(
    retry_pause: Duration,
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
        let error = match receive(request).await {
            Ok(response) if response["success"] == true => return Ok(response),
            Ok(response) => return Err(Failure::Rejected(response::rejection(&response))),
            Err(error) => error,
        };
        match (error, pauses.next()) {
            (Error::Retry { reason, .. }, Some(pause)) => {
                retries += 1;
                tracing::debug!(reason, retries, "retrying a Snowflake request");
                tokio::time::sleep(pause).await;
            }
            (error, _) => return Err(error.into()),
        }
    }
}

/// Downloads one chunk of rows. Retries transient failures without a pause.
pub(super) async fn download(request: impl Fn() -> RequestBuilder) -> Result<String> {
    let mut attempts = 1;
    loop {
        match text(request()).await {
            Err(Error::Retry { .. }) if attempts < MAX_ATTEMPTS => attempts += 1,
            result => return result,
        }
    }
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

async fn receive(request: RequestBuilder) -> Result<Value> {
    let text = text(request).await?;
    serde_json::from_str(&text).map_err(|_| Error::retry("Snowflake's response is not JSON"))
}

async fn text(request: RequestBuilder) -> Result<String> {
    let lost =
        |e: reqwest::Error| Error::retry(format!("no response from Snowflake: {}", cause(&e.without_url())));
    let response = request.send().await.map_err(lost)?;
    match response.status() {
        status if status.is_success() => response.text().await.map_err(lost),
        status
            if status.is_server_error()
                || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status) =>
        {
            Err(Error::retry(format!("Snowflake responded with HTTP {}", status.as_u16())))
        }
        status => Err(Error::Config(format!(
            "Snowflake responded with HTTP {}: check the account name and that its network policy allows this machine",
            status.as_u16()
        ))),
    }
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
