//! Records bulk endpoints that FMP refused, or whose file could not be downloaded completely. The
//! planner does not use them for some time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use findata_domain::Result;
use findata_pipeline::ports::stage::{self, Stage};

const KEY: &str = "state/bulk-refused.json";

/// Reads when each bulk endpoint was last unavailable.
///
/// # Errors
/// The stage's errors.
pub async fn refused(stage: &impl Stage) -> Result<BTreeMap<String, DateTime<Utc>>> {
    Ok(stage::read_rebuildable(stage, KEY, &mut Vec::new()).await?.unwrap_or_default())
}

/// Records that a bulk endpoint is unavailable.
///
/// # Errors
/// `Retry` if other writers keep changing the object; the stage's errors.
pub async fn note_refused(stage: &impl Stage, endpoint: &str, at: DateTime<Utc>) -> Result<()> {
    stage::change_rebuildable(stage, KEY, |known: &mut BTreeMap<String, DateTime<Utc>>| {
        known.insert(endpoint.to_owned(), at);
    })
    .await
}
