//! The state of one server from which all responses are generated: seed, day, calendar, market and
//! symbols. Companies are generated on demand.

use super::calendar::Calendar;
use super::edge_cases::{FIXED, WELL_KNOWN};
use super::walk;
use chrono::{Datelike, Duration, NaiveDate};
use std::collections::HashSet;

/// Maximum number of symbols in a universe.
pub const MOST_SYMBOLS: usize = 50_000;

/// The state on which all responses depend.
#[derive(Debug)]
pub(super) struct World {
    pub seed: u64,
    pub today: NaiveDate,
    /// Reference day for the dates of the edge-case companies' recent events.
    pub anchor: NaiveDate,
    pub revision: u32,
    pub symbols: usize,
    /// Trading days until some months after today, because dividends are declared in advance.
    pub calendar: Calendar,
    /// Number of the last trading day up to today. Its session has ended at 23:00 UTC.
    pub last: usize,
    /// The logarithms of the market's prices, by number of the trading day.
    pub market: Vec<f64>,
    /// How many ticker numbers the universe uses, including numbers whose ticker is a fixed symbol.
    pub drawn: usize,
}

impl World {
    /// Creates the world of a seed on a day. Without `anchor`, the anchor is the first day of the
    /// month.
    pub(super) fn new(
        seed: u64,
        symbols: usize,
        today: NaiveDate,
        anchor: Option<NaiveDate>,
        revision: u32,
    ) -> Self {
        let calendar = Calendar::until(today + Duration::days(130));
        let last = calendar.at_or_before(today).unwrap_or(0);
        let symbols = symbols.clamp(1, MOST_SYMBOLS);
        let market = walk::market(seed, calendar.len());
        let anchor = anchor.or_else(|| today.with_day(1)).unwrap_or(today);
        let drawn = ticker_range(symbols.saturating_sub(head(symbols)));
        World {
            seed,
            today,
            anchor,
            revision,
            symbols,
            calendar,
            last,
            market,
            drawn,
        }
    }

    /// The symbols of the universe, in order.
    pub(super) fn universe(&self) -> impl Iterator<Item = String> + Send + use<> {
        universe(self.symbols, self.drawn)
    }
}

fn universe(symbols: usize, drawn: usize) -> impl Iterator<Item = String> + Send + use<> {
    let head = head(symbols);
    let fixed = FIXED.iter().take(head).map(|f| f.symbol.to_owned());
    fixed.chain((0..drawn).map(ticker).filter(|t| !taken(t)))
}

/// Number of fixed symbols at the start of a universe of this size: all of them, or only the
/// well-known ones if the universe is too small for all.
fn head(symbols: usize) -> usize {
    if symbols >= FIXED.len() {
        FIXED.len()
    } else {
        symbols.min(WELL_KNOWN)
    }
}

/// The symbols of a universe of size `n`: well-known tickers, edge cases (if all fit), and
/// generated tickers.
pub fn symbols(n: usize) -> Vec<String> {
    let n = n.clamp(1, MOST_SYMBOLS);
    universe(n, ticker_range(n - head(n))).collect()
}

/// The symbols of all companies with fixed symbols: well-known tickers, then edge cases.
pub fn fixed_symbols() -> Vec<&'static str> {
    FIXED.iter().map(|f| f.symbol).collect()
}

fn taken(ticker: &str) -> bool {
    FIXED.iter().any(|f| f.symbol == ticker)
}

/// How many ticker numbers are needed for `n` tickers that are not fixed symbols.
fn ticker_range(n: usize) -> usize {
    let blocked: HashSet<usize> = FIXED.iter().filter_map(|f| ticker_number(f.symbol)).collect();
    let (mut range, mut found) = (0, 0);
    while found < n {
        found += usize::from(!blocked.contains(&range));
        range += 1;
    }
    range
}

// Number of words and step of the three-letter and four-letter tickers. Every third ticker has
// three letters. Consecutive ticker numbers advance by a prime step through all words of a length,
// so consecutive tickers look unrelated. The step's modular inverse maps a ticker back to its
// number.
const THREE: (usize, usize) = (17_576, 7_919);
const FOUR: (usize, usize) = (456_976, 204_331);

/// The ticker with this number.
fn ticker(number: usize) -> String {
    let (length, at, (words, step)) = if number.is_multiple_of(3) {
        (3, number / 3, THREE)
    } else {
        (4, number - number / 3 - 1, FOUR)
    };
    let mut word = (at * step + words / 3) % words;
    let mut letters = vec![' '; length];
    for letter in letters.iter_mut().rev() {
        *letter = char::from(b'A' + (word % 26) as u8);
        word /= 26;
    }
    letters.into_iter().collect()
}

/// The number of a ticker; `None` if no number has this ticker.
pub(super) fn ticker_number(symbol: &str) -> Option<usize> {
    if !symbol.bytes().all(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let (words, step) = match symbol.len() {
        3 => THREE,
        4 => FOUR,
        _ => return None,
    };
    let word = symbol.bytes().fold(0, |w, b| w * 26 + usize::from(b - b'A'));
    let at = (word + words - words / 3) * inverse(step, words) % words;
    Some(if symbol.len() == 3 { at * 3 } else { at / 2 * 3 + at % 2 + 1 })
}

/// The modular multiplicative inverse, by the extended Euclidean algorithm.
fn inverse(of: usize, modulus: usize) -> usize {
    let (mut a, mut b, mut x, mut y) = (modulus as i64, of as i64, 0i64, 1i64);
    while b != 0 {
        let quotient = a / b;
        (a, b) = (b, a % b);
        (x, y) = (y, x - quotient * y);
    }
    x.rem_euclid(modulus as i64).unsigned_abs() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickers_are_unique_and_map_back_to_their_numbers() {
        let all = symbols(MOST_SYMBOLS);
        assert_eq!(all.len(), MOST_SYMBOLS);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), MOST_SYMBOLS);
        for number in (0..52_000).step_by(7) {
            assert_eq!(ticker_number(&ticker(number)), Some(number), "{}", ticker(number));
        }
    }

    #[test]
    fn a_universe_is_a_prefix_of_larger_ones_and_contains_only_its_own_symbols() {
        let today = NaiveDate::from_ymd_opt(2026, 9, 18).expect("date");
        for n in [5, 30, 60, 503] {
            let world = World::new(1, n, today, None, 0);
            let listed: Vec<String> = world.universe().collect();
            assert_eq!(listed, symbols(n));
            assert_eq!(listed.len(), n);
            assert!(listed.iter().all(|s| world.company(s).is_some_and(|c| c.symbol == *s)));
        }
        assert_eq!(FIXED.len(), 37, "update the help of --symbols, which states this number");
        let world = World::new(1, 60, today, None, 0);
        assert!(symbols(600).iter().skip(60).all(|s| world.company(s).is_none()));
        assert!(
            world.company("BRK-B").is_some()
                && world.company("BRK.B").is_none()
                && world.company("").is_none()
        );
        assert!(symbols(503).starts_with(&symbols(100)));
    }
}
