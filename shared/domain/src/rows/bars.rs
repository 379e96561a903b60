//! Rules for daily bars.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate, Weekday};

use crate::{catalog::Dataset, nyse_calendar};

use super::{Asked, Row};

/// Relative price differences that rounding explains, ...
const RELATIVE: f64 = 0.0005;
/// ... or half of the last digit that low and high show, at most half a cent: FMP rounds the four prices of an old bar to
/// different lengths when it adjusts them for splits.
const HALF_A_CENT: f64 = 0.005;
/// First year for which the calendar has every closure of the exchange.
const CALENDAR_FROM: i32 = 2001;

pub(super) fn out_of_window(day: NaiveDate, asked: &Asked<'_>) -> Option<String> {
    let (from, to) = asked.days?;
    (day < from || day > to)
        .then(|| format!("outside_window: {day} is not within {from} to {to}, which was requested"))
}

/// Why the open or the close cannot be: a day's low and high are the bounds of its prices.
pub(super) fn outside_its_range<'a>(value: &impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let number = |column: &str| value(column).and_then(|text| Some((text, text.parse::<f64>().ok()?)));
    for (name, column) in [("open", "open_price"), ("close", "close_price")] {
        let Some((shown, price)) = number(column) else { continue };
        if let Some((high, bound)) = number("high_price")
            && price > bound + tolerance(high, bound)
        {
            return Some(format!("outside_range: {name} {shown} is above the high {high}"));
        }
        if let Some((low, bound)) = number("low_price")
            && price < bound - tolerance(low, bound)
        {
            return Some(format!("outside_range: {name} {shown} is below the low {low}"));
        }
    }
    None
}

fn tolerance(text: &str, bound: f64) -> f64 {
    let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len() as i32);
    let half_a_digit = 0.5 * 0.1_f64.powi(digits);
    (bound * RELATIVE).max(half_a_digit.min(HALF_A_CENT))
}

/// Why a US share can have no bar on this day.
pub(super) fn no_session(symbol: &str, day: NaiveDate) -> Option<String> {
    let is_known = is_weekend(day) || day.year() >= CALENDAR_FROM;
    (is_us_listing(symbol) && is_known && !nyse_calendar::is_trading_day(day))
        .then(|| format!("no_session: the exchanges in the US are closed on {day}, a {}", day.format("%A")))
}

/// Rejects weekend bars that repeat the bar before them and have no volume, on exchanges whose calendar is not known here.
pub(super) fn reject_repeats(dataset: &'static Dataset, rows: &mut [Row<'_>]) {
    let Some(date_column) = dataset.date_column else { return };
    let mut by_day: BTreeMap<NaiveDate, usize> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate().filter(|(_, row)| row.reject.is_none()) {
        if let Some(day) = row.get(dataset, date_column).and_then(|text| text.parse().ok()) {
            by_day.insert(day, i);
        }
    }
    let mut before: Option<String> = None;
    for (day, i) in by_day {
        let close = rows[i].get(dataset, "close_price").map(str::to_owned);
        let has_volume = rows[i].get(dataset, "volume").is_some_and(|volume| volume != "0");
        if is_weekend(day) && !has_volume && close.is_some() && close == before {
            rows[i].reject = Some(format!(
                "no_session: the bar of {day}, a {}, repeats the one before and has no volume",
                day.format("%A")
            ));
        } else {
            before = close;
        }
    }
}

fn is_weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

/// Whether a symbol is that of a share listed in the US: up to five letters, and perhaps a class after a hyphen. Currencies,
/// coins and futures (`BTCUSD`, `GCUSD`) trade on other days, as do indices and listings abroad.
fn is_us_listing(symbol: &str) -> bool {
    let (ticker, class) = symbol.split_once('-').unwrap_or((symbol, "A"));
    let is_letters = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase())
    };
    is_letters(ticker, 5)
        && is_letters(class, 3)
        && !(ticker.len() == 5 && ticker.ends_with("USD"))
        && class != "USD"
}
