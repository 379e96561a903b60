//! Validates the base address of an FMP API.

use reqwest::Url;

use super::redact::Redactor;
use findata_domain::{Error, Result};

/// The base address of FMP's `stable` API.
pub const DEFAULT_URL: &str = "https://financialmodelingprep.com/stable";

/// Parses a base address. Error messages do not contain the address, because messages are stored and the address may
/// contain a password or a key.
///
/// # Errors
/// `Reject` if the text is not an HTTP address; `Config` if the address contains a secret, or if the key would leave
/// this machine without encryption.
pub(super) fn parse(url: &str) -> Result<Url> {
    let malformed = || Error::Reject(format!("not a valid FMP address: use an address like {DEFAULT_URL}"));
    let parsed = Url::parse(url.trim()).map_err(|_| malformed())?;
    if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
        return Err(malformed());
    }
    let has_user = !parsed.username().is_empty() || parsed.password().is_some();
    let has_more = parsed.query().is_some() || parsed.fragment().is_some();
    if has_user || has_more || parsed.path().to_ascii_lowercase().contains("apikey") {
        return Err(Error::Config(
            "the FMP address may contain only a host and a path: remove user, password, query, fragment and key, \
             and set the key in FMP_API_KEY"
                .into(),
        ));
    }
    if parsed.scheme() == "http" && !is_loopback(&parsed) {
        return Err(Error::Config(
            "the FMP address begins with http://, so the key would be sent without encryption: use https://"
                .into(),
        ));
    }
    Ok(parsed)
}

/// Parses a base address, and rejects an address that contains `key`.
///
/// # Errors
/// The errors of [`parse`]; `Config` if the address contains the key.
pub(super) fn parse_without(url: &str, key: &[u8]) -> Result<Url> {
    let parsed = parse(url)?;
    if Redactor::new(key).finds(url) || Redactor::new(key).finds(parsed.as_str()) {
        return Err(Error::Config(
            "the FMP address contains the key, but addresses are stored and displayed: remove the key from the \
             address and set it in FMP_API_KEY only"
                .into(),
        ));
    }
    Ok(parsed)
}

/// Whether the server is on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    address.map_or(host == "localhost" || host.ends_with(".localhost"), |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef";

    fn refusal(url: &str) -> Option<Error> {
        parse_without(url, KEY.as_bytes()).err()
    }

    #[test]
    fn an_address_with_a_secret_is_a_configuration_error_that_does_not_repeat_it() {
        for url in [
            "http://user@h/stable",
            "http://:secret@h/stable",
            "http://h/stable?apikey=secret",
            "http://h/stable?",
            "http://h/stable#secret",
            "http://h/apikey=secret/stable",
            "https://h/0123456789abcdef/stable",
            "https://h/%30123456789abcdef",
            "https://0123456789ABCDEF.example/stable",
        ] {
            let error = refusal(url);
            assert!(
                matches!(&error, Some(Error::Config(why)) if why.contains("FMP_API_KEY")
                    && !why.contains("secret") && !why.contains(KEY)),
                "{url}: {error:?}"
            );
        }
    }

    #[test]
    fn only_https_leaves_this_machine() {
        for url in [
            "http://financialmodelingprep.com/stable",
            "HTTP://FinancialModelingPrep.com./stable",
            "http:\\\\financialmodelingprep.com:443\\stable",
            "http://www.financialmodelingprep.com/stable",
            "http://10.0.0.1/stable",
            "http://127.0.0.1.example/stable",
        ] {
            assert!(matches!(refusal(url), Some(Error::Config(why)) if why.contains("https")), "{url}");
        }
        for url in [DEFAULT_URL, "http://127.0.0.1:8080/stable", "https://proxy.example/stable"] {
            assert_eq!(refusal(url), None, "{url}");
        }
        for url in ["nowhere", "ftp://x/stable", "file:///stable", ""] {
            assert!(matches!(refusal(url), Some(Error::Reject(_))), "{url}");
        }
    }

    #[test]
    fn loopback_servers_are_recognised() {
        let is = |url: &str| is_loopback(&Url::parse(url).unwrap());
        for url in [
            "http://127.0.0.1:1",
            "http://127.9.9.9",
            "http://[::1]:1",
            "http://localhost",
            "http://a.localhost.",
        ] {
            assert!(is(url), "{url}");
        }
        for url in ["http://10.0.0.1", "http://localhost.example", DEFAULT_URL] {
            assert!(!is(url), "{url}");
        }
    }
}
