//! Resolves the symbols of a run.

mod constituents;
mod index;
pub(crate) mod indexes;
pub(crate) mod renames;

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use constituents::{Constituents, is_confirmed, keep_until_confirmed, store};
use findata_domain::{
    Error, Result, Symbol,
    catalog::Dataset,
    clock::{Clock, is_recent},
    rows::{self, Row},
};
use findata_fmp::{Fmp, SourceKind};
use findata_pipeline::{
    landing::Landing,
    ledger::{self, BatchEntry, Outcome, TaskRecord},
    named_universe::{self, UniverseName},
    plan::{FetchMode, Task, Window},
    ports::stage::{self, Stage},
    run::Request,
};
use index::{Index, Source};

/// Id of the batch under which fanout lands the constituents that it fetched.
const BATCH: &str = "universe";

/// A resolved universe.
#[derive(Debug, Default)]
pub struct Members {
    /// The symbols, each once, in the given order.
    pub symbols: Vec<Symbol>,
    /// Notes for the user about the source of the symbols.
    pub notes: Vec<String>,
    /// Ids of the batches that fanout landed while it resolved the universe.
    pub landed: Vec<String>,
    /// Calls that were made to resolve the universe.
    pub calls: u64,
    /// Bytes that these calls received.
    pub bytes: u64,
}

/// Resolves a request's universe. For an index, uses FMP's constituents, which are at most a day
/// old. If FMP does not return them, uses the last known list or, without one, the bundled list of the S&P 500.
/// Accepts a list that lacks more than a tenth of the known members only after FMP has sent such a
/// list on two days.
///
/// # Errors
/// `Reject` if the universe is empty, or if the stage has no list of its name; FMP's errors if no other call can succeed,
/// or no list of the index is known.
pub async fn resolve(
    request: &Request,
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
) -> Result<Members> {
    match Source::of(&request.universe) {
        Source::Listed(symbols) => from_symbols(symbols),
        Source::Named(name) => named(name, stage).await,
        Source::Index(index) => members_of(index, request, fmp, stage, clock).await,
    }
}

async fn named(name: &UniverseName, stage: &impl Stage) -> Result<Members> {
    let list = named_universe::read(stage, name).await?;
    let mut members = from_symbols(&list.symbols)?;
    let (number, day) = (members.symbols.len(), list.stored_at.date_naive());
    members.notes.push(format!("universe {name} as stored on {day}: {number} symbols"));
    Ok(members)
}

/// Resolves the universe from the stored list, without a call.
///
/// # Errors
/// As for [`resolve`]; `Stop` if no list of the index is known.
pub async fn last_known(request: &Request, stage: &impl Stage) -> Result<Members> {
    let index = match Source::of(&request.universe) {
        Source::Listed(symbols) => return from_symbols(symbols),
        Source::Named(name) => return named(name, stage).await,
        Source::Index(index) => index,
    };
    let stored = stage.get(index.key).await?;
    match stored.and_then(|object| Constituents::read(&object.body)) {
        Some(known) => Ok(as_fetched(index, known)),
        None => bundled(index, "not fetched yet")?.ok_or_else(|| {
            Error::Stop(format!(
                "the members of the {} are not known yet: the first run fetches them",
                index.name
            ))
        }),
    }
}

fn as_fetched(index: &Index, known: Constituents) -> Members {
    let (name, day) = (index.name, known.fetched_at.date_naive());
    let note = format!("{name} as fetched on {day}: {} symbols", known.symbols.len());
    Members {
        symbols: known.symbols,
        notes: vec![note],
        ..Members::default()
    }
}

fn from_symbols(symbols: &[Symbol]) -> Result<Members> {
    let mut seen = BTreeSet::new();
    let mut notes = Vec::new();
    let in_fmp_spelling = |symbol: &Symbol| match symbol.with_hyphen() {
        Some(hyphen) => {
            notes.push(format!("{symbol} is read as {hyphen}: FMP writes share classes with a hyphen"));
            hyphen
        }
        None => symbol.clone(),
    };
    let symbols = symbols.iter().map(in_fmp_spelling).collect::<Vec<_>>();
    let symbols: Vec<_> = symbols.into_iter().filter(|symbol| seen.insert(symbol.clone())).collect();
    if symbols.is_empty() {
        return Err(Error::Reject("the universe has no symbols: name some with --symbols AAPL,MSFT".into()));
    }
    Ok(Members { symbols, notes, ..Members::default() })
}

/// Returns the bundled list of an index, if there is one.
fn bundled(index: &Index, why: &str) -> Result<Option<Members>> {
    let Some(list) = index.bundled else {
        return Ok(None);
    };
    let lines = list.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let symbols: Vec<Symbol> = lines.map(str::parse).collect::<Result<_>>()?;
    let note = format!("{} from the bundled list of {} symbols: {why}", index.name, symbols.len());
    Ok(Some(Members { symbols, notes: vec![note], ..Members::default() }))
}

async fn members_of(
    index: &Index,
    request: &Request,
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
) -> Result<Members> {
    let stored = stage.get(index.key).await?;
    let now = clock.now();
    let dataset = index.list;
    let ttl = request.options.ttl.of(dataset).unwrap_or(Duration::days(1));
    let known = stored.as_ref().and_then(|object| Constituents::read(&object.body));
    if let Some(list) = &known
        && list.shrunk_at.is_none()
        && is_recent(list.fetched_at, ttl, clock.latest())
        && !request.options.full
    {
        return Ok(Members { symbols: list.symbols.clone(), ..Members::default() });
    }
    let task = Task::new(dataset, None, Window::All);
    let answer = fmp.fetch(&task).await;
    let spent = |members: Members| Members { calls: answer.calls.into(), bytes: answer.bytes, ..members };
    let fall_back = |error: Error| last_list(index, known.clone(), error).map(spent);
    let body = match &answer.body {
        Ok(Some(body)) => body,
        Ok(None) => return fall_back(Error::retry("FMP's answer is empty")),
        Err(error) if error.ends_run() => return Err(error.clone()),
        Err(error) => return fall_back(error.clone()),
    };
    let rows = match rows::typed(dataset, &task.asked(now.date_naive()), rows::MAX_LIST, body) {
        Ok((rows, _)) => rows,
        Err(error) => return fall_back(error),
    };
    let (symbols, notes) = members(index, &rows);
    if symbols.is_empty() {
        return fall_back(Error::retry("FMP's answer has no symbols"));
    }
    // Only a list from FMP is compared with the bundled list, because a test server may have any
    // number of symbols.
    let is_fmp = SourceKind::of(fmp.url()) == SourceKind::Fmp;
    let reference = match &known {
        None if is_fmp => bundled(index, "")?.map(|list| Constituents {
            fetched_at: now,
            symbols: list.symbols,
            shrunk_at: None,
        }),
        known => known.clone(),
    };
    if let Some(kept) = reference.filter(|known| known.shrinks_to(symbols.len()) && !is_confirmed(known, now))
    {
        return keep_until_confirmed(index, kept, symbols.len(), notes, stored, stage, now)
            .await
            .map(spent);
    }
    land(request, stage, now, dataset, task, &rows, (answer.calls, answer.bytes)).await?;
    let list = Constituents { fetched_at: now, symbols: symbols.clone(), shrunk_at: None };
    store(index, &list, stored, stage).await?;
    let landed = vec![BATCH.to_owned()];
    // The call is counted in the landed batch's ledger entry.
    Ok(Members { symbols, notes, landed, ..Members::default() })
}

/// Returns the members in an answer's rows, each once, and a note about malformed rows.
fn members(index: &Index, rows: &[Row<'_>]) -> (Vec<Symbol>, Vec<String>) {
    let mut seen = BTreeSet::new();
    let mut malformed = 0;
    let mut symbols = Vec::new();
    for row in rows {
        match row.symbol.parse::<Symbol>() {
            // A repeated symbol is also rejected, but it is not malformed.
            Ok(symbol) if seen.contains(&symbol) => {}
            Ok(symbol) if row.reject.is_none() => {
                seen.insert(symbol.clone());
                symbols.push(symbol);
            }
            _ => malformed += 1,
        }
    }
    let note = (malformed > 0)
        .then(|| format!("{}: {malformed} of {} members are malformed and left out", index.name, rows.len()));
    (symbols, note.into_iter().collect())
}

/// Returns the last known list or, without one, the bundled list.
///
/// # Errors
/// `error`, for which FMP sent no list, if there is neither.
fn last_list(index: &Index, known: Option<Constituents>, error: Error) -> Result<Members> {
    let Some(known) = known else {
        return bundled(index, &error.to_string())?.ok_or(error);
    };
    let mut members = as_fetched(index, known);
    for note in &mut members.notes {
        *note = format!("{note}, the last known list: {error}");
    }
    Ok(members)
}

async fn land(
    request: &Request,
    stage: &impl Stage,
    now: DateTime<Utc>,
    dataset: &'static Dataset,
    task: Task,
    rows: &[Row<'_>],
    (calls, bytes): (u32, u64),
) -> Result<()> {
    let mut landing = Landing::new(dataset, now);
    landing.add(rows)?;
    let file = landing.land(stage, &request.run_id, BATCH).await?;
    let outcome = Outcome::Rows { rows: rows.len() as u64, newest: None };
    let mut entry = BatchEntry::new(BATCH);
    entry.tasks.push(TaskRecord {
        task,
        outcome,
        calls,
        bytes,
        fetched_at: now,
        fetch_mode: FetchMode::PerSymbol,
    });
    entry.files.push(file);
    stage::write_json_once(stage, &ledger::batch_key(&request.run_id, BATCH), &entry).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_list_has_the_sp500_in_fmps_spelling() {
        let members = bundled(&index::SP500, "test").unwrap().unwrap();
        assert!((500..=510).contains(&members.symbols.len()));
        assert!(members.symbols.contains(&"BRK-B".parse().unwrap()));
    }

    #[test]
    fn a_share_class_with_a_dot_gets_a_hyphen_and_a_note() {
        let given: Vec<Symbol> = ["BRK.B", "VOD.L", "BRK-B"].iter().map(|s| s.parse().unwrap()).collect();
        let members = from_symbols(&given).unwrap();
        assert_eq!(members.symbols, ["BRK-B", "VOD.L"].map(|s| s.parse().unwrap()));
        assert_eq!(members.notes, ["BRK.B is read as BRK-B: FMP writes share classes with a hyphen"]);
    }

    #[test]
    fn a_symbol_given_twice_counts_once() {
        let twice: Vec<Symbol> = ["AAPL", "MSFT", "AAPL"].iter().map(|s| s.parse().unwrap()).collect();
        assert_eq!(from_symbols(&twice).unwrap().symbols.len(), 2);
        assert!(from_symbols(&[]).is_err());
    }
}
