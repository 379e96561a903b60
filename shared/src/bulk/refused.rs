//! Bulk endpoints that FMP refused, or whose file never came whole: the next plans do without them for a time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::{
    Error, Result,
    stage::{self, Stage},
};

const KEY: &str = "state/bulk-refused.json";
/// Tries to note one while others note theirs.
const TRIES: usize = 20;

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
    for _ in 0..TRIES {
        let before = stage.get(KEY).await?;
        let mut known: BTreeMap<String, DateTime<Utc>> = match &before {
            Some(object) => stage::from_json(KEY, &object.body)?,
            None => BTreeMap::new(),
        };
        known.insert(endpoint.to_owned(), at);
        let body = stage::to_json(&known)?;
        let written = match before {
            Some(object) => stage.put_if_match(KEY, body, &object.etag).await?,
            None => stage.put_if_absent(KEY, body).await?,
        };
        if written {
            return Ok(());
        }
    }
    Err(Error::retry(format!("{KEY} on the stage kept changing")))
}
