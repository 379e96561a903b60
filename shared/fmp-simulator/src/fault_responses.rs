//! Creates the responses that simulate faults.

use super::faults::{Fault, Kind};
use super::plan;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{StreamExt, stream};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;
use tokio::sync::watch;

const JSON: &str = "application/json";
const HTML: &str = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";
/// Decompressed size of the gzip bomb in blocks of one mebibyte.
const BOMB_BLOCKS: usize = 4_096;

/// Creates a response with this status, content type and body.
pub(super) fn response(status: u16, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}

/// Applies a fault to `good`, the body that would be sent without the fault. Responses that stall
/// or never end are ended when the server stops.
pub(super) async fn respond(
    fault: &Fault,
    good: String,
    content_type: &'static str,
    mut stop: watch::Receiver<bool>,
) -> Response {
    let stopped = async move { drop(stop.wait_for(|s| *s).await) };
    let refused = |status, body: &'static str| response(status, JSON, body);
    match fault.kind {
        Kind::RateLimit => refused(429, plan::LIMIT_REACH),
        Kind::Bandwidth => refused(429, plan::BANDWIDTH),
        Kind::Unauthorized => refused(401, plan::INVALID_KEY),
        Kind::Forbidden => refused(403, plan::SUSPENDED),
        Kind::Legacy => refused(403, plan::LEGACY),
        Kind::Payment => refused(402, plan::RESTRICTED),
        Kind::NotFound => refused(404, "[]"),
        Kind::ServerError => response(500, "text/html", HTML),
        Kind::Unavailable => {
            response(503, "text/plain", "upstream connect error or disconnect/reset before headers")
        }
        Kind::ErrorObject => {
            refused(200, r#"{"Error Message":"No Data for this symbol or the request could not be served"}"#)
        }
        Kind::LimitOn200 => refused(200, plan::LIMIT_REACH),
        Kind::Empty => refused(200, "[]"),
        Kind::Html => response(200, "text/html; charset=utf-8", HTML),
        Kind::PlainText => refused(200, "Service is being updated, please try again later"),
        Kind::Truncated => response(200, content_type, half(&good).to_owned()),
        Kind::Reset => {
            // The pause ensures that the first half is sent before the connection closes.
            let pause = stream::once(tokio::time::sleep(Duration::from_millis(20)))
                .map(|()| Err(io::Error::from(io::ErrorKind::ConnectionReset)));
            let body = stream::iter([Ok(Bytes::from(half(&good).to_owned()))]).chain(pause);
            response(200, content_type, Body::from_stream(body))
        }
        Kind::Stall => {
            tokio::select! { () = tokio::time::sleep(fault.duration()) => {}, () = stopped => {} }
            response(200, content_type, good)
        }
        Kind::Endless => {
            let row = good.get(1..good.len().saturating_sub(1)).filter(|r| !r.is_empty()).unwrap_or("{}");
            let piece = Bytes::from(format!("{row},"));
            let body =
                stream::iter([Bytes::from_static(b"[")]).chain(stream::repeat(piece)).take_until(stopped);
            response(200, content_type, Body::from_stream(body.map(Ok::<_, io::Error>)))
        }
        Kind::GzipBomb => {
            let mut response = response(200, content_type, Body::from_stream(bomb()));
            response
                .headers_mut()
                .insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
            response
        }
        Kind::Slow => response(200, content_type, slowly(good, fault.duration())),
        Kind::MissingField | Kind::RetypedField | Kind::ExtraField => {
            let changed = reshape(&good, fault.kind).unwrap_or(good);
            response(200, content_type, changed)
        }
    }
}

fn half(text: &str) -> &str {
    let mut at = text.len() / 2;
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    text.get(..at).unwrap_or_default()
}

/// A gzip bomb: four gibibytes of spaces. The spaces are compressed while the client reads, so the
/// server stops working when the client stops reading.
fn bomb() -> impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static {
    let mut encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut blocks = 0;
    stream::iter(std::iter::from_fn(move || {
        blocks += 1;
        if blocks > BOMB_BLOCKS {
            return encoder.take().map(|e| e.finish().map(Bytes::from));
        }
        let encoder = encoder.as_mut()?;
        let block = if blocks == 1 { vec![b'['; 1] } else { vec![b' '; 1 << 20] };
        let written = encoder.write_all(&block);
        Some(written.map(|()| Bytes::from(std::mem::take(encoder.get_mut()))))
    }))
}

fn slowly(text: String, time: Duration) -> Body {
    const DRIPS: usize = 20;
    let bytes = Bytes::from(text);
    let size = bytes.len().div_ceil(DRIPS).max(1);
    let pieces: Vec<Bytes> = (0..bytes.len())
        .step_by(size)
        .map(|at| bytes.slice(at..(at + size).min(bytes.len())))
        .collect();
    let pause = time / u32::try_from(pieces.len()).unwrap_or(1).max(1);
    Body::from_stream(stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, io::Error>(piece)
    }))
}

/// The fields of a JSON object in their original order, with values as raw text.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Fields;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// Fields whose absence or changed type findata must detect. In rows without such a field, the
/// fault affects the last field.
const IMPORTANT: [&str; 8] = [
    "close",
    "revenue",
    "totalAssets",
    "operatingCashFlow",
    "price",
    "dividend",
    "numerator",
    "outstandingShares",
];

/// Removes, changes or adds a field in every row. Returns `None` if the text is not a JSON array of
/// objects.
fn reshape(json: &str, kind: Kind) -> Option<String> {
    let rows: Vec<Fields> = serde_json::from_str(json).ok()?;
    let mut out = String::from("[");
    for (i, row) in rows.iter().enumerate() {
        let important = row.0.iter().position(|(k, _)| IMPORTANT.contains(&k.as_str()));
        let target = important.unwrap_or(row.0.len().saturating_sub(1));
        out.push_str(if i == 0 { "{" } else { ",{" });
        let mut comma = "";
        for (j, (key, value)) in row.0.iter().enumerate() {
            match kind {
                Kind::MissingField if j == target => continue,
                Kind::RetypedField if j == target => {
                    let _ = write!(out, "{comma}\"{key}\":{{\"value\":{value}}}");
                }
                _ => {
                    let _ = write!(out, "{comma}\"{key}\":{value}");
                }
            }
            comma = ",";
        }
        if kind == Kind::ExtraField {
            let _ = write!(out, "{comma}\"addedByTheSource\":\"new\"");
        }
        out.push('}');
    }
    out.push(']');
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reshape_removes_changes_and_adds_fields() {
        let rows =
            r#"[{"symbol":"A","close":1.50,"vwap":1e2},{"symbol":"{\"close\":","close":2,"vwap":null}]"#;
        let is = |kind| reshape(rows, kind).expect("rows");
        assert_eq!(
            is(Kind::MissingField),
            r#"[{"symbol":"A","vwap":1e2},{"symbol":"{\"close\":","vwap":null}]"#
        );
        assert!(is(Kind::RetypedField).contains(r#""close":{"value":1.50}"#));
        assert!(is(Kind::ExtraField).ends_with(r#""vwap":null,"addedByTheSource":"new"}]"#));
        assert_eq!(reshape("[]", Kind::MissingField).as_deref(), Some("[]"));
        assert_eq!(reshape("a,b", Kind::MissingField), None);
    }
}
