//! Connection settings from the environment variables `SNOWFLAKE_*`. The defaults are the names of the objects that
//! `infra/snowflake` creates.

use std::time::{Duration, Instant};

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use findata_domain::{Error, Result};

/// Time limit of one statement. It is longer than the time for which a statement waits for locks.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(900);

/// Rows that a Lambda function computes at a time, counted in rows of prices: about 700 companies with five years of
/// prices. An XS warehouse is expected to take a few minutes.
const ROWS_PER_SLICE: u64 = 1_000_000;

pub(super) const UNREADABLE_KEY: &str =
    "the Snowflake key cannot be read: it must be unencrypted PKCS#8 in PEM format";

/// Environment variable of the Lambda functions that contains the ARN of the private key's secret.
pub const SECRET_VARIABLE: &str = "FINDATA_SNOWFLAKE_SECRET";

/// Settings of a connection to Snowflake.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Account identifier in the form `organisation-account`.
    pub account: String,
    /// Snowflake user with `TYPE = SERVICE`.
    pub user: String,
    /// The private key: unencrypted PKCS#8 in PEM format.
    pub key: SecretString,
    /// Role of the session.
    pub role: String,
    /// Virtual warehouse that runs the statements.
    pub warehouse: String,
    /// Database that contains the four schemas.
    pub database: String,
    /// Schema for temporary tables. The role needs the privilege CREATE TEMPORARY TABLE on the schema.
    pub schema: String,
    /// Name of the external stage that points to findata's stage on S3, with the schema.
    pub stage: String,
    /// Path of findata's stage in its S3 bucket; empty if the stage is the whole bucket.
    pub prefix: String,
    /// Time limit of one statement.
    pub statement_timeout: Duration,
    /// When the session must end; `None` without a time limit. Statements are aborted at this moment.
    pub ends_at: Option<Instant>,
    /// Rows that analytics computes at a time if the session has a time limit, counted in rows of prices.
    pub rows_per_slice: u64,
    /// The pause before the first retry of a request. Each further pause is twice as long.
    pub retry_pause: Duration,
    /// URL to use instead of the account's default URL.
    pub url: Option<String>,
}

impl Settings {
    /// Reads the settings of a Lambda function, whose session must end at `ends_at`. `variable` reads a variable by its
    /// full name.
    ///
    /// # Errors
    /// The errors of [`Settings::from_variables`].
    pub fn until(
        ends_at: Instant,
        variable: impl Fn(&str) -> Option<String>,
        key: Result<SecretString, String>,
        prefix: &str,
    ) -> Result<Settings> {
        let named = |name: &str| variable(&format!("SNOWFLAKE_{name}"));
        Ok(Settings {
            ends_at: Some(ends_at),
            ..Settings::from_variables(named, key, prefix)?
        })
    }

    /// Reads the settings from variables. `variable` takes a name without `SNOWFLAKE_`, and returns `None` if the
    /// variable is not set or empty. `key` is the private key, or a message that says why there is none. `prefix` is
    /// the path of findata's stage in its S3 bucket.
    ///
    /// # Errors
    /// `Config` that names all missing and unreadable settings.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
        key: Result<SecretString, String>,
        prefix: &str,
    ) -> Result<Settings> {
        let account = variable("ACCOUNT")
            .ok_or_else(|| "SNOWFLAKE_ACCOUNT is not set: set it to ORGANISATION-ACCOUNT".to_owned());
        let rows_per_slice = match variable("ROWS_PER_SLICE") {
            None => Ok(ROWS_PER_SLICE),
            Some(rows) => rows.parse().map_err(|_| {
                format!(
                    "SNOWFLAKE_ROWS_PER_SLICE is `{rows}`: set it to a whole number of rows, or remove it"
                )
            }),
        };
        let (account, key, rows_per_slice) = match (account, key, rows_per_slice) {
            (Ok(account), Ok(key), Ok(rows)) => (account, key, rows),
            (account, key, rows) => {
                let problems = [account.err(), key.err(), rows.err()];
                let problems: Vec<String> = problems.into_iter().flatten().collect();
                return Err(Error::Config(problems.join("; ")));
            }
        };
        let or = |name: &str, default: &str| variable(name).unwrap_or_else(|| default.to_owned());
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
            rows_per_slice,
            retry_pause: Duration::from_millis(500),
            url: variable("URL"),
        })
    }
}

/// Checks all settings. Returns the base URL of the account.
///
/// # Errors
/// `Config` that names every invalid setting.
pub(super) fn check(settings: &Settings) -> Result<Url> {
    let identifier = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
            && !text.starts_with(|c: char| c.is_ascii_digit() || c == '$')
    };
    // The same rule as that of SnowflakeAccount in infra/template.yaml.
    let account = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    // A user name may be an email address. More characters are accepted than in other names, because the user name is
    // not part of SQL.
    let user = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && c != '"');
    let stage = |text: &str| (1..=3).contains(&text.split('.').count()) && text.split('.').all(identifier);
    // The prefix is not part of SQL, but unusual characters are rejected as a precaution.
    let prefix = |text: &str| {
        let part = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '='))
        };
        text.is_empty() || text.split('/').all(part)
    };
    let problems: Vec<String> = [
        ("account", settings.account.as_str(), account(&settings.account)),
        ("user", &settings.user, user(&settings.user)),
        ("role", &settings.role, identifier(&settings.role)),
        ("warehouse", &settings.warehouse, identifier(&settings.warehouse)),
        ("database", &settings.database, identifier(&settings.database)),
        ("schema", &settings.schema, identifier(&settings.schema)),
        ("stage", &settings.stage, stage(&settings.stage)),
        ("prefix", &settings.prefix, prefix(&settings.prefix)),
    ]
    .into_iter()
    .filter(|(_, _, right)| !right)
    .map(|(name, text, _)| match name {
        "account" => format!("{text:?} is not a valid Snowflake account: use ORGANIZATION-ACCOUNT"),
        _ => format!("{text:?} is not a valid Snowflake {name}"),
    })
    // The message must not contain the key.
    .chain((!settings.key.expose_secret().contains("BEGIN PRIVATE KEY")).then(|| UNREADABLE_KEY.to_owned()))
    .collect();
    if !problems.is_empty() {
        return Err(Error::Config(problems.join("; ")));
    }
    // Host names cannot contain underscores.
    let account_url = || {
        format!(
            "https://{}.snowflakecomputing.com",
            settings.account.replace('_', "-").to_ascii_lowercase()
        )
    };
    let base = settings.url.clone().unwrap_or_else(account_url);
    let loopback = |url: &Url| matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match Url::parse(&base) {
        Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && loopback(&url)) => Ok(url),
        _ => Err(Error::Config("the Snowflake URL must begin with https://".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            account: "org-account".into(),
            user: "findata".into(),
            key: SecretString::from("-----BEGIN PRIVATE KEY-----"),
            role: "loader".into(),
            warehouse: "wh".into(),
            database: "findata".into(),
            schema: "ops".into(),
            stage: "ops.landing".into(),
            prefix: "home".into(),
            statement_timeout: Duration::from_secs(1),
            ends_at: None,
            rows_per_slice: u64::MAX,
            retry_pause: Duration::from_millis(1),
            url: None,
        }
    }

    #[test]
    fn missing_and_unreadable_variables_are_reported_together() {
        let variable = |name: &str| (name == "ROWS_PER_SLICE").then(|| "many".to_owned());
        let Err(Error::Config(text)) = Settings::from_variables(variable, Err("no key".into()), "home")
        else {
            panic!("accepted")
        };
        for problem in ["SNOWFLAKE_ACCOUNT is not set", "no key", "SNOWFLAKE_ROWS_PER_SLICE is `many`"] {
            assert!(text.contains(problem), "{text}");
        }
    }

    #[test]
    fn all_invalid_names_are_reported_together() {
        assert_eq!(check(&settings()).unwrap().as_str(), "https://org-account.snowflakecomputing.com/");
        let wrong = Settings {
            stage: "x; drop".into(),
            database: "a'b".into(),
            ..settings()
        };
        let Err(Error::Config(text)) = check(&wrong) else {
            panic!("accepted")
        };
        assert!(
            text.contains("\"x; drop\" is not a valid Snowflake stage")
                && text.contains("Snowflake database"),
            "{text}"
        );
    }

    #[test]
    fn an_account_is_an_identifier_without_a_region() {
        let of = |account: &str| check(&Settings { account: account.into(), ..settings() });
        // The same examples as in tests/aws/test_template.py.
        for good in ["ORG-ACCOUNT", "org-my_account", "xy12345"] {
            assert!(of(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "https://org-account.snowflakecomputing.com",
            "xy12345.eu-west-1",
            "-org",
            "_org",
            "a b",
        ] {
            assert!(
                matches!(of(bad), Err(Error::Config(why)) if why.contains("ORGANIZATION-ACCOUNT")),
                "{bad}"
            );
        }
    }

    #[test]
    fn only_https_or_loopback_urls_are_accepted() {
        let to = |url: &str| check(&Settings { url: Some(url.into()), ..settings() });
        assert!(to("http://127.0.0.1:1").is_ok());
        assert!(to("http://example.com").is_err());
    }

    #[test]
    fn messages_and_debug_output_do_not_contain_the_key() {
        let settings = Settings { key: SecretString::from("s3cret"), ..settings() };
        assert!(!format!("{settings:?}").contains("s3cret"));
        let Err(Error::Config(text)) = check(&settings) else {
            panic!("accepted")
        };
        assert_eq!(text, UNREADABLE_KEY);
    }
}
