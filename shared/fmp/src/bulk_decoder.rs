//! Streaming decoder for bulk files: decompresses the body up to a size limit, recognizes bodies
//! that are not CSV, and parses CSV.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use reqwest::Response;

use super::{
    body,
    csv::{Parser, Record},
    redact::Redactor,
};
use findata_domain::{Error, Result};

/// Largest file in bytes after decompression. The largest known file has 70 MB.
const MAX_UNPACKED: u64 = 1 << 30;
/// Largest body in bytes that is not a CSV file, such as an error message.
const MAX_TEXT: usize = 16 << 10;

/// Decodes a body chunk by chunk.
pub(super) struct BulkDecoder<F: FnMut(Record<'_>) -> Result<()>> {
    body: Body<F>,
    received: bool,
}

/// A complete body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decoded {
    /// A file with this many records. An empty body is a file without records.
    Records(u64),
    /// A body that is not a CSV file: an error as JSON, a web page, or another text.
    OtherText(Vec<u8>),
}

enum Body<F: FnMut(Record<'_>) -> Result<()>> {
    Gzip(Box<MultiGzDecoder<Unpacked<F>>>),
    Plain(Unpacked<F>),
}

/// The decompressed body so far.
struct Unpacked<F> {
    /// Whether the HTTP status is 200. Otherwise the body cannot be a file.
    status_ok: bool,
    redactor: Redactor,
    each: F,
    kind: Kind,
    /// How many more bytes the size limit allows.
    left: u64,
    error: Option<Error>,
}

enum Kind {
    /// The body has only white space so far.
    Empty,
    /// A CSV file.
    File(Box<Parser>),
    /// A body that is not a CSV file: all its bytes so far.
    Text(Vec<u8>),
}

impl<F: FnMut(Record<'_>) -> Result<()>> BulkDecoder<F> {
    /// Creates a decoder for the body of a response. `redactor` removes the key from the body.
    pub(super) fn new(response: &Response, redactor: Redactor, each: F) -> Self {
        BulkDecoder::with_limit(
            body::is_gzip(response),
            response.status().as_u16() == 200,
            MAX_UNPACKED,
            redactor,
            each,
        )
    }

    fn with_limit(gzip: bool, status_ok: bool, max_unpacked: u64, redactor: Redactor, each: F) -> Self {
        let plain = Unpacked {
            status_ok,
            redactor,
            each,
            kind: Kind::Empty,
            left: max_unpacked,
            error: None,
        };
        let body = if gzip {
            Body::Gzip(Box::new(MultiGzDecoder::new(plain)))
        } else {
            Body::Plain(plain)
        };
        BulkDecoder { body, received: false }
    }

    /// Decodes the next chunk of the body.
    ///
    /// # Errors
    /// `Retry` for a damaged or oversized body; the callback's errors.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        self.received |= !chunk.is_empty();
        match &mut self.body {
            Body::Gzip(gzip) => {
                let written = gzip.write_all(chunk);
                written.map_err(|e| gzip.get_mut().error.take().unwrap_or_else(|| damaged(&e)))
            }
            Body::Plain(plain) => plain.feed(chunk),
        }
    }

    /// Ends decoding after the last chunk.
    ///
    /// # Errors
    /// The errors of [`BulkDecoder::feed`]; `Retry` if the body is truncated.
    pub(super) fn finish(self) -> Result<Decoded> {
        let mut unpacked = match self.body {
            // The body is empty: it does not even have a gzip header.
            Body::Gzip(_) if !self.received => return Ok(Decoded::Records(0)),
            Body::Gzip(mut gzip) => {
                let ended = gzip.try_finish();
                ended.map_err(|e| gzip.get_mut().error.take().unwrap_or_else(|| damaged(&e)))?;
                gzip.finish().map_err(|e| damaged(&e))?
            }
            Body::Plain(plain) => plain,
        };
        let end = unpacked.redactor.end();
        unpacked.decode(&end)?;
        let Unpacked { kind, mut each, .. } = unpacked;
        match kind {
            Kind::Empty => Ok(Decoded::Records(0)),
            Kind::File(parser) => parser.finish(&mut each).map(Decoded::Records),
            Kind::Text(text) => Ok(Decoded::OtherText(text)),
        }
    }
}

impl<F: FnMut(Record<'_>) -> Result<()>> Unpacked<F> {
    fn feed(&mut self, chunk: &[u8]) -> Result<()> {
        let Some(left) = self.left.checked_sub(chunk.len() as u64) else {
            return Err(Error::retry(format!("the file exceeds {} MB", MAX_UNPACKED >> 20)));
        };
        self.left = left;
        let mut redactor = std::mem::take(&mut self.redactor);
        let decoded = self.decode(&redactor.chunk(chunk));
        self.redactor = redactor;
        decoded
    }

    fn decode(&mut self, mut chunk: &[u8]) -> Result<()> {
        if matches!(self.kind, Kind::Empty) {
            chunk = chunk.trim_ascii_start();
            match chunk.first() {
                None => return Ok(()),
                Some(b'{' | b'[' | b'<') => self.kind = Kind::Text(Vec::new()),
                Some(_) if !self.status_ok => self.kind = Kind::Text(Vec::new()),
                Some(_) => self.kind = Kind::File(Box::default()),
            }
        }
        match &mut self.kind {
            Kind::File(parser) => parser.feed(chunk, &mut self.each),
            Kind::Text(text) if text.len() + chunk.len() > MAX_TEXT => Err(Error::retry(format!(
                "FMP's response is not a bulk file and exceeds {} KB",
                MAX_TEXT >> 10
            ))),
            Kind::Text(text) => {
                text.extend_from_slice(chunk);
                Ok(())
            }
            Kind::Empty => Ok(()),
        }
    }
}

/// Receives the decompressed bytes from the gzip decoder.
impl<F: FnMut(Record<'_>) -> Result<()>> Write for Unpacked<F> {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        match self.feed(chunk) {
            Ok(()) => Ok(chunk.len()),
            Err(error) => {
                self.error = Some(error);
                Err(io::Error::other("decoding the file failed"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn damaged(error: &io::Error) -> Error {
    Error::retry(format!("the file's gzip data is truncated or damaged: {error}"))
}

#[cfg(test)]
mod tests;
