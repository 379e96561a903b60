//! Symbols that FMP has renamed.
//!
//! FMP's list of symbol changes is read once a day, because nothing else says that a symbol was renamed:
//! FMP answers a request for the old symbol with `[]`, as for a symbol that does not exist. The list
//! alone is not enough. Exchanges give a symbol to another company some time after a change, and FMP may
//! serve the old symbol for some days. So FMP is asked for the profiles of the old and the new symbol, and the answer
//! is kept.

use std::collections::{BTreeMap, BTreeSet};

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
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Members;
use crate::market;

/// Stage key of the list and of FMP's answers about old symbols.
const KEY: &str = "state/universe/symbol-changes.json";
/// How long the list counts as fresh, and FMP's answers about old symbols that may change.
const LIST_TTL: Duration = Duration::days(1);
/// How long FMP may serve an old symbol after the change. Later, the symbol counts as used again.
const OVERLAP: Duration = Duration::days(30);

/// The list of symbol changes, stored at `state/universe/symbol-changes.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct SymbolChanges {
    fetched_at: DateTime<Utc>,
    /// The changes, oldest first.
    changes: Vec<Change>,
    /// FMP's answers about old symbols.
    #[serde(default)]
    answers: BTreeMap<Symbol, Answered>,
}

/// A symbol change: day, old and new symbol.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Change(NaiveDate, Symbol, Symbol);

/// FMP's answer about the old symbol of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Answered {
    change: Change,
    at: DateTime<Utc>,
    use_now: Use,
}

/// Who uses an old symbol now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Use {
    /// Nobody: FMP does not know it, or answers with the renamed security.
    Nobody,
    /// Still the same security, as far as FMP's answers tell.
    Same,
    /// Another security.
    Other,
}

impl SymbolChanges {
    /// The change of a symbol that an earlier run may have missed: the first one on or after `since`, the
    /// day of its newest data. A symbol without data has its latest change.
    fn of(&self, old: &Symbol, since: Option<NaiveDate>, today: NaiveDate) -> Option<&Change> {
        let mut changes = self.changes.iter().filter(|change| change.1 == *old && change.0 <= today);
        match since {
            Some(since) => {
                let latest = changes.clone().next_back();
                changes.find(|change| change.0 >= since).or(latest)
            }
            None => changes.next_back(),
        }
    }

    /// The present symbol of a security after a change, which may be followed by others.
    fn present(&self, change: &Change, today: NaiveDate) -> Symbol {
        let (mut day, mut symbol) = (change.0, &change.2);
        let mut passed = BTreeSet::from([&change.1]);
        while passed.insert(symbol) {
            let next = |next: &&Change| next.1 == *symbol && next.0 >= day && next.0 <= today;
            let Some(next) = self.changes.iter().find(next) else { break };
            (day, symbol) = (next.0, &next.2);
        }
        symbol.clone()
    }

    /// Whether another security got the old symbol of a change, by a change of its own.
    fn is_taken(&self, change: &Change, today: NaiveDate) -> bool {
        let took = |other: &&Change| other.2 == change.1 && other.0 >= change.0 && other.0 <= today;
        self.changes.iter().any(|other| took(&other) && other.1 != change.1)
    }

    fn answer(&self, change: &Change, now: DateTime<Utc>) -> Option<Use> {
        let known = self.answers.get(&change.1).filter(|known| known.change == *change)?;
        let limit = match known.use_now {
            Use::Other => Duration::MAX,
            Use::Nobody | Use::Same => LIST_TTL,
        };
        is_recent(known.at, limit, now).then_some(known.use_now)
    }
}

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
        let (rows, spent) = market::symbol_changes(fmp, stage, clock).await?;
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

/// The changes in FMP's answer, oldest first. Rows without a day and two different symbols are ignored.
fn changes(rows: &[Value]) -> Vec<Change> {
    let symbol = |row: &Value, field: &str| row.get(field)?.as_str()?.parse::<Symbol>().ok();
    let read = |row: &Value| {
        let day = row.get("date")?.as_str()?.get(..10)?.parse().ok()?;
        Some(Change(day, symbol(row, "oldSymbol")?, symbol(row, "newSymbol")?))
    };
    let mut changes: Vec<Change> =
        rows.iter().filter_map(read).filter(|change| change.1 != change.2).collect();
    changes.sort();
    changes.dedup();
    changes
}

/// A symbol of the universe or of earlier runs that the list says was renamed.
#[derive(Debug)]
struct Candidate {
    change: Change,
    present: Symbol,
    /// Whether another security got the symbol by a change of its own.
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

/// What identifies the security of a profile.
#[derive(Debug, Default)]
struct Identity {
    cik: Option<String>,
    isin: Option<String>,
}

impl Identity {
    fn read(body: &[u8]) -> Identity {
        let rows: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |field: &str| {
            let text = rows.get(0)?.get(field)?.as_str()?.trim().trim_start_matches('0');
            (!text.is_empty() && !text.eq_ignore_ascii_case("null")).then(|| text.to_owned())
        };
        Identity { cik: text("cik"), isin: text("isin") }
    }

    /// Whether two profiles are of one security; `None` if they do not tell. Two share classes have one CIK,
    /// so an equal CIK proves nothing.
    fn is_same(&self, other: &Identity) -> Option<bool> {
        let same = |a: &Option<String>, b: &Option<String>| Some(a.as_ref()? == b.as_ref()?);
        if same(&self.cik, &other.cik) == Some(false) {
            Some(false)
        } else {
            same(&self.isin, &other.isin)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(cik: &str, isin: &str) -> Identity {
        Identity::read(format!(r#"[{{"cik": "{cik}", "isin": "{isin}"}}]"#).as_bytes())
    }

    #[test]
    fn a_security_is_identified_by_cik_and_isin() {
        let apple = identity("0000320193", "US0378331005");
        assert_eq!(apple.is_same(&identity("320193", "US0378331005")), Some(true));
        assert_eq!(apple.is_same(&identity("320193", "US0000000001")), Some(false), "another share class");
        assert_eq!(apple.is_same(&identity("1", "US0378331005")), Some(false));
        assert_eq!(apple.is_same(&identity("320193", "")), None);
        assert_eq!(identity("null", "").is_same(&apple), None);
        assert_eq!(Identity::read(b"<html>").is_same(&apple), None);
    }

    #[test]
    fn the_list_may_have_malformed_rows() {
        let rows: Vec<Value> = serde_json::from_str(
            r#"[{"date": "2022-06-09", "oldSymbol": "FB", "newSymbol": "META"}, {"date": null, "oldSymbol": "A", "newSymbol": "B"},
                {"date": "2022-01-31", "oldSymbol": "META", "newSymbol": "METV"}, {"date": "2022-01-31", "oldSymbol": "A", "newSymbol": "A"},
                {"date": "2022-01-31", "oldSymbol": "A'; drop", "newSymbol": "B"}, {"oldSymbol": 7}, 3]"#,
        )
        .unwrap();
        let changes = changes(&rows);
        let symbol = |text: &str| text.parse::<Symbol>().unwrap();
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(changes.len(), 2);
        let known = SymbolChanges { changes, ..SymbolChanges::default() };
        let today = day("2026-11-20");
        // FB became META. It did not become METV, which META became before.
        let fb = known.of(&symbol("FB"), None, today).unwrap();
        assert_eq!(known.present(fb, today), symbol("META"));
        let meta = known.of(&symbol("META"), None, today).unwrap();
        assert!(known.is_taken(meta, today) && !known.is_taken(fb, today));
        assert!(known.of(&symbol("FB"), None, day("2022-06-08")).is_none(), "not before its day");
    }
}
