//! Classifies FMP's responses by status and by the start of the body. Neither is sufficient alone:
//! FMP sends JSON errors with status 200 and plain text as application/json, and the ends of its
//! messages vary.

use reqwest::StatusCode;

use super::failure::Failure;

/// Returns whether a response has rows. It has none if it is an empty list or FMP's "No Data"
/// object.
///
/// # Errors
/// The failure that the response reports. Its message quotes the start of FMP's text. `body` must
/// not contain the key.
pub(super) fn classify(status: StatusCode, body: &[u8]) -> Result<bool, Failure> {
    let text = String::from_utf8_lossy(&body[..body.len().min(600)]);
    let text = text.trim_start();
    let message = message(text);
    let quote = quoted(&message);
    let call_limit = || Failure::CallLimit {
        message: format!("FMP's call limit is reached: {quote}"),
        retry_after: None,
    };
    let bandwidth =
        || Failure::BandwidthUsedUp(format!("FMP's bandwidth of the last 30 days is used up: {quote}"));
    let refused_key = || Failure::RefusedKey(format!("FMP refused the key in FMP_API_KEY: {quote}"));
    match status.as_u16() {
        200 if text.starts_with('[') && !ends_list(body) => {
            Err(Failure::transient("FMP's response is truncated"))
        }
        200 if text.starts_with('[') => Ok(!is_empty_list(body)),
        200 if message.starts_with("Limit Reach") => Err(call_limit()),
        200 if message.starts_with("Bandwidth Limit") => Err(bandwidth()),
        200 if message.starts_with("Invalid API KEY") => Err(refused_key()),
        200 if text.starts_with('{') && message.starts_with("No Data") => Ok(false),
        200 if text.starts_with('{') => {
            Err(Failure::Rejected(format!("FMP responded with an error: {quote}")))
        }
        200 => Err(Failure::transient(format!("FMP's response is not a JSON list: {quote}"))),
        400 => Err(Failure::Rejected(format!("FMP refused the request: {quote}"))),
        401 => Err(refused_key()),
        402 => Err(Failure::NotInPlan(format!("not in your FMP plan: {quote}"))),
        403 => Err(Failure::RefusedAccess(format!("FMP refused access: {quote}"))),
        404 => Err(Failure::NotOffered("FMP has no such endpoint (404); check --fmp-url".into())),
        429 if message.starts_with("Bandwidth Limit") => Err(bandwidth()),
        429 => Err(call_limit()),
        408 | 425 | 500..=599 => Err(Failure::transient(format!("FMP responded with {status}: {quote}"))),
        _ => Err(Failure::Rejected(format!("FMP responded with {status}: {quote}"))),
    }
}

fn ends_list(body: &[u8]) -> bool {
    body.trim_ascii_end().ends_with(b"]")
}

fn is_empty_list(body: &[u8]) -> bool {
    body.len() < 16 && body.iter().filter(|b| !b.is_ascii_whitespace()).eq(b"[]".iter())
}

/// The message of an error object. If the text is not an error object, the text itself.
fn message(text: &str) -> String {
    let Some(start) =
        text.strip_prefix('{').and_then(|rest| rest.find("Error Message").map(|at| &rest[at..]))
    else {
        return text.to_owned();
    };
    let value = start.split_once(':').map_or("", |(_, value)| value.trim_start());
    value
        .trim_start_matches('"')
        .trim_end()
        .trim_end_matches('}')
        .trim_end()
        .trim_end_matches('"')
        .to_owned()
}

/// The first 120 characters of a message, on one line and in quotes.
fn quoted(message: &str) -> String {
    let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect();
    if line.trim().is_empty() {
        "an empty body".into()
    } else {
        format!("\"{}\"", line.trim())
    }
}

#[cfg(test)]
mod tests {
    use findata_domain::Error;

    use super::*;

    fn respond(status: u16, body: &str) -> Result<bool, Failure> {
        classify(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    /// The error that callers outside this crate get.
    fn error(status: u16, body: &str) -> Error {
        respond(status, body).unwrap_err().into()
    }

    #[test]
    fn every_response_is_classified_by_what_the_caller_does_next() {
        assert_eq!(respond(200, "[{\"symbol\":\"A\"}]"), Ok(true));
        assert_eq!(respond(200, " [ ]\n"), Ok(false));
        assert_eq!(respond(200, r#"{"Error Message":"No Data for this symbol"}"#), Ok(false));
        for (status, body) in [
            (429, r#"{"Error Message":"Limit Reach . Please upgrade"}"#),
            (200, r#"{ "Error Message" : "Limit Reach . Please upgrade"}"#),
        ] {
            assert!(matches!(respond(status, body), Err(Failure::CallLimit { .. })), "{status} {body}");
            assert!(matches!(error(status, body), Error::Retry { .. }), "{status} {body}");
        }
        for (status, body) in [
            (500, "oops"),
            (503, "<html>"),
            (200, "<html><body>maintenance</body></html>"),
            (200, "Query"),
            (200, "[{\"symbol\":\"A\",\"pri"),
            (200, ""),
        ] {
            assert!(respond(status, body).is_err_and(|failure| failure.is_transient()), "{status} {body}");
            assert!(matches!(error(status, body), Error::Retry { .. }), "{status} {body}");
        }
        for (status, body) in [
            (400, "Query Error: Invalid or missing query parameter - symbol"),
            (200, r#"{"Error Message":"Something else"}"#),
        ] {
            assert!(matches!(error(status, body), Error::Reject(_)), "{status} {body}");
        }
        assert!(matches!(error(404, "[]"), Error::NotOffered(_)));
        for body in ["Premium Query Parameter: 'Special Endpoint", "Restricted Endpoint: This"] {
            assert!(matches!(error(402, body), Error::NotInPlan(_)), "{body}");
        }
        for (status, body) in [
            (401, r#"{"Error Message":"Invalid API KEY. Feel free"}"#),
            (403, r#"{"Error Message":"Legacy Endpoint : Due"}"#),
            (403, "{\n  \"Error Message\": \"Account suspended. Please\"\n}"),
            (200, r#"{"Error Message":"Invalid API KEY. Feel free"}"#),
        ] {
            assert!(matches!(error(status, body), Error::Stop(_)), "{status} {body}");
            let refused_key = matches!(respond(status, body), Err(Failure::RefusedKey(_)));
            assert_eq!(refused_key, status != 403, "another key may work, except after a 403");
        }
        for status in [200, 429] {
            let body = r#"{"Error Message": "Bandwidth Limit Reach . Please"}"#;
            assert!(matches!(error(status, body), Error::Budget(_)));
        }
    }
}
