//! Resolves the symbols of a run.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use findata_domain::{
    Error, Result, Symbol,
    catalog::{self, Dataset},
    clock::{Clock, is_ahead, is_recent},
    rows::{self, Row},
};
use findata_fmp::{Fmp, SourceKind};
use findata_pipeline::{
    landing::Landing,
    ledger::{self, BatchEntry, Outcome, TaskRecord},
    plan::{FetchMode, Task, Window},
    ports::stage::{self, Object, Stage},
    run::{Request, Universe},
};
use serde::{Deserialize, Serialize};

const BUNDLED: &str = include_str!("../data/sp500.txt");
/// Stage key of the constituents fetched last.
const CONSTITUENTS_KEY: &str = "state/universe/sp500.json";
/// Batch under which fanout lands the constituents it fetched.
const BATCH: &str = "universe";

/// A resolved universe.
#[derive(Debug, Default)]
pub struct Members {
    /// The symbols, each once, in the given order.
    pub symbols: Vec<Symbol>,
    /// Where they come from, if that is worth a note.
    pub notes: Vec<String>,
    /// Batches that fanout landed while resolving.
    pub landed: Vec<String>,
    /// Calls made.
    pub calls: u64,
    /// Bytes received.
    pub bytes: u64,
}

/// The members of an index as last accepted; stored at `state/universe/sp500.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Constituents {
    fetched_at: DateTime<Utc>,
    symbols: Vec<Symbol>,
    /// When FMP first sent a list that is much shorter, if it has not been confirmed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shrunk_at: Option<DateTime<Utc>>,
}

impl Constituents {
    fn read(body: &[u8]) -> Option<Constituents> {
        stage::from_json_or_none(body).filter(|list: &Constituents| !list.symbols.is_empty())
    }

    /// Whether a list of `members` symbols lacks more than a tenth of the known ones.
    fn shrinks_to(&self, members: usize) -> bool {
        members * 10 < self.symbols.len() * 9
    }
}

/// Resolves a request's universe. For the S&P 500: FMP's constituents, at most a day old. If FMP does
/// not return them, the last known list counts, and without one the bundled list. A list that lacks
/// more than a tenth of the known members counts once FMP has sent such a list on two days.
///
/// # Errors
/// `Reject` if it is empty; FMP's errors if no other call can succeed.
pub async fn resolve(
    request: &Request,
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
) -> Result<Members> {
    let Universe::Symbols(symbols) = &request.universe else {
        return sp500(request, fmp, stage, clock).await;
    };
    from_symbols(symbols)
}

/// Resolves the universe without a call, from what is stored.
///
/// # Errors
/// As for [`resolve`].
pub async fn last_known(request: &Request, stage: &impl Stage) -> Result<Members> {
    if let Universe::Symbols(symbols) = &request.universe {
        return from_symbols(symbols);
    }
    let stored = stage.get(CONSTITUENTS_KEY).await?;
    match stored.and_then(|object| Constituents::read(&object.body)) {
        Some(known) => Ok(as_fetched(known)),
        None => bundled("not fetched yet"),
    }
}

fn as_fetched(known: Constituents) -> Members {
    let note =
        format!("S&P 500 as fetched on {}: {} symbols", known.fetched_at.date_naive(), known.symbols.len());
    Members {
        symbols: known.symbols,
        notes: vec![note],
        ..Members::default()
    }
}

fn from_symbols(symbols: &[Symbol]) -> Result<Members> {
    let mut seen = BTreeSet::new();
    let symbols: Vec<_> = symbols.iter().filter(|s| seen.insert(*s)).cloned().collect();
    if symbols.is_empty() {
        return Err(Error::Reject("the universe has no symbols: name some with --symbols AAPL,MSFT".into()));
    }
    Ok(Members { symbols, ..Members::default() })
}

fn bundled(why: &str) -> Result<Members> {
    let lines = BUNDLED.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let symbols: Vec<Symbol> = lines.map(str::parse).collect::<Result<_>>()?;
    let note = format!("S&P 500 from the bundled list of {} symbols: {why}", symbols.len());
    Ok(Members { symbols, notes: vec![note], ..Members::default() })
}

async fn sp500(request: &Request, fmp: &Fmp, stage: &impl Stage, clock: &impl Clock) -> Result<Members> {
    let stored = stage.get(CONSTITUENTS_KEY).await?;
    let now = clock.now();
    let dataset = catalog::SP500_CONSTITUENTS;
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
    let fall_back = |why: &str| last_list(known.clone(), why).map(spent);
    let body = match &answer.body {
        Ok(Some(body)) => body,
        Ok(None) => return fall_back("FMP's answer is empty"),
        Err(error) if error.ends_run() => return Err(error.clone()),
        Err(error) => return fall_back(&error.to_string()),
    };
    let rows = match rows::typed(dataset, &task.asked(now.date_naive()), rows::MAX_LIST, body) {
        Ok((rows, _)) => rows,
        Err(error) => return fall_back(&error.to_string()),
    };
    let (symbols, notes) = members(&rows);
    if symbols.is_empty() {
        return fall_back("FMP's answer has no symbols");
    }
    // A test server has any number of symbols, so only FMP's first list is compared with the
    // bundled one.
    let is_fmp = SourceKind::of(fmp.url()) == SourceKind::Fmp;
    let reference = match &known {
        None if is_fmp => Some(Constituents {
            fetched_at: now,
            symbols: bundled("")?.symbols,
            shrunk_at: None,
        }),
        known => known.clone(),
    };
    if let Some(kept) = reference.filter(|known| known.shrinks_to(symbols.len()) && !is_confirmed(known, now))
    {
        return keep_until_confirmed(kept, symbols.len(), notes, stored, stage, now).await.map(spent);
    }
    land(request, stage, now, dataset, task, &rows, (answer.calls, answer.bytes)).await?;
    let list = Constituents { fetched_at: now, symbols: symbols.clone(), shrunk_at: None };
    store(&list, stored, stage).await?;
    let landed = vec![BATCH.to_owned()];
    // The call is counted in the landed batch's ledger entry.
    Ok(Members { symbols, notes, landed, ..Members::default() })
}

/// The members in an answer's rows, each once, and notes about rows that name none.
fn members(rows: &[Row<'_>]) -> (Vec<Symbol>, Vec<String>) {
    let mut seen = BTreeSet::new();
    let mut malformed = 0;
    let mut symbols = Vec::new();
    for row in rows {
        match row.symbol.parse::<Symbol>() {
            // A repeated row is rejected too.
            Ok(symbol) if seen.contains(&symbol) => {}
            Ok(symbol) if row.reject.is_none() => {
                seen.insert(symbol.clone());
                symbols.push(symbol);
            }
            _ => malformed += 1,
        }
    }
    let note = (malformed > 0)
        .then(|| format!("S&P 500: {malformed} of {} members are malformed and left out", rows.len()));
    (symbols, note.into_iter().collect())
}

/// The last known list, or the bundled one.
fn last_list(known: Option<Constituents>, why: &str) -> Result<Members> {
    let Some(known) = known else {
        return bundled(why);
    };
    let mut members = as_fetched(known);
    members
        .notes
        .iter_mut()
        .for_each(|note| *note = format!("{note}, the last known list: {why}"));
    Ok(members)
}

/// Whether a short list was already seen on an earlier day.
fn is_confirmed(known: &Constituents, now: DateTime<Utc>) -> bool {
    known.shrunk_at.is_some_and(|first| first.date_naive() < now.date_naive())
}

/// Keeps the known list, and remembers that FMP has sent a list of `members` symbols.
async fn keep_until_confirmed(
    mut known: Constituents,
    members: usize,
    mut notes: Vec<String>,
    stored: Option<Object>,
    stage: &impl Stage,
    now: DateTime<Utc>,
) -> Result<Members> {
    known.shrunk_at = known.shrunk_at.filter(|first| !is_ahead(*first, now)).or(Some(now));
    store(&known, stored, stage).await?;
    notes.push(format!(
        "S&P 500: FMP's list has only {members} symbols; the {} known ones are kept until it is as short on another day",
        known.symbols.len()
    ));
    Ok(Members { symbols: known.symbols, notes, ..Members::default() })
}

/// Stores a list. If another run stores one at the same time, either is current.
async fn store(list: &Constituents, replaced: Option<Object>, stage: &impl Stage) -> Result<()> {
    let body = stage::to_json(list)?;
    match replaced {
        Some(object) => stage.put_if_match(CONSTITUENTS_KEY, body, &object.etag).await?,
        None => stage.put_if_absent(CONSTITUENTS_KEY, body).await?,
    };
    Ok(())
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
        let members = bundled("test").unwrap();
        assert!((500..=510).contains(&members.symbols.len()));
        assert!(members.symbols.contains(&"BRK-B".parse().unwrap()));
    }

    #[test]
    fn a_symbol_given_twice_counts_once() {
        let twice: Vec<Symbol> = ["AAPL", "MSFT", "AAPL"].iter().map(|s| s.parse().unwrap()).collect();
        assert_eq!(from_symbols(&twice).unwrap().symbols.len(), 2);
        assert!(from_symbols(&[]).is_err());
    }
}
