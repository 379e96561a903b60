//! HTTP to FMP: where to, with what, and one exchange.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{
    Client, Response, Url,
    header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use tower::util::MapRequestLayer;

use super::{body, client::DEFAULT_URL, client_stats::ClientStats, response::classify};
use findata_domain::{Error, Result};

/// The header in which the key travels.
const KEY: &str = "apikey";

/// What one exchange came to.
pub(super) struct Exchange {
    /// Whether there was an answer, of whatever kind.
    pub answered: bool,
    /// Bytes on the wire.
    pub bytes: u64,
    /// The rows' JSON; `None` where FMP has nothing.
    pub outcome: Result<Option<Bytes>>,
}

/// The way to one server.
pub(super) struct Transport {
    http: Client,
    base: Url,
}

impl Transport {
    pub(super) fn new(url: &str, stats: Arc<ClientStats>) -> Result<Self> {
        Transport::patient(url, stats, Duration::from_secs(20), Duration::from_secs(60))
    }

    /// One that bears so long a silence, and so long an answer.
    pub(super) fn patient(url: &str, stats: Arc<ClientStats>, silence: Duration, whole: Duration) -> Result<Self> {
        Ok(Transport { base: base(url)?, http: http(stats, silence, whole)? })
    }

    /// The base address.
    pub(super) fn base(&self) -> &str {
        self.base.as_str()
    }

    /// Sends; the answer's body is still to come.
    pub(super) async fn send(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        key: &HeaderValue,
    ) -> reqwest::Result<Response> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{endpoint}", self.base.path().trim_end_matches('/')));
        url.query_pairs_mut().extend_pairs(parameters);
        self.http.get(url).header(KEY, key).send().await
    }

    /// Sends, reads and classifies.
    pub(super) async fn exchange(&self, endpoint: &str, parameters: &[(&str, String)], key: &HeaderValue) -> Exchange {
        let response = match self.send(endpoint, parameters, key).await {
            Ok(response) => response,
            Err(error) => {
                let outcome = Err(Error::retry(format!("no answer from FMP: {}", body::cause(&error))));
                return Exchange { answered: false, bytes: 0, outcome };
            }
        };
        let status = response.status();
        let after = retry_after(response.headers());
        let (bytes, outcome) = match body::read(response).await {
            Ok((body, bytes)) => (bytes, classify(status, &body).map(|rows| rows.then_some(body))),
            Err(error) => (0, Err(error)),
        };
        let outcome = outcome.map_err(|error| match error {
            Error::Retry { reason, .. } => Error::Retry { reason, after },
            other => other,
        });
        Exchange { answered: true, bytes, outcome }
    }
}

pub(super) fn base(url: &str) -> Result<Url> {
    // Not echoed: an address may hold a password or a key, and errors are kept.
    let wrong = || {
        Error::Config(format!(
            "this is no address of an FMP API: use one like {DEFAULT_URL}, without user, password or query; the key goes into FMP_API_KEY"
        ))
    };
    let parsed = Url::parse(url.trim()).map_err(|_| wrong())?;
    let bare = parsed.username().is_empty() && parsed.password().is_none() && parsed.query().is_none();
    let usable = matches!(parsed.scheme(), "http" | "https") && parsed.has_host() && bare;
    if usable { Ok(parsed) } else { Err(wrong()) }
}

/// The key as the header's value, which logs do not show.
pub(super) fn header(key: &SecretString) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(key.expose_secret().trim())
        .map_err(|_| Error::Config("FMP_API_KEY holds characters that no key has".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn http(stats: Arc<ClientStats>, silence: Duration, whole: Duration) -> Result<Client> {
    // The first caller installs the one crypto provider of the process; later calls find it there.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("findata/", env!("CARGO_PKG_VERSION"))));
    Client::builder()
        .default_headers(headers)
        // Unpacked within bounds by `body`, also where another crate turns reqwest's own unpacking on.
        .no_gzip()
        // A redirect would carry the key to another host.
        .redirect(redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(silence)
        .timeout(whole)
        .connector_layer(MapRequestLayer::new(move |request| {
            stats.connection();
            request
        }))
        .build()
        .map_err(|e| Error::Config(format!("cannot set up HTTPS: {}", body::cause(&e))))
}

pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    // A longer wait than any run takes is no advice for this run.
    Some(Duration::from_secs(seconds.min(120)))
}
