//! Adapters for AWS: the S3 stage, SQS, EventBridge, Secrets Manager and the Lambda runtime.
//!
//! The AWS SDK uses reqwest, like the other HTTP clients of the workspace. So a function has only
//! one TLS stack and one set of root certificates.

mod api;
pub mod eventbridge;
mod http;
pub mod inspect;
pub mod lambda;
pub mod otlp;
pub mod s3_stage;
pub mod secrets;
pub mod sqs;

use aws_config::BehaviorVersion;
pub use aws_config::SdkConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::{display::DisplayErrorContext, metadata::ProvideErrorMetadata};

use findata_domain::Error;

/// Maximum number of attempts per request. With the SDK's backoff, the attempts take long enough
/// for throttling to end.
pub(crate) const MAX_ATTEMPTS: u32 = 6;

/// Loads the SDK's configuration. Region, credentials and endpoint come from the standard AWS
/// sources.
///
/// # Errors
/// `Config` if no region is set, or HTTPS cannot be set up.
pub async fn config() -> findata_domain::Result<SdkConfig> {
    let http = http::client()?;
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    match config.region() {
        Some(_) => Ok(config),
        None => Err(Error::Config(NO_REGION.into())),
    }
}

const NO_REGION: &str = "no AWS region is set: set the region of the stack, for example with `export AWS_REGION=us-east-1`, \
     or choose a profile that has one with `export AWS_PROFILE=NAME` (`aws configure --profile NAME` adds a profile)";
const NO_CREDENTIALS: &str =
    "no AWS credentials found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

/// Classifies an AWS error by what the caller can do about it. `place` names the resource. `action`
/// names the IAM actions that the request requires.
pub(crate) fn failure<E>(place: &str, action: &str, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let code = error.code().unwrap_or("no response").to_owned();
    match (status(&error), code.as_str()) {
        (_, "NoSuchBucket") => Error::Config(format!("{place}: the bucket does not exist")),
        (
            _,
            "ResourceNotFoundException" | "AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist",
        ) => Error::Config(format!("{place}: the resource does not exist in this account and region")),
        (Some(301 | 307 | 400), "PermanentRedirect" | "AuthorizationHeaderMalformed") => {
            Error::Config(format!("{place}: the bucket is in another region; set AWS_REGION to it"))
        }
        (Some(401 | 403), _) | (_, "AccessDeniedException" | "AccessDenied") => {
            Error::Config(format!("{place}: {code}; check that the credentials are valid and allow {action}"))
        }
        (None, _) if matches!(error, SdkError::ConstructionFailure(_)) => {
            Error::Config(format!("{place}: {}", causes(&error)))
        }
        (None, _) if lacks_credentials(&error) => Error::Config(format!("{place}: {NO_CREDENTIALS}")),
        (None | Some(408 | 409 | 429 | 500..), _) | (_, "ThrottlingException" | "RequestThrottled") => {
            Error::retry(format!("{place}: {code}: {}", causes(&error)))
        }
        _ => Error::Stop(format!("{place}: {code}: {}", causes(&error))),
    }
}

/// Whether the request failed because no credentials could be loaded.
fn lacks_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<CredentialsError>())
}

/// The HTTP status of the response; `None` if there was no response.
pub(crate) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// An error and its causes in one line of at most 300 characters.
fn causes(error: &(impl std::error::Error + 'static)) -> String {
    // Removes the part in parentheses, which repeats the causes in debug format.
    let text = DisplayErrorContext(error).to_string();
    let text = text.split_once(" (").map_or(text.as_str(), |(line, _)| line);
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use aws_config::Region;
    use aws_credential_types::provider::{SharedCredentialsProvider, future};
    use findata_pipeline::ports::stage::Stage;

    use super::*;

    #[derive(Debug)]
    struct NoCredentials;

    impl aws_credential_types::provider::ProvideCredentials for NoCredentials {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("none")))
        }
    }

    #[tokio::test]
    async fn missing_credentials_are_a_configuration_error() {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-central-1"))
            .http_client(http::client().unwrap())
            .credentials_provider(SharedCredentialsProvider::new(NoCredentials))
            .build();
        let stage = s3_stage::S3Stage::new(&config, "s3://bucket/prefix".parse().unwrap());
        let Err(Error::Config(reason)) = stage.get("key").await else {
            panic!("no configuration error")
        };
        assert!(reason.contains("no AWS credentials found"), "{reason}");
    }
}
