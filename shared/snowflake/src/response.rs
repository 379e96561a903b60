//! Changes requests to Snowflake and its responses, so that the client reads responses without loss.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::failure::Rejection;
use findata_domain::{Error, Result};

/// Column types that the client knows. The client rejects responses with other types.
const TYPES: [&str; 13] = [
    "fixed",
    "real",
    "text",
    "date",
    "variant",
    "timestamp_ltz",
    "timestamp_ntz",
    "timestamp_tz",
    "object",
    "binary",
    "time",
    "boolean",
    "array",
];

/// How many seconds a statement waits for locks of another transaction.
const LOCK_TIMEOUT: u32 = 660;

/// Replaces the driver's name in a login with findata's name, and sets the session parameters.
///
/// The client library identifies itself as the Go driver, for which Snowflake returns Arrow data.
/// For an unknown application, Snowflake returns JSON, which findata reads. The session parameters
/// override the account's date and time formats.
pub(super) fn prepare_login(login: &mut Value) {
    let Some(data) = login["data"].as_object_mut() else {
        return;
    };
    data.remove("CLIENT_APP_ID");
    data.remove("CLIENT_APP_VERSION");
    data.insert("CLIENT_ENVIRONMENT".into(), json!({ "APPLICATION": "findata" }));
    data.insert(
        "SESSION_PARAMETERS".into(),
        json!({
            "AUTOCOMMIT": true,
            // Snowflake aborts a statement five minutes after its client was lost. It aborts a transaction of a lost
            // session five minutes after another transaction began to wait for its locks (Snowflake's documentation,
            // "Transactions"). LOCK_TIMEOUT is slightly longer than the sum of both times.
            "ABORT_DETACHED_QUERY": true,
            "LOCK_TIMEOUT": LOCK_TIMEOUT,
            "TIMEZONE": "UTC",
            "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
            "DATE_INPUT_FORMAT": "YYYY-MM-DD",
            "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
            "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF6",
        }),
    );
}

/// Removes the expiry times from a login response, so that the client does not renew tokens. The middleware renews them
/// when Snowflake reports that they have expired.
pub(super) fn without_expiry(login: &mut Value) {
    let Some(data) = login["data"].as_object_mut() else {
        return;
    };
    // The client treats a negative value as "does not expire".
    data.insert("validityInSeconds".into(), json!(-1));
    data.insert("masterValidityInSeconds".into(), json!(-1));
    data.entry("sessionId").or_insert(json!(0));
    data.entry("serverVersion").or_insert(json!(""));
}

/// Reads the failure that a response reports.
pub(super) fn rejection(response: &Value) -> Rejection {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let data = &response["data"];
    let code = text(&response["code"]);
    Rejection {
        code: if code.is_empty() { text(&data["errorCode"]) } else { code },
        sql_state: text(&data["sqlState"]),
        query_id: text(&data["queryId"]),
        message: text(&response["message"]),
    }
}

/// Adds fields that the client requires and some responses lack. Changes unknown column types to text, because JSON
/// contains such values as text.
pub(super) fn fill_in_defaults(response: &mut Value) {
    let Some(data) = response["data"].as_object_mut() else {
        return;
    };
    let total = data.get("total").cloned().unwrap_or(json!(0));
    for (field, value) in [
        ("total", total.clone()),
        ("returned", total),
        ("version", json!(1)),
        ("finalRoleName", json!("")),
        ("parameters", json!([])),
        ("rowtype", json!([])),
        ("statementTypeId", json!(0)),
        ("queryId", json!("")),
    ] {
        let known = data.entry(field).or_insert(Value::Null);
        if known.is_null() {
            *known = value;
        }
    }
    for column in data.get_mut("rowtype").and_then(Value::as_array_mut).into_iter().flatten() {
        if !column["type"].as_str().is_some_and(|kind| TYPES.contains(&kind)) {
            column["type"] = json!("text");
        }
    }
}

/// The headers of the requests that download the further chunks of a result.
pub(super) fn chunk_headers(response: &Value) -> HeaderMap {
    let headers = response["data"]["chunkHeaders"].as_object();
    let pair = |(name, value): (&String, &Value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value.as_str()?).ok()?))
    };
    headers.into_iter().flatten().filter_map(pair).collect()
}

/// Removes the URLs of the result's further chunks from the response. Returns the URLs in order.
///
/// # Errors
/// `Stop` if the rows are in Arrow format, which findata does not request.
pub(super) fn take_chunks(response: &mut Value) -> Result<Vec<String>> {
    let data = &mut response["data"];
    if data["rowset"].is_null() && data["total"].as_u64().unwrap_or_default() > 0 {
        return Err(Error::Stop("Snowflake returned Arrow data, which findata does not support".into()));
    }
    let chunks = data.get_mut("chunks").map(Value::take);
    if let Some(data) = data.as_object_mut() {
        data.remove("chunks");
    }
    let urls = chunks.as_ref().and_then(Value::as_array).into_iter().flatten();
    Ok(urls.filter_map(|chunk| chunk["url"].as_str().map(str::to_owned)).collect())
}

/// Appends the rows of a chunk to the response. `rows` has JSON arrays separated by commas, without enclosing brackets.
pub(super) fn append_rows(response: &mut Value, rows: &str) -> Result<()> {
    let rows: Vec<Value> = serde_json::from_str(&format!("[{rows}]"))
        .map_err(|_| Error::retry("Snowflake returned a chunk of rows that is not valid JSON"))?;
    if let Some(known) = response["data"]["rowset"].as_array_mut() {
        known.extend(rows);
    }
    Ok(())
}

/// Checks that the response contains all rows.
///
/// # Errors
/// `Retry` if rows are missing.
pub(super) fn check_row_count(response: &Value) -> Result<()> {
    let data = &response["data"];
    let rows = data["rowset"].as_array().map_or(0, Vec::len) as u64;
    match data["total"].as_u64() {
        Some(total) if total != rows => {
            Err(Error::retry(format!("Snowflake returned only {rows} of {total} rows")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_appended_in_order_and_missing_rows_are_detected() {
        let mut response = json!({ "success": true, "data": {
            "total": 3, "rowset": [["1"]], "rowtype": [{ "name": "A", "type": "vector", "nullable": true }],
            "chunks": [{ "url": "https://x/1" }, { "url": "https://x/2" }], "chunkHeaders": { "a-b": "c" },
        } });
        fill_in_defaults(&mut response);
        assert_eq!(response["data"]["rowtype"][0]["type"], "text");
        assert_eq!(chunk_headers(&response).len(), 1);
        assert_eq!(take_chunks(&mut response).unwrap(), ["https://x/1", "https://x/2"]);
        append_rows(&mut response, r#"["2"]"#).unwrap();
        assert!(check_row_count(&response).is_err());
        append_rows(&mut response, r#"["3"]"#).unwrap();
        assert!(check_row_count(&response).is_ok());
        assert_eq!(response["data"]["rowset"], json!([["1"], ["2"], ["3"]]));
        assert!(response["data"].get("chunks").is_none());
    }

    #[test]
    fn arrow_is_rejected_instead_of_read_as_no_rows() {
        let mut response = json!({ "data": { "total": 1, "rowsetBase64": "x" } });
        fill_in_defaults(&mut response);
        assert!(matches!(take_chunks(&mut response), Err(Error::Stop(_))));
    }
}
