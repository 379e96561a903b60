//! Whose figures a run is about.

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
const KNOWN: &str = "state/universe/sp500.json";
/// Batch under which fanout lands the constituents it had to fetch.
const BATCH: &str = "universe";

/// A resolved universe.
#[derive(Debug, Default)]
pub struct Members {
    /// Its symbols, each once, in the order given.
    pub symbols: Vec<Symbol>,
    /// Where they come from, where that needs saying.
    pub notes: Vec<String>,
    /// Batches that were landed on the way.
    pub landed: Vec<String>,
    /// Calls it took.
    pub calls: u64,
    /// Bytes it brought.
    pub bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Known {
    fetched_at: DateTime<Utc>,
    symbols: Vec<Symbol>,
}

/// The universe of a request; for the S&P 500 FMP's constituents at most a day old, or the bundled list where the
/// key's plan refuses them.
///
/// # Errors
/// `Reject` when it is empty; FMP's when no other call would work either.
pub async fn resolve(request: &Request, fmp: &Fmp, stage: &impl Stage, clock: &impl Clock) -> Result<Members> {
    let Universe::Symbols(symbols) = &request.universe else {
        return sp500(request, fmp, stage, clock).await;
    };
    given(symbols)
}

/// The universe as far as it is known without a call.
///
/// # Errors
/// As for [`resolve`].
pub async fn last_known(request: &Request, stage: &impl Stage) -> Result<Members> {
    if let Universe::Symbols(symbols) = &request.universe {
        return given(symbols);
    }
    match stage::read_json::<Known>(stage, KNOWN).await? {
        Some(known) => {
            let note = format!("S&P 500 as fetched on {}", known.fetched_at.date_naive());
            Ok(Members { symbols: known.symbols, notes: vec![note], ..Members::default() })
        }
        None => bundled("not fetched yet"),
    }
}

fn given(symbols: &[Symbol]) -> Result<Members> {
    let mut seen = BTreeSet::new();
    let symbols: Vec<_> = symbols.iter().filter(|s| seen.insert(*s)).cloned().collect();
    if symbols.is_empty() {
        return Err(Error::Reject("the universe has no symbol: name some with --symbols AAPL,MSFT".into()));
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
    let known = stage.get(KNOWN).await?;
    let now = clock.now();
    let dataset = catalog::SP500_CONSTITUENTS;
    let lifetime = request.options.ttl.of(dataset).unwrap_or(Duration::days(1));
    if let Some(object) = &known
        && let Ok(list) = stage::from_json::<Known>(KNOWN, &object.body)
        && now - list.fetched_at < lifetime
        && !request.options.full
    {
        return Ok(Members { symbols: list.symbols, ..Members::default() });
    }
    let task = Task { dataset, symbol: None, window: Window::All };
    let answer = fmp.fetch(&task).await;
    let instead =
        |why: &str| bundled(why).map(|members| Members { calls: answer.calls.into(), bytes: answer.bytes, ..members });
    let body = match &answer.body {
        Ok(Some(body)) => body,
        Ok(None) => return instead("FMP's answer is empty"),
        Err(error) if error.ends_run() => return Err(error.clone()),
        Err(error) => return instead(&error.to_string()),
    };
    let (rows, _) = rows::typed(dataset, None, body)?;
    let symbols: Vec<Symbol> =
        rows.iter().filter(|r| r.reject.is_none()).filter_map(|r| r.symbol.parse().ok()).collect();
    if symbols.is_empty() {
        return instead("FMP's answer names no symbol");
    }
    land(request, stage, now, dataset, task, &rows, (answer.calls, answer.bytes)).await?;
    let body = stage::to_json(&Known { fetched_at: now, symbols: symbols.clone() })?;
    // Another run may write it at the same time; either list is of today.
    match known {
        Some(object) => stage.put_if_match(KNOWN, body, &object.etag).await?,
        None => stage.put_if_absent(KNOWN, body).await?,
    };
    let landed = vec![BATCH.to_owned()];
    // The landed batch's ledger entry counts the call.
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
    entry.tasks.push(TaskRecord { task, outcome, calls, bytes, fetched_at: now, fetch_mode: FetchMode::PerSymbol });
    entry.files.push(file);
    stage::write_json_once(stage, &ledger::batch_key(&request.run_id, BATCH), &entry).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_list_is_the_sp500_in_fmps_spelling() {
        let members = bundled("test").unwrap();
        assert!((500..=510).contains(&members.symbols.len()));
        assert!(members.symbols.contains(&"BRK-B".parse().unwrap()));
    }

    #[test]
    fn a_symbol_given_twice_counts_once() {
        let twice: Vec<Symbol> = ["AAPL", "MSFT", "AAPL"].iter().map(|s| s.parse().unwrap()).collect();
        assert_eq!(given(&twice).unwrap().symbols.len(), 2);
        assert!(given(&[]).is_err());
    }
}
