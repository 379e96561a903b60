//! Exports traces to an OpenTelemetry collector with OTLP over HTTP, as JSON. Off unless
//! `OTEL_EXPORTER_OTLP_ENDPOINT` is set.
//!
//! Traces are never worth a failure or a delay: an export has a short time limit, and after a failed one
//! the exporter drops spans for a while instead of trying again.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use findata_domain::{Error, Result};
use findata_pipeline::telemetry::{otlp, trace::Tracer};
use reqwest::{
    Client, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};

/// Base address of the collector, as OpenTelemetry defines it.
pub const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Headers of each request, as OpenTelemetry defines them: `name=value,name=value`.
pub const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
/// Maximum duration of an export. A collector in the same network answers within milliseconds.
const TIME_LIMIT: Duration = Duration::from_secs(1);
/// How long spans are dropped after a failed export.
const PAUSE: Duration = Duration::from_secs(60);

/// Sends the spans of a process to a collector.
pub struct Exporter {
    client: Client,
    url: Url,
    headers: HeaderMap,
    service: String,
    stack: Option<String>,
    paused_until: Mutex<Option<Instant>>,
}

impl Exporter {
    /// Creates the exporter that the variables describe; `None` if no endpoint is set. `service` names the
    /// function or program.
    ///
    /// # Errors
    /// `Config` for a malformed endpoint or header.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
        service: &str,
        stack: Option<String>,
    ) -> Result<Option<Self>> {
        let Some(endpoint) = variable(ENDPOINT) else {
            return Ok(None);
        };
        let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let url = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| {
            Error::Config(format!(
                "{ENDPOINT}: {endpoint:?} is not an HTTP address, for example http://localhost:4318"
            ))
        })?;
        let headers = headers(&variable(HEADERS).unwrap_or_default())?;
        let client = crate::http::builder().timeout(TIME_LIMIT).build();
        let client = client.map_err(|e| Error::Config(format!("cannot set up HTTPS: {e}")))?;
        let (service, paused_until) = (service.to_owned(), Mutex::default());
        Ok(Some(Exporter { client, url, headers, service, stack, paused_until }))
    }

    /// Sends the spans that have ended, within a second. A failure is logged, and the spans are lost.
    pub async fn export(&self, tracer: &Tracer) {
        let spans = tracer.take();
        if spans.is_empty() || self.is_paused() {
            return;
        }
        let body = otlp::body(&self.service, self.stack.as_deref(), &spans).to_string();
        let request = self
            .client
            .post(self.url.clone())
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body);
        // The client's time limit does not cover the resolution of names in all cases.
        let reason = match tokio::time::timeout(TIME_LIMIT, request.send()).await {
            Ok(Ok(response)) if response.status().is_success() => return,
            Ok(Ok(response)) => format!("HTTP {}", response.status().as_u16()),
            Ok(Err(error)) if error.is_timeout() => "no answer in time".to_owned(),
            Ok(Err(_)) => "no connection".to_owned(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(reason, "cannot export traces, so they are dropped for a minute");
        *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + PAUSE);
    }

    fn is_paused(&self) -> bool {
        let until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }
}

fn headers(text: &str) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let parsed = pair.split_once('=').and_then(|(name, value)| {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            let mut value = HeaderValue::from_bytes(&decoded(value.trim())?).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        // The value may be a secret, so the message does not repeat it.
        let (name, value) = parsed.ok_or_else(|| {
            Error::Config(format!("{HEADERS} is malformed: write it as name=value,name=value"))
        })?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Decodes a value in which `%XX` stands for a byte.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &'static [(&str, &str)]) -> Result<Option<Exporter>> {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Exporter::from_variables(variable, "findata", None)
    }

    #[test]
    fn traces_are_off_unless_an_endpoint_is_set() {
        assert!(of(&[]).unwrap().is_none());
        let exporter = of(&[(ENDPOINT, "http://localhost:4318/"), (HEADERS, "api-key=a%20b, x=y")]);
        let exporter = exporter.unwrap().unwrap();
        assert_eq!(exporter.url.as_str(), "http://localhost:4318/v1/traces");
        assert!(exporter.headers["api-key"] == "a b" && exporter.headers["x"] == "y");
        for malformed in [
            [(ENDPOINT, "localhost:4318"), (HEADERS, "")],
            [(ENDPOINT, "grpc://host"), (HEADERS, "")],
            [(ENDPOINT, "http://host"), (HEADERS, "secret")],
            [(ENDPOINT, "http://host"), (HEADERS, "key=%4")],
        ] {
            let malformed: &'static [(&str, &str)] = Box::leak(Box::new(malformed));
            let Err(Error::Config(reason)) = of(malformed) else {
                panic!("{malformed:?} was accepted")
            };
            assert!(!reason.contains("secret") && !reason.contains("%4"), "{reason}");
        }
    }
}
