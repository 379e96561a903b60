//! Resolves the symbols of a run.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use findata_domain::{
    Error, Result, Symbol,
    catalog::{self, Dataset},
    clock::Clock,
    rows::{self, Row},
};
use findata_fmp::Fmp;
use findata_pipeline::{
    landing::Landing,
    ledger::{self, BatchEntry, Outcome, TaskRecord},
    plan::{FetchMode, Task, Window},
    ports::stage::{self, Stage},
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

#[derive(Serialize, Deserialize)]
struct Constituents {
    fetched_at: DateTime<Utc>,
    symbols: Vec<Symbol>,
}

/// Resolves a request's universe. For the S&P 500: FMP's constituents, at most a day old, or the
/// bundled list if FMP does not return them.
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
    match stage::read_json::<Constituents>(stage, CONSTITUENTS_KEY).await? {
        Some(known) => {
            let note = format!("S&P 500 as fetched on {}", known.fetched_at.date_naive());
            Ok(Members {
                symbols: known.symbols,
                notes: vec![note],
                ..Members::default()
            })
        }
        None => bundled("not fetched yet"),
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
    let known = stage.get(CONSTITUENTS_KEY).await?;
    let now = clock.now();
    let dataset = catalog::SP500_CONSTITUENTS;
    let ttl = request.options.ttl.of(dataset).unwrap_or(Duration::days(1));
    if let Some(object) = &known
        && let Ok(list) = stage::from_json::<Constituents>(CONSTITUENTS_KEY, &object.body)
        && now - list.fetched_at < ttl
        && !request.options.full
    {
        return Ok(Members { symbols: list.symbols, ..Members::default() });
    }
    let task = Task { dataset, symbol: None, window: Window::All };
    let answer = fmp.fetch(&task).await;
    let fall_back = |why: &str| {
        bundled(why).map(|members| Members { calls: answer.calls.into(), bytes: answer.bytes, ..members })
    };
    let body = match &answer.body {
        Ok(Some(body)) => body,
        Ok(None) => return fall_back("FMP's answer is empty"),
        Err(error) if error.ends_run() => return Err(error.clone()),
        Err(error) => return fall_back(&error.to_string()),
    };
    let (rows, _) = rows::typed(dataset, None, rows::MAX_LIST, body)?;
    let symbols: Vec<Symbol> =
        rows.iter().filter(|r| r.reject.is_none()).filter_map(|r| r.symbol.parse().ok()).collect();
    if symbols.is_empty() {
        return fall_back("FMP's answer has no symbols");
    }
    land(request, stage, now, dataset, task, &rows, (answer.calls, answer.bytes)).await?;
    let body = stage::to_json(&Constituents { fetched_at: now, symbols: symbols.clone() })?;
    // If another run writes it at the same time, either list is current.
    match known {
        Some(object) => stage.put_if_match(CONSTITUENTS_KEY, body, &object.etag).await?,
        None => stage.put_if_absent(CONSTITUENTS_KEY, body).await?,
    };
    let landed = vec![BATCH.to_owned()];
    // The call is counted in the landed batch's ledger entry.
    Ok(Members { symbols, landed, ..Members::default() })
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
