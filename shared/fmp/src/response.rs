//! FMP's answers told apart by status and the beginning of the body, as observed: texts vary in their tails,
//! JSON errors come with status 200, and plain text comes as application/json.

use reqwest::StatusCode;

use findata_domain::{Error, Result};

const CALL_LIMIT: &str = "FMP's call limit";
const REFUSED_KEY: &str = "FMP refused the key";
const REFUSED_ACCESS: &str = "FMP refused access";
const NO_ENDPOINT: &str = "FMP has no such endpoint";
const NO_BANDWIDTH: &str = "FMP's bandwidth of the last 30 days is used up";

/// Whether a retry is for the call limit, which is everybody's, and not for something of the call's own.
pub(super) fn is_call_limit(reason: &str) -> bool {
    reason.starts_with(CALL_LIMIT)
}

/// Whether the key was refused, which another key may mend.
pub(super) fn is_refused_key(reason: &str) -> bool {
    reason.starts_with(REFUSED_KEY)
}

/// Whether an error is everybody's who has the key, and not one call's or one process's.
pub(super) fn is_everybodys(error: &Error) -> bool {
    match error {
        Error::Stop(reason) => reason.starts_with(REFUSED_KEY) || reason.starts_with(REFUSED_ACCESS),
        Error::Budget(reason) => reason.starts_with(NO_BANDWIDTH),
        _ => false,
    }
}

/// Whether FMP does not offer the endpoint at all (404), so that another way to the same rows is worth a try. What it offers
/// in other plans alone is `NotInPlan`.
pub fn is_not_offered(error: &Error) -> bool {
    matches!(error, Error::Reject(reason) if reason.starts_with(NO_ENDPOINT))
}

/// Whether an answer holds rows, none, or is an error.
///
/// `Ok(true)` for rows, `Ok(false)` for the empty list with which FMP says that it has nothing.
///
/// # Errors
/// Named by the caller's next move. The text quotes FMP's first words and never a key.
pub(super) fn classify(status: StatusCode, body: &[u8]) -> Result<bool> {
    let text = String::from_utf8_lossy(&body[..body.len().min(600)]);
    let text = text.trim_start();
    let message = message(text);
    let said = quoted(&message);
    match status.as_u16() {
        200 if text.starts_with('[') && !ends_list(body) => Err(Error::retry("FMP's answer breaks off")),
        200 if text.starts_with('[') => Ok(!empty_list(body)),
        200 if message.starts_with("Limit Reach") => Err(Error::retry(format!("{CALL_LIMIT}: {said}"))),
        200 if message.starts_with("Bandwidth Limit") => Err(bandwidth(&said)),
        200 if message.starts_with("Invalid API KEY") => Err(refused_key(&said)),
        200 if text.starts_with('{') && message.starts_with("No Data") => Ok(false),
        200 if text.starts_with('{') => Err(Error::Reject(format!("FMP answered with an error: {said}"))),
        200 => Err(Error::retry(format!("FMP's answer is no JSON list: {said}"))),
        400 => Err(Error::Reject(format!("FMP refused the request: {said}"))),
        401 => Err(refused_key(&said)),
        402 => Err(Error::NotInPlan(format!("not in your FMP plan: {said}"))),
        403 => Err(Error::Stop(format!("{REFUSED_ACCESS}: {said}"))),
        404 => Err(Error::Reject(format!("{NO_ENDPOINT} (404); check --fmp-url"))),
        429 if message.starts_with("Bandwidth Limit") => Err(bandwidth(&said)),
        429 => Err(Error::retry(format!("{CALL_LIMIT}: {said}"))),
        408 | 425 | 500..=599 => Err(Error::retry(format!("FMP answered {status}: {said}"))),
        _ => Err(Error::Reject(format!("FMP answered {status}: {said}"))),
    }
}

fn refused_key(said: &str) -> Error {
    Error::Stop(format!("{REFUSED_KEY} in FMP_API_KEY: {said}"))
}

fn bandwidth(said: &str) -> Error {
    Error::Budget(format!("{NO_BANDWIDTH}: {said}"))
}

fn ends_list(body: &[u8]) -> bool {
    body.trim_ascii_end().ends_with(b"]")
}

fn empty_list(body: &[u8]) -> bool {
    body.len() < 16 && body.iter().filter(|b| !b.is_ascii_whitespace()).eq(b"[]".iter())
}

/// The text of an error object, or the text itself.
fn message(text: &str) -> String {
    let Some(start) = text.strip_prefix('{').and_then(|rest| rest.find("Error Message").map(|at| &rest[at..])) else {
        return text.to_owned();
    };
    let value = start.split_once(':').map_or("", |(_, value)| value.trim_start());
    value.trim_start_matches('"').trim_end().trim_end_matches('}').trim_end().trim_end_matches('"').to_owned()
}

/// The first words, on one line, without markup.
fn quoted(message: &str) -> String {
    let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect();
    if line.trim().is_empty() { "an empty body".into() } else { format!("\"{}\"", line.trim()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(status: u16, body: &str) -> Result<bool> {
        classify(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn every_answer_names_the_next_move() {
        assert_eq!(ask(200, "[{\"symbol\":\"A\"}]"), Ok(true));
        assert_eq!(ask(200, " [ ]\n"), Ok(false));
        assert_eq!(ask(200, r#"{"Error Message":"No Data for this symbol"}"#), Ok(false));
        for (status, body) in [
            (429, r#"{"Error Message":"Limit PlanLimits . Please upgrade"}"#),
            (200, r#"{ "Error Message" : "Limit PlanLimits . Please upgrade"}"#),
            (500, "oops"),
            (503, "<html>"),
            (200, "<html><body>maintenance</body></html>"),
            (200, "Query"),
            (200, "[{\"symbol\":\"A\",\"pri"),
            (200, ""),
        ] {
            assert!(matches!(ask(status, body), Err(Error::Retry { .. })), "{status} {body}");
        }
        for (status, body) in [
            (400, "Query Error: Invalid or missing query parameter - symbol"),
            (404, "[]"),
            (200, r#"{"Error Message":"Something else"}"#),
        ] {
            let error = ask(status, body).unwrap_err();
            assert!(matches!(error, Error::Reject(_)), "{status} {body}");
            assert_eq!(is_not_offered(&error), status == 404, "{status} {body}");
        }
        for body in ["Premium Query Parameter: 'Special Endpoint", "Restricted Endpoint: This"] {
            let error = ask(402, body).unwrap_err();
            assert!(matches!(error, Error::NotInPlan(_)) && !is_not_offered(&error), "{body}");
        }
        for (status, body) in [
            (401, r#"{"Error Message":"Invalid API KEY. Feel free"}"#),
            (403, r#"{"Error Message":"Legacy Endpoint : Due"}"#),
            (403, "{\n  \"Error Message\": \"Account suspended. Please\"\n}"),
            (200, r#"{"Error Message":"Invalid API KEY. Feel free"}"#),
        ] {
            assert!(matches!(ask(status, body), Err(Error::Stop(_))), "{status} {body}");
        }
        for status in [200, 429] {
            assert!(matches!(
                ask(status, r#"{"Error Message": "Bandwidth Limit PlanLimits . Please"}"#),
                Err(Error::Budget(_))
            ));
        }
    }
}
