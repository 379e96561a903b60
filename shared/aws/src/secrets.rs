//! Reads secrets from Secrets Manager. Callers may keep a secret while the function instance lives, and read it
//! again when a service rejects it, because it may have been rotated.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::{Client, config::retry::RetryConfig};
use futures::future::BoxFuture;
use secrecy::SecretString;

use super::{MAX_ATTEMPTS, failure};
use findata_domain::{Error, Result};

/// Reads the text of a secret.
///
/// # Errors
/// `Config` if the secret does not exist, is empty, or access is denied; `Retry` if Secrets Manager does not
/// respond.
pub async fn read(config: &SdkConfig, arn: &str) -> Result<SecretString> {
    let retry = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS);
    let config = aws_sdk_secretsmanager::config::Builder::from(config).retry_config(retry).build();
    let got = Client::from_conf(config).get_secret_value().secret_id(arn).send().await;
    let got = got.map_err(|e| failure(&format!("secret {arn}"), "secretsmanager:GetSecretValue", e))?;
    match got.secret_string.filter(|text| !text.trim().is_empty()) {
        Some(text) => Ok(SecretString::from(text)),
        None => Err(Error::Config(format!(
            "secret {arn} contains no text: store the key in the secret as plain text"
        ))),
    }
}

/// Returns a function that reads the secret anew on every call.
pub fn reader(
    config: &SdkConfig,
    arn: &str,
) -> Box<dyn Fn() -> BoxFuture<'static, Result<SecretString>> + Send + Sync> {
    let (config, arn) = (Arc::new(config.clone()), arn.to_owned());
    Box::new(move || {
        let (config, arn) = (Arc::clone(&config), arn.clone());
        Box::pin(async move { read(&config, &arn).await })
    })
}
