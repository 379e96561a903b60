//! Fetches when companies joined and left an index, and the present members of indices that are not the universe.
//!
//! A run of an index fetches the changes of this index once a week, and when its list of members has changed. A run
//! fetches those of another index only if it requests them by name (`--datasets nasdaq_changes`). FMP plans without
//! these endpoints are asked again after a week.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use findata_domain::{
    Result,
    catalog::{self, Dataset, Freshness},
    clock::{Clock, is_ahead, is_recent},
    hash, rows,
};
use findata_fmp::Fmp;
use findata_pipeline::{
    landing::Landing,
    ledger::{self, BatchEntry, Outcome, TaskRecord},
    plan::{FetchMode, Task, Window},
    ports::stage::{self, Stage},
    run::Request,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Members,
    index::{INDEXES, Index, Source},
};
use crate::market::{self, Spent};

/// Stage key of the [`Readings`].
const KEY: &str = "state/universe/indexes.json";
/// Id of the batch under which fanout lands the answers.
const BATCH: &str = "indexes";

/// The last readings by dataset, stored at `state/universe/indexes.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Readings(BTreeMap<String, Reading>);

/// The last accepted answer of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reading {
    at: DateTime<Utc>,
    rows: usize,
    /// Hash of the members of the index at that time, if the run was one of the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    members: Option<String>,
    /// When FMP first sent a much shorter answer; `None` unless findata still waits for FMP to confirm it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shrunk_at: Option<DateTime<Utc>>,
}

/// Returns whether `--datasets` may name the dataset.
pub(crate) fn can_be_requested(dataset: &Dataset) -> bool {
    INDEXES.iter().any(|index| index.changes == dataset)
}

/// Fetches the changes and lists that the request needs and that are due. Lands them, and adds their batch, the calls
/// and notes to `members`.
///
/// # Errors
/// The stage's errors. Failed calls are notes.
pub(crate) async fn refresh(
    request: &Request,
    members: &mut Members,
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
) -> Result<()> {
    let wanted = wanted(request);
    if wanted.is_empty() {
        return Ok(());
    }
    let (now, latest) = (clock.now(), clock.latest());
    let mut readings: Readings =
        stage::read_rebuildable(stage, KEY, &mut members.notes).await?.unwrap_or_default();
    readings.0.retain(|_, reading| !is_ahead(reading.at, latest));
    let mut entry = BatchEntry::new(BATCH);
    let mut has_news = false;
    for dataset in wanted {
        let of_universe = own(request).is_some_and(|index| index.changes == dataset);
        let hash = of_universe.then(|| members_hash(members));
        let known = readings.0.get(dataset.name);
        if known.is_some_and(|known| is_fresh(known, dataset, hash.as_deref(), request, latest)) {
            continue;
        }
        let (answer, spent) =
            market::optional::<Box<RawValue>>(dataset.endpoint, &[], fmp, stage, clock, &mut members.notes)
                .await?;
        let rows = answer.unwrap_or_default();
        if rows.is_empty() {
            count(members, spent);
            continue;
        }
        has_news = true;
        if let Some(known) = known.filter(|known| rows.len() * 10 < known.rows * 9)
            && known.shrunk_at.is_none_or(|first| first.date_naive() >= now.date_naive())
        {
            count(members, spent);
            members.notes.push(format!(
                "{}: FMP's answer has only {} rows; the {} known ones are kept until FMP sends such a short answer on another day",
                dataset.name,
                rows.len(),
                known.rows
            ));
            let kept = Reading { shrunk_at: known.shrunk_at.or(Some(now)), ..known.clone() };
            readings.0.insert(dataset.name.to_owned(), kept);
            continue;
        }
        if let Err(error) = land(dataset, &rows, spent, request, &mut entry, stage, now).await {
            count(members, spent);
            members.notes.push(format!("{}: {error}", dataset.name));
            continue;
        }
        let reading = Reading { at: now, rows: rows.len(), members: hash, shrunk_at: None };
        readings.0.insert(dataset.name.to_owned(), reading);
    }
    if !entry.tasks.is_empty() {
        stage::write_json_once(stage, &ledger::batch_key(&request.run_id, BATCH), &entry).await?;
        members.landed.push(BATCH.to_owned());
    }
    if has_news {
        stage::change_rebuildable(stage, KEY, |kept: &mut Readings| kept.0.extend(readings.0.clone()))
            .await?;
    }
    Ok(())
}

/// The index whose members the request is for.
fn own(request: &Request) -> Option<&'static Index> {
    match Source::of(&request.universe) {
        Source::Index(index) => Some(index),
        Source::Listed(_) | Source::Named(_) => None,
    }
}

/// The datasets that a request needs.
fn wanted(request: &Request) -> Vec<&'static Dataset> {
    let options = &request.options;
    let names: Vec<_> = options.datasets.iter().filter_map(|name| catalog::dataset(name)).collect();
    let mut wanted = Vec::new();
    for index in INDEXES {
        let is_universe = own(request).is_some_and(|own| own.list == index.list);
        if names.contains(&index.changes) {
            // The universe's own list has just been fetched.
            wanted.extend((!is_universe).then_some(index.list));
            wanted.push(index.changes);
        } else if is_universe && names.is_empty() {
            wanted.push(index.changes);
        }
    }
    wanted
}

/// Whether the known answer is recent enough, and the members have not changed since.
fn is_fresh(
    known: &Reading,
    dataset: &Dataset,
    members: Option<&str>,
    request: &Request,
    latest: DateTime<Utc>,
) -> bool {
    let Freshness::For(usual) = dataset.freshness else {
        return false;
    };
    let ttl = request.options.ttl.of(dataset).unwrap_or(usual);
    let same_members = members.is_none() || known.members.as_deref() == members;
    known.shrunk_at.is_none() && same_members && !request.options.full && is_recent(known.at, ttl, latest)
}

fn members_hash(members: &Members) -> String {
    let mut symbols: Vec<&str> = members.symbols.iter().map(|symbol| symbol.as_str()).collect();
    symbols.sort_unstable();
    hash::sha256(symbols.join(",").as_bytes())
}

/// Counts calls that no landed batch contains.
fn count(members: &mut Members, spent: Spent) {
    members.calls += spent.calls;
    members.bytes += spent.bytes;
}

async fn land(
    dataset: &'static Dataset,
    answer: &[Box<RawValue>],
    spent: Spent,
    request: &Request,
    entry: &mut BatchEntry,
    stage: &impl Stage,
    now: DateTime<Utc>,
) -> Result<()> {
    let task = Task::new(dataset, None, Window::All);
    let body = format!("[{}]", answer.iter().map(|row| row.get()).collect::<Vec<_>>().join(","));
    let (rows, _) = rows::typed(dataset, &task.asked(now.date_naive()), rows::MAX_LIST, body.as_bytes())?;
    let mut landing = Landing::new(dataset, now);
    landing.add(&rows)?;
    entry.files.push(landing.land(stage, &request.run_id, BATCH).await?);
    entry.tasks.push(TaskRecord {
        task,
        outcome: Outcome::Rows { rows: rows.len() as u64, newest: None },
        calls: u32::try_from(spent.calls).unwrap_or(u32::MAX),
        bytes: spent.bytes,
        fetched_at: now,
        fetch_mode: FetchMode::PerSymbol,
    });
    Ok(())
}
