//! Landing files: gzipped NDJSON, one per dataset and batch. A line holds the typed row as canonical text,
//! which every warehouse casts in the same way, and the payload exactly as FMP sent it.

use std::io::Write;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use flate2::{Compression, write::GzEncoder};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use crate::{ports::stage::Stage, run::RunId};
use findata_domain::{Error, Result, catalog::Dataset, hash, rows::Row};

#[derive(Serialize)]
struct Line<'a> {
    /// Position in the file, from 1.
    n: u64,
    symbol: &'a str,
    hash: &'a str,
    observed_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reject: Option<&'a str>,
    row: Typed<'a>,
    payload: &'a str,
}

struct Typed<'a>(&'static Dataset, &'a [Option<String>]);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for (column, value) in self.0.columns.iter().zip(self.1) {
            if let Some(value) = value {
                map.serialize_entry(column.name, value)?;
            }
        }
        map.end()
    }
}

/// A file on the stage, with the counts that load verifies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFile {
    /// Its dataset.
    pub dataset: String,
    /// Its key.
    pub key: String,
    /// Rows in it, quarantined ones included.
    pub rows: u64,
    /// Quarantined rows.
    pub quarantined: u64,
    /// Its size, compressed.
    pub bytes: u64,
    /// SHA-256 of its content, compressed.
    pub sha256: String,
}

/// Writes the rows of one dataset and batch, and compresses them while writing.
pub struct Landing {
    dataset: &'static Dataset,
    observed_at: String,
    out: GzEncoder<Vec<u8>>,
    rows: u64,
    quarantined: u64,
}

impl Landing {
    /// An empty file; `observed_at` is when the batch was fetched.
    pub fn new(dataset: &'static Dataset, observed_at: DateTime<Utc>) -> Self {
        Landing {
            dataset,
            observed_at: observed_at.format("%Y-%m-%d %H:%M:%S%.3f").to_string(),
            out: GzEncoder::new(Vec::new(), Compression::fast()),
            rows: 0,
            quarantined: 0,
        }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// `Stop` if they cannot be written, which only a lack of memory could cause.
    pub fn add(&mut self, rows: &[Row<'_>]) -> Result<()> {
        let failed = |e: &dyn std::fmt::Display| Error::Stop(format!("cannot write a landing file: {e}"));
        for row in rows {
            self.rows += 1;
            self.quarantined += u64::from(row.reject.is_some());
            let line = Line {
                n: self.rows,
                symbol: &row.symbol,
                hash: &row.hash,
                observed_at: &self.observed_at,
                reject: row.reject.as_deref(),
                row: Typed(self.dataset, &row.values),
                payload: row.payload,
            };
            serde_json::to_writer(&mut self.out, &line).map_err(|e| failed(&e))?;
            self.out.write_all(b"\n").map_err(|e| failed(&e))?;
        }
        Ok(())
    }

    /// Puts the file on the stage. A second delivery of the same batch uses the next free
    /// name; the ledger entry records which file counts.
    ///
    /// # Errors
    /// The stage's errors.
    pub async fn land(self, stage: &impl Stage, run: &RunId, batch: &str) -> Result<StagedFile> {
        let body: Bytes = self
            .out
            .finish()
            .map_err(|e| Error::Stop(format!("cannot write a landing file: {e}")))?
            .into();
        let sha256 = hash::sha256(&body);
        let folder = format!("landing/{}/{run}", self.dataset.name);
        let mut key = format!("{folder}/{batch}.ndjson.gz");
        let mut attempt = 1;
        while !stage.put_if_absent(&key, body.clone()).await? {
            attempt += 1;
            key = format!("{folder}/{batch}-{attempt}.ndjson.gz");
        }
        Ok(StagedFile {
            dataset: self.dataset.name.into(),
            key,
            rows: self.rows,
            quarantined: self.quarantined,
            bytes: body.len() as u64,
            sha256,
        })
    }
}
