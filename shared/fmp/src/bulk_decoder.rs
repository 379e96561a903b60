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
            // An empty body, without even a gzip header.
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
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;
    use crate::redact::PLACEHOLDER;

    const FILE: &str = "\"symbol\",\"price\"\n\"A\",1\n\"B\",2\n";

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(body: &[u8], gzip: bool, size: usize) -> Result<Decoded> {
        let mut records = 0;
        let mut decoder =
            BulkDecoder::with_limit(gzip, true, MAX_UNPACKED, Redactor::default(), |_: Record<'_>| {
                records += 1;
                Ok(())
            });
        for chunk in body.chunks(size) {
            decoder.feed(chunk)?;
        }
        decoder.finish()
    }

    #[test]
    fn a_truncated_file_is_an_error() {
        let packed = gzip(FILE.as_bytes());
        let two = [gzip(&FILE.as_bytes()[..20]), gzip(&FILE.as_bytes()[20..])].concat();
        for size in [1, 7, 1_000] {
            assert_eq!(read(FILE.as_bytes(), false, size), Ok(Decoded::Records(2)));
            assert_eq!(read(&packed, true, size), Ok(Decoded::Records(2)), "{size}");
            assert_eq!(read(&two, true, size), Ok(Decoded::Records(2)), "{size}");
            for end in 1..packed.len() {
                assert!(matches!(read(&packed[..end], true, size), Err(Error::Retry { .. })), "{size} {end}");
            }
        }
        let empty = Ok(Decoded::Records(0));
        assert_eq!(
            (read(b"", false, 1), read(b"", true, 1), read(b" \n", false, 1)),
            (empty.clone(), empty.clone(), empty)
        );
        // First a damaged checksum, then a valid gzip stream of a truncated text.
        let mut wrong = packed.clone();
        wrong[packed.len() - 6] ^= 1;
        assert!(matches!(read(&wrong, true, 9), Err(Error::Retry { .. })));
        assert!(matches!(read(&gzip(&FILE.as_bytes()[..22]), true, 9), Err(Error::Retry { .. })));
    }

    #[test]
    fn the_key_is_removed_from_records_and_from_other_text() {
        const KEY: &str = "0123456789abcdef";
        let file = format!("symbol,name\n{KEY},x {KEY}%30123456789abcdef\nA,{KEY}\n");
        let text = format!("{{\"Error Message\":\"Invalid API KEY {KEY}\"}}");
        for (gzipped, size) in [(false, 1), (false, 5), (false, 999), (true, 1), (true, 999)] {
            let decode = |body: &str| {
                let body = if gzipped { gzip(body.as_bytes()) } else { body.as_bytes().to_vec() };
                let mut cells = Vec::new();
                let redactor = Redactor::new(KEY.as_bytes());
                let each = |record: Record<'_>| {
                    cells.extend(record.cells().map(|(_, cell)| cell.into_owned()));
                    Ok(())
                };
                let mut decoder = BulkDecoder::with_limit(gzipped, true, MAX_UNPACKED, redactor, each);
                for chunk in body.chunks(size) {
                    decoder.feed(chunk).unwrap();
                }
                let decoded = decoder.finish().unwrap();
                (decoded, cells.join("|"))
            };
            let none = PLACEHOLDER;
            assert_eq!(decode(&file), (Decoded::Records(2), format!("{none}|x {none}{none}|A|{none}")));
            let expected = text.replace(KEY, none).into_bytes();
            assert_eq!(decode(&text), (Decoded::OtherText(expected), String::new()));
        }
    }

    #[test]
    fn a_body_that_is_not_a_file_is_returned_for_classification() {
        let error = br#" {"Error Message":"Limit Reach."}"#;
        assert_eq!(read(error, false, 3), Ok(Decoded::OtherText(error[1..].to_vec())));
        assert_eq!(read(&gzip(error), true, 3), Ok(Decoded::OtherText(error[1..].to_vec())));
        assert!(matches!(read(&b"[{}".repeat(20_000), false, 999), Err(Error::Retry { .. })));
    }

    #[test]
    fn a_gzip_bomb_or_endless_file_does_not_fill_memory() {
        // Sends megabytes of records in kilobytes of gzip. The decoder keeps only one record in
        // memory.
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"symbol\n").unwrap();
        let block = b"A\n".repeat(1 << 19);
        let mut decoder =
            BulkDecoder::with_limit(true, true, 16 << 20, Redactor::default(), |_: Record<'_>| Ok(()));
        let mut fed = Ok(());
        for _ in 0..64 {
            encoder.write_all(&block).unwrap();
            fed = decoder.feed(&std::mem::take(encoder.get_mut()));
            if fed.is_err() {
                break;
            }
        }
        assert!(matches!(fed, Err(Error::Retry { reason, .. }) if reason.contains("exceeds")));
    }
}
