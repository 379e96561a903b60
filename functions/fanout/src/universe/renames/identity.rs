//! What identifies the security of a profile.

use serde_json::Value;

/// What identifies the security of a profile.
#[derive(Debug, Default)]
pub(super) struct Identity {
    pub(super) cik: Option<String>,
    pub(super) isin: Option<String>,
}

impl Identity {
    pub(super) fn read(body: &[u8]) -> Identity {
        let rows: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |field: &str| {
            let text = rows.get(0)?.get(field)?.as_str()?.trim().trim_start_matches('0');
            (!text.is_empty() && !text.eq_ignore_ascii_case("null")).then(|| text.to_owned())
        };
        Identity { cik: text("cik"), isin: text("isin") }
    }

    /// Whether two profiles are of one security; `None` if they do not tell. Two share classes have one CIK,
    /// so an equal CIK proves nothing.
    pub(super) fn is_same(&self, other: &Identity) -> Option<bool> {
        let same = |a: &Option<String>, b: &Option<String>| Some(a.as_ref()? == b.as_ref()?);
        if same(&self.cik, &other.cik) == Some(false) {
            Some(false)
        } else {
            same(&self.isin, &other.isin)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(cik: &str, isin: &str) -> Identity {
        Identity::read(format!(r#"[{{"cik": "{cik}", "isin": "{isin}"}}]"#).as_bytes())
    }

    #[test]
    fn a_security_is_identified_by_cik_and_isin() {
        let apple = identity("0000320193", "US0378331005");
        assert_eq!(apple.is_same(&identity("320193", "US0378331005")), Some(true));
        assert_eq!(apple.is_same(&identity("320193", "US0000000001")), Some(false), "another share class");
        assert_eq!(apple.is_same(&identity("1", "US0378331005")), Some(false));
        assert_eq!(apple.is_same(&identity("320193", "")), None);
        assert_eq!(identity("null", "").is_same(&apple), None);
        assert_eq!(Identity::read(b"<html>").is_same(&apple), None);
    }
}
