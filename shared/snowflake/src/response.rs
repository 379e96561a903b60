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
/// override all parameters of the account and the user that change results. With `is_validated`, a login fails if the
/// warehouse, the database or the schema does not exist.
pub(super) fn prepare_login(login: &mut Value, is_validated: bool) {
    let Some(data) = login["data"].as_object_mut() else {
        return;
    };
    data.remove("CLIENT_APP_ID");
    data.remove("CLIENT_APP_VERSION");
    data.insert("CLIENT_ENVIRONMENT".into(), json!({ "APPLICATION": "findata" }));
    data.insert(
        "SESSION_PARAMETERS".into(),
        json!({
            "CLIENT_VALIDATE_DEFAULT_PARAMETERS": is_validated,
            "AUTOCOMMIT": true,
            "TRANSACTION_ABORT_ON_ERROR": false,
            "MULTI_STATEMENT_COUNT": 1,
            // Without a limit: a query whose rows were cut would give wrong figures.
            "ROWS_PER_RESULTSET": 0,
            // The models state the order of NULLs only for DESC.
            "DEFAULT_NULL_ORDERING": "LAST",
            "QUOTED_IDENTIFIERS_IGNORE_CASE": false,
            // Snowflake aborts a statement five minutes after its client was lost. It aborts a transaction of a lost
            // session five minutes after another transaction began to wait for its locks (Snowflake's documentation,
            // "Transactions"). LOCK_TIMEOUT is slightly longer than the sum of both times.
            "ABORT_DETACHED_QUERY": true,
            "LOCK_TIMEOUT": LOCK_TIMEOUT,
            "TIMEZONE": "UTC",
            "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
            "DATE_INPUT_FORMAT": "YYYY-MM-DD",
            "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
            "TIMESTAMP_INPUT_FORMAT": "AUTO",
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

/// Reads the ids of the queries: those of the statements of a text with several statements, or the only one.
pub(super) fn query_ids(response: &Value) -> Vec<String> {
    let data = &response["data"];
    let ids = data["resultIds"].as_str().filter(|ids| !ids.is_empty()).or(data["queryId"].as_str());
    ids.unwrap_or_default()
        .split(',')
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .collect()
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

/// The headers of the requests that download the further chunks of a result. A response without headers may have the
/// key with which the storage encrypts the chunks (`qrmk`).
pub(super) fn chunk_headers(response: &Value) -> HeaderMap {
    let data = &response["data"];
    let by_key = data["qrmk"].as_str().filter(|_| !data["chunkHeaders"].is_object()).map(|key| {
        [
            ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
            ("x-amz-server-side-encryption-customer-key", key),
        ]
    });
    let pair = |(name, value): (&str, &str)| {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::try_from(name).ok()?, value))
    };
    let given = data["chunkHeaders"].as_object().into_iter().flatten();
    let given = given.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    given.chain(by_key.into_iter().flatten()).filter_map(pair).collect()
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
    // The client downloads chunks by itself, and cannot read a null in one of these fields.
    if let Some(data) = data.as_object_mut() {
        for field in ["chunks", "chunkHeaders", "qrmk"] {
            data.remove(field);
        }
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
        response["data"]["qrmk"] = json!("key");
        assert_eq!(chunk_headers(&response).len(), 1, "headers take precedence over the key");
        response["data"]["chunkHeaders"] = Value::Null;
        let headers = chunk_headers(&response);
        assert_eq!(headers["x-amz-server-side-encryption-customer-key"], "key");
        assert_eq!(headers["x-amz-server-side-encryption-customer-algorithm"], "AES256");
        assert_eq!(take_chunks(&mut response).unwrap(), ["https://x/1", "https://x/2"]);
        append_rows(&mut response, r#"["2"]"#).unwrap();
        assert!(check_row_count(&response).is_err());
        append_rows(&mut response, r#"["3"]"#).unwrap();
        assert!(check_row_count(&response).is_ok());
        assert_eq!(response["data"]["rowset"], json!([["1"], ["2"], ["3"]]));
        for field in ["chunks", "chunkHeaders", "qrmk"] {
            assert!(response["data"].get(field).is_none(), "{field}");
        }
    }

    #[test]
    fn arrow_is_rejected_instead_of_read_as_no_rows() {
        let mut response = json!({ "data": { "total": 1, "rowsetBase64": "x" } });
        fill_in_defaults(&mut response);
        assert!(matches!(take_chunks(&mut response), Err(Error::Stop(_))));
    }
}
