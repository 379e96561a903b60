//! Classifies Snowflake's errors by what to do about them.

use findata_domain::Error;

/// A failure reported in a response.
#[derive(Debug, Clone, Default)]
pub(super) struct Rejection {
    pub code: String,
    pub sql_state: String,
    pub query_id: String,
    pub message: String,
}

/// The session token has expired and can be renewed.
pub(super) const TOKEN_EXPIRED: &str = "390112";
/// The session has ended, and with it its temporary tables and its transaction.
const SESSION_ENDED: [&str; 5] = ["390104", "390108", "390111", "390113", "390114"];

impl Rejection {
    /// Whether a new login is needed.
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
            // Timed out, cancelled, waited too long for a lock, or an internal error of Snowflake.
            ("000603" | "000604" | "000605" | "000625" | "000630", _) | (_, "57014" | "40001" | "XX000") => {
                Error::retry(description)
            }
            // No virtual warehouse, or its resource monitor has suspended it.
            ("000606" | "090073", _) | (_, "57P03") => Error::Config(format!(
                "{description}; check the warehouse, its resource monitor and the role's USAGE on it"
            )),
            ("003001", _) | (_, "42501") => {
                Error::Config(format!("{description}; run `findata doctor` to see which grant is missing"))
            }
            // Snowflake does not distinguish a missing object from one that the role may not see.
            ("002003", _) => Error::Stop(format!(
                "{description}; run `findata doctor` to check whether a grant is missing"
            )),
            // Login failures: 3901xx to 3904xx.
            (code, _) if code.starts_with("390") => Error::Config(format!(
                "{description}; check the account, user, role, network policy, and that the user's public key matches this private key"
            )),
            _ => Error::Stop(description),
        }
    }

    /// Everything that Snowflake's support would ask for, in one line.
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
    fn errors_are_classified_by_what_to_do() {
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
