//! The data directory, called "home" on the command line: a DuckDB file and a stage.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use findata_domain::{Error, Result};
use findata_fanout::corrections;
use findata_pipeline::{
    corrections::{Correction, FILE},
    metrics_file,
};

use crate::{stage::DirectoryStage, working_copy};

/// Paths of the warehouse and the stage.
#[derive(Debug, Clone)]
pub struct DataDir {
    /// The DuckDB file.
    pub warehouse: PathBuf,
    /// The stage's directory.
    pub stage: PathBuf,
    /// The file with the user's corrections of FMP's data. It may not exist.
    pub corrections: PathBuf,
    /// The file with the user's metrics. It may not exist.
    pub metrics: PathBuf,
}

impl DataDir {
    /// Returns the default paths below `folder`, or `stage` and `warehouse` if they are given.
    pub fn new(folder: &Path, stage: Option<PathBuf>, warehouse: Option<PathBuf>) -> Self {
        DataDir {
            warehouse: warehouse.unwrap_or_else(|| folder.join("findata.duckdb")),
            stage: stage.unwrap_or_else(|| folder.join("stage")),
            corrections: folder.join(FILE),
            metrics: folder.join(metrics_file::FILE),
        }
    }

    /// Checks that DuckDB can use the paths, before anything is created or fetched.
    ///
    /// # Errors
    /// `Config` for a path that DuckDB would misinterpret, and for a warehouse in memory.
    pub fn check(&self) -> Result<()> {
        if self.warehouse.to_string_lossy().starts_with(":memory:") {
            return Err(Error::Config(
                "a warehouse in memory is lost at the end of the command: use a file, such as --warehouse duckdb:my.duckdb"
                    .into(),
            ));
        }
        usable(&self.warehouse)?;
        usable(&self.stage)
    }

    /// Reads the user's corrections; `None` without a file.
    ///
    /// # Errors
    /// `Config` with all faults of the file, or if it cannot be read.
    pub fn read_corrections(&self) -> Result<Option<Vec<Correction>>> {
        let path = self.corrections.display().to_string();
        match fs::read_to_string(&self.corrections) {
            Ok(text) => corrections::parse(&text, &path).map(Some),
            // Opening the stage reports a home that is not a folder.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(Error::Config(format!(
                "cannot read {path}: {error}; it must be a readable text file in UTF-8"
            ))),
        }
    }

    /// Checks that the stage exists, for commands that only use data already on the stage.
    ///
    /// # Errors
    /// `Config` if the stage does not exist.
    pub fn require_stage(&self) -> Result<()> {
        if self.stage.is_dir() {
            return Ok(());
        }
        let fix = "set the data directory with --home, or the stage with --stage";
        Err(Error::Config(format!("there is no stage at {}: {fix}", self.stage.display())))
    }

    /// Opens the stage and creates missing folders.
    ///
    /// # Errors
    /// `Config` when a folder cannot be created or written.
    pub fn open_stage(&self) -> Result<DirectoryStage> {
        if let Some(folder) = self.warehouse.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| {
                Error::Config(format!(
                    "cannot create {}: {e}; choose another folder with --home",
                    folder.display()
                ))
            })?;
        }
        let stage = DirectoryStage::open(&self.stage)?;
        // Symbolic links are resolved now, so the path may differ from the one that was checked
        // before.
        usable(stage.root())?;
        Ok(stage)
    }
}

impl DataDir {
    /// Whether the warehouse file is only the beginning of a DuckDB file. A full disk can leave
    /// such a file when DuckDB creates it.
    pub fn has_warehouse_stump(&self) -> bool {
        // DuckDB writes three headers of 4 KB before the first block. The first has the magic bytes.
        const HEADERS: u64 = 12 << 10;
        let is_short = std::fs::metadata(&self.warehouse).is_ok_and(|file| file.len() <= HEADERS);
        let is_stump = |file: Vec<u8>| file.is_empty() || file.get(8..12) == Some(b"DUCK");
        is_short && std::fs::read(&self.warehouse).is_ok_and(is_stump)
    }

    /// Renames the warehouse file and its write-ahead log, and returns the file's new path. Nothing is deleted.
    ///
    /// # Errors
    /// `Resource` if a file cannot be renamed.
    pub fn set_warehouse_aside(&self, now: DateTime<Utc>) -> Result<PathBuf> {
        let suffix = now.format(".replaced-%Y%m%dT%H%M%S");
        let renamed = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        let warehouse = working_copy::target(&self.warehouse);
        let log = PathBuf::from(format!("{}.wal", warehouse.display()));
        // The write-ahead log is renamed first. If it stayed beside a new file, DuckDB would apply
        // it to that file.
        for path in [&log, &warehouse] {
            match std::fs::rename(path, renamed(path)) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(Error::Resource(format!("cannot rename {}: {e}", path.display())));
                }
                _ => {}
            }
        }
        Ok(renamed(&warehouse))
    }
}

/// Checks that DuckDB can use a path. DuckDB needs UTF-8 paths, and treats text after `?` as
/// options.
fn usable(path: &Path) -> Result<()> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let reason = match absolute.to_str() {
        None => "is not valid UTF-8",
        Some(text) if text.contains('?') => "contains `?`",
        Some(_) => return Ok(()),
    };
    Err(Error::Config(format!(
        "DuckDB cannot use the path {}, because it {reason}: choose another one with --home, --stage or --warehouse",
        absolute.display()
    )))
}

#[cfg(test)]
mod tests {
    use findata_fmp::{DEFAULT_URL, claim_source};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_stage_never_mixes_sources() {
        let folder = tempfile::tempdir().unwrap();
        let stage = DataDir::new(folder.path(), None, None).open_stage().unwrap();
        claim_source(&stage, "http://127.0.0.1:1/stable").await.unwrap();
        claim_source(&stage, "http://127.0.0.1:2/stable").await.unwrap();
        assert!(matches!(claim_source(&stage, DEFAULT_URL).await, Err(Error::Config(_))));
    }
}
