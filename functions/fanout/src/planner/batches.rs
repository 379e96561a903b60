//! How tasks travel: what is asked by a call of its own, and what comes with quotes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use findata_domain::{
    Symbol,
    catalog::{self, Dataset, Requests},
};
use findata_pipeline::{
    freshness::FetchLog,
    plan::{Batch, DatasetPlan, FetchMode, Task, Window},
};

use super::{Planned, change_driven};

/// Symbols of one batch: some 500 calls, 40 seconds at 750 a minute, well inside a function's time.
const SYMBOLS_PER_BATCH: usize = 50;
/// Symbols of one batch of quotes, which is one call: FMP was seen to answer for 120.
const SYMBOLS_PER_QUOTES: usize = 100;

/// Adds the quotes that tell price and market cap of every known symbol to which a new bar comes, whichever way.
pub(super) fn quotes(planned: &mut Planned, fetch_log: &FetchLog, now: DateTime<Utc>) {
    let dataset = catalog::QUOTES;
    let bars = std::mem::take(&mut planned.quoted);
    let by_quote: BTreeSet<Symbol> = bars.iter().filter_map(|task| task.symbol.clone()).collect();
    let by_itself = |dataset: &Dataset| -> BTreeSet<&Symbol> {
        let tasks = planned.tasks.iter().filter(|task| task.dataset == dataset);
        tasks.filter_map(|task| task.symbol.as_ref()).collect()
    };
    // A profile of today tells the same, and an index has no market cap.
    let mut asked: BTreeSet<Symbol> =
        by_itself(catalog::PRICES).difference(&by_itself(catalog::PROFILE)).map(|symbol| (*symbol).clone()).collect();
    asked.retain(|symbol| !symbol.as_str().starts_with('^') && !change_driven::quotes_refused(symbol, fetch_log, now));
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

/// Puts quotes that are each a task of its own together again, with the bars that they may tell.
pub fn quotes_together(planned: &mut Planned) {
    let (quotes, tasks) = std::mem::take(&mut planned.tasks)
        .into_iter()
        .partition::<Vec<Task>, _>(|task| task.dataset.requests == Requests::Symbols);
    let asked: BTreeSet<Option<Symbol>> = quotes.iter().map(|quote| quote.symbol.clone()).collect();
    let mut bars = HashMap::new();
    for task in tasks {
        // One bar a quote; other parts of a series stay calls of their own.
        if task.dataset == catalog::PRICES && asked.contains(&task.symbol) && !bars.contains_key(&task.symbol) {
            bars.insert(task.symbol.clone(), task);
        } else {
            planned.tasks.push(task);
        }
    }
    for quote in quotes {
        let bar = bars.remove(&quote.symbol);
        planned.quoted.push(quote);
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
    let quotes =
        quotes.map(|(i, tasks)| Batch { id: format!("q{:05}", i + 1), fetch_mode: FetchMode::BatchQuote, tasks });
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
    packed
        .into_iter()
        .map(|(i, tasks)| Batch { id: format!("b{:05}", i + 1), fetch_mode: FetchMode::PerSymbol, tasks })
        .collect()
}
