//! Classifies Snowflake's errors by how the caller has to react.

use findata_domain::Error;

/// A failure that a response of Snowflake reports.
#[derive(Debug, Clone, Default)]
pub(super) struct Rejection {
    pub code: String,
    pub sql_state: String,
    pub query_id: String,
    pub message: String,
}

/// Code of a batch in which a statement failed (SQL state P0000). The message quotes the statement and its message, but
/// not its code.
pub(super) const BATCH_FAILED: &str = "100132";
/// Code of an expired session token, which can be renewed.
pub(super) const TOKEN_EXPIRED: &str = "390112";
/// Codes that mean that the session has ended. Its temporary tables and its open transaction are
/// lost.
const SESSION_ENDED: [&str; 5] = ["390104", "390108", "390111", "390113", "390114"];

impl Rejection {
    /// Whether the session has ended, so that a new login is needed.
    pub(super) fn session_ended(&self) -> bool {
        self.code == TOKEN_EXPIRED || SESSION_ENDED.contains(&self.code.as_str())
    }

    /// The error for the caller.
    pub(super) fn error(&self) -> Error {
        let description = self.description();
        if self.session_ended() {
            return Error::retry(format!("the session ended: {description}"));
        }
        match (self.code.as_str(), self.sql_state.as_str()) {
            // The statement timed out, was cancelled or waited too long for a lock, or Snowflake
            // had an internal error.
            ("000603" | "000604" | "000605" | "000625" | "000630", _) | (_, "57014" | "40001" | "XX000") => {
                Error::retry(description)
            }
            // There is no virtual warehouse, or its resource monitor has suspended it.
            ("000606" | "090073", _) | (_, "57P03") => Error::Config(format!(
                "{description}; check the warehouse, its resource monitor and the role's USAGE on it"
            )),
            ("003001", _) | (_, "42501") => {
                Error::Config(format!("{description}; run `findata doctor` to see which grant is missing"))
            }
            // Snowflake reports the same code for a missing object and for an object that the role
            // may not see.
            ("002003", _) => Error::Stop(format!(
                "{description}; run `findata doctor` to check whether a grant is missing"
            )),
            // The warehouse, the database or the schema of the login.
            ("390201", _) => Error::Config(format!(
                "{description}; check SNOWFLAKE_WAREHOUSE, SNOWFLAKE_DATABASE and SNOWFLAKE_SCHEMA, and run \
                 `findata doctor` to see which grant is missing"
            )),
            // Login failures: 3901xx to 3904xx.
            (code, _) if code.starts_with("390") => Error::Config(format!(
                "{description}; check the account, the user, the role and the network policy, and that the user's public key belongs to this private key"
            )),
            _ => Error::Stop(description),
        }
    }

    /// The failure in one line, with all details that Snowflake's support needs.
    fn description(&self) -> String {
        let message = self.message.split_whitespace().collect::<Vec<_>>().join(" ");
        let state = if self.sql_state.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.sql_state)
        };
        let query = if self.query_id.is_empty() {
            String::new()
        } else {
            format!(", query {}", self.query_id)
        };
        format!("Snowflake {}{state}{query}: {message}", self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_classified_by_how_to_react() {
        let of = |code: &str, state: &str| {
            let rejection = Rejection {
                code: code.into(),
                sql_state: state.into(),
                query_id: "01b".into(),
                message: "SQL compilation error:\nno".into(),
            };
            rejection.error()
        };
        assert_eq!(
            of("002003", "02000"),
            Error::Stop(
                "Snowflake 002003 (02000), query 01b: SQL compilation error: no; run `findata doctor` to check whether a grant is missing".into()
            )
        );
        assert!(matches!(of("100038", "22018"), Error::Stop(_)));
        assert!(matches!(of("000630", "57014"), Error::Retry { .. }));
        assert!(matches!(of("390114", ""), Error::Retry { .. }));
        assert!(matches!(of("390144", ""), Error::Config(_)));
        assert!(matches!(of("003001", "42501"), Error::Config(_)));
        assert!(matches!(of("000606", "57P03"), Error::Config(_)));
    }
}
