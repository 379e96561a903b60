//! A home: one warehouse file, one stage, and the memory of where its data comes from.

use std::path::{Path, PathBuf};

use findata_shared::{
    Error, Result,
    fmp::DEFAULT_URL,
    run::RunId,
    stage::{self, Stage},
    warehouse::{Warehouse, literal},
};
use serde::{Deserialize, Serialize};

use crate::stage::DirectoryStage;

const SOURCE: &str = "state/source.json";
const WAREHOUSE: &str = "state/warehouse.json";

/// Where a home's data comes from: figures of a test server must never mix with FMP's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Financial Modeling Prep itself.
    Fmp,
    /// Another server that speaks its API.
    Other,
}

impl SourceKind {
    /// The kind of a base address.
    pub fn of(url: &str) -> Self {
        let host = |text: &str| {
            text.split("//").nth(1).and_then(|rest| rest.split(['/', ':', '?']).next()).map(str::to_ascii_lowercase)
        };
        if host(url).is_some() && host(url) == host(DEFAULT_URL) { SourceKind::Fmp } else { SourceKind::Other }
    }
}

#[derive(Serialize, Deserialize)]
struct Source {
    kind: SourceKind,
}

/// The places of a home.
#[derive(Debug, Clone)]
pub struct Home {
    /// The warehouse file.
    pub warehouse: PathBuf,
    /// The stage's directory.
    pub stage: PathBuf,
}

impl Home {
    /// The places under a folder, each of which may be set on its own.
    pub fn new(folder: &Path, stage: Option<PathBuf>, warehouse: Option<PathBuf>) -> Self {
        Home {
            warehouse: warehouse.unwrap_or_else(|| folder.join("findata.duckdb")),
            stage: stage.unwrap_or_else(|| folder.join("stage")),
        }
    }

    /// Opens the stage, making the folders where there are none.
    ///
    /// # Errors
    /// `Config` when they cannot be made or written.
    pub fn open_stage(&self) -> Result<DirectoryStage> {
        if let Some(folder) = self.warehouse.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| {
                Error::Config(format!("cannot make {}: {e}; choose another place with --home", folder.display()))
            })?;
        }
        DirectoryStage::open(&self.stage)
    }
}

/// Notes the kind of source at the first run and refuses the other kind ever after.
///
/// # Errors
/// `Config` for the other kind; the stage's own.
pub async fn claim_source(stage: &impl Stage, url: &str) -> Result<()> {
    let kind = SourceKind::of(url);
    stage.put_if_absent(SOURCE, stage::to_json(&Source { kind })?).await?;
    match stage::read_json::<Source>(stage, SOURCE).await? {
        Some(source) if source.kind != kind => {
            let name = |kind| if kind == SourceKind::Fmp { "FMP itself" } else { "another server than FMP" };
            Err(Error::Config(format!(
                "this home holds data of {}, and --fmp-url names {}: use another --home, so that they never mix",
                name(source.kind),
                name(kind)
            )))
        }
        _ => Ok(()),
    }
}

#[derive(Serialize, Deserialize)]
struct Known {
    warehouse_id: String,
}

/// Makes sure that the stage and the warehouse belong together: what the stage says is fresh must be in this warehouse.
/// `name` is what a new warehouse is called.
///
/// # Errors
/// `Config` when they do not; the stage's and the warehouse's own.
pub async fn match_warehouse(stage: &impl Stage, warehouse: &mut impl Warehouse, name: &RunId) -> Result<()> {
    let known: Option<Known> = stage::read_json(stage, WAREHOUSE).await?;
    let own = warehouse.query("select warehouse_id from ops.identity").await?;
    let own = own.into_iter().next().and_then(|row| row.into_iter().next()?);
    match (known, own) {
        (Some(known), Some(own)) if known.warehouse_id == own => Ok(()),
        (Some(_), _) => Err(Error::Config(
            "the stage remembers another warehouse: put that one back, or choose another --home or --stage for a new one".into(),
        )),
        (None, own) => {
            let warehouse_id = match own {
                Some(own) => own,
                None => {
                    warehouse.execute(&format!("insert into ops.identity values ({})", literal(name.as_str()))).await?;
                    name.to_string()
                }
            };
            stage.put_if_absent(WAREHOUSE, stage::to_json(&Known { warehouse_id })?).await.map(|_| ())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fmps_own_host_is_told_from_others() {
        assert_eq!(SourceKind::of(DEFAULT_URL), SourceKind::Fmp);
        assert_eq!(SourceKind::of("https://FinancialModelingPrep.com:443/stable/"), SourceKind::Fmp);
        assert_eq!(SourceKind::of("http://127.0.0.1:8080/stable"), SourceKind::Other);
        assert_eq!(SourceKind::of("http://x/financialmodelingprep.com"), SourceKind::Other);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_home_never_mixes_sources() {
        let folder = tempfile::tempdir().unwrap();
        let stage = Home::new(folder.path(), None, None).open_stage().unwrap();
        claim_source(&stage, "http://127.0.0.1:1/stable").await.unwrap();
        claim_source(&stage, "http://127.0.0.1:2/stable").await.unwrap();
        assert!(matches!(claim_source(&stage, DEFAULT_URL).await, Err(Error::Config(_))));
    }
}
