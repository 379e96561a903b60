//! Answers of Snowflake's, in the shape that the client reads without loss.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::failure::Refusal;
use findata_domain::{Error, Result};

/// Column types that the client knows; one unknown type would make it refuse the whole answer.
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

/// Seconds to wait for another transaction's locks.
const LOCK_TIMEOUT: u32 = 660;

/// Says in a login who is there, not the Go driver that the client takes itself for: Snowflake answers a program it does
/// not know with JSON, whose texts need no reading of Arrow. And says how dates and texts are to be read, whatever the
/// account's defaults are.
pub(super) fn introduce(login: &mut Value) {
    let Some(data) = login["data"].as_object_mut() else { return };
    data.remove("CLIENT_APP_ID");
    data.remove("CLIENT_APP_VERSION");
    data.insert("CLIENT_ENVIRONMENT".into(), json!({ "APPLICATION": "findata" }));
    data.insert(
        "SESSION_PARAMETERS".into(),
        json!({
            "AUTOCOMMIT": true,
            // A statement whose caller died ends after five minutes, and so does, once another waits for its locks, a
            // transaction whose session died (Snowflake's documentation, "Transactions"): whoever waits for those locks
            // waits a little longer than both.
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

/// Keeps the client from renewing tokens by its own clock: the layer does it when Snowflake says so.
pub(super) fn without_expiry(login: &mut Value) {
    let Some(data) = login["data"].as_object_mut() else { return };
    // Negative is "never" to the client.
    data.insert("validityInSeconds".into(), json!(-1));
    data.insert("masterValidityInSeconds".into(), json!(-1));
    data.entry("sessionId").or_insert(json!(0));
    data.entry("serverVersion").or_insert(json!(""));
}

/// What an answer that says no has to say.
pub(super) fn refusal(answer: &Value) -> Refusal {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let data = &answer["data"];
    let code = text(&answer["code"]);
    Refusal {
        code: if code.is_empty() { text(&data["errorCode"]) } else { code },
        sql_state: text(&data["sqlState"]),
        query_id: text(&data["queryId"]),
        message: text(&answer["message"]),
    }
}

/// Fields that the client insists on and some answers lack; unknown types become text, which in JSON they are.
pub(super) fn fill(answer: &mut Value) {
    let Some(data) = answer["data"].as_object_mut() else { return };
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

/// Headers that an answer's further rows are to be fetched with.
pub(super) fn chunk_headers(answer: &Value) -> HeaderMap {
    let named = answer["data"]["chunkHeaders"].as_object();
    let pair = |(name, value): (&String, &Value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value.as_str()?).ok()?))
    };
    named.into_iter().flatten().filter_map(pair).collect()
}

/// Where the further rows lie, in order; the client is told of none.
///
/// # Errors
/// `Stop` for Arrow, which was not asked for.
pub(super) fn take_chunks(answer: &mut Value) -> Result<Vec<String>> {
    let data = &mut answer["data"];
    if data["rowset"].is_null() && data["total"].as_u64().unwrap_or_default() > 0 {
        return Err(Error::Stop("Snowflake answers with Arrow, which findata does not read".into()));
    }
    let chunks = data.get_mut("chunks").map(Value::take);
    if let Some(data) = data.as_object_mut() {
        data.remove("chunks");
    }
    let urls = chunks.as_ref().and_then(Value::as_array).into_iter().flatten();
    Ok(urls.filter_map(|chunk| chunk["url"].as_str().map(str::to_owned)).collect())
}

/// Adds rows that lay elsewhere: lists one after the other, without the brackets around.
pub(super) fn add_rows(answer: &mut Value, rows: &str) -> Result<()> {
    let rows: Vec<Value> =
        serde_json::from_str(&format!("[{rows}]")).map_err(|_| Error::retry("Snowflake's rows are no JSON"))?;
    if let Some(known) = answer["data"]["rowset"].as_array_mut() {
        known.extend(rows);
    }
    Ok(())
}

/// Whether all rows are there.
///
/// # Errors
/// `Retry` when they are not.
pub(super) fn check(answer: &Value) -> Result<()> {
    let data = &answer["data"];
    let rows = data["rowset"].as_array().map_or(0, Vec::len) as u64;
    match data["total"].as_u64() {
        Some(total) if total != rows => Err(Error::retry(format!("Snowflake answers with {rows} of {total} rows"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_in_pieces_come_in_order_and_none_is_missed() {
        let mut answer = json!({ "success": true, "data": {
            "total": 3, "rowset": [["1"]], "rowtype": [{ "name": "A", "type": "vector", "nullable": true }],
            "chunks": [{ "url": "https://x/1" }, { "url": "https://x/2" }], "chunkHeaders": { "a-b": "c" },
        } });
        fill(&mut answer);
        assert_eq!(answer["data"]["rowtype"][0]["type"], "text");
        assert_eq!(chunk_headers(&answer).len(), 1);
        assert_eq!(take_chunks(&mut answer).unwrap(), ["https://x/1", "https://x/2"]);
        add_rows(&mut answer, r#"["2"]"#).unwrap();
        assert!(check(&answer).is_err());
        add_rows(&mut answer, r#"["3"]"#).unwrap();
        assert!(check(&answer).is_ok());
        assert_eq!(answer["data"]["rowset"], json!([["1"], ["2"], ["3"]]));
        assert!(answer["data"].get("chunks").is_none());
    }

    #[test]
    fn arrow_is_refused_and_not_taken_for_nothing() {
        let mut answer = json!({ "data": { "total": 1, "rowsetBase64": "x" } });
        fill(&mut answer);
        assert!(matches!(take_chunks(&mut answer), Err(Error::Stop(_))));
    }
}
