//! Fetch or skip, and why: a pure comparison of what is wanted with the freshness fetch_log.

mod batches;
pub mod bulk;
mod change_driven;
mod prices;
mod rotation;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use findata_domain::{
    Error, Result, Symbol,
    catalog::{self, CATALOG, Dataset, Freshness, Requests},
};
use findata_pipeline::{
    freshness::{Entry, FetchLog},
    plan::{Cadence, DatasetPlan, Task, Window},
    run::Options,
};

use batches::quotes;
pub use batches::{batches, each, quotes_together};
use prices::{CLOSED, days, price_range};

use crate::market::Market;

const COMES_WITH_A_QUOTE: &str = "a session closed since: its bar comes with a quote";
const UNKNOWN: &str = "a symbol that FMP did not know within the last day";
/// Empty answers are remembered for a day.
const EMPTY: Duration = Duration::days(1);

/// Tasks to fetch, and the account of every decision.
#[derive(Debug, Default)]
pub struct Planned {
    /// What to fetch, each by a call of its own.
    pub tasks: Vec<Task>,
    /// What comes with quotes: for each symbol its quote, then its newest bar.
    pub quoted: Vec<Task>,
    /// What FMP said within the last day that it does not know: still wrong, and not asked again.
    pub unknown: Vec<Task>,
    /// By dataset, in the catalog's order.
    pub datasets: Vec<(String, DatasetPlan)>,
}

/// Decides for every dataset and symbol; `market` is what the change feeds told, which counts where calls are limited.
///
/// # Errors
/// `Reject` for a dataset that the catalog does not have, or days that end before they begin.
pub fn plan(
    symbols: &[Symbol],
    options: &Options,
    fetch_log: &FetchLog,
    market: &Market,
    now: DateTime<Utc>,
) -> Result<Planned> {
    let wanted = wanted(options)?;
    let options = &within_plan(options);
    let range = price_range(options, now)?;
    let mut planned = Planned::default();
    for dataset in wanted {
        let mut account = DatasetPlan::default();
        let index = options.index.iter().filter(|i| dataset.requests == Requests::Days && !symbols.contains(i));
        for symbol in index.chain(symbols) {
            for (task, reason) in due(dataset, symbol, options, range, fetch_log, market, now) {
                match reason {
                    Decision::Fetch(why) => {
                        account.calls += 1;
                        account.bytes += dataset.row_bytes * rows(&task);
                        *account.due.entry(why.into()).or_default() += 1;
                        planned.tasks.push(task);
                    }
                    Decision::Quote => {
                        account.bytes += dataset.row_bytes;
                        *account.due.entry(COMES_WITH_A_QUOTE.into()).or_default() += 1;
                        planned.quoted.push(task);
                    }
                    Decision::Remember => {
                        *account.unasked.entry(UNKNOWN.into()).or_default() += 1;
                        planned.unknown.push(task);
                    }
                    Decision::Skip(why) => *account.skipped.entry(why.into()).or_default() += 1,
                    Decision::Leave(why) => *account.unasked.entry(why.into()).or_default() += 1,
                }
            }
        }
        planned.datasets.push((dataset.name.into(), account));
    }
    if options.plan_limits.minimize_calls && market.has_quotes(now) {
        quotes(&mut planned, fetch_log, now);
    }
    Ok(planned)
}

/// The statements that the key's plan gives: more than its limit, or quarters where it has none, would be refused call
/// by call.
fn within_plan(options: &Options) -> Options {
    let mut options = options.clone();
    if let Some(most) = options.plan_limits.most_statements {
        options.years = options.years.min(most);
        options.quarters = options.quarters.min(most);
    }
    if !options.plan_limits.quarterly {
        options.quarters = 0;
    }
    options
}

enum Decision {
    Fetch(&'static str),
    /// It comes with a quote.
    Quote,
    /// FMP does not know it, as it said a while ago.
    Remember,
    /// What is there is fresh.
    Skip(&'static str),
    /// This run does not ask.
    Leave(&'static str),
}

fn wanted(options: &Options) -> Result<Vec<&'static Dataset>> {
    if options.datasets.is_empty() {
        // Constituents are the universe's affair, shares-float follows a profile without market cap, quotes tell bars.
        let by_itself = |d: &&Dataset| !matches!(d.requests, Requests::Market | Requests::Symbols) && !d.follow_up;
        return Ok(CATALOG.iter().filter(by_itself).collect());
    }
    let names: Vec<_> = CATALOG.iter().map(|d| d.name).collect();
    let unknown = |name: &str| Error::Reject(format!("no dataset {name:?}: there are {}", names.join(", ")));
    let mut found = Vec::new();
    for name in &options.datasets {
        let dataset = catalog::dataset(name).ok_or_else(|| unknown(name))?;
        if matches!(dataset.requests, Requests::Market | Requests::Symbols) {
            let with = if dataset.requests == Requests::Market {
                "--universe sp500"
            } else {
                "prices where calls are limited"
            };
            let error = format!("{name} cannot be asked for alone: it comes with {with}");
            return Err(Error::Reject(error));
        }
        if !found.contains(&dataset) {
            found.push(dataset);
        }
    }
    for dataset in CATALOG.iter().filter(|d| options.reconcile && rotation::days(d).is_some()) {
        if !found.contains(&dataset) {
            found.push(dataset);
        }
    }
    if found.iter().all(|d| d.requests == Requests::Statement) && options.years == 0 && options.quarters == 0 {
        return Err(Error::Reject("nothing to ask for: --years and --quarters are both 0".into()));
    }
    Ok(found)
}

fn due(
    dataset: &'static Dataset,
    symbol: &Symbol,
    options: &Options,
    range: (Option<NaiveDate>, NaiveDate),
    fetch_log: &FetchLog,
    market: &Market,
    now: DateTime<Utc>,
) -> Vec<(Task, Decision)> {
    // Who says how long an answer is fresh wants it that new, whatever the feeds tell.
    let lifetime = options.ttl.of(dataset);
    let sparing = options.plan_limits.minimize_calls && !options.full && lifetime.is_none();
    let by_news = |decision: Decision, task: &Task, cadence: Option<Cadence>, known: Option<&Entry>| match decision {
        Decision::Fetch(OLD) if sparing => known
            .filter(|known| !known.refused && !known.unknown)
            .and_then(|known| change_driven::decide(dataset, task, cadence, known, market, now))
            .unwrap_or(decision),
        decision => decision,
    };
    let task = |window| Task { dataset, symbol: Some(symbol.clone()), window };
    match dataset.requests {
        Requests::Market | Requests::Symbols => Vec::new(),
        Requests::Symbol => {
            let task = task(Window::All);
            let known = fetch_log.entry(dataset, &task.subject());
            let asked = options.reconcile || !options.datasets.is_empty();
            let decision = match rotation::days(dataset) {
                Some(days) if !asked => {
                    rotation::decide(symbol, known, rotation::quarters(fetch_log, symbol), days, now)
                }
                _ => by_news(by_age(dataset, known, None, lifetime, options.full, now), &task, None, known),
            };
            vec![(task, decision)]
        }
        Requests::Statement => [(Cadence::Annual, options.years), (Cadence::Quarter, options.quarters)]
            .into_iter()
            .filter(|(_, limit)| *limit > 0)
            .map(|(cadence, limit)| {
                let task = task(Window::Newest { cadence, limit });
                let known = fetch_log.entry(dataset, &task.subject());
                let decision = by_age(dataset, known, Some(limit), lifetime, options.full, now);
                let decision = by_news(decision, &task, Some(cadence), known);
                (task, decision)
            })
            .collect(),
        Requests::Days => {
            let known = fetch_log.entry(dataset, symbol.as_str());
            let parts = days(known, range, options.full, now);
            let to = range.1;
            let one = matches!(parts[..], [(_, _, Decision::Fetch(CLOSED))]);
            if sparing && one && change_driven::is_silent(known, to, now) {
                return vec![(
                    task(Window::Days { from: to, to }),
                    Decision::Skip("no bar for two weeks: asked weekly"),
                )];
            }
            let quoted =
                change_driven::comes_with_a_quote(symbol, fetch_log, to, market, now).filter(|_| sparing && one);
            match quoted {
                Some(from) => vec![(task(Window::Days { from, to }), Decision::Quote)],
                None => {
                    parts.into_iter().map(|(from, to, decision)| (task(Window::Days { from, to }), decision)).collect()
                }
            }
        }
    }
}

const OLD: &str = "older than its time to live";

fn by_age(
    dataset: &Dataset,
    known: Option<&Entry>,
    limit: Option<u32>,
    asked_lifetime: Option<Duration>,
    full: bool,
    now: DateTime<Utc>,
) -> Decision {
    let Some(known) = known else { return Decision::Fetch("not fetched yet") };
    let lifetime = match dataset.freshness {
        Freshness::For(time) | Freshness::Rotating { on_request: time, .. } if !known.empty => time,
        Freshness::For(_) | Freshness::Rotating { .. } | Freshness::UntilNextClose => EMPTY,
    };
    let lifetime = asked_lifetime.unwrap_or(lifetime);
    if full {
        Decision::Fetch("asked for in full")
    } else if known.unknown && now - known.fetched_at < EMPTY {
        Decision::Remember
    } else if known.refused && now - known.fetched_at < EMPTY {
        Decision::Skip("not in the FMP plan within the last day")
    } else if limit > known.limit {
        Decision::Fetch("more history asked for")
    } else if now - known.fetched_at >= lifetime {
        Decision::Fetch(OLD)
    } else if known.empty {
        Decision::Skip("empty within the last day")
    } else {
        Decision::Skip("fresh")
    }
}

/// Rows that a task will bring, for the estimate.
fn rows(task: &Task) -> u64 {
    match task.window {
        Window::All => 1,
        Window::Newest { limit, .. } => limit.into(),
        Window::Days { from, to } => (((to - from).num_days() + 1).max(1) as u64 * 5).div_ceil(7),
    }
}

#[cfg(test)]
mod tests;
