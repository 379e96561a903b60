//! Snowflake's errors by what to do about them.

use findata_domain::Error;

/// An answer that says no.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal {
    pub code: String,
    pub sql_state: String,
    pub query_id: String,
    pub message: String,
}

/// The session's token is too old and another one can be had for it.
pub(super) const TOKEN_EXPIRED: &str = "390112";
/// The session is gone, with its temporary tables and its transaction.
const SESSION_GONE: [&str; 5] = ["390104", "390108", "390111", "390113", "390114"];

impl Refusal {
    /// Whether only another login helps.
    pub(super) fn session_is_gone(&self) -> bool {
        self.code == TOKEN_EXPIRED || SESSION_GONE.contains(&self.code.as_str())
    }

    /// The error for the caller.
    pub(super) fn error(&self) -> Error {
        let told = self.told();
        if self.session_is_gone() {
            return Error::retry(format!("the session ended: {told}"));
        }
        match (self.code.as_str(), self.sql_state.as_str()) {
            // Timed out, cancelled, a lock not had in time, a failure of the service itself.
            ("000603" | "000604" | "000605" | "000625" | "000630", _) | (_, "57014" | "40001" | "XX000") => {
                Error::retry(told)
            }
            // No warehouse to run on, or one that its monitor has stopped.
            ("000606" | "090073", _) | (_, "57P03") => {
                Error::Config(format!("{told}; check the warehouse, its resource monitor and the role's USAGE on it"))
            }
            ("003001", _) | (_, "42501") => Error::Config(format!("{told}; `findata doctor` says what to grant")),
            // To Snowflake it is all one whether it is not there or the role may not know of it.
            ("002003", _) => Error::Stop(format!("{told}; `findata doctor` says whether a grant is missing")),
            // What a login says: 3901xx to 3904xx.
            (code, _) if code.starts_with("390") => Error::Config(format!(
                "{told}; check account, user, role, network policy, and that the user has the public half of this key"
            )),
            _ => Error::Stop(told),
        }
    }

    /// One line, with all that support would ask for.
    fn told(&self) -> String {
        let message = self.message.split_whitespace().collect::<Vec<_>>().join(" ");
        let state = if self.sql_state.is_empty() { String::new() } else { format!(" ({})", self.sql_state) };
        let query = if self.query_id.is_empty() { String::new() } else { format!(", query {}", self.query_id) };
        format!("Snowflake {}{state}{query}: {message}", self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_named_by_what_to_do() {
        let of = |code: &str, state: &str| {
            let refusal = Refusal {
                code: code.into(),
                sql_state: state.into(),
                query_id: "01b".into(),
                message: "SQL compilation error:\nno".into(),
            };
            refusal.error()
        };
        assert_eq!(
            of("002003", "02000"),
            Error::Stop(
                "Snowflake 002003 (02000), query 01b: SQL compilation error: no; `findata doctor` says whether a grant is missing".into()
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
