//! Fetch or skip, and why: a pure comparison of what is wanted with the freshness book.

pub mod bulk;
mod sparing;
mod turns;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::market::Market;
use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use findata_shared::{
    Error, Result, Symbol, calendar,
    catalog::{self, CATALOG, Dataset, Freshness, Requests},
    freshness::{Book, Entry},
    plan::{Batch, Cadence, DatasetPlan, Task, Way, Window},
    run::Options,
};

/// Symbols of one batch: some 500 calls, 40 seconds at 750 a minute, well inside a function's time.
const SYMBOLS_PER_BATCH: usize = 50;
/// Prices of a symbol not seen before, in days.
const FIRST_HISTORY: Days = Days::new(5 * 365 + 2);
/// Days asked again at the end of a known series: FMP corrects its newest bars.
const OVERLAP: Days = Days::new(4);
/// Days of one price call: 15 years are under 3,800 bars, and FMP cuts at 5,000.
const WINDOW: Days = Days::new(15 * 365);
/// FMP may need this long after a close until a bar is there.
const SETTLING: Duration = Duration::hours(6);
/// How long a late bar is waited for between two tries.
const LATE_BAR: Duration = Duration::minutes(15);
const COMES_WITH_A_QUOTE: &str = "a session closed since: its bar comes with a quote";
/// Empty answers are remembered for a day.
const EMPTY: Duration = Duration::days(1);

/// Symbols of one batch of quotes, which is one call: FMP was seen to answer for 120.
const SYMBOLS_PER_QUOTES: usize = 100;

/// Tasks to fetch, and the account of every decision.
#[derive(Debug, Default)]
pub struct Planned {
    /// What to fetch, each by a call of its own.
    pub tasks: Vec<Task>,
    /// What comes with quotes: for each symbol its quote, then its newest bar.
    pub quoted: Vec<Task>,
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
    book: &Book,
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
            for (task, reason) in due(dataset, symbol, options, range, book, market, now) {
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
                    Decision::Skip(why) => *account.skipped.entry(why.into()).or_default() += 1,
                    Decision::Leave(why) => *account.unasked.entry(why.into()).or_default() += 1,
                }
            }
        }
        planned.datasets.push((dataset.name.into(), account));
    }
    if options.reach.sparing && market.has_quotes(now) {
        quotes(&mut planned, book, now);
    }
    Ok(planned)
}

/// Adds the quotes that tell price and market cap of every known symbol to which a new bar comes, whichever way.
fn quotes(planned: &mut Planned, book: &Book, now: DateTime<Utc>) {
    let Some(dataset) = catalog::dataset("quotes") else { return };
    let bars = std::mem::take(&mut planned.quoted);
    let by_quote: BTreeSet<Symbol> = bars.iter().filter_map(|task| task.symbol.clone()).collect();
    let by_itself = |name: &str| -> BTreeSet<&Symbol> {
        let tasks = planned.tasks.iter().filter(|task| task.dataset.name == name);
        tasks.filter_map(|task| task.symbol.as_ref()).collect()
    };
    // A profile of today tells the same.
    let mut asked: BTreeSet<Symbol> =
        by_itself("prices").difference(&by_itself("profile")).map(|symbol| (*symbol).clone()).collect();
    asked.retain(|symbol| !sparing::quotes_refused(symbol, book, now));
    asked.extend(by_quote);
    if asked.is_empty() {
        return;
    }
    let number = asked.len() as u64;
    let due = BTreeMap::from([("tells price and market cap".to_owned(), number)]);
    let (calls, bytes) = (number.div_ceil(SYMBOLS_PER_QUOTES as u64), dataset.row_bytes * number);
    planned.datasets.push((dataset.name.into(), DatasetPlan { calls, bytes, due, ..DatasetPlan::default() }));
    let mut bars = bars.into_iter().map(|task| (task.symbol.clone(), task)).collect::<HashMap<_, _>>();
    for symbol in asked {
        let symbol = Some(symbol);
        let bar = bars.remove(&symbol);
        planned.quoted.push(Task { dataset, symbol, window: Window::All });
        planned.quoted.extend(bar);
    }
}

/// The batches of a plan.
pub fn batches(symbols: &[Symbol], planned: Planned) -> Vec<Batch> {
    // A quote, then its bar where it tells one: so many symbols make a batch.
    let mut quotes: Vec<Vec<Task>> = Vec::new();
    let mut room = 0;
    for task in planned.quoted {
        let is_quote = task.dataset.requests == Requests::Symbols;
        if is_quote && room == 0 {
            quotes.push(Vec::new());
            room = SYMBOLS_PER_QUOTES;
        }
        room -= usize::from(is_quote);
        if let Some(batch) = quotes.last_mut() {
            batch.push(task);
        }
    }
    let quotes = quotes.into_iter().enumerate();
    let quotes = quotes.map(|(i, tasks)| Batch { id: format!("q{:05}", i + 1), way: Way::Quotes, tasks });
    each(symbols, planned.tasks).into_iter().chain(quotes).collect()
}

/// Packs tasks so that one symbol's travel together.
pub fn each(symbols: &[Symbol], tasks: Vec<Task>) -> Vec<Batch> {
    let place: HashMap<&Symbol, usize> = symbols.iter().enumerate().map(|(i, s)| (s, i / SYMBOLS_PER_BATCH)).collect();
    let mut packed: BTreeMap<usize, Vec<Task>> = BTreeMap::new();
    for task in tasks {
        let batch = task.symbol.as_ref().and_then(|s| place.get(s)).copied().unwrap_or_default();
        packed.entry(batch).or_default().push(task);
    }
    packed.into_iter().map(|(i, tasks)| Batch { id: format!("b{:05}", i + 1), way: Way::Each, tasks }).collect()
}

/// The statements that the key's plan gives: more than its limit, or quarters where it has none, would be refused call
/// by call.
fn within_plan(options: &Options) -> Options {
    let mut options = options.clone();
    if let Some(most) = options.reach.most_statements {
        options.years = options.years.min(most);
        options.quarters = options.quarters.min(most);
    }
    if !options.reach.quarterly {
        options.quarters = 0;
    }
    options
}

enum Decision {
    Fetch(&'static str),
    /// It comes with a quote.
    Quote,
    /// What is there is fresh.
    Skip(&'static str),
    /// This run does not ask.
    Leave(&'static str),
}

fn wanted(options: &Options) -> Result<Vec<&'static Dataset>> {
    if options.datasets.is_empty() {
        // Constituents are the universe's affair, shares-float follows a profile without market cap, quotes tell bars.
        let by_itself =
            |d: &&Dataset| !matches!(d.requests, Requests::Market | Requests::Symbols) && d.name != "shares_float";
        return Ok(CATALOG.iter().filter(by_itself).collect());
    }
    let names: Vec<_> = CATALOG.iter().map(|d| d.name).collect();
    let unknown = |name: &str| Error::Reject(format!("no dataset {name:?}: there are {}", names.join(", ")));
    let mut found = Vec::new();
    for name in &options.datasets {
        let dataset = catalog::dataset(name).ok_or_else(|| unknown(name))?;
        if dataset.requests == Requests::Market {
            let error = format!("{name} cannot be asked for alone: it comes with --universe sp500");
            return Err(Error::Reject(error));
        }
        if !found.contains(&dataset) {
            found.push(dataset);
        }
    }
    for dataset in CATALOG.iter().filter(|d| options.reconcile && turns::days(d).is_some()) {
        if !found.contains(&dataset) {
            found.push(dataset);
        }
    }
    if found.iter().all(|d| d.requests == Requests::Statement) && options.years == 0 && options.quarters == 0 {
        return Err(Error::Reject("nothing to ask for: --years and --quarters are both 0".into()));
    }
    Ok(found)
}

/// The days of prices that were asked for; without an end the newest closed session.
fn price_range(options: &Options, now: DateTime<Utc>) -> Result<(Option<NaiveDate>, NaiveDate)> {
    let closed = calendar::last_closed_session(now);
    let to = options.prices_to.map_or(closed, |to| to.min(closed));
    match (options.prices_from, options.prices_to) {
        (Some(from), Some(to)) if from > to => {
            Err(Error::Reject(format!("prices from {from} to {to}: the end is before the start")))
        }
        (from, _) => Ok((from, to)),
    }
}

fn due(
    dataset: &'static Dataset,
    symbol: &Symbol,
    options: &Options,
    range: (Option<NaiveDate>, NaiveDate),
    book: &Book,
    market: &Market,
    now: DateTime<Utc>,
) -> Vec<(Task, Decision)> {
    let sparing = options.reach.sparing && !options.full;
    let by_news = |decision: Decision, task: &Task, cadence: Option<Cadence>, known: Option<&Entry>| match decision {
        Decision::Fetch(OLD) if sparing => known
            .filter(|known| !known.refused)
            .and_then(|known| sparing::decide(dataset, task, cadence, known, market, now))
            .unwrap_or(decision),
        decision => decision,
    };
    let task = |window| Task { dataset, symbol: Some(symbol.clone()), window };
    match dataset.requests {
        Requests::Market => Vec::new(),
        Requests::Symbol | Requests::Symbols => {
            let task = task(Window::All);
            let known = book.entry(dataset, &task.subject());
            let asked = options.reconcile || !options.datasets.is_empty();
            let decision = match turns::days(dataset) {
                Some(days) if !asked => turns::decide(symbol, known, turns::quarters(book, symbol), days, now),
                _ => by_news(by_age(dataset, known, None, options.full, now), &task, None, known),
            };
            vec![(task, decision)]
        }
        Requests::Statement => [(Cadence::Annual, options.years), (Cadence::Quarter, options.quarters)]
            .into_iter()
            .filter(|(_, limit)| *limit > 0)
            .map(|(cadence, limit)| {
                let task = task(Window::Newest { cadence, limit });
                let known = book.entry(dataset, &task.subject());
                let decision = by_age(dataset, known, Some(limit), options.full, now);
                let decision = by_news(decision, &task, Some(cadence), known);
                (task, decision)
            })
            .collect(),
        Requests::Days => {
            let known = book.entry(dataset, symbol.as_str());
            let parts = days(known, range, options.full, now);
            let to = range.1;
            let one = matches!(parts[..], [(_, _, Decision::Fetch(CLOSED))]);
            if sparing && one && sparing::is_silent(known, to, now) {
                return vec![(
                    task(Window::Days { from: to, to }),
                    Decision::Skip("no bar for two weeks: asked weekly"),
                )];
            }
            let quoted = sparing::comes_with_a_quote(symbol, book, to, market, now).filter(|_| sparing && one);
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
const CLOSED: &str = "a session closed since";

fn by_age(dataset: &Dataset, known: Option<&Entry>, limit: Option<u32>, full: bool, now: DateTime<Utc>) -> Decision {
    let Some(known) = known else { return Decision::Fetch("not fetched yet") };
    let lifetime = match dataset.freshness {
        Freshness::For(time) | Freshness::InTurn { asked: time, .. } if !known.empty => time,
        Freshness::For(_) | Freshness::InTurn { .. } | Freshness::UntilNextClose => EMPTY,
    };
    if full {
        Decision::Fetch("asked for in full")
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

/// The parts of a price series that are missing.
fn days(
    known: Option<&Entry>,
    (from, to): (Option<NaiveDate>, NaiveDate),
    full: bool,
    now: DateTime<Utc>,
) -> Vec<(NaiveDate, NaiveDate, Decision)> {
    let covered = known.and_then(|e| e.days);
    let first = from.or(covered.map(|c| c.from)).unwrap_or(to - FIRST_HISTORY);
    let fetch = |from: NaiveDate, to: NaiveDate, why: &'static str| {
        windows(from, to).into_iter().map(move |(from, to)| (from, to, Decision::Fetch(why)))
    };
    if first > to {
        return vec![(first, to, Decision::Skip("no session has closed in these days"))];
    }
    if known.is_some_and(|k| k.refused && !full && now - k.fetched_at < EMPTY) {
        return vec![(first, to, Decision::Skip("not in the FMP plan within the last day"))];
    }
    let (Some(known), Some(covered)) = (known, covered) else {
        return fetch(first, to, "not fetched yet").collect();
    };
    if full {
        return fetch(first, to, "asked for in full").collect();
    }
    // With the newest days, so that the series comes in the calls of an ordinary day.
    if covered.from <= to && known.again.is_some_and(|again| again.on <= calendar::new_york_date(now)) {
        return fetch(covered.from.min(first), to, "a split or dividend came into effect since").collect();
    }
    let mut parts = Vec::new();
    if first < covered.from {
        parts.extend(fetch(first, covered.from - Days::new(1), "more history asked for"));
    }
    let asked_late_enough = now - known.fetched_at < LATE_BAR || known.fetched_at >= calendar::close_of(to) + SETTLING;
    let there = covered.newest.is_some_and(|newest| newest >= to) || (covered.to >= to && asked_late_enough);
    if !there {
        // From the newest bar on, so that the series has no gap; an empty series is asked for whole.
        let start = covered.newest.map_or(covered.from, |newest| newest - OVERLAP).max(covered.from);
        parts.extend(fetch(start.min(to), to, CLOSED));
    }
    if parts.is_empty() {
        parts.push((first, to, Decision::Skip(if known.empty { "empty within the last day" } else { "fresh" })));
    }
    parts
}

/// Splits a range into windows that FMP's cut cannot reach.
fn windows(from: NaiveDate, to: NaiveDate) -> Vec<(NaiveDate, NaiveDate)> {
    let mut parts = Vec::new();
    let mut start = from;
    while start <= to {
        let end = (start + WINDOW).min(to);
        parts.push((start, end));
        start = end + Days::new(1);
    }
    parts
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
