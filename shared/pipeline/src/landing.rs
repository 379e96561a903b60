//! Landing files: gzipped NDJSON, one file per dataset and batch. Each line holds the typed row as
//! canonical text, which every warehouse casts in the same way, and the payload exactly as FMP sent
//! it.

use std::io::Write;

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

#[derive(Serialize)]
struct Line<'a> {
    /// Position in the file, from 1.
    n: u64,
    symbol: &'a str,
    hash: &'a str,
    observed_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reject: Option<&'a str>,
    /// The fields that are not used, one per line: column, reason and text, with tabs between them.
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

/// A file on the stage, with the counts and the hash that load verifies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFile {
    /// Dataset of its rows.
    pub dataset: String,
    /// Its key on the stage.
    pub key: String,
    /// Rows in it, including quarantined ones.
    pub rows: u64,
    /// Quarantined rows.
    pub quarantined: u64,
    /// Quarantined fields of other rows. `None` in files of early builds, which rejected a row for any of its fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<u64>,
    /// Compressed size in bytes.
    pub bytes: u64,
    /// SHA-256 of the compressed content.
    pub sha256: String,
}

/// Writes the landing file of one dataset and batch. Rows are compressed as they are added.
pub struct Landing {
    dataset: &'static Dataset,
    observed_at: String,
    out: GzEncoder<Vec<u8>>,
    rows: u64,
    quarantined: u64,
    fields: u64,
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
            fields: 0,
        }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// `Stop` if they cannot be written. The file is in memory, so this does not normally happen.
    pub fn add(&mut self, rows: &[Row<'_>]) -> Result<()> {
        let failed = |e: &dyn std::fmt::Display| Error::Stop(format!("cannot write a landing file: {e}"));
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
            serde_json::to_writer(&mut self.out, &line).map_err(|e| failed(&e))?;
            self.out.write_all(b"\n").map_err(|e| failed(&e))?;
        }
        Ok(())
    }

    /// Puts the file on the stage. If an earlier delivery of the batch already used the key, a
    /// number is appended; the ledger entry lists the file that counts.
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
            fields: Some(self.fields),
            bytes: body.len() as u64,
            sha256,
        })
    }
}
