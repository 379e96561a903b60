//! Decides what to fetch and what to skip, and why, by comparing the request with the fetch log.
//! Makes no calls.

mod batches;
pub mod bulk;
mod change_driven;
mod market_caps;
mod prices;
mod request;
mod rotation;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use findata_domain::{
    Result, Symbol,
    catalog::{self, Dataset, Freshness, Requests},
};
use findata_pipeline::{
    freshness::{Entry, FetchLog},
    plan::{Cadence, DatasetPlan, Task, Window},
    run::Options,
};

use batches::add_quotes;
pub use batches::{batches, batches_by_symbol, regroup_quotes};
use prices::{SESSION_CLOSED, missing_days, price_range};
pub use request::limits;

use crate::market::Market;

const FROM_QUOTE: &str = "a session has closed: its bar comes with the quote";
const UNKNOWN: &str = "FMP did not know the symbol within the last day";
const NOT_FETCHED: &str = "not fetched yet";
const EXPIRED: &str = "older than its time to live";
const MORE_HISTORY: &str = "more history requested";
const FULL: &str = "full refetch requested";
const NOT_IN_PLAN: &str = "not in the FMP plan (checked within the last day)";
const EMPTY: &str = "FMP had no data within the last day";
const FRESH: &str = "fresh";
const AHEAD: &str = "fetched while a clock was ahead";
const UNCONFIRMED: &str = "FMP's last answer was empty, which was not accepted";
const SILENT: &str = "no bar for two weeks: requested once a week";
/// How long the planner waits after an empty or refused answer before it requests the task again.
const EMPTY_TTL: Duration = Duration::days(1);

/// Tasks to fetch, with the reason of every decision.
#[derive(Debug, Default)]
pub struct Planned {
    /// Tasks that get one call each.
    pub tasks: Vec<Task>,
    /// Tasks answered by batch quotes: for each symbol its quote, then the bar that the quote
    /// supplies.
    pub quoted: Vec<Task>,
    /// Tasks of symbols that FMP reported as unknown within the last day. They are recorded as
    /// failed without a call.
    pub unknown: Vec<Task>,
    /// Numbers of calls and tasks by dataset, in the catalog's order.
    pub datasets: Vec<(String, DatasetPlan)>,
}

/// Checks the options of a run before any call is made.
///
/// # Errors
/// As for [`plan`].
pub fn check(options: &Options, now: DateTime<Utc>) -> Result<()> {
    request::datasets(options)?;
    price_range(options, now).map(|_| ())
}

/// Decides for every dataset and symbol whether to fetch it. `market` has the change feeds, which
/// are used only if calls are limited.
///
/// # Errors
/// `Reject` for a dataset that the catalog does not have, or a range of days that ends before it starts.
pub fn plan(
    symbols: &[Symbol],
    options: &Options,
    fetch_log: &FetchLog,
    market: &Market,
    now: DateTime<Utc>,
) -> Result<Planned> {
    let datasets = request::datasets(options)?;
    let options = &request::within_plan(options);
    let range = price_range(options, now)?;
    let mut planned = Planned::default();
    for dataset in datasets {
        let mut entry = DatasetPlan::default();
        let index = options.index.iter().filter(|i| dataset == catalog::PRICES && !symbols.contains(i));
        for symbol in index.chain(symbols) {
            for (task, decision) in decide(dataset, symbol, options, range, fetch_log, market, now) {
                let reasons = match decision {
                    Decision::Fetch(_) | Decision::FromQuote => &mut entry.due,
                    Decision::Skip(_) => &mut entry.skipped,
                    Decision::Omit(_) | Decision::StillUnknown => &mut entry.not_requested,
                };
                *reasons.entry(decision.reason().into()).or_default() += 1;
                match decision {
                    Decision::Fetch(_) => {
                        entry.calls += 1;
                        entry.bytes += dataset.row_bytes * estimated_rows(&task);
                        planned.tasks.push(task);
                    }
                    Decision::FromQuote => {
                        entry.bytes += dataset.row_bytes;
                        planned.quoted.push(task);
                    }
                    Decision::StillUnknown => planned.unknown.push(task),
                    Decision::Skip(_) | Decision::Omit(_) => {}
                }
            }
        }
        planned.datasets.push((dataset.name.into(), entry));
    }
    if options.plan_limits.minimize_calls && market.has_batch_quotes(now) {
        add_quotes(&mut planned, fetch_log, now);
    }
    Ok(planned)
}

/// What to do with a task. The texts are the reasons shown by `findata plan` and kept in the plan's
/// JSON.
#[derive(Debug, Clone, Copy)]
enum Decision {
    Fetch(&'static str),
    /// Take the bar from the symbol's quote.
    FromQuote,
    /// Fail without a call: FMP did not know the symbol within the last day.
    StillUnknown,
    /// Do not fetch: the known rows are fresh, or FMP is not expected to have more.
    Skip(&'static str),
    /// Leave the task out of this run.
    Omit(&'static str),
}

impl Decision {
    fn reason(self) -> &'static str {
        match self {
            Decision::Fetch(why) | Decision::Skip(why) | Decision::Omit(why) => why,
            Decision::FromQuote => FROM_QUOTE,
            Decision::StillUnknown => UNKNOWN,
        }
    }
}

fn decide(
    dataset: &'static Dataset,
    symbol: &Symbol,
    options: &Options,
    range: (Option<NaiveDate>, NaiveDate),
    fetch_log: &FetchLog,
    market: &Market,
    now: DateTime<Utc>,
) -> Vec<(Task, Decision)> {
    // A time to live set by the user takes precedence over the feeds.
    let ttl = options.ttl.of(dataset);
    let use_feeds = options.plan_limits.minimize_calls && !options.full && ttl.is_none();
    let by_age = |known, limit| decide_by_age(dataset, known, limit, ttl, options.full, now);
    let by_feed =
        |decision: Decision, task: &Task, cadence: Option<Cadence>, known: Option<&Entry>| match decision {
            Decision::Fetch(EXPIRED) if use_feeds => known
                .filter(|known| !known.refused && !known.unknown)
                .and_then(|known| change_driven::decide(dataset, task, cadence, known, market, now))
                .unwrap_or(decision),
            decision => decision,
        };
    let task = |window| {
        let task = Task::new(dataset, Some(symbol.clone()), window);
        Task { prior: fetch_log.prior(&task), ..task }
    };
    match dataset.requests {
        Requests::Market | Requests::Symbols => Vec::new(),
        Requests::Symbol => {
            let task = task(Window::All);
            let known = fetch_log.entry(dataset, &task.subject());
            let is_named = options.reconcile || !options.datasets.is_empty();
            let decision = match rotation::period_days(dataset) {
                Some(days) if !is_named => {
                    rotation::decide(symbol, known, rotation::quarters(fetch_log, symbol), days, now)
                }
                _ => by_feed(by_age(known, None), &task, None, known),
            };
            vec![(task, decision)]
        }
        Requests::Statement => [(Cadence::Annual, options.years), (Cadence::Quarter, options.quarters)]
            .into_iter()
            .filter(|(_, limit)| *limit > 0)
            .map(|(cadence, limit)| {
                let task = task(Window::Newest { cadence, limit });
                let known = fetch_log.entry(dataset, &task.subject());
                let decision = by_feed(by_age(known, Some(limit)), &task, Some(cadence), known);
                (task, decision)
            })
            .collect(),
        Requests::Days if dataset == catalog::MARKET_CAPS => {
            let known = fetch_log.entry(dataset, symbol.as_str());
            let (from, to, decision) = market_caps::decide(known, options, range, market, now);
            vec![(task(Window::Days { from, to }), decision)]
        }
        Requests::Days => {
            let known = fetch_log.entry(dataset, symbol.as_str());
            let missing = missing_days(known, range, options.full, now);
            let to = range.1;
            let task = |(from, to, decision)| (task(Window::Days { from, to }), decision);
            if use_feeds && matches!(missing[..], [(_, _, Decision::Fetch(SESSION_CLOSED))]) {
                if change_driven::is_silent(known, to, now) {
                    return vec![task((to, to, Decision::Skip(SILENT)))];
                }
                if let Some(from) = change_driven::bar_from_quote(symbol, fetch_log, to, market, now) {
                    return vec![task((from, to, Decision::FromQuote))];
                }
            }
            missing.into_iter().map(task).collect()
        }
    }
}

fn decide_by_age(
    dataset: &Dataset,
    known: Option<&Entry>,
    limit: Option<u32>,
    ttl: Option<Duration>,
    full: bool,
    now: DateTime<Utc>,
) -> Decision {
    let Some(known) = known else {
        return Decision::Fetch(NOT_FETCHED);
    };
    let default_ttl = match dataset.freshness {
        Freshness::For(time) | Freshness::Rotating { on_request: time, .. } if !known.empty => time,
        Freshness::For(_) | Freshness::Rotating { .. } | Freshness::UntilNextClose => EMPTY_TTL,
    };
    let age = now - known.fetched_at;
    if full {
        Decision::Fetch(FULL)
    } else if known.unknown && age < EMPTY_TTL {
        Decision::StillUnknown
    } else if known.refused && age < EMPTY_TTL {
        Decision::Skip(NOT_IN_PLAN)
    } else if !known.unconfirmed_in.is_empty() {
        Decision::Fetch(UNCONFIRMED)
    } else if known.is_undated() {
        Decision::Fetch(AHEAD)
    } else if limit > known.limit {
        Decision::Fetch(MORE_HISTORY)
    } else if age >= ttl.unwrap_or(default_ttl) {
        Decision::Fetch(EXPIRED)
    } else if known.empty {
        Decision::Skip(EMPTY)
    } else {
        Decision::Skip(FRESH)
    }
}

/// Estimates the number of rows that a task returns, for the plan's estimate of bytes.
fn estimated_rows(task: &Task) -> u64 {
    match task.window {
        Window::All => 1,
        Window::Newest { limit, .. } => limit.into(),
        Window::Days { from, to } => (((to - from).num_days() + 1).max(1) as u64 * 5).div_ceil(7),
    }
}

#[cfg(test)]
mod tests;
