//! Polls FMP's `batch-quote`, as input of a tick stream. A quote has a price but no trade size, because its `volume`
//! counts the shares of the whole day. It becomes a tick without size.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::DateTime;
use findata_domain::{Error, Result, Symbol, catalog::QUOTES, clock::Clock};
use findata_fmp::{CallContext, Fmp};
use findata_pipeline::run::RunId;
use findata_stream::session::{Feed, gap_record};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{
    sync::mpsc::{Receiver, channel},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use crate::tick_input::{Lines, TickRecord};

/// The feed of polled quotes.
pub const FEED: Feed = Feed { source: "fmp-batch-quote", is_continuous: false };
/// Symbols per call. FMP has answered calls with 120.
const PER_CALL: usize = 100;

#[derive(Deserialize)]
struct Quote<'a> {
    symbol: String,
    #[serde(borrow)]
    price: Option<&'a RawValue>,
    /// Seconds since 1970.
    timestamp: Option<i64>,
}

/// Polls the quotes of these symbols until `stop` is cancelled. Calls that fail because of something that may pass
/// leave a gap, which `note` tells.
pub fn poll(
    fmp: Arc<Fmp>,
    symbols: Vec<Symbol>,
    every: Duration,
    clock: impl Clock + 'static,
    new_run: fn() -> RunId,
    stop: CancellationToken,
    note: fn(&str),
) -> Receiver<Result<Lines>> {
    let (sender, receiver) = channel(1);
    tokio::spawn(async move {
        let mut timer = tokio::time::interval(every);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known = HashMap::new();
        let mut last_success = clock.latest();
        let mut failure: Option<String> = None;
        loop {
            tokio::select! {
                _ = timer.tick() => {}
                () = stop.cancelled() => return,
            }
            // The call budget counts each poll as a separate run.
            let run = new_run();
            let begun = run.started().unwrap_or_else(|| clock.latest());
            fmp.begin(&CallContext { run, begun, max_calls: None });
            let quotes = tokio::select! {
                quotes = fetch(&fmp, &symbols, &mut known) => quotes,
                () = stop.cancelled() => return fmp.finish().await,
            };
            fmp.finish().await;
            let now = clock.latest();
            let item = match quotes {
                Ok(mut records) => {
                    if let Some(reason) = failure.take() {
                        records.push(gap_record(FEED.source, last_success, now, &reason));
                    }
                    last_success = now;
                    Ok(Lines::of(&records, now))
                }
                Err(error) if may_pass(&error) => {
                    note(&format!("quotes could not be polled: {error}"));
                    failure.get_or_insert_with(|| short(&error));
                    continue;
                }
                Err(error) => Err(error),
            };
            let is_last = item.is_err();
            if item.as_ref().is_ok_and(Lines::is_empty) {
                continue;
            }
            if sender.send(item).await.is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

/// Whether a later poll may succeed.
fn may_pass(error: &Error) -> bool {
    error.can_pass() || matches!(error, Error::CallLimit(_) | Error::Budget(_))
}

/// The reason of a gap, which is at most 128 characters long.
fn short(error: &Error) -> String {
    format!("batch-quote: {error}")
        .chars()
        .filter(|c| c.is_ascii() && !c.is_control())
        .take(120)
        .collect::<String>()
}

/// Fetches quotes. Returns those that have changed as records, and remembers their times.
async fn fetch(fmp: &Fmp, symbols: &[Symbol], known: &mut HashMap<String, i64>) -> Result<Vec<String>> {
    let mut records = Vec::new();
    let mut times = Vec::new();
    for symbols in symbols.chunks(PER_CALL) {
        let symbols = symbols.iter().map(Symbol::as_str).collect::<Vec<_>>().join(",");
        let Some(body) = fmp.get(QUOTES.endpoint, &[("symbols", symbols)]).await.body? else {
            continue;
        };
        let quotes: Vec<&RawValue> = serde_json::from_slice(&body)
            .map_err(|e| Error::retry(format!("batch-quote did not return a list: {e}")))?;
        for raw in quotes {
            match serde_json::from_str::<Quote<'_>>(raw.get()) {
                Ok(quote) => {
                    let Some(seconds) = quote.timestamp else {
                        // Without a time, it is quarantined.
                        records.push(line(raw));
                        continue;
                    };
                    if known.get(&quote.symbol) != Some(&seconds) {
                        records.push(record(&quote, seconds));
                        times.push((quote.symbol, seconds));
                    }
                }
                Err(_) => records.push(line(raw)),
            }
        }
    }
    // A failed poll forgets nothing: its quotes are polled again.
    known.extend(times);
    Ok(records)
}

/// The record of a quote. Its id makes a repeated quote the same tick, also in another session.
fn record(quote: &Quote<'_>, seconds: i64) -> String {
    let record = TickRecord {
        id: Some(format!("{}-{seconds}", quote.symbol)),
        symbol: &quote.symbol,
        price: quote.price,
        size: None,
        exchange_time: DateTime::from_timestamp(seconds, 0),
        source: FEED.source,
    };
    serde_json::to_string(&record).unwrap_or_default()
}

/// A value in one line.
fn line(raw: &RawValue) -> String {
    raw.get().replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_keeps_the_digits_of_its_price() {
        let quote: Quote<'_> = serde_json::from_str(
            r#"{"symbol": "AAPL", "price": 232.80000000000001, "volume": 44489128, "timestamp": 1738702801}"#,
        )
        .unwrap();
        assert_eq!(
            record(&quote, quote.timestamp.unwrap()),
            r#"{"id":"AAPL-1738702801","symbol":"AAPL","price":232.80000000000001,"exchange_time":"2025-02-04T21:00:01Z","source":"fmp-batch-quote"}"#
        );
    }
}
