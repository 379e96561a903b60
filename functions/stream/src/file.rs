//! Writes the records of a shard to a landing file.

use std::{fmt::Display, io::Write};

use bytes::Bytes;
use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use findata_domain::{Error, Result, hash};
use findata_pipeline::{ports::stage::Stage, tick_file::TickFile};
use flate2::{Compression, write::GzEncoder};
use serde::Serialize;

use crate::tick::{self, Gap, Parsed, Tick};

/// Size in bytes of the buffer in which rows are collected before they are compressed.
const BUFFER: usize = 64 << 10;
/// Most bytes of a rejected record that are kept. They are enough to recognize its producer.
const MAX_PAYLOAD: usize = 2_000;

/// A record of a stream as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Position in the shard.
    pub sequence: &'a str,
    /// When the stream received the record.
    pub arrived_at: DateTime<Utc>,
    /// The content. A record larger than [`tick::MAX_RECORD`] may be cut to any size above this limit:
    /// it is rejected in both cases.
    pub data: &'a [u8],
}

/// A line of a landing file, as `shared/pipeline/src/landing.rs` writes them.
#[derive(Serialize)]
struct Line<'a> {
    n: u64,
    observed_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reject: Option<&'a str>,
    row: Row<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
}

#[derive(Serialize)]
struct Row<'a> {
    shard_id: &'a str,
    sequence_number: &'a str,
    #[serde(flatten)]
    fields: Fields<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Fields<'a> {
    Tick(TickFields<'a>),
    Gap(GapFields<'a>),
    /// Of a rejected record.
    None {},
}

#[derive(Serialize)]
struct GapFields<'a> {
    gap_start: &'a str,
    exchange_time: &'a str,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap_reason: Option<&'a str>,
}

#[derive(Serialize)]
struct TickFields<'a> {
    symbol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tick_id: Option<&'a str>,
    price: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<&'a str>,
    exchange_time: &'a str,
    price_date: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

/// A finished landing file that is not on the stage yet.
#[derive(Debug, Clone)]
pub struct PackedTicks {
    /// The file's name.
    pub file: TickFile,
    /// Number of ticks that arrived long after their exchange time.
    pub late: u64,
    /// Number of records that report a gap.
    pub gaps: u64,
    body: Bytes,
}

impl PackedTicks {
    /// Writes the file to the stage. Does nothing if an earlier delivery wrote the same file.
    ///
    /// # Errors
    /// The stage's errors.
    pub async fn land(self, stage: &impl Stage) -> Result<()> {
        stage.put_if_absent(&self.file.key(), self.body).await.map(|_| ())
    }
}

/// Checks records of a shard that arrived on one day, and packs them into a file. A bad record is
/// quarantined with a reason. Returns `None` without records.
///
/// # Errors
/// `Stop` if the rows cannot be written. This is unlikely, because the file is in memory.
pub fn pack(shard: &str, day: NaiveDate, records: &[Record<'_>]) -> Result<Option<PackedTicks>> {
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return Ok(None);
    };
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    let mut buffer = Vec::with_capacity(BUFFER + 1_024);
    let (mut quarantined, mut late, mut gaps) = (0, 0, 0);
    let [mut observed_at, mut exchange_time, mut other] = [const { String::new() }; 3];
    for (n, record) in (1..).zip(records) {
        timestamp(&mut observed_at, record.arrived_at);
        let parsed = tick::parse(record.data, record.arrived_at);
        let fields = match &parsed {
            Ok(Parsed::Tick(tick)) => {
                late += u64::from(tick.is_late(record.arrived_at));
                timestamp(&mut exchange_time, tick.exchange_time);
                date(&mut other, tick.price_date);
                Fields::Tick(tick_fields(tick, &exchange_time, &other))
            }
            Ok(Parsed::Gap(gap)) => {
                gaps += 1;
                timestamp(&mut exchange_time, gap.end);
                timestamp(&mut other, gap.start);
                Fields::Gap(gap_fields(gap, &exchange_time, &other))
            }
            Err(_) => Fields::None {},
        };
        let payload = parsed.is_err().then(|| payload(record.data));
        quarantined += u64::from(parsed.is_err());
        let line = Line {
            n,
            observed_at: &observed_at,
            reject: parsed.as_ref().err().map(String::as_str),
            row: Row { shard_id: shard, sequence_number: record.sequence, fields },
            payload: payload.as_deref(),
        };
        serde_json::to_writer(&mut buffer, &line).map_err(cannot_write)?;
        buffer.push(b'\n');
        if buffer.len() >= BUFFER {
            out.write_all(&buffer).map_err(cannot_write)?;
            buffer.clear();
        }
    }
    out.write_all(&buffer).map_err(cannot_write)?;
    let body: Bytes = out.finish().map_err(cannot_write)?.into();
    let file = TickFile {
        day,
        shard: shard.to_owned(),
        first: first.sequence.to_owned(),
        last: last.sequence.to_owned(),
        rows: records.len() as u64,
        quarantined,
        bytes: body.len() as u64,
        sha256: hash::sha256(&body),
    };
    Ok(Some(PackedTicks { file, late, gaps, body }))
}

fn gap_fields<'a>(gap: &'a Gap<'_>, end: &'a str, start: &'a str) -> GapFields<'a> {
    GapFields {
        gap_start: start,
        exchange_time: end,
        source: &gap.source,
        gap_reason: gap.reason.as_deref(),
    }
}

fn tick_fields<'a>(tick: &'a Tick<'_>, exchange_time: &'a str, price_date: &'a str) -> TickFields<'a> {
    TickFields {
        symbol: tick.symbol.as_str(),
        tick_id: tick.id.as_deref(),
        price: &tick.price,
        size: tick.size.as_deref(),
        exchange_time,
        price_date,
        source: tick.source.as_deref(),
    }
}

/// The beginning of a rejected record, for a person. Bytes that are not text are replaced, and so
/// is NUL, which not every warehouse stores.
fn payload(data: &[u8]) -> String {
    let start = &data[..data.len().min(MAX_PAYLOAD)];
    let text = String::from_utf8_lossy(start).replace('\0', "\u{fffd}");
    if data.len() > MAX_PAYLOAD { text + " ..." } else { text }
}

// chrono's formatting took a third of the time of a tick.

fn timestamp(text: &mut String, at: DateTime<Utc>) {
    date(text, at.date_naive());
    text.push(' ');
    digits(text, at.hour(), 2);
    text.push(':');
    digits(text, at.minute(), 2);
    text.push(':');
    digits(text, at.second(), 2);
    text.push('.');
    digits(text, at.timestamp_subsec_micros().min(999_999), 6);
}

fn date(text: &mut String, day: NaiveDate) {
    text.clear();
    digits(text, day.year().unsigned_abs(), 4);
    text.push('-');
    digits(text, day.month(), 2);
    text.push('-');
    digits(text, day.day(), 2);
}

/// Appends a number with leading zeros.
fn digits(text: &mut String, number: u32, count: u32) {
    for place in (0..count).rev() {
        let digit = number / 10_u32.pow(place) % 10;
        text.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
}

fn cannot_write(error: impl Display) -> Error {
    Error::Stop(format!("cannot write a landing file of ticks: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use findata_pipeline::ports::stage::memory::MemoryStage;
    use flate2::read::GzDecoder;
    use serde_json::{Value, json};

    use super::*;
    use crate::tick::MAX_RECORD;

    #[tokio::test]
    async fn good_and_bad_records_land_in_one_file_that_a_repetition_does_not_change() {
        let arrived_at: DateTime<Utc> = "2026-11-20T14:30:05.5Z".parse().unwrap();
        let good = br#"{"id":"a","symbol":"AAPL","price":187.250,"size":100,"exchange_time":"2026-11-20T14:20:00.000250Z","source":"sip"}"#;
        let large = vec![b'x'; MAX_RECORD + 1];
        let record = |sequence, data| Record { sequence, arrived_at, data };
        let records = [record("7", &good[..]), record("8", b"\xff\0"), record("9", &large)];
        let stage = MemoryStage::default();
        let mut keys = Vec::new();
        for _ in 0..2 {
            let packed = pack("shard-1", arrived_at.date_naive(), &records).unwrap().unwrap();
            assert_eq!((packed.file.rows, packed.file.quarantined, packed.late), (3, 2, 1));
            packed.land(&stage).await.unwrap();
            keys = stage.list("").await.unwrap();
            assert_eq!(keys.len(), 1);
        }
        let file = TickFile::parse(&keys[0]).unwrap();
        assert_eq!((file.first.as_str(), file.last.as_str()), ("7", "9"));
        let body = stage.get(&keys[0]).await.unwrap().unwrap().body;
        assert_eq!(file.sha256, hash::sha256(&body));
        let mut text = String::new();
        GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            lines[0],
            json!({"n": 1, "observed_at": "2026-11-20 14:30:05.500000", "row": {
                "shard_id": "shard-1", "sequence_number": "7", "symbol": "AAPL", "tick_id": "a", "price": "187.25",
                "size": "100", "exchange_time": "2026-11-20 14:20:00.000250", "price_date": "2026-11-20", "source": "sip"}})
        );
        assert_eq!(lines[1]["payload"], "\u{fffd}\u{fffd}");
        assert!(lines[2]["reject"].as_str().unwrap().starts_with("record_too_large"));
        assert!(lines[2]["payload"].as_str().unwrap().len() < MAX_PAYLOAD + 10);
        assert_eq!(lines[2]["row"], json!({"shard_id": "shard-1", "sequence_number": "9"}));
    }
}
