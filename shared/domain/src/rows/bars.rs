//! Rules for daily bars.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate, Weekday};

use crate::{catalog::Dataset, nyse_calendar};

use super::{Asked, Row};

/// Tolerance for a price below the low or above the high, as a fraction of the low or high. Smaller
/// differences come from rounding.
const RELATIVE: f64 = 0.0005;
/// The tolerance is at least half of the last digit of the low or high, but this part is limited to
/// half a cent. FMP rounds the four prices of an old bar to different numbers of digits when it
/// adjusts them for splits.
const HALF_A_CENT: f64 = 0.005;
/// First year for which [`nyse_calendar`] has every closure of the exchange.
const CALENDAR_FROM: i32 = 2001;

pub(super) fn out_of_window(day: NaiveDate, asked: &Asked<'_>) -> Option<String> {
    let (from, to) = asked.days?;
    (day < from || day > to)
        .then(|| format!("outside_window: {day} is outside the requested days {from} to {to}"))
}

/// Returns the reject reason if the open or the close is above the high or below the low by more
/// than the tolerance.
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

/// Returns the reject reason if the symbol is a US share and US exchanges have no session on the
/// day.
pub(super) fn no_session(symbol: &str, day: NaiveDate) -> Option<String> {
    let is_known = is_weekend(day) || day.year() >= CALENDAR_FROM;
    (is_us_listing(symbol) && is_known && !nyse_calendar::is_trading_day(day))
        .then(|| format!("no_session: the exchanges in the US are closed on {day}, a {}", day.format("%A")))
}

/// Rejects weekend bars that have no volume and repeat the close of the bar before. This rule is
/// for exchanges for which findata has no calendar.
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
                "no_session: the bar of {day}, a {}, repeats the close before it and has no volume",
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

/// Returns whether a symbol has the form of a share listed in the US: up to five letters,
/// optionally followed by a hyphen and a share class. Currencies, coins, futures (`BTCUSD`,
/// `GCUSD`), indices and listings abroad are excluded, because they trade on other days.
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
