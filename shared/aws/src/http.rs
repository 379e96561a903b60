//! The HTTP client for the AWS SDK, implemented on reqwest.

use std::time::Duration;

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use reqwest::{Client, ClientBuilder, redirect};

use findata_domain::{Error, Result};

/// Timeout of one attempt. The SDK retries after a timeout.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
struct Reqwest(Client);

/// The settings that all HTTP clients of this crate share.
pub(super) fn builder() -> ClientBuilder {
    // The first call installs the process-wide crypto provider; later calls have no effect.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // Following a redirect would send the signature, or a secret header, to another host.
    Client::builder().redirect(redirect::Policy::none())
}

/// Creates the HTTP client for the SDK.
///
/// # Errors
/// `Config` if HTTPS cannot be set up.
pub(super) fn client() -> Result<SharedHttpClient> {
    Ok(SharedHttpClient::new(Reqwest(plain_client()?)))
}

/// Creates an HTTP client with the timeouts of requests to AWS.
///
/// # Errors
/// `Config` if HTTPS cannot be set up.
pub(super) fn plain_client() -> Result<Client> {
    builder()
        .connect_timeout(Duration::from_secs(5))
        .timeout(REQUEST_TIMEOUT)
        .build()
        .map_err(|e| Error::Config(format!("cannot set up HTTPS: {e}")))
}

impl HttpClient for Reqwest {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Reqwest {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(send(client, request))
    }
}

async fn send(client: Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let user = |e: &str| ConnectorError::user(e.to_owned().into());
    let (parts, body) = request.try_into_http1x().map_err(|e| ConnectorError::user(e.into()))?.into_parts();
    let body = body
        .bytes()
        .map(Bytes::copy_from_slice)
        .ok_or_else(|| user("streaming request bodies are not supported"))?;
    let request = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
    let response = request.send().await.map_err(failure)?;
    let status = StatusCode::try_from(response.status().as_u16())
        .map_err(|e| ConnectorError::other(e.into(), None))?;
    let headers = response.headers().clone();
    let body = response.bytes().await.map_err(failure)?;
    let mut sdk_response = HttpResponse::new(status, SdkBody::from(body));
    for (name, value) in &headers {
        if let Ok(value) = value.to_str() {
            sdk_response.headers_mut().append(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(sdk_response)
}

fn failure(error: reqwest::Error) -> ConnectorError {
    let error = error.without_url();
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}
