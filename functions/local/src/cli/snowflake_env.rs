//! Snowflake settings from the `SNOWFLAKE_` environment variables.

use std::env;

use findata_aws::s3_stage::Location;
use findata_domain::Result;
use findata_snowflake::Settings;
use secrecy::SecretString;

#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
fn variable(name: &str) -> Option<String> {
    env::var(format!("SNOWFLAKE_{name}"))
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

/// Reads the settings for a warehouse that loads from `stage` on S3.
///
/// # Errors
/// `Config` with a message that names every missing variable, or the key file that cannot be read.
pub(crate) fn settings(stage: &Location) -> Result<Settings> {
    let key = match (variable("PRIVATE_KEY"), variable("PRIVATE_KEY_FILE")) {
        (Some(key), _) => Ok(key),
        (None, Some(file)) => std::fs::read_to_string(&file)
            .map_err(|e| format!("SNOWFLAKE_PRIVATE_KEY_FILE: cannot read {file}: {e}")),
        (None, None) => Err(
            "set SNOWFLAKE_PRIVATE_KEY (a PKCS#8 PEM key) or SNOWFLAKE_PRIVATE_KEY_FILE (a path to one)"
                .to_owned(),
        ),
    };
    Settings::from_variables(variable, key.map(SecretString::from), stage.prefix())
}
