//! Random walks: Brownian motions by Lévy's construction. The value at the middle of a span is the
//! mean of the values at its ends, plus a random number that belongs to that day. So a single day
//! takes 14 steps, a range of days takes only a few more steps than it has days, and the value of a
//! day does not depend on which days are generated.

use super::rng::Draw;

/// Number of trading days in a walk, from 2000 into 2065. It is a power of two, so that repeated
/// halving reaches every day.
const SPAN: usize = 1 << 14;
/// Number of the trading day 2 January 2025. On this day, a company has its reference price.
pub(super) const REFERENCE: usize = 6_289;
/// Standard deviation and mean of the market's daily log return.
const MARKET: (f64, f64) = (0.0095, 0.000_30);

/// Item number under which a walk draws its random numbers.
pub(super) const OWN_WALK: u64 = 20;

/// The values of a walk for the days with the numbers `from..=to`. Daily changes have a standard
/// deviation of 1.
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

/// The logarithms of the market's prices for the first `days` trading days.
pub(super) fn market(seed: u64, days: usize) -> Vec<f64> {
    let values = walk(Draw::new(seed, "^GSPC").item(OWN_WALK), 0, days.saturating_sub(1).max(REFERENCE));
    values.iter().enumerate().map(|(i, w)| MARKET.0 * w + MARKET.1 * i as f64).collect()
}
