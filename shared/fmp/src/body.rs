//! Reads a response body. Limits its size before and after decompression.

use std::{borrow::Cow, io::Read};

use bytes::{Bytes, BytesMut};
use flate2::bufread::MultiGzDecoder;
use reqwest::{Response, header::CONTENT_ENCODING};

use super::{failure::Failure, redact::Redactor};

/// Largest body in bytes before decompression. The largest expected body has 5,000 bars and less
/// than 2 MB.
const MAX_ON_WIRE: usize = 16 << 20;
/// Largest body in bytes after decompression.
const MAX_UNPACKED: u64 = 64 << 20;

/// Reads a body. Returns it with the key removed, and the number of bytes received.
///
/// # Errors
/// `Transient` if the body is truncated or damaged, or exceeds a limit.
pub(super) async fn read(mut response: Response, redactor: &Redactor) -> Result<(Bytes, u64), Failure> {
    let gzip = is_gzip(&response);
    let mut wire = BytesMut::new();
    let interrupted =
        |e: reqwest::Error| Failure::transient(format!("FMP's response was interrupted: {}", cause(&e)));
    while let Some(chunk) = response.chunk().await.map_err(interrupted)? {
        if wire.len() + chunk.len() > MAX_ON_WIRE {
            return Err(Failure::transient(format!("FMP's response exceeds {} MB", MAX_ON_WIRE >> 20)));
        }
        wire.extend_from_slice(&chunk);
    }
    let received = wire.len() as u64;
    if !gzip {
        return Ok((redacted(wire.freeze(), redactor), received));
    }
    let mut unpacked = Vec::with_capacity(wire.len() * 6);
    MultiGzDecoder::new(&wire[..])
        .take(MAX_UNPACKED + 1)
        .read_to_end(&mut unpacked)
        .map_err(|e| Failure::transient(format!("FMP's response has damaged gzip data: {e}")))?;
    if unpacked.len() as u64 > MAX_UNPACKED {
        return Err(Failure::transient(format!(
            "FMP's response exceeds {} MB after decompression",
            MAX_UNPACKED >> 20
        )));
    }
    Ok((redacted(unpacked.into(), redactor), received))
}

fn redacted(body: Bytes, redactor: &Redactor) -> Bytes {
    let body = match redactor.bytes(&body) {
        Cow::Borrowed(_) => body,
        Cow::Owned(clean) => clean.into(),
    };
    readable(body)
}

/// Removes a byte order mark and NUL bytes from a body. JSON does not allow them, and they carry no
/// information.
fn readable(mut body: Bytes) -> Bytes {
    if body.starts_with(b"\xef\xbb\xbf") {
        body = body.slice(3..);
    }
    if body.contains(&0) {
        body = body.iter().copied().filter(|byte| *byte != 0).collect::<Vec<u8>>().into();
    }
    body
}

/// Whether the body is compressed with gzip.
pub(super) fn is_gzip(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_ENCODING)
        .is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"gzip"))
}

/// The innermost cause of an HTTP error. Does not contain the URL.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() {
        "no answer in time".into()
    } else {
        cause.to_string()
    }
}
