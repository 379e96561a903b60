//! Sends HTTP requests to FMP, with the key in a header and with timeouts. Removes the key from responses that contain
//! it, before any other code reads them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use reqwest::{
    Client, Response, Url,
    header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use tower::util::MapRequestLayer;

use super::{
    address, body, client_stats::ClientStats, failure::Failure, redact::Redactor, response::classify,
};
use findata_domain::{Error, Result, clock::TimeScale};

/// The header that carries the key.
const KEY: &str = "apikey";
/// Longest `Retry-After` in seconds that the client respects. Longer values are reduced to it.
const MAX_RETRY_AFTER: u64 = 120;

/// The number of bytes received, and the rows as JSON (`None` if FMP has no rows) or the failure.
pub(super) type Exchanged = (u64, Result<Option<Bytes>, Failure>);

/// Sends one request and returns the classified response. Tests replace HTTP by a script.
pub(super) trait Exchange: Send + Sync {
    /// Sends a request, reads the body and classifies it.
    fn exchange<'a>(
        &'a self,
        endpoint: &'a str,
        parameters: &'a [(&'a str, String)],
        key: &'a HeaderValue,
    ) -> BoxFuture<'a, Exchanged>;
}

/// An HTTP client for one server.
pub(super) struct Transport {
    http: Client,
    base: Url,
}

impl Transport {
    pub(super) fn new(base: Url, stats: Arc<ClientStats>, scale: TimeScale) -> Result<Self> {
        let timeout = |seconds| scale.wait(Duration::from_secs(seconds));
        Transport::with_timeouts(base, stats, timeout(20), timeout(60))
    }

    /// Creates a transport with other timeouts. `silence` is the longest wait for the next byte, and
    /// `total` is the longest time for a whole response.
    pub(super) fn with_timeouts(
        base: Url,
        stats: Arc<ClientStats>,
        silence: Duration,
        total: Duration,
    ) -> Result<Self> {
        let proxy = !address::is_loopback(&base);
        Ok(Transport { base, http: http(stats, silence, total, proxy)? })
    }

    /// Sends a request. Returns the response as soon as its headers have arrived.
    ///
    /// # Errors
    /// `NoAnswer` if no response arrives.
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
        sent.map_err(|error| {
            let cause = Redactor::new(key.as_bytes()).text(&body::cause(&error));
            Failure::NoAnswer(format!("no response from FMP: {cause}"))
        })
    }
}

impl Exchange for Transport {
    fn exchange<'a>(
        &'a self,
        endpoint: &'a str,
        parameters: &'a [(&'a str, String)],
        key: &'a HeaderValue,
    ) -> BoxFuture<'a, Exchanged> {
        Box::pin(async move {
            let response = match self.send(endpoint, parameters, key).await {
                Ok(response) => response,
                Err(failure) => return (0, Err(failure)),
            };
            let status = response.status();
            let retry_after = retry_after(response.headers());
            let (bytes, outcome) = match body::read(response, &Redactor::new(key.as_bytes())).await {
                Ok((body, bytes)) => {
                    (bytes, classify(status, &body).map(|has_rows| has_rows.then_some(body)))
                }
                Err(failure) => (0, Err(failure)),
            };
            (bytes, outcome.map_err(|failure| failure.with_retry_after(retry_after)))
        })
    }
}

/// Converts the key to a header value that is hidden in debug output.
pub(super) fn header(key: &SecretString) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(key.expose_secret().trim()).map_err(|_| {
        Error::Config("FMP_API_KEY contains characters that are not allowed in an HTTP header".into())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn http(stats: Arc<ClientStats>, silence: Duration, total: Duration, proxy: bool) -> Result<Client> {
    // The first call installs the process-wide crypto provider. Later calls have no effect.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("findata/", env!("CARGO_PKG_VERSION"))));
    let builder = Client::builder();
    // By default, reqwest uses the proxy of HTTP_PROXY, HTTPS_PROXY or ALL_PROXY.
    let builder = if proxy { builder } else { builder.no_proxy() };
    builder
        .default_headers(headers)
        // `body` and `bulk_decoder` decompress with size limits, even if another crate enables
        // reqwest's gzip.
        .no_gzip()
        // Following a redirect would send the key to another host.
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

/// The pause that a response requests in `Retry-After`, at most two minutes.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER)))
}
