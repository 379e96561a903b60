//! Landing files: gzipped NDJSON, one file per dataset and batch. Each line contains the typed row
//! and the payload. The values of the typed row are canonical text, which every warehouse casts to
//! the same values. The payload is exactly what FMP sent.

use std::{fmt::Display, io::Write};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use flate2::{Compression, write::GzEncoder};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use crate::{ports::stage::Stage, run::RunId};
use findata_domain::{
    Error, Result,
    catalog::Dataset,
    hash,
    rows::{Finding, Row},
};

/// Size in bytes of the buffer in which serialized rows are collected before they are compressed.
const BUFFER: usize = 64 << 10;

#[derive(Serialize)]
struct Line<'a> {
    /// Number of the row in the file, from 1.
    n: u64,
    symbol: &'a str,
    hash: &'a str,
    observed_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reject: Option<&'a str>,
    /// The fields whose values are not used, one per line: column, reason and text, separated by
    /// tabs.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<String>,
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

/// A landing file on the stage, with the row counts and the hash that load verifies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFile {
    /// Dataset of the file's rows.
    pub dataset: String,
    /// The file's key on the stage.
    pub key: String,
    /// Number of rows in the file, including quarantined rows.
    pub rows: u64,
    /// Number of quarantined rows.
    pub quarantined: u64,
    /// Number of quarantined fields in rows that are not quarantined. `None` in files of earlier
    /// builds, which quarantined the whole row instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<u64>,
    /// Compressed size in bytes.
    pub bytes: u64,
    /// SHA-256 of the compressed content.
    pub sha256: String,
}

/// Writes the landing file of one dataset and batch. Compresses the rows in pieces while they are
/// added, to save memory.
pub struct Landing {
    dataset: &'static Dataset,
    observed_at: String,
    out: GzEncoder<Vec<u8>>,
    /// Serialized rows that are not compressed yet. They are passed to the encoder in large pieces,
    /// because a write to it costs far more than a byte.
    buffer: Vec<u8>,
    rows: u64,
    quarantined: u64,
    fields: u64,
}

impl Landing {
    /// Starts an empty file; `observed_at` is the time at which the batch was fetched.
    pub fn new(dataset: &'static Dataset, observed_at: DateTime<Utc>) -> Self {
        Landing {
            dataset,
            observed_at: observed_at.format("%Y-%m-%d %H:%M:%S%.3f").to_string(),
            out: GzEncoder::new(Vec::new(), Compression::fast()),
            buffer: Vec::new(),
            rows: 0,
            quarantined: 0,
            fields: 0,
        }
    }

    /// Adds rows to the file.
    ///
    /// # Errors
    /// `Stop` if the rows cannot be written. This is unlikely, because the file is in memory.
    pub fn add(&mut self, rows: &[Row<'_>]) -> Result<()> {
        for row in rows {
            self.rows += 1;
            match row.reject {
                Some(_) => self.quarantined += 1,
                None => self.fields += row.findings.len() as u64,
            }
            let findings: Vec<String> = row.findings.iter().map(Finding::line).collect();
            let line = Line {
                n: self.rows,
                symbol: &row.symbol,
                hash: &row.hash,
                observed_at: &self.observed_at,
                reject: row.reject.as_deref(),
                findings: (!findings.is_empty()).then(|| findings.join("\n")),
                row: Typed(self.dataset, &row.values),
                payload: row.payload,
            };
            serde_json::to_writer(&mut self.buffer, &line).map_err(cannot_write)?;
            self.buffer.push(b'\n');
            if self.buffer.len() >= BUFFER {
                self.compress()?;
            }
        }
        Ok(())
    }

    fn compress(&mut self) -> Result<()> {
        self.out.write_all(&self.buffer).map_err(cannot_write)?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the file to the stage. If an earlier delivery of the batch already wrote a file of
    /// the same name, appends a number to the name. Load reads only the file that the batch's
    /// ledger entry lists.
    ///
    /// # Errors
    /// The stage's errors.
    pub async fn land(mut self, stage: &impl Stage, run: &RunId, batch: &str) -> Result<StagedFile> {
        self.compress()?;
        let body: Bytes = self.out.finish().map_err(cannot_write)?.into();
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
            fields: Some(self.fields),
            bytes: body.len() as u64,
            sha256,
        })
    }
}

fn cannot_write(error: impl Display) -> Error {
    Error::Stop(format!("cannot write a landing file: {error}"))
}
