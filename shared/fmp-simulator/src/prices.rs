//! Daily bars: log price = beta x market + own walk. Both walks are Brownian by Lévy's construction: the
//! value in the middle of a span is the mean of its ends plus a random draw indexed by that day. A single day costs
//! 14 steps and a window little more than its length, and no value depends on where a window begins.

use super::company::Company;
use super::edge_cases::EdgeCase;
use super::rng::Draw;
use super::world::World;
use chrono::NaiveDate;

/// Number of trading days of the walk, a power of two: from 2000 to 2065.
const SPAN: usize = 1 << 14;
/// Number of 2 January 2025, where a company's price is its reference price.
const REFERENCE: usize = 6_289;
/// Standard deviation and drift of the market's daily log return.
const MARKET: (f64, f64) = (0.0095, 0.000_30);

const OWN_WALK: u64 = 20;
const BAR: u64 = 21;

/// A day's bar, on the split basis of today.
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

/// The walk's values for the days `from..=to`, with a daily standard deviation of 1.
fn walk(draw: Draw, from: usize, to: usize) -> Vec<f64> {
    fn inside(draw: Draw, a: (usize, f64), b: (usize, f64), range: (usize, usize), out: &mut Vec<f64>) {
        let length = b.0 - a.0;
        if length < 2 || b.0 <= range.0 || a.0 >= range.1 {
            return;
        }
        let middle = a.0 + length / 2;
        let value = (a.1 + b.1) / 2.0 + (length as f64).sqrt() / 2.0 * draw.normal(middle as i64);
        inside(draw, a, (middle, value), range, out);
        if (range.0..=range.1).contains(&middle) {
            out.push(value);
        }
        inside(draw, (middle, value), b, range, out);
    }
    let (from, to) = (from.min(SPAN), to.min(SPAN));
    let mut out = Vec::with_capacity(to.saturating_sub(from) + 1);
    let end = (SPAN as f64).sqrt() * draw.normal(-1);
    if from == 0 {
        out.push(0.0);
    }
    inside(draw, (0, 0.0), (SPAN, end), (from, to), &mut out);
    if to == SPAN {
        out.push(end);
    }
    out
}

/// The market's log price for the first `days` days.
pub(super) fn market(seed: u64, days: usize) -> Vec<f64> {
    let values = walk(Draw::new(seed, "^GSPC").item(OWN_WALK), 0, days.saturating_sub(1).max(REFERENCE));
    values.iter().enumerate().map(|(i, w)| MARKET.0 * w + MARKET.1 * i as f64).collect()
}

/// Number of decimals to which a price is rounded.
pub(super) fn places(price: f64) -> u8 {
    if price.abs() < 1.0 { 4 } else { 2 }
}

fn rounded(price: f64) -> f64 {
    let scale = if price < 1.0 { 10_000.0 } else { 100.0 };
    ((price * scale).round() / scale).max(0.0001)
}

/// Day numbers of a company's first session and of its last one up to today.
pub(super) fn span(world: &World, company: &Company) -> Option<(usize, usize)> {
    let first = world.calendar.at_or_after(company.ipo);
    let last = match company.delisted {
        Some(day) => world.calendar.at_or_before(day)?.min(world.last),
        None => world.last,
    };
    (first <= last).then_some((first, last))
}

/// Closes for the days `from..=to`, oldest first.
pub(super) fn closes(world: &World, company: &Company, from: usize, to: usize) -> Vec<f64> {
    let market_at = |i: usize| world.market.get(i).copied().unwrap_or(0.0);
    // The company's own walk on the reference day: one value, 14 steps.
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

/// Bars for the days `from..=to` (numbers), oldest first, without days on which it was not listed.
pub(super) fn bars(world: &World, company: &Company, from: usize, to: usize) -> Vec<Bar> {
    let Some((first, last)) = span(world, company) else {
        return Vec::new();
    };
    let (from, to) = (from.max(first), to.min(last));
    if from > to {
        return Vec::new();
    }
    // Starts one close before the window, because a day opens at the previous close.
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
        let restless = 1.0 + 12.0 * (close / previous - 1.0).abs() + 0.3 * draw.normal(i + 3);
        let volume = (float * restless.max(0.2)).max(1.0);
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

/// Close of the last session on or before `day`; 0 if there was none.
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
    fn a_window_shows_the_same_bars_as_the_whole_history() {
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
    fn beta_can_be_measured() {
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
