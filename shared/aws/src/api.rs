//! Signed requests to AWS APIs that have no SDK crate here. The command sends a few of them to inspect a stack; an
//! SDK crate for each of these services would take minutes to compile.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{MAX_ATTEMPTS, NO_CREDENTIALS, NO_REGION, http};
use findata_domain::{Error, Result};

/// The pause before the first repetition of a request. Each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// A service, by its name in host names and signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    CloudFormation,
    CloudWatch,
    EventBridge,
    Iam,
    Lambda,
    Scheduler,
    SecretsManager,
    Sns,
    Sqs,
    Sts,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Service::CloudFormation => "cloudformation",
            Service::CloudWatch => "monitoring",
            Service::EventBridge => "events",
            Service::Iam => "iam",
            Service::Lambda => "lambda",
            Service::Scheduler => "scheduler",
            Service::SecretsManager => "secretsmanager",
            Service::Sns => "sns",
            Service::Sqs => "sqs",
            Service::Sts => "sts",
        }
    }

    /// The prefix of the service's IAM actions.
    fn iam_prefix(self) -> &'static str {
        match self {
            Service::CloudWatch => "cloudwatch",
            other => other.name(),
        }
    }

    /// The version of a query API.
    fn version(self) -> &'static str {
        match self {
            Service::CloudFormation => "2010-05-15",
            Service::CloudWatch => "2010-08-01",
            Service::Iam => "2010-05-08",
            Service::Sns => "2010-03-31",
            _ => "2011-06-15",
        }
    }

    /// The service's address, and the region in signatures.
    fn address(self, region: &str) -> (String, String) {
        let suffix = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        if self != Service::Iam {
            return (format!("https://{}.{region}.{suffix}", self.name()), region.to_owned());
        }
        // IAM has one address in each partition.
        let (host, region) = match region {
            r if r.starts_with("cn-") => ("iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            r if r.starts_with("us-gov-") => ("iam.us-gov.amazonaws.com", "us-gov-west-1"),
            _ => ("iam.amazonaws.com", "us-east-1"),
        };
        (format!("https://{host}"), region.to_owned())
    }

    /// Returns whether an error code means that the resource does not exist. For a missing stack, CloudFormation answers
    /// with the general code `ValidationError`.
    fn is_absent(self, status: StatusCode, code: &str) -> bool {
        status == StatusCode::NOT_FOUND
            || matches!(code, "ResourceNotFoundException" | "QueueDoesNotExist" | "NoSuchEntity" | "NotFound")
            || code == "AWS.SimpleQueueService.NonExistentQueue"
            || (self, code) == (Service::CloudFormation, "ValidationError")
    }
}

/// A client for the APIs of one region.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: Client,
    region: String,
    /// The server that takes the place of all services in tests.
    endpoint: Option<String>,
    credentials: SharedCredentialsProvider,
}

/// A request without its signature.
struct Unsigned<'a> {
    service: Service,
    /// The IAM action without its prefix; for error messages.
    action: &'a str,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Api {
    /// Creates a client. Sends no request.
    ///
    /// # Errors
    /// `Config` if the configuration has no region or no source of credentials.
    pub(crate) fn new(config: &SdkConfig) -> Result<Self> {
        Ok(Api {
            http: http::plain_client()?,
            region: config.region().ok_or_else(|| Error::Config(NO_REGION.into()))?.to_string(),
            endpoint: config.endpoint_url().map(|url| url.trim_end_matches('/').to_owned()),
            credentials: config.credentials_provider().ok_or_else(|| Error::Config(NO_CREDENTIALS.into()))?,
        })
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Reads a resource of a REST API. `None`: it does not exist.
    pub(crate) async fn rest<T: DeserializeOwned>(
        &self,
        service: Service,
        action: &str,
        path: String,
    ) -> Result<Option<T>> {
        let unsigned = Unsigned {
            service,
            action,
            method: Method::GET,
            path,
            headers: Vec::new(),
            body: String::new(),
        };
        self.send(&unsigned).await?.map(|text| from_json(&unsigned, &text)).transpose()
    }

    /// Calls an operation of a JSON API. `None`: the resource does not exist.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        service: Service,
        action: &str,
        input: &Value,
    ) -> Result<Option<T>> {
        let (target, version) = match service {
            Service::EventBridge => ("AWSEvents", "1.1"),
            Service::SecretsManager => ("secretsmanager", "1.1"),
            _ => ("AmazonSQS", "1.0"),
        };
        let unsigned = Unsigned {
            service,
            action,
            method: Method::POST,
            path: "/".into(),
            headers: vec![
                ("content-type", format!("application/x-amz-json-{version}")),
                ("x-amz-target", format!("{target}.{action}")),
            ],
            body: input.to_string(),
        };
        self.send(&unsigned).await?.map(|text| from_json(&unsigned, &text)).transpose()
    }

    /// Calls an operation of a query API, which responds with XML. `None`: the resource does not exist.
    pub(crate) async fn query<T: DeserializeOwned>(
        &self,
        service: Service,
        action: &str,
        input: &[(&str, &str)],
    ) -> Result<Option<T>> {
        let all = [("Action", action), ("Version", service.version())];
        let url = Url::parse_with_params("http://query", all.iter().chain(input));
        let url = url.map_err(|e| Error::Stop(format!("cannot write a request to AWS: {e}")))?;
        let unsigned = Unsigned {
            service,
            action,
            method: Method::POST,
            path: "/".into(),
            headers: vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8".into())],
            body: url.query().unwrap_or_default().to_owned(),
        };
        let Some(text) = self.send(&unsigned).await? else {
            return Ok(None);
        };
        let parsed = quick_xml::de::from_str(&text).map_err(|e| unreadable(&unsigned, &e))?;
        Ok(Some(parsed))
    }

    /// Sends a request, and repeats it if the service is busy. Returns `None` if the resource does not exist.
    async fn send(&self, request: &Unsigned<'_>) -> Result<Option<String>> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            match self.attempt(request).await {
                Err(Error::Retry { .. }) if attempt < MAX_ATTEMPTS => {
                    tokio::time::sleep(pause).await;
                    (attempt, pause) = (attempt + 1, pause * 2);
                }
                result => return result,
            }
        }
    }

    async fn attempt(&self, request: &Unsigned<'_>) -> Result<Option<String>> {
        let place = place(request);
        let no_response =
            |e: reqwest::Error| Error::retry(format!("{place}: no response: {}", e.without_url()));
        let response = self.signed(request).await?.send().await.map_err(no_response)?;
        let status = response.status();
        let header = error_code(&response);
        let text = response.text().await.map_err(no_response)?;
        if status.is_success() {
            return Ok(Some(text));
        }
        let (code, message) = error_of(&text);
        let code = header.unwrap_or(code);
        match status.as_u16() {
            _ if request.service.is_absent(status, &code) => Ok(None),
            429 | 500.. => Err(Error::retry(format!("{place}: {code}: {message}"))),
            _ if code.starts_with("Throttl") || code.starts_with("RequestLimit") => {
                Err(Error::retry(format!("{place}: {code}: {message}")))
            }
            401 | 403 => Err(Error::Config(format!(
                "{place}: {code}: check that the credentials are valid and allow {}:{}",
                request.service.iam_prefix(),
                request.action
            ))),
            _ => Err(Error::Stop(format!("{place}: {code}: {message}"))),
        }
    }

    async fn signed(&self, request: &Unsigned<'_>) -> Result<reqwest::RequestBuilder> {
        let place = place(request);
        let failed =
            |e: &dyn std::error::Error| Error::Config(format!("{place}: cannot sign the request: {e}"));
        let credentials = self.credentials.provide_credentials().await;
        let credentials = credentials.map_err(|e| match std::error::Error::source(&e) {
            Some(cause) => Error::Config(format!("{NO_CREDENTIALS} ({cause})")),
            None => Error::Config(NO_CREDENTIALS.into()),
        })?;
        let (address, region) = request.service.address(&self.region);
        let url = format!("{}{}", self.endpoint.as_ref().unwrap_or(&address), request.path);
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&region)
            .name(request.service.name())
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|e| failed(&e))?
            .into();
        let headers = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let body = SignableBody::Bytes(request.body.as_bytes());
        let signable = SignableRequest::new(request.method.as_str(), &url, headers, body);
        let signed = signable.and_then(|signable| sign(signable, &parameters)).map_err(|e| failed(&e))?;
        let mut builder = self.http.request(request.method.clone(), &url).body(request.body.clone());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        for (name, value) in signed.output().headers() {
            builder = builder.header(name, value);
        }
        Ok(builder)
    }
}

fn place(request: &Unsigned<'_>) -> String {
    format!("{} {}", request.service.name(), request.action)
}

fn from_json<T: DeserializeOwned>(request: &Unsigned<'_>, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| unreadable(request, &e))
}

fn unreadable(request: &Unsigned<'_>, error: &dyn std::error::Error) -> Error {
    Error::Stop(format!("{}: the response cannot be read: {error}", place(request)))
}

/// The error code in the header of JSON and REST APIs.
fn error_code(response: &Response) -> Option<String> {
    let header = response.headers().get("x-amzn-errortype")?.to_str().ok()?;
    Some(short(header).to_owned())
}

/// The code and the message of an error response, which is JSON or XML.
fn error_of(text: &str) -> (String, String) {
    #[derive(Deserialize)]
    struct ErrorResponse {
        #[serde(rename = "Error")]
        error: XmlError,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct XmlError {
        code: String,
        #[serde(default)]
        message: String,
    }
    if let Ok(response) = quick_xml::de::from_str::<ErrorResponse>(text) {
        return (response.error.code, response.error.message);
    }
    let json: Value = serde_json::from_str(text).unwrap_or_default();
    let field = |names: [&str; 2]| names.iter().find_map(|name| json[*name].as_str()).unwrap_or_default();
    (short(field(["__type", "code"])).to_owned(), field(["message", "Message"]).to_owned())
}

/// A code without its namespace and its address.
fn short(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_its_own_addresses() {
        for (service, region, address, signed) in [
            (Service::Lambda, "eu-west-1", "https://lambda.eu-west-1.amazonaws.com", "eu-west-1"),
            (
                Service::CloudWatch,
                "eu-west-1",
                "https://monitoring.eu-west-1.amazonaws.com",
                "eu-west-1",
            ),
            (Service::Iam, "eu-west-1", "https://iam.amazonaws.com", "us-east-1"),
            (Service::Sqs, "cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            (Service::Iam, "cn-northwest-1", "https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            (Service::Iam, "us-gov-east-1", "https://iam.us-gov.amazonaws.com", "us-gov-west-1"),
        ] {
            assert_eq!(service.address(region), (address.to_owned(), signed.to_owned()));
        }
    }

    #[test]
    fn errors_of_all_kinds_of_apis_are_read() {
        let xml = "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
                   <Code>NoSuchEntity</Code><Message>no role &amp; no user</Message></Error></ErrorResponse>";
        assert_eq!(error_of(xml), ("NoSuchEntity".into(), "no role & no user".into()));
        let json = "{\"__type\": \"com.amazonaws.sqs#QueueDoesNotExist\", \"message\": \"gone\"}";
        assert_eq!(error_of(json), ("QueueDoesNotExist".into(), "gone".into()));
        assert_eq!(error_of("busy"), (String::new(), String::new()));
        assert_eq!(short("ResourceNotFoundException:http://internal/"), "ResourceNotFoundException");
    }
}
