//! AWS: its SDK on the HTTP client that everything else uses, so that a function has one TLS stack and one set of roots.

pub mod eventbridge;
mod http;
pub mod lambda;
pub mod s3_stage;
pub mod secrets;
pub mod sqs;

use aws_config::BehaviorVersion;
pub use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::{display::DisplayErrorContext, metadata::ProvideErrorMetadata};

use findata_domain::Error;

/// Sends of one request by the SDK; with its pauses they outlast a throttle.
pub(crate) const SENDS: u32 = 6;

/// The SDK's configuration: region, credentials and endpoint from where AWS's own tools have them.
pub async fn config() -> findata_domain::Result<SdkConfig> {
    let http = http::client()?;
    Ok(aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await)
}

/// A service's errors by what to do about them; `action` is what the caller must be allowed to do at that place.
pub(crate) fn failure<E>(place: &str, action: &str, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let code = error.code().unwrap_or("no answer").to_owned();
    match (status(&error), code.as_str()) {
        (_, "NoSuchBucket") => Error::Config(format!("{place}: there is no such bucket")),
        (_, "ResourceNotFoundException" | "AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist") => {
            Error::Config(format!("{place}: there is none of that name in this account and region"))
        }
        (Some(301 | 307 | 400), "PermanentRedirect" | "AuthorizationHeaderMalformed") => {
            Error::Config(format!("{place}: the bucket is in another region; set AWS_REGION to it"))
        }
        (Some(401 | 403), _) | (_, "AccessDeniedException" | "AccessDenied") => {
            Error::Config(format!("{place}: {code}; check the credentials, and that they may {action} there"))
        }
        (None, _) if matches!(error, SdkError::ConstructionFailure(_)) => {
            Error::Config(format!("{place}: {}", innermost(&error)))
        }
        (None, _) if innermost(&error).contains("credential") => Error::Config(format!(
            "{place}: there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )),
        (None | Some(408 | 409 | 429 | 500..), _) | (_, "ThrottlingException" | "RequestThrottled") => {
            Error::retry(format!("{place}: {code}: {}", innermost(&error)))
        }
        _ => Error::Stop(format!("{place}: {code}: {}", innermost(&error))),
    }
}

/// The status of the answer, where there was one.
pub(crate) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// One line of an error's causes.
fn innermost(error: &(impl std::error::Error + 'static)) -> String {
    // What follows in brackets is the same for programmers.
    let text = DisplayErrorContext(error).to_string();
    let text = text.split_once(" (").map_or(text.as_str(), |(line, _)| line);
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}
