//! Many symbols' quotes by one call, and their newest bars with them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration};
use findata_domain::{
    Result, Symbol,
    catalog::{self, Requests},
    nyse_calendar,
    rows::{self, Row},
};
use findata_fmp::{Answer, Fmp};
use findata_pipeline::plan::{FetchMode, Task, Window};
use serde_json::json;

use crate::batch_writer::{BatchWriter, share_count};

/// A quote of a session's end is at most so much older than the close.
const BEFORE_CLOSE: Duration = Duration::minutes(5);

/// Asks for the quotes of all these tasks at once. Returns what is left for calls of their own: bars that no quote told; and
/// what follows from the quotes, the share counts of companies whose market cap none told.
pub(crate) async fn ask(tasks: Vec<Task>, fmp: &Fmp, work: &mut BatchWriter) -> Result<(Vec<Task>, Vec<Task>)> {
    // Where the quotes are recorded already, a delivery before this one left the bars that they did not tell.
    if tasks.iter().all(|task| task.dataset.requests != Requests::Symbols) {
        return Ok((tasks, Vec::new()));
    }
    let symbols: BTreeSet<&str> = tasks.iter().filter_map(|task| task.symbol.as_ref()).map(Symbol::as_str).collect();
    if symbols.is_empty() {
        return Ok((tasks, Vec::new()));
    }
    let dataset = catalog::QUOTES;
    let asked = symbols.into_iter().collect::<Vec<_>>().join(",");
    let Answer { body, mut calls, mut bytes } = fmp.get(dataset.endpoint, &[("symbols", asked)]).await;
    let (quotes, bars): (Vec<Task>, Vec<Task>) =
        tasks.into_iter().partition(|task| task.dataset.requests == Requests::Symbols);
    // What the call took is counted once.
    let mut once = move || (std::mem::take(&mut calls), std::mem::take(&mut bytes));
    let read = body.as_ref().map_err(Clone::clone).and_then(|body| {
        let rows = body.as_deref().map(|body| rows::typed(dataset, None, body)).transpose()?;
        Ok(rows.map_or_else(BTreeMap::new, |(rows, _)| by_symbol(rows)))
    });
    let told = match &read {
        Ok(told) => told,
        Err(error) => {
            for task in quotes {
                let (calls, bytes) = once();
                work.take(task, Answer { body: Err(error.clone()), calls, bytes })?;
            }
            return Ok((bars, Vec::new()));
        }
    };
    let quote_of = |task: &Task| told.get(task.symbol.as_ref()?.as_str());
    let (mut left, mut following) = (Vec::new(), Vec::new());
    for task in quotes {
        match quote_of(&task) {
            Some(quote) => {
                let is_index = quote.symbol.starts_with('^');
                following.extend(share_count(&task, quote.get(dataset, "market_cap")).filter(|_| !is_index));
                work.note(task, std::slice::from_ref(quote), FetchMode::BatchQuote, once())?;
            }
            None => work.note(task, &[], FetchMode::BatchQuote, once())?,
        }
    }
    for task in bars {
        match quote_of(&task).and_then(|quote| bar(&task, quote)) {
            Some(bar) => work.note(task, &[bar], FetchMode::BatchQuote, (0, 0))?,
            None => left.push(task),
        }
    }
    Ok((left, following))
}

/// The first good row of each symbol: FMP repeats what is asked for twice, and leaves out what it does not know.
fn by_symbol(rows: Vec<Row<'_>>) -> BTreeMap<String, Row<'_>> {
    let mut told = BTreeMap::new();
    for row in rows.into_iter().filter(|row| row.reject.is_none()) {
        told.entry(row.symbol.clone()).or_insert(row);
    }
    told
}

/// A session's bar out of the quote at its end; none where the quote is of another time, or lacks a price. It has no VWAP, and no
/// change: a quote's is from the close before, a bar's from its opening.
fn bar<'a>(task: &Task, quote: &Row<'a>) -> Option<Row<'a>> {
    let Window::Days { to: session, .. } = task.window else { return None };
    let dataset = catalog::QUOTES;
    let value = |column: &str| quote.get(dataset, column);
    let quoted_at = DateTime::from_timestamp(value("quoted_at")?.parse().ok()?, 0)?;
    if quoted_at < nyse_calendar::close_of(session) - BEFORE_CLOSE || nyse_calendar::new_york_date(quoted_at) != session
    {
        return None;
    }
    let row = json!([{
        "symbol": quote.symbol, "date": session, "open": value("open_price")?, "high": value("high_price")?,
        "low": value("low_price")?, "close": value("price")?, "volume": value("volume")?,
    }])
    .to_string();
    let (mut rows, _) = rows::typed(task.dataset, task.symbol.as_ref(), row.as_bytes()).ok()?;
    let Row { symbol, values, hash, reject: None, .. } = rows.pop()? else { return None };
    Some(Row { symbol, values, hash, reject: None, payload: quote.payload })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(changed: &str) -> String {
        format!(
            r#"[{{"symbol":"AAPL","name":"Apple Inc.","price":1.5,"changePercentage":2.5,"change":0.04,"volume":10.5,
                "dayLow":1.1,"dayHigh":2,"marketCap":3000,"open":1.25,"previousClose":1.46,"timestamp":{changed}}}]"#
        )
    }

    /// The bar of 20 November 2026, a Friday, whose close is at 21:00 UTC.
    fn bar_of(json: &str) -> Option<Vec<Option<String>>> {
        let dataset = catalog::dataset("quotes").unwrap();
        let (rows, _) = rows::typed(dataset, None, json.as_bytes()).unwrap();
        let day = "2026-11-20".parse().unwrap();
        let window = Window::Days { from: day, to: day };
        let task = Task { dataset: catalog::dataset("prices").unwrap(), symbol: "AAPL".parse().ok(), window };
        bar(&task, rows.first()?).map(|bar| bar.values)
    }

    #[test]
    fn a_quote_at_the_close_is_the_bar_of_its_day() {
        let values = bar_of(&quote("1795208401")).unwrap();
        let text = |i: usize| values[i].as_deref();
        assert_eq!((text(0), text(1)), (Some("AAPL"), Some("2026-11-20")));
        let prices = (text(2), text(3), text(4), text(5));
        assert_eq!(prices, (Some("1.25"), Some("2"), Some("1.1"), Some("1.5")));
        assert_eq!((text(6), text(7), text(9)), (Some("10.5"), None, None), "no change of its own, and no VWAP");
    }

    #[test]
    fn a_quote_of_another_time_or_without_a_price_is_no_bar() {
        for other in ["1795208000", "1795294801", "1795122001", "null"] {
            assert_eq!(bar_of(&quote(other)), None, "{other}");
        }
        let good = quote("1795208401");
        for (from, to) in
            [("\"price\":1.5", "\"price\":null"), ("\"dayHigh\":2", "\"dayHigh\":1"), ("\"volume\":10.5,", "")]
        {
            assert_eq!(bar_of(&good.replace(from, to)), None, "{to}");
        }
    }
}
