//! Snowflake settings from the `SNOWFLAKE_` variables.

use findata_aws::s3_stage::Location;
use findata_domain::Result;
use findata_snowflake::Settings;
use secrecy::SecretString;

use super::config::Variables;

/// Reads the settings for a warehouse that loads from `stage` on S3.
///
/// # Errors
/// `Config` with a message that names every missing variable, or the key file that cannot be read.
pub(crate) fn settings(variables: &Variables, stage: &Location) -> Result<Settings> {
    let variable = |name: &str| variables.text(&format!("SNOWFLAKE_{name}")).map(str::to_owned);
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
