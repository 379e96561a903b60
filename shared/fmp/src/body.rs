//! Reading a body within bounds: wire bytes, unpacked bytes and silence all end somewhere.

use std::io::Read;

use bytes::{Bytes, BytesMut};
use flate2::bufread::MultiGzDecoder;
use reqwest::{Response, header::CONTENT_ENCODING};

use findata_domain::{Error, Result};

/// Most bytes of one answer on the wire and unpacked. The largest answers in the catalog are 5,000 bars, under 2 MB.
const MOST_ON_WIRE: usize = 16 << 20;
const MOST_UNPACKED: u64 = 64 << 20;

/// A body, and the bytes it took on the wire.
///
/// # Errors
/// `Retry` when it breaks off or outgrows its bounds.
pub(super) async fn read(mut response: Response) -> Result<(Bytes, u64)> {
    let gzip = response.headers().get(CONTENT_ENCODING).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"gzip"));
    let mut wire = BytesMut::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|e| Error::retry(format!("the answer broke off: {}", cause(&e))))?
    {
        if wire.len() + chunk.len() > MOST_ON_WIRE {
            return Err(Error::retry(format!("the answer does not end within {} MB", MOST_ON_WIRE >> 20)));
        }
        wire.extend_from_slice(&chunk);
    }
    let received = wire.len() as u64;
    if !gzip {
        return Ok((wire.freeze(), received));
    }
    let mut unpacked = Vec::with_capacity(wire.len() * 6);
    MultiGzDecoder::new(&wire[..])
        .take(MOST_UNPACKED + 1)
        .read_to_end(&mut unpacked)
        .map_err(|e| Error::retry(format!("the answer's gzip is damaged: {e}")))?;
    if unpacked.len() as u64 > MOST_UNPACKED {
        return Err(Error::retry(format!("the answer unpacks to over {} MB", MOST_UNPACKED >> 20)));
    }
    Ok((unpacked.into(), received))
}

/// An HTTP error's innermost cause, without the URL.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "no answer in time".into() } else { cause.to_string() }
}
