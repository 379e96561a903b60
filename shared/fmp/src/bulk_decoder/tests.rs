//! Tests of the decoder: truncated and damaged files, removal of the key, and size limits.

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
