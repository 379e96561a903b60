//! What comes of a bulk file: unpacked within bounds as it comes, told from what is no file, parsed.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use reqwest::{Response, header::CONTENT_ENCODING};

use super::csv::{Parser, Record};
use findata_domain::{Error, Result};

/// Most bytes of a file, unpacked; the largest known has 70 MB.
const MOST_UNPACKED: u64 = 1 << 30;
/// Most bytes of an answer that is no file.
const MOST_TEXT: usize = 16 << 10;

/// Takes a body in piece by piece.
pub(super) struct BulkDecoder<F: FnMut(Record<'_>) -> Result<()>> {
    body: Body<F>,
    received: bool,
}

enum Body<F: FnMut(Record<'_>) -> Result<()>> {
    Packed(Box<MultiGzDecoder<Unpacked<F>>>),
    Plain(Unpacked<F>),
}

/// What is known of the unpacked body so far.
struct Unpacked<F> {
    /// Status 200: it may be a file.
    good: bool,
    each: F,
    kind: Kind,
    /// Bytes that may yet come.
    left: u64,
    error: Option<Error>,
}

enum Kind {
    /// Nothing came yet but white space.
    Empty,
    /// A file of FMP's.
    File(Box<Parser>),
    /// Something else: an error as JSON, a page, a text. Its beginning.
    Text(Vec<u8>),
}

impl<F: FnMut(Record<'_>) -> Result<()>> BulkDecoder<F> {
    pub(super) fn new(response: &Response, each: F) -> Self {
        let gzip = response.headers().get(CONTENT_ENCODING).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"gzip"));
        BulkDecoder::of(gzip, response.status().as_u16() == 200, MOST_UNPACKED, each)
    }

    fn of(gzip: bool, good: bool, most: u64, each: F) -> Self {
        let plain = Unpacked { good, each, kind: Kind::Empty, left: most, error: None };
        let body = if gzip { Body::Packed(Box::new(MultiGzDecoder::new(plain))) } else { Body::Plain(plain) };
        BulkDecoder { body, received: false }
    }

    /// Takes a piece as it came.
    ///
    /// # Errors
    /// `Retry` for what is damaged or does not end; the callback's own.
    pub(super) fn take(&mut self, piece: &[u8]) -> Result<()> {
        self.received |= !piece.is_empty();
        match &mut self.body {
            Body::Packed(packed) => {
                let written = packed.write_all(piece);
                written.map_err(|e| packed.get_mut().error.take().unwrap_or_else(|| damaged(&e)))
            }
            Body::Plain(plain) => plain.take(piece),
        }
    }

    /// Ends the body: the records of a whole file, or the beginning of what is no file.
    ///
    /// # Errors
    /// As for [`BulkDecoder::take`], and where it breaks off.
    pub(super) fn finish(self) -> Result<Result<u64, Vec<u8>>> {
        let unpacked = match self.body {
            // Not even a header of gzip: an empty body.
            Body::Packed(_) if !self.received => return Ok(Ok(0)),
            Body::Packed(mut packed) => {
                let ended = packed.try_finish();
                ended.map_err(|e| packed.get_mut().error.take().unwrap_or_else(|| damaged(&e)))?;
                packed.finish().map_err(|e| damaged(&e))?
            }
            Body::Plain(plain) => plain,
        };
        let Unpacked { kind, mut each, .. } = unpacked;
        match kind {
            Kind::Empty => Ok(Ok(0)),
            Kind::File(parser) => parser.finish(&mut each).map(Ok),
            Kind::Text(text) => Ok(Err(text)),
        }
    }
}

impl<F: FnMut(Record<'_>) -> Result<()>> Unpacked<F> {
    fn take(&mut self, mut piece: &[u8]) -> Result<()> {
        let Some(left) = self.left.checked_sub(piece.len() as u64) else {
            return Err(Error::retry(format!("the file does not end within {} MB", MOST_UNPACKED >> 20)));
        };
        self.left = left;
        if matches!(self.kind, Kind::Empty) {
            piece = piece.trim_ascii_start();
            match piece.first() {
                None => return Ok(()),
                Some(b'{' | b'[' | b'<') => self.kind = Kind::Text(Vec::new()),
                Some(_) if !self.good => self.kind = Kind::Text(Vec::new()),
                Some(_) => self.kind = Kind::File(Box::default()),
            }
        }
        match &mut self.kind {
            Kind::File(parser) => parser.feed(piece, &mut self.each),
            Kind::Text(text) if text.len() + piece.len() > MOST_TEXT => {
                Err(Error::retry("FMP's answer is no file and does not end"))
            }
            Kind::Text(text) => {
                text.extend_from_slice(piece);
                Ok(())
            }
            Kind::Empty => Ok(()),
        }
    }
}

/// What the unpacking writes to.
impl<F: FnMut(Record<'_>) -> Result<()>> Write for Unpacked<F> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self.take(piece) {
            Ok(()) => Ok(piece.len()),
            Err(error) => {
                self.error = Some(error);
                Err(io::Error::other("the file is not read on"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn damaged(error: &io::Error) -> Error {
    Error::retry(format!("the file's gzip breaks off or is damaged: {error}"))
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const FILE: &str = "\"symbol\",\"price\"\n\"A\",1\n\"B\",2\n";

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(body: &[u8], packed: bool, size: usize) -> Result<Result<u64, Vec<u8>>> {
        let mut records = 0;
        let mut intake = BulkDecoder::of(packed, true, MOST_UNPACKED, |_: Record<'_>| {
            records += 1;
            Ok(())
        });
        for piece in body.chunks(size) {
            intake.take(piece)?;
        }
        intake.finish()
    }

    #[test]
    fn a_file_is_whole_or_it_is_not() {
        let packed = gzip(FILE.as_bytes());
        let two = [gzip(&FILE.as_bytes()[..20]), gzip(&FILE.as_bytes()[20..])].concat();
        for size in [1, 7, 1_000] {
            assert_eq!(read(FILE.as_bytes(), false, size), Ok(Ok(2)));
            assert_eq!(read(&packed, true, size), Ok(Ok(2)), "{size}");
            assert_eq!(read(&two, true, size), Ok(Ok(2)), "{size}");
            for end in 1..packed.len() {
                assert!(matches!(read(&packed[..end], true, size), Err(Error::Retry { .. })), "{size} {end}");
            }
        }
        assert_eq!(
            (read(b"", false, 1), read(b"", true, 1), read(b" \n", false, 1)),
            (Ok(Ok(0)), Ok(Ok(0)), Ok(Ok(0)))
        );
        // Damaged in the middle, and half of the text packed whole.
        let mut wrong = packed.clone();
        wrong[packed.len() - 6] ^= 1;
        assert!(matches!(read(&wrong, true, 9), Err(Error::Retry { .. })));
        assert!(matches!(read(&gzip(&FILE.as_bytes()[..22]), true, 9), Err(Error::Retry { .. })));
    }

    #[test]
    fn what_is_no_file_is_kept_to_be_told_apart() {
        let error = br#" {"Error Message":"Limit Reach."}"#;
        assert_eq!(read(error, false, 3), Ok(Err(error[1..].to_vec())));
        assert_eq!(read(&gzip(error), true, 3), Ok(Err(error[1..].to_vec())));
        assert!(matches!(read(&b"[{}".repeat(20_000), false, 999), Err(Error::Retry { .. })));
    }

    #[test]
    fn neither_a_bomb_nor_an_endless_file_fills_the_memory() {
        // Megabytes of records in kilobytes of gzip; what is held is one record.
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"symbol\n").unwrap();
        let block = b"A\n".repeat(1 << 19);
        let mut intake = BulkDecoder::of(true, true, 16 << 20, |_: Record<'_>| Ok(()));
        let mut fed = Ok(());
        for _ in 0..64 {
            encoder.write_all(&block).unwrap();
            fed = intake.take(&std::mem::take(encoder.get_mut()));
            if fed.is_err() {
                break;
            }
        }
        assert!(matches!(fed, Err(Error::Retry { reason, .. }) if reason.contains("does not end")));
    }
}
