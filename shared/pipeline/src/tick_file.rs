//! The name of a file with ticks. It contains everything that load checks, so ticks need no ledger:
//! the file is complete as soon as it exists.

use chrono::NaiveDate;
use findata_domain::catalog::PRICE_TICKS;

use crate::landing::StagedFile;

/// Prefix of the keys of all files with ticks.
pub const FOLDER: &str = "landing/price_ticks/";

/// Ending of the keys.
const ENDING: &str = ".ndjson.gz";

/// A file with the ticks of a shard that arrived on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickFile {
    /// Day of arrival, UTC.
    pub day: NaiveDate,
    /// Shard of the stream, or session of a command.
    pub shard: String,
    /// Sequence number of the first record: digits only.
    pub first: String,
    /// Sequence number of the last record.
    pub last: String,
    /// Number of rows, including quarantined rows.
    pub rows: u64,
    /// Number of quarantined rows.
    pub quarantined: u64,
    /// Compressed size in bytes.
    pub bytes: u64,
    /// SHA-256 of the compressed content.
    pub sha256: String,
}

/// Prefix of the keys of the ticks that arrived on a day.
pub fn folder_of(day: NaiveDate) -> String {
    format!("{FOLDER}{day}/")
}

/// Returns whether a text can be the shard of a file: letters, digits, `-` and `_`.
pub fn is_shard(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}

/// Returns whether a text is a sequence number. Those of Kinesis have up to 128 digits.
pub fn is_sequence(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

impl TickFile {
    /// Returns the key on the stage. The same records always have the same key, so a repeated
    /// delivery writes no second file.
    pub fn key(&self) -> String {
        let TickFile { day, shard, first, last, rows, quarantined, bytes, sha256 } = self;
        format!("{FOLDER}{day}/{shard}/{first}-{last}_{rows}_{quarantined}_{bytes}_{sha256}{ENDING}")
    }

    /// Reads a key. Returns `None` for the key of another object.
    pub fn parse(key: &str) -> Option<TickFile> {
        let mut parts = key.strip_prefix(FOLDER)?.strip_suffix(ENDING)?.split('/');
        let (day, shard, name) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
        let mut fields = name.split('_');
        let (first, last) = fields.next()?.split_once('-')?;
        let mut number = || fields.next()?.parse().ok();
        let (rows, quarantined, bytes) = (number()?, number()?, number()?);
        let sha256 = fields.next()?;
        let is_whole = parts.next().is_none() && fields.next().is_none();
        let file = TickFile {
            day,
            shard: shard.to_owned(),
            first: first.to_owned(),
            last: last.to_owned(),
            rows,
            quarantined,
            bytes,
            sha256: sha256.to_owned(),
        };
        (is_whole && is_shard(shard) && is_sequence(first) && is_sequence(last)).then_some(file)
    }

    /// Returns what load needs to copy and check the file.
    pub fn staged(&self) -> StagedFile {
        StagedFile {
            dataset: PRICE_TICKS.to_owned(),
            key: self.key(),
            rows: self.rows,
            quarantined: self.quarantined,
            fields: Some(0),
            bytes: self.bytes,
            sha256: self.sha256.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_can_be_read_again() {
        let file = TickFile {
            day: "2026-11-27".parse().unwrap(),
            shard: "shardId-000000000000".into(),
            first: "49590338271490256608559692538361571095921575989136588898".into(),
            last: "49590338271490256608559692538361571095921575989136588999".into(),
            rows: 1_000,
            quarantined: 2,
            bytes: 31_000,
            sha256: "a".repeat(64),
        };
        let key = file.key();
        assert_eq!(TickFile::parse(&key), Some(file));
        // Common file systems allow names of 255 bytes.
        assert!(key.rsplit('/').next().unwrap().len() < 255);
        for other in [
            "landing/prices/r/b.ndjson.gz",
            "landing/price_ticks/2026-11-27/s/1-2.ndjson.gz",
            "landing/price_ticks/2026-11-27/s/1-x_1_0_9_a.ndjson.gz",
            "landing/price_ticks/today/s/1-2_1_0_9_a.ndjson.gz",
            "landing/price_ticks/2026-11-27/s/more/1-2_1_0_9_a.ndjson.gz",
        ] {
            assert_eq!(TickFile::parse(other), None, "{other}");
        }
    }
}
