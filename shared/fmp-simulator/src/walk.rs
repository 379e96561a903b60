//! Random walks. Each is a Brownian motion by Lévy's construction: the value at the middle of a span
//! is the mean of its ends plus a draw numbered by that day. A single day therefore costs 14 steps, a
//! window costs little more than its length, and a day's value does not depend on how many days were
//! generated before it.

use super::rng::Draw;

/// Trading days in a walk, starting in 2000 and lasting into 2065. A power of two, so that halving
/// the span reaches every day.
const SPAN: usize = 1 << 14;
/// Number of the trading day 2 January 2025, on which a company has its reference price.
pub(super) const REFERENCE: usize = 6_289;
/// Standard deviation and drift of the market's daily log return.
const MARKET: (f64, f64) = (0.0095, 0.000_30);

/// Item number of the draws of a walk.
pub(super) const OWN_WALK: u64 = 20;

/// The values of a walk for the days `from..=to`, with a standard deviation of 1 per day.
pub(super) fn walk(draw: Draw, from: usize, to: usize) -> Vec<f64> {
    fn bisect(draw: Draw, a: (usize, f64), b: (usize, f64), range: (usize, usize), out: &mut Vec<f64>) {
        let length = b.0 - a.0;
        if length < 2 || b.0 <= range.0 || a.0 >= range.1 {
            return;
        }
        let middle = a.0 + length / 2;
        let value = (a.1 + b.1) / 2.0 + (length as f64).sqrt() / 2.0 * draw.normal(middle as i64);
        bisect(draw, a, (middle, value), range, out);
        if (range.0..=range.1).contains(&middle) {
            out.push(value);
        }
        bisect(draw, (middle, value), b, range, out);
    }
    let (from, to) = (from.min(SPAN), to.min(SPAN));
    let mut out = Vec::with_capacity(to.saturating_sub(from) + 1);
    let end = (SPAN as f64).sqrt() * draw.normal(-1);
    if from == 0 {
        out.push(0.0);
    }
    bisect(draw, (0, 0.0), (SPAN, end), (from, to), &mut out);
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
