//! Symbols that FMP has renamed.
//!
//! FMP's list of symbol changes is read once a day, because nothing else says that a symbol was renamed:
//! FMP answers a request for the old symbol with `[]`, as for a symbol that does not exist. The list
//! alone is not enough. Exchanges give a symbol to another company some time after a change, and FMP may
//! serve the old symbol for some days. So FMP is asked for the profiles of the old and the new symbol, and the answer
//! is kept.

mod identity;
mod list;

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use findata_domain::{
    Result, Symbol,
    catalog::{self, CATALOG},
    clock::{Clock, is_ahead, is_recent},
    nyse_calendar,
};
use findata_fmp::Fmp;
use findata_pipeline::{
    freshness::FetchLog,
    plan::{Renamed, Task, Window},
    ports::stage::{self, Stage},
    run::Options,
};
use identity::Identity;
use list::{Answered, Change, LIST_TTL, SymbolChanges, Use, changes};

use super::Members;
use crate::market;

/// Stage key of the list and of FMP's answers about old symbols.
const KEY: &str = "state/universe/symbol-changes.json";
/// How long FMP may serve an old symbol after the change. Later, the symbol counts as used again.
const OVERLAP: Duration = Duration::days(30);

/// Replaces the members that were renamed by their present symbols. Returns all securities that need
/// their stored rows moved, and removes obsolete entries from `fetch_log`.
///
/// # Errors
/// The stage's errors.
pub(crate) async fn apply(
    members: &mut Members,
    fetch_log: &mut FetchLog,
    options: &Options,
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
) -> Result<Vec<Renamed>> {
    if !is_wanted(options) {
        return Ok(Vec::new());
    }
    let latest = clock.latest();
    let mut known = read(stage, latest, &mut members.notes).await?;
    let mut is_changed = false;
    if !is_recent(known.fetched_at, LIST_TTL, latest) {
        let (rows, spent) = market::symbol_changes(fmp, stage, clock, &mut members.notes).await?;
        members.calls += spent.calls;
        members.bytes += spent.bytes;
        if let Some(rows) = rows {
            known.changes = changes(&rows);
            known.fetched_at = latest;
            is_changed = true;
        }
    }
    let today = nyse_calendar::new_york_date(clock.now());
    let mut renamed = Vec::new();
    for candidate in candidates(&members.symbols, fetch_log, &known, today) {
        let use_now = match candidate.use_known(&known, latest) {
            Some(use_now) => use_now,
            None => {
                let Some(use_now) = ask(&candidate, fmp, members, today).await else {
                    continue;
                };
                let answered = Answered { change: candidate.change.clone(), at: latest, use_now };
                known.answers.insert(candidate.change.1.clone(), answered);
                is_changed = true;
                use_now
            }
        };
        renamed.extend(candidate.resolve(use_now, members, fetch_log));
    }
    if is_changed {
        stage::change_rebuildable(stage, KEY, |kept: &mut SymbolChanges| kept.clone_from(&known)).await?;
    }
    Ok(renamed)
}

/// Replaces the members that are known to be renamed, without a call. Returns whether [`apply`] would
/// read the list.
///
/// # Errors
/// The stage's errors.
pub(crate) async fn apply_known(
    members: &mut Members,
    fetch_log: &mut FetchLog,
    options: &Options,
    stage: &impl Stage,
    clock: &impl Clock,
) -> Result<bool> {
    if !is_wanted(options) {
        return Ok(false);
    }
    let latest = clock.latest();
    let known = read(stage, latest, &mut members.notes).await?;
    let today = nyse_calendar::new_york_date(clock.now());
    for candidate in candidates(&members.symbols, fetch_log, &known, today) {
        if let Some(use_now) = candidate.use_known(&known, latest) {
            candidate.resolve(use_now, members, fetch_log);
        }
    }
    Ok(!is_recent(known.fetched_at, LIST_TTL, latest)
        && market::may_read_symbol_changes(stage, latest).await?)
}

/// Whether a run reads the list: not if it names the datasets to fetch, or if the FMP plan has no list.
fn is_wanted(options: &Options) -> bool {
    options.datasets.is_empty() && options.plan_limits.symbol_changes
}

async fn read(stage: &impl Stage, latest: DateTime<Utc>, notes: &mut Vec<String>) -> Result<SymbolChanges> {
    let stored: SymbolChanges = stage::read_rebuildable(stage, KEY, notes).await?.unwrap_or_default();
    Ok(if is_ahead(stored.fetched_at, latest) {
        SymbolChanges::default()
    } else {
        stored
    })
}

/// A symbol of the universe or of earlier runs that the list says was renamed.
#[derive(Debug)]
struct Candidate {
    change: Change,
    present: Symbol,
    /// Whether another change of the list gave the old symbol to another security.
    is_taken: bool,
    /// The day of the newest data of earlier runs.
    newest: Option<NaiveDate>,
}

fn candidates(
    members: &[Symbol],
    fetch_log: &FetchLog,
    known: &SymbolChanges,
    today: NaiveDate,
) -> Vec<Candidate> {
    let members: BTreeSet<&Symbol> = members.iter().collect();
    let olds: BTreeSet<&Symbol> = known.changes.iter().map(|change| &change.1).collect();
    let mut found: Vec<Candidate> = olds
        .into_iter()
        .filter_map(|old| {
            let newest = newest_data(fetch_log, old);
            let change = known.of(old, newest, today)?;
            let present = known.present(change, today);
            let is_taken = known.is_taken(change, today);
            let is_concerned = members.contains(old) || (newest.is_some() && members.contains(&present));
            let candidate = Candidate { change: change.clone(), present, is_taken, newest };
            is_concerned.then_some(candidate).filter(Candidate::is_open)
        })
        .collect();
    // A symbol may be left by one security and taken by another, which must happen in this order.
    found.sort_by(|a, b| a.change.cmp(&b.change));
    found
}

/// The day of the newest data of a symbol.
fn newest_data(fetch_log: &FetchLog, symbol: &Symbol) -> Option<NaiveDate> {
    let mut newest = None;
    for dataset in CATALOG {
        let Some(entry) = fetch_log.entry(dataset, symbol.as_str()) else {
            continue;
        };
        let has_data = !entry.empty && !entry.unknown && !entry.refused;
        if has_data && entry.unconfirmed_in.is_empty() {
            newest = newest.max(Some(nyse_calendar::new_york_date(entry.fetched_at)));
        } else if let Some(days) = entry.days {
            newest = newest.max(days.newest);
        }
    }
    newest
}

impl Candidate {
    /// Whether the change may concern the symbol's security: not if the symbol was taken by another
    /// security, or had data long after the change, unless the stored data is older than that.
    fn is_open(&self) -> bool {
        let on = self.change.0;
        match self.newest {
            Some(newest) if self.is_taken => newest < on,
            Some(newest) => newest <= on + OVERLAP,
            None => !self.is_taken,
        }
    }

    /// Who uses the symbol now, as far as it is known without a call.
    fn use_known(&self, known: &SymbolChanges, now: DateTime<Utc>) -> Option<Use> {
        if self.is_taken {
            Some(Use::Other)
        } else {
            known.answer(&self.change, now)
        }
    }

    /// Replaces the symbol in the universe, says so, and returns the move of its stored rows.
    fn resolve(self, use_now: Use, members: &mut Members, fetch_log: &mut FetchLog) -> Option<Renamed> {
        let Candidate { change: Change(on, old, _), present: new, newest, .. } = self;
        let position = members.symbols.iter().position(|symbol| *symbol == old);
        match use_now {
            Use::Same => return None,
            Use::Other if newest.is_none_or(|newest| newest >= on) => return None,
            Use::Other => members.notes.push(format!(
                "{old} became {new} on {on}, and another company uses {old} now: its history continues as {new}"
            )),
            Use::Nobody => {
                if let Some(position) = position {
                    if members.symbols.contains(&new) {
                        members.symbols.remove(position);
                    } else {
                        members.symbols[position] = new.clone();
                    }
                    members.notes.push(format!("{old} became {new} on {on} and is loaded as {new}: use the new symbol"));
                } else {
                    members.notes.push(format!("{old} became {new} on {on}: its history continues as {new}"));
                }
            }
        }
        newest?;
        fetch_log.forget(old.as_str());
        Some(Renamed { old, new, on })
    }
}

/// Asks FMP who uses the old symbol of a change now. Returns `None` if FMP's answers do not tell.
async fn ask(candidate: &Candidate, fmp: &Fmp, members: &mut Members, today: NaiveDate) -> Option<Use> {
    let mut identities = Vec::new();
    for symbol in [&candidate.change.1, &candidate.present] {
        let task = Task::new(catalog::PROFILE, Some(symbol.clone()), Window::All);
        let answer = fmp.fetch(&task).await;
        members.calls += u64::from(answer.calls);
        members.bytes += answer.bytes;
        match answer.body {
            Ok(Some(body)) => identities.push(Some(Identity::read(&body))),
            Ok(None) => identities.push(None),
            // If no other call can succeed, the run's tasks report it.
            Err(error) => {
                tracing::warn!(%symbol, %error, "cannot find out whether a symbol was renamed");
                return None;
            }
        }
    }
    let is_same = match identities.as_slice() {
        [None, Some(_)] => Some(true),
        // FMP has no data at all: an outage, or a delisted company.
        [None, None] => return None,
        [Some(old), Some(new)] => old.is_same(new),
        _ => None,
    };
    Some(match is_same {
        Some(true) => Use::Nobody,
        Some(false) => Use::Other,
        None if today - candidate.change.0 > OVERLAP => Use::Other,
        None => Use::Same,
    })
}
