//! Bulk endpoints that FMP refused, or whose file never came whole: the next plans do without them for a time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use findata_domain::Result;
use findata_pipeline::ports::stage::{self, Stage};

const KEY: &str = "state/bulk-refused.json";

/// When each endpoint was last found not to be had.
///
/// # Errors
/// The stage's own.
pub async fn refused(stage: &impl Stage) -> Result<BTreeMap<String, DateTime<Utc>>> {
    Ok(stage::read_json(stage, KEY).await?.unwrap_or_default())
}

/// Notes that an endpoint is not to be had.
///
/// # Errors
/// `Retry` when others keep changing the same object; the stage's own.
pub async fn note_refused(stage: &impl Stage, endpoint: &str, at: DateTime<Utc>) -> Result<()> {
    stage::change_json(stage, KEY, |known: &mut BTreeMap<String, DateTime<Utc>>| {
        known.insert(endpoint.to_owned(), at);
    })
    .await
}
