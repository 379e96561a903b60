//! AWS: its SDK on the HTTP client that everything else uses, so that a function has one TLS stack and one set of roots.

mod http;

use aws_config::{BehaviorVersion, SdkConfig};

/// The SDK's configuration: region, credentials and endpoint from where AWS's own tools have them.
pub async fn config() -> crate::Result<SdkConfig> {
    let http = http::client()?;
    Ok(aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await)
}
