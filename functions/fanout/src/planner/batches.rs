//! Packs tasks into batches. Tasks with one call each are packed by symbol; tasks that share batch
//! quotes get batches of their own.

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

/// Symbols per batch. A batch needs about 500 calls, which take at most two minutes at 300 calls a
/// minute, well within the function's time limit.
const SYMBOLS_PER_BATCH: usize = 50;
/// Symbols per batch of quotes. One call fetches the whole batch. FMP has accepted a call with 120
/// symbols.
const SYMBOLS_PER_QUOTE_BATCH: usize = 100;

/// Adds a quote for every symbol that gets a new bar but no new profile. The quote supplies price
/// and market cap, even if the bar is fetched with a separate call.
pub(super) fn add_quotes(planned: &mut Planned, fetch_log: &FetchLog, now: DateTime<Utc>) {
    let dataset = catalog::QUOTES;
    let bars = std::mem::take(&mut planned.quoted);
    let bar_symbols: BTreeSet<Symbol> = bars.iter().filter_map(|task| task.symbol.clone()).collect();
    let fetched = |dataset: &Dataset| -> BTreeSet<&Symbol> {
        let tasks = planned.tasks.iter().filter(|task| task.dataset == dataset);
        tasks.filter_map(|task| task.symbol.as_ref()).collect()
    };
    // A new profile has the same figures as a quote, and an index has no market cap.
    let mut quoted: BTreeSet<Symbol> = fetched(catalog::PRICES)
        .difference(&fetched(catalog::PROFILE))
        .map(|symbol| (*symbol).clone())
        .collect();
    quoted.retain(|symbol| {
        !symbol.as_str().starts_with('^') && !change_driven::quotes_refused(symbol, fetch_log, now)
    });
    quoted.extend(bar_symbols);
    if quoted.is_empty() {
        return;
    }
    let count = quoted.len() as u64;
    let due = BTreeMap::from([("supplies price and market cap".to_owned(), count)]);
    let (calls, bytes) = (count.div_ceil(SYMBOLS_PER_QUOTE_BATCH as u64), dataset.row_bytes * count);
    planned
        .datasets
        .push((dataset.name.into(), DatasetPlan { calls, bytes, due, ..DatasetPlan::default() }));
    let mut bars = bars.into_iter().map(|task| (task.symbol.clone(), task)).collect::<HashMap<_, _>>();
    for symbol in quoted {
        let symbol = Some(symbol);
        let bar = bars.remove(&symbol);
        planned.quoted.push(Task::new(dataset, symbol, Window::All));
        planned.quoted.extend(bar);
    }
}

/// Moves quotes, and the bars that they may supply, from the tasks with one call each to the tasks
/// that share calls.
pub fn regroup_quotes(planned: &mut Planned) {
    let (quotes, tasks) = std::mem::take(&mut planned.tasks)
        .into_iter()
        .partition::<Vec<Task>, _>(|task| task.dataset.requests == Requests::Symbols);
    let symbols: BTreeSet<Option<Symbol>> = quotes.iter().map(|quote| quote.symbol.clone()).collect();
    let mut bars = HashMap::new();
    for task in tasks {
        // A quote supplies only one bar, so the other ranges of a series keep their own calls.
        if task.dataset == catalog::PRICES
            && symbols.contains(&task.symbol)
            && !bars.contains_key(&task.symbol)
        {
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

/// Packs all tasks of a plan into batches.
pub fn batches(symbols: &[Symbol], planned: Planned) -> Vec<Batch> {
    // Each quote is followed by the bar that it supplies, if any. Only quotes count towards the
    // size of a batch.
    let mut quotes: Vec<Vec<Task>> = Vec::new();
    let mut room = 0;
    for task in planned.quoted {
        let is_quote = task.dataset.requests == Requests::Symbols;
        if is_quote && room == 0 {
            quotes.push(Vec::new());
            room = SYMBOLS_PER_QUOTE_BATCH;
        }
        room -= usize::from(is_quote);
        if let Some(batch) = quotes.last_mut() {
            batch.push(task);
        }
    }
    let quotes = quotes.into_iter().enumerate();
    let quotes = quotes.map(|(i, tasks)| Batch {
        id: format!("q{:05}", i + 1),
        fetch_mode: FetchMode::BatchQuote,
        tasks,
    });
    batches_by_symbol(symbols, planned.tasks).into_iter().chain(quotes).collect()
}

/// Packs tasks with one call each so that all tasks of a symbol share a batch.
pub fn batches_by_symbol(symbols: &[Symbol], tasks: Vec<Task>) -> Vec<Batch> {
    let batch_of: HashMap<&Symbol, usize> =
        symbols.iter().enumerate().map(|(i, s)| (s, i / SYMBOLS_PER_BATCH)).collect();
    let mut packed: BTreeMap<usize, Vec<Task>> = BTreeMap::new();
    for task in tasks {
        let batch = task.symbol.as_ref().and_then(|s| batch_of.get(s)).copied().unwrap_or_default();
        packed.entry(batch).or_default().push(task);
    }
    packed
        .into_iter()
        .map(|(i, tasks)| Batch {
            id: format!("b{:05}", i + 1),
            fetch_mode: FetchMode::PerSymbol,
            tasks,
        })
        .collect()
}
