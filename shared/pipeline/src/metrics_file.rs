//! The user's metrics file, which declares metrics in addition to the built-in ones.
//!
//! The file is in the home of the command line, or on the stage. It is checked as a whole before a run
//! calls FMP, and analytics computes its metrics.

use bytes::Bytes;
use findata_domain::Result;

use crate::ports::stage::Stage;

/// Name of the file in the home.
pub const FILE: &str = "metrics.toml";
/// Key of the file on the stage.
pub const STAGE_KEY: &str = "state/metrics.toml";

/// Returns the file's name in error messages if it is on the stage.
pub fn name_on_stage() -> String {
    format!("{STAGE_KEY} on the stage")
}

/// Reads the file on the stage; `None` if there is none.
///
/// # Errors
/// The stage's errors.
pub async fn read(stage: &impl Stage) -> Result<Option<Bytes>> {
    Ok(stage.get(STAGE_KEY).await?.map(|object| object.body))
}
