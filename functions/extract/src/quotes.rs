//! Fetches the quotes of many symbols with one call, and derives their newest bars from them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, NaiveDate, Utc};
use findata_domain::{
    Result, Symbol,
    catalog::{self, Requests},
    nyse_calendar,
    rows::{self, Asked, Row},
};
use findata_fmp::{Answer, Fmp};
use findata_pipeline::plan::{FetchMode, Task, Window};
use serde_json::json;

use crate::batch_writer::{BatchWriter, MIN_ROWS, share_count};

// The reasons why a quote supplies no bar.
const NO_QUOTE: &str = "batch-quote left the symbol out";
const OTHER_TIME: &str = "the quote is not from the session's close";
const INCOMPLETE: &str = "the quote lacks a time or a price";

/// A quote counts as the last one of a session if it is at most this much older than the close.
const BEFORE_CLOSE: Duration = Duration::minutes(5);

/// Fetches the quotes of all these tasks with one call. Returns the bars that no quote could
/// supply, which need one call each, and the follow-up tasks: share counts of companies whose quote
/// has no market cap.
pub(crate) async fn fetch(
    tasks: Vec<Task>,
    fmp: &Fmp,
    writer: &mut BatchWriter,
) -> Result<(Vec<Task>, Vec<Task>)> {
    // Without a quote task, an earlier invocation has recorded the quotes. Only the bars that they
    // could not supply are left.
    if tasks.iter().all(|task| task.dataset.requests != Requests::Symbols) {
        return Ok((tasks, Vec::new()));
    }
    let symbols: BTreeSet<&str> =
        tasks.iter().filter_map(|task| task.symbol.as_ref()).map(Symbol::as_str).collect();
    if symbols.is_empty() {
        return Ok((tasks, Vec::new()));
    }
    let dataset = catalog::QUOTES;
    let max_rows = (10 * symbols.len()).max(MIN_ROWS);
    let symbols = symbols.into_iter().collect::<Vec<_>>().join(",");
    let Answer { body, mut calls, mut bytes } = fmp.get(dataset.endpoint, &[("symbols", symbols)]).await;
    let received_on = writer.received_on();
    let (quotes, bars): (Vec<Task>, Vec<Task>) =
        tasks.into_iter().partition(|task| task.dataset.requests == Requests::Symbols);
    // The first task counts the call; the others count nothing.
    let mut take_usage = move || (std::mem::take(&mut calls), std::mem::take(&mut bytes));
    let asked = Asked { symbol: None, days: None, received_on };
    let parsed = body.as_ref().map_err(Clone::clone).and_then(|body| {
        let rows = body.as_deref().map(|body| rows::typed(dataset, &asked, max_rows, body)).transpose()?;
        Ok(rows.map_or_else(BTreeMap::new, |(rows, _)| by_symbol(rows)))
    });
    let found = match &parsed {
        Ok(found) => found,
        Err(error) => {
            writer.note_bars_by_call(&format!("batch-quote failed: {error}"), bars.len());
            for task in quotes {
                let (calls, bytes) = take_usage();
                writer.add_answer(task, Answer { body: Err(error.clone()), calls, bytes })?;
            }
            return Ok((bars, Vec::new()));
        }
    };
    let quote_of = |task: &Task| found.get(task.symbol.as_ref()?.as_str());
    let (mut bars_by_call, mut follow_ups) = (Vec::new(), Vec::new());
    for task in quotes {
        match quote_of(&task) {
            Some(quote) => {
                let is_index = quote.symbol.starts_with('^');
                follow_ups.extend(share_count(&task, quote.get(dataset, "market_cap")).filter(|_| !is_index));
                if !is_index && let Some(at) = quoted_at(quote) {
                    writer.land_market_cap(dataset, Some(quote), Some(at))?;
                }
                writer.add_rows(task, std::slice::from_ref(quote), FetchMode::BatchQuote, take_usage())?;
            }
            None => writer.add_rows(task, &[], FetchMode::BatchQuote, take_usage())?,
        }
    }
    for task in bars {
        match quote_of(&task).ok_or(NO_QUOTE).and_then(|quote| bar(&task, quote, received_on)) {
            Ok(bar) => writer.add_rows(task, &[bar], FetchMode::BatchQuote, (0, 0))?,
            Err(reason) => {
                writer.note_bars_by_call(reason, 1);
                bars_by_call.push(task);
            }
        }
    }
    Ok((bars_by_call, follow_ups))
}

/// The first accepted row of each symbol: FMP repeats a symbol requested twice and omits one it
/// does not know.
fn by_symbol(rows: Vec<Row<'_>>) -> BTreeMap<String, Row<'_>> {
    let mut found = BTreeMap::new();
    for row in rows.into_iter().filter(|row| row.reject.is_none()) {
        found.entry(row.symbol.clone()).or_insert(row);
    }
    found
}

/// Returns the time of a quote, or `None` if it has none or an implausible one. chrono cannot
/// convert times near the end of its range to New York time.
fn quoted_at(quote: &Row<'_>) -> Option<DateTime<Utc>> {
    let seconds = quote.get(catalog::QUOTES, "quoted_at")?.parse().ok()?;
    DateTime::from_timestamp(seconds, 0).filter(|at| rows::is_plausible(at.date_naive()))
}

/// Builds a session's bar from the quote at its close, or returns why the quote cannot supply it.
/// The bar has no VWAP and no change: a quote's change is relative to the previous close, whereas a
/// bar's change is relative to the bar's open.
fn bar<'a>(task: &Task, quote: &Row<'a>, received_on: NaiveDate) -> Result<Row<'a>, &'static str> {
    let Window::Days { to: session, .. } = task.window else {
        return Err(OTHER_TIME);
    };
    let dataset = catalog::QUOTES;
    let value = |column: &str| quote.get(dataset, column).ok_or(INCOMPLETE);
    let quoted_at = value("quoted_at")?.parse().ok();
    let quoted_at = quoted_at.and_then(|at| DateTime::from_timestamp(at, 0)).ok_or(INCOMPLETE)?;
    // The plausibility check comes first, because chrono cannot convert times near the end of its
    // range to New York time.
    if !rows::is_plausible(quoted_at.date_naive())
        || quoted_at < nyse_calendar::close_of(session) - BEFORE_CLOSE
        || nyse_calendar::new_york_date(quoted_at) != session
    {
        return Err(OTHER_TIME);
    }
    let row = json!([{
        "symbol": quote.symbol, "date": session, "open": value("open_price")?, "high": value("high_price")?,
        "low": value("low_price")?, "close": value("price")?, "volume": value("volume")?,
    }])
    .to_string();
    let (mut rows, _) =
        rows::typed(task.dataset, &task.asked(received_on), 1, row.as_bytes()).map_err(|_| INCOMPLETE)?;
    match rows.pop() {
        Some(Row { symbol, values, hash, reject: None, findings, .. }) => Ok(Row {
            symbol,
            values,
            hash,
            reject: None,
            findings,
            payload: quote.payload,
        }),
        _ => Err(INCOMPLETE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(timestamp: &str) -> String {
        format!(
            r#"[{{"symbol":"AAPL","name":"Apple Inc.","price":1.5,"changePercentage":2.5,"change":0.04,"volume":10.5,
                "dayLow":1.1,"dayHigh":2,"marketCap":3000,"open":1.25,"previousClose":1.46,"timestamp":{timestamp}}}]"#
        )
    }

    /// Derives the bar of Friday, 20 November 2026, from a quote. The session closes at 21:00 UTC.
    fn bar_of(json: &str) -> Option<Vec<Option<String>>> {
        let dataset = catalog::dataset("quotes").unwrap();
        let day = "2026-11-20".parse().unwrap();
        let asked = Asked { symbol: None, days: None, received_on: day };
        let (rows, _) = rows::typed(dataset, &asked, 1, json.as_bytes()).unwrap();
        let window = Window::Days { from: day, to: day };
        let task = Task::new(catalog::dataset("prices").unwrap(), "AAPL".parse().ok(), window);
        bar(&task, rows.first()?, day).ok().map(|bar| bar.values)
    }

    #[test]
    fn a_quote_at_the_close_becomes_the_bar_of_its_session() {
        let values = bar_of(&quote("1795208401")).unwrap();
        let text = |i: usize| values[i].as_deref();
        assert_eq!((text(0), text(1)), (Some("AAPL"), Some("2026-11-20")));
        let prices = (text(2), text(3), text(4), text(5));
        assert_eq!(prices, (Some("1.25"), Some("2"), Some("1.1"), Some("1.5")));
        assert_eq!((text(6), text(7), text(9)), (Some("10.5"), None, None), "no change and no VWAP");
    }

    #[test]
    fn a_quote_from_another_time_or_without_a_price_gives_no_bar() {
        for other in ["1795208000", "1795294801", "1795122001", "null", "8210266876799", "-8334601228800"] {
            assert_eq!(bar_of(&quote(other)), None, "{other}");
        }
        let good = quote("1795208401");
        for (from, to) in [
            ("\"price\":1.5", "\"price\":null"),
            ("\"dayHigh\":2", "\"dayHigh\":1"),
            ("\"volume\":10.5,", ""),
        ] {
            assert_eq!(bar_of(&good.replace(from, to)), None, "{to}");
        }
    }
}
