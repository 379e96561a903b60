//! Secrets of Secrets Manager: read with the first use, kept for the sandbox, and read once more when they are refused.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::{Client, config::retry::RetryConfig};
use futures::future::BoxFuture;
use secrecy::SecretString;

use super::{SENDS, failure};
use findata_domain::{Error, Result};

/// The text of a secret.
///
/// # Errors
/// `Config` where it is not there, may not be read or has no text; `Retry` when nobody answers.
pub async fn read(config: &SdkConfig, arn: &str) -> Result<SecretString> {
    let retry = RetryConfig::standard().with_max_attempts(SENDS);
    let config = aws_sdk_secretsmanager::config::Builder::from(config).retry_config(retry).build();
    let got = Client::from_conf(config).get_secret_value().secret_id(arn).send().await;
    let got = got.map_err(|e| failure(&format!("secret {arn}"), "secretsmanager:GetSecretValue", e))?;
    match got.secret_string.filter(|text| !text.trim().is_empty()) {
        Some(text) => Ok(SecretString::from(text)),
        None => Err(Error::Config(format!("secret {arn} has no text: put the key there as plain text"))),
    }
}

/// A function that reads a secret again each time it is called.
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
