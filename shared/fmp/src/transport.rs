//! HTTP to FMP: the base address, the key header, timeouts, and one request with its response.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{
    Client, Response, Url,
    header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use tower::util::MapRequestLayer;

use super::{body, client_stats::ClientStats, failure::Failure, response::classify};
use findata_domain::{Error, Result};

/// FMP's base address.
pub const DEFAULT_URL: &str = "https://financialmodelingprep.com/stable";

/// The header that carries the key.
const KEY: &str = "apikey";
/// A longer `Retry-After` than any run lasts is cut to this.
const MAX_RETRY_AFTER: u64 = 120;

/// An HTTP client for one server.
pub(super) struct Transport {
    http: Client,
    base: Url,
}

impl Transport {
    pub(super) fn new(url: &str, stats: Arc<ClientStats>) -> Result<Self> {
        Transport::with_timeouts(url, stats, Duration::from_secs(20), Duration::from_secs(60))
    }

    /// `silence` is the longest wait for the next byte, `total` the longest time for a whole
    /// response.
    pub(super) fn with_timeouts(
        url: &str,
        stats: Arc<ClientStats>,
        silence: Duration,
        total: Duration,
    ) -> Result<Self> {
        Ok(Transport { base: base(url)?, http: http(stats, silence, total)? })
    }

    /// The base address.
    pub(super) fn base(&self) -> &str {
        self.base.as_str()
    }

    /// Sends a request and returns the response before its body has arrived.
    ///
    /// # Errors
    /// `NoAnswer`.
    pub(super) async fn send(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        key: &HeaderValue,
    ) -> Result<Response, Failure> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{endpoint}", self.base.path().trim_end_matches('/')));
        url.query_pairs_mut().extend_pairs(parameters);
        let sent = self.http.get(url).header(KEY, key).send().await;
        sent.map_err(|error| Failure::NoAnswer(format!("no answer from FMP: {}", body::cause(&error))))
    }

    /// Sends a request, reads the body and classifies it. Returns the bytes received and the rows'
    /// JSON, or `None` if FMP has no rows.
    pub(super) async fn exchange(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        key: &HeaderValue,
    ) -> (u64, Result<Option<Bytes>, Failure>) {
        let response = match self.send(endpoint, parameters, key).await {
            Ok(response) => response,
            Err(failure) => return (0, Err(failure)),
        };
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let (bytes, outcome) = match body::read(response).await {
            Ok((body, bytes)) => (bytes, classify(status, &body).map(|has_rows| has_rows.then_some(body))),
            Err(failure) => (0, Err(failure)),
        };
        (bytes, outcome.map_err(|failure| failure.with_retry_after(retry_after)))
    }
}

/// Parses a base address.
///
/// # Errors
/// `Config` if it is not an HTTP address or has a user, a password or a query.
pub(super) fn base(url: &str) -> Result<Url> {
    // The address is not repeated: it may contain a password or a key, and messages are stored.
    let invalid = || {
        Error::Config(format!(
            "not the address of an FMP API: use one like {DEFAULT_URL}, without user, password or query; \
             the key goes into FMP_API_KEY"
        ))
    };
    let parsed = Url::parse(url.trim()).map_err(|_| invalid())?;
    let bare = parsed.username().is_empty() && parsed.password().is_none() && parsed.query().is_none();
    let usable = matches!(parsed.scheme(), "http" | "https") && parsed.has_host() && bare;
    if usable { Ok(parsed) } else { Err(invalid()) }
}

/// The key as a header value that logs do not show.
pub(super) fn header(key: &SecretString) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(key.expose_secret().trim()).map_err(|_| {
        Error::Config("FMP_API_KEY contains characters that an HTTP header cannot carry".into())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn http(stats: Arc<ClientStats>, silence: Duration, total: Duration) -> Result<Client> {
    // The first caller installs the crypto provider of the process; for later callers this does
    // nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("findata/", env!("CARGO_PKG_VERSION"))));
    Client::builder()
        .default_headers(headers)
        // `body` and `bulk_decoder` decompress with size limits, even if another crate enables
        // reqwest's gzip.
        .no_gzip()
        // A redirect would carry the key to another host.
        .redirect(redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(silence)
        .timeout(total)
        .connector_layer(MapRequestLayer::new(move |request| {
            stats.connection();
            request
        }))
        .build()
        .map_err(|e| Error::Config(format!("cannot set up HTTPS: {}", body::cause(&e))))
}

/// The pause that a response asks for, at most two minutes.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER)))
}
