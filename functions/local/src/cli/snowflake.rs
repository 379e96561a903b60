//! Where and as whom to work on Snowflake, from `SNOWFLAKE_` variables; what they leave out is called as `infra/snowflake`
//! calls it.

use std::{env, time::Duration};

use findata_shared::{Error, Result, stage::s3::Location, warehouse::snowflake::Settings};
use secrecy::SecretString;

/// What one statement may take: longer than another transaction's locks are waited for.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(900);

#[expect(clippy::disallowed_methods, reason = "the edge reads the environment")]
fn variable(name: &str) -> Option<String> {
    env::var(format!("SNOWFLAKE_{name}")).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The settings, for a stage whose files lie at a place on S3.
///
/// # Errors
/// `Config` that names every variable that is missing, or a key file that cannot be read.
pub(crate) fn settings(place: &Location) -> Result<Settings> {
    let mut wrong = Vec::new();
    let account = variable("ACCOUNT").unwrap_or_else(|| {
        wrong.push("SNOWFLAKE_ACCOUNT is not set: the account, as ORGANISATION-ACCOUNT".to_owned());
        String::new()
    });
    let key = match (variable("PRIVATE_KEY"), variable("PRIVATE_KEY_FILE")) {
        (Some(key), _) => key,
        (None, Some(file)) => std::fs::read_to_string(&file).unwrap_or_else(|e| {
            wrong.push(format!("SNOWFLAKE_PRIVATE_KEY_FILE: cannot read {file}: {e}"));
            String::new()
        }),
        (None, None) => {
            wrong.push(
                "neither SNOWFLAKE_PRIVATE_KEY nor SNOWFLAKE_PRIVATE_KEY_FILE is set: a PKCS#8 PEM key".to_owned(),
            );
            String::new()
        }
    };
    if !wrong.is_empty() {
        return Err(Error::Config(wrong.join("; ")));
    }
    let or = |name: &str, ours: &str| variable(name).unwrap_or_else(|| ours.to_owned());
    Ok(Settings {
        account,
        user: or("USER", "findata_service"),
        key: SecretString::from(key),
        role: or("ROLE", "findata_loader"),
        warehouse: or("WAREHOUSE", "findata_wh"),
        database: or("DATABASE", "findata"),
        schema: or("SCHEMA", "scratch"),
        stage: or("STAGE", "raw.landing"),
        prefix: place.prefix().to_owned(),
        statement_timeout: STATEMENT_TIMEOUT,
        ends_at: None,
        retry_pause: Duration::from_millis(500),
        url: variable("URL"),
    })
}
