//! Daily price bars. The logarithm of a price is beta times the market's random walk, plus the
//! company's own random walk.

use super::company::Company;
use super::edge_cases::EdgeCase;
use super::walk::{OWN_WALK, REFERENCE, walk};
use super::world::World;
use chrono::NaiveDate;

const BAR: u64 = 21;

/// The price bar of a trading day, adjusted for splits up to today.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bar {
    /// Number of the trading day.
    pub number: usize,
    pub day: NaiveDate,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub volume: f64,
}

/// Number of decimals to which a price is rounded.
pub(super) fn places(price: f64) -> u8 {
    if price.abs() < 1.0 { 4 } else { 2 }
}

fn rounded(price: f64) -> f64 {
    let scale = if price < 1.0 { 10_000.0 } else { 100.0 };
    ((price * scale).round() / scale).max(0.0001)
}

/// The numbers of a company's first and last trading day up to today; `None` if it has none.
pub(super) fn span(world: &World, company: &Company) -> Option<(usize, usize)> {
    let first = world.calendar.at_or_after(company.ipo);
    let last = match company.delisted {
        Some(day) => world.calendar.at_or_before(day)?.min(world.last),
        None => world.last,
    };
    (first <= last).then_some((first, last))
}

/// Closing prices for the trading days with the numbers `from..=to`, oldest first.
pub(super) fn closes(world: &World, company: &Company, from: usize, to: usize) -> Vec<f64> {
    let market_at = |i: usize| world.market.get(i).copied().unwrap_or(0.0);
    // The value of the company's own walk on the reference day.
    let own_reference =
        walk(company.draw.item(OWN_WALK), REFERENCE, REFERENCE).first().copied().unwrap_or(0.0);
    let base = company.price * company.basis(world.today);
    walk(company.draw.item(OWN_WALK), from, to)
        .into_iter()
        .zip(from..)
        .map(|(own, i)| {
            let shared = company.beta * (market_at(i) - market_at(REFERENCE));
            rounded(base * (shared + company.sigma * (own - own_reference)).exp())
        })
        .collect()
}

/// Bars for the trading days with the numbers `from..=to`, oldest first. Days on which the company
/// was not listed have no bar.
pub(super) fn bars(world: &World, company: &Company, from: usize, to: usize) -> Vec<Bar> {
    let Some((first, last)) = span(world, company) else {
        return Vec::new();
    };
    let (from, to) = (from.max(first), to.min(last));
    if from > to {
        return Vec::new();
    }
    // Includes the close of the day before `from`, because a day opens near the previous close.
    let before = from.saturating_sub(1);
    let closes = closes(world, company, before, to);
    let draw = company.draw.item(BAR);
    let sigma = company.sigma.max(0.004);
    let float = company.shares / company.basis(world.today) * draw.between(-1, 0.002, 0.012);
    let fractional = company.edge_case == EdgeCase::FractionalVolume || draw.chance(-2, 0.04);
    let mut bars = Vec::with_capacity(to - from + 1);
    for number in from..=to {
        let at = number - before;
        let Some(close) = closes.get(at).copied() else {
            continue;
        };
        let previous = at.checked_sub(1).and_then(|i| closes.get(i)).copied().unwrap_or(close);
        let Some(day) = world.calendar.day(number) else {
            continue;
        };
        let i = number as i64 * 4;
        let open = rounded(previous * (1.0 + 0.3 * sigma * draw.normal(i)));
        let high = rounded(open.max(close) * (1.0 + 0.4 * sigma * draw.unit(i + 1)));
        let low = rounded(open.min(close) * (1.0 - 0.4 * sigma * draw.unit(i + 2)));
        let activity = 1.0 + 12.0 * (close / previous - 1.0).abs() + 0.3 * draw.normal(i + 3);
        let volume = (float * activity.max(0.2)).max(1.0);
        let volume = if fractional { (volume * 1e5).round() / 1e5 } else { volume.round() };
        bars.push(Bar {
            number,
            day,
            open,
            high,
            low: low.min(open).min(close),
            close,
            volume,
        });
    }
    bars
}

/// The newest `n` bars, oldest first.
pub(super) fn newest(world: &World, company: &Company, n: usize) -> Vec<Bar> {
    match span(world, company) {
        Some((_, last)) => bars(world, company, (last + 1).saturating_sub(n), last),
        None => Vec::new(),
    }
}

/// The close of the last session on or before `day`; 0 if there was none.
pub(super) fn close_on(world: &World, company: &Company, day: NaiveDate) -> f64 {
    let Some((first, last)) = span(world, company) else {
        return 0.0;
    };
    match world.calendar.at_or_before(day) {
        Some(number) if number >= first => {
            closes(world, company, number.min(last), number.min(last)).first().copied().unwrap_or(0.0)
        }
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::World;
    use super::*;

    fn world() -> World {
        World::new(7, 503, NaiveDate::from_ymd_opt(2026, 9, 18).expect("date"), None, 0)
    }

    #[test]
    fn a_window_has_the_same_bars_as_the_whole_history() {
        let world = world();
        for symbol in ["AAPL", "SPLIT", "^GSPC"] {
            let company = world.company(symbol).expect("company");
            let all = bars(&world, &company, 0, world.last);
            let some = bars(&world, &company, 6_000, 6_029);
            assert_eq!(some.len(), 30);
            assert_eq!(all.get(6_000..6_030), Some(some.as_slice()), "{symbol}");
            assert!(
                all.iter()
                    .all(|b| b.low <= b.open.min(b.close) && b.high >= b.open.max(b.close) && b.low > 0.0)
            );
        }
    }

    #[test]
    fn regressing_returns_on_the_market_recovers_beta() {
        let world = world();
        let returns = |symbol: &str| -> Vec<f64> {
            let bars = newest(&world, &world.company(symbol).expect("company"), 2_000);
            bars.windows(2).map(|w| (w[1].close / w[0].close).ln()).collect()
        };
        let market = returns("^GSPC");
        let mean = market.iter().sum::<f64>() / market.len() as f64;
        for symbol in ["AAPL", "MSFT", "XOM"] {
            let own = returns(symbol);
            let covariance: f64 = own.iter().zip(&market).map(|(a, m)| a * (m - mean)).sum();
            let variance: f64 = market.iter().map(|m| (m - mean).powi(2)).sum();
            let beta = world.company(symbol).expect("company").beta;
            assert!((covariance / variance - beta).abs() < 0.2, "{symbol}: {} {beta}", covariance / variance);
        }
    }

    #[test]
    fn a_split_rebases_the_history() {
        let day = |m, d| NaiveDate::from_ymd_opt(2026, m, d).expect("date");
        let anchor = Some(day(9, 18));
        let before = World::new(7, 503, day(8, 26), anchor, 0);
        let after = World::new(7, 503, day(8, 28), anchor, 0);
        let close = |w: &World| close_on(w, &w.company("SPLIT").expect("company"), day(8, 3));
        let ratio = close(&before) / close(&after);
        assert!((ratio - 4.0).abs() < 0.01, "{ratio}");
    }
}
