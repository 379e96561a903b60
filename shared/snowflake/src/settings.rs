//! Where and as whom to work on Snowflake, from `SNOWFLAKE_` variables; what they leave out is called as `infra/snowflake`
//! calls it.

use std::time::{Duration, Instant};

use secrecy::SecretString;

use crate::Settings;
use findata_domain::{Error, Result};

/// What one statement may take: longer than another transaction's locks are waited for.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(900);

/// The variable with the ARN of the secret that holds the private key, on Lambda.
pub const SECRET_VARIABLE: &str = "FINDATA_SNOWFLAKE_SECRET";

impl Settings {
    /// The settings of a function, whose session must end at a fixed time. `variable` takes a full name.
    ///
    /// # Errors
    /// As for [`Settings::from_variables`].
    pub fn until(
        ends_at: Instant,
        variable: impl Fn(&str) -> Option<String>,
        key: Result<SecretString, String>,
        prefix: &str,
    ) -> Result<Settings> {
        let named = |name: &str| variable(&format!("SNOWFLAKE_{name}"));
        Ok(Settings { ends_at: Some(ends_at), ..Settings::from_variables(named, key, prefix)? })
    }

    /// The settings, for a stage whose files lie under `prefix`. `variable` gives the variable of a name without
    /// `SNOWFLAKE_`, or nothing where it is not set or empty; `key` is the key, or what is wrong with it.
    ///
    /// # Errors
    /// `Config` that names all that is missing.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
        key: Result<SecretString, String>,
        prefix: &str,
    ) -> Result<Settings> {
        let account = variable("ACCOUNT")
            .ok_or_else(|| "SNOWFLAKE_ACCOUNT is not set: the account, as ORGANISATION-ACCOUNT".to_owned());
        let (account, key) = match (account, key) {
            (Ok(account), Ok(key)) => (account, key),
            (account, key) => {
                let wrong: Vec<String> = [account.err(), key.err()].into_iter().flatten().collect();
                return Err(Error::Config(wrong.join("; ")));
            }
        };
        let or = |name: &str, ours: &str| variable(name).unwrap_or_else(|| ours.to_owned());
        Ok(Settings {
            account,
            user: or("USER", "findata_service"),
            key,
            role: or("ROLE", "findata_loader"),
            warehouse: or("WAREHOUSE", "findata_wh"),
            database: or("DATABASE", "findata"),
            schema: or("SCHEMA", "scratch"),
            stage: or("STAGE", "raw.landing"),
            prefix: prefix.to_owned(),
            statement_timeout: STATEMENT_TIMEOUT,
            ends_at: None,
            retry_pause: Duration::from_millis(500),
            url: variable("URL"),
        })
    }
}
