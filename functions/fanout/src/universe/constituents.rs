//! The stored list of index members, and when a much shorter list replaces it.

use chrono::{DateTime, Utc};
use findata_domain::{Result, Symbol, clock::is_ahead};
use findata_pipeline::ports::stage::{self, Object, Stage};
use serde::{Deserialize, Serialize};

use super::{Members, index::Index};

/// The last accepted list of index members, stored at [`Index::key`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Constituents {
    pub(super) fetched_at: DateTime<Utc>,
    pub(super) symbols: Vec<Symbol>,
    /// When FMP first sent a much shorter list; `None` unless findata still waits for FMP to
    /// confirm that list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shrunk_at: Option<DateTime<Utc>>,
}

impl Constituents {
    pub(super) fn read(body: &[u8]) -> Option<Constituents> {
        stage::from_json_or_none(body).filter(|list: &Constituents| !list.symbols.is_empty())
    }

    /// Whether a list of `members` symbols is shorter than this list by more than a tenth.
    pub(super) fn shrinks_to(&self, members: usize) -> bool {
        members * 10 < self.symbols.len() * 9
    }
}

/// Whether FMP already sent a much shorter list on an earlier day.
pub(super) fn is_confirmed(known: &Constituents, now: DateTime<Utc>) -> bool {
    known.shrunk_at.is_some_and(|first| first.date_naive() < now.date_naive())
}

/// Keeps the known list, and stores when FMP first sent a much shorter one. The new list has
/// `members` symbols.
pub(super) async fn keep_until_confirmed(
    index: &Index,
    mut known: Constituents,
    members: usize,
    mut notes: Vec<String>,
    stored: Option<Object>,
    stage: &impl Stage,
    now: DateTime<Utc>,
) -> Result<Members> {
    known.shrunk_at = known.shrunk_at.filter(|first| !is_ahead(*first, now)).or(Some(now));
    store(index, &known, stored, stage).await?;
    notes.push(format!(
        "{}: FMP's list has only {members} symbols; the {} known ones are kept until FMP sends such a short list on another day",
        index.name,
        known.symbols.len()
    ));
    Ok(Members { symbols: known.symbols, notes, ..Members::default() })
}

/// Stores a list. If another run stores a list at the same time, either list is recent enough to
/// keep.
pub(super) async fn store(
    index: &Index,
    list: &Constituents,
    replaced: Option<Object>,
    stage: &impl Stage,
) -> Result<()> {
    let body = stage::to_json(list)?;
    match replaced {
        Some(object) => stage.put_if_match(index.key, body, &object.etag).await?,
        None => stage.put_if_absent(index.key, body).await?,
    };
    Ok(())
}
