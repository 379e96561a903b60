//! Counter-based random numbers. A number depends only on seed, name, item and index. So the
//! simulator can generate responses independently and in any order, and need not keep the world in
//! memory. The mixing function is that of splitmix64.

/// The output function of splitmix64: every input bit affects every output bit.
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Hashes a text to 64 bits: FNV-1a, followed by [`mix`].
pub(super) fn of_text(text: &str) -> u64 {
    let fnv = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3));
    mix(fnv)
}

/// A sequence of random numbers for one name (a symbol or a series) and one item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw(u64);

impl Draw {
    /// The random numbers of `name` in the world of `seed`.
    pub(super) fn new(seed: u64, name: &str) -> Self {
        Draw(mix(seed) ^ of_text(name))
    }

    /// The random numbers of one item. Callers choose an item number for each purpose.
    pub(super) fn item(self, item: u64) -> Self {
        Draw(mix(self.0 ^ item.wrapping_mul(0xd134_2543_de82_ef95)))
    }

    /// The random number with this index.
    pub(super) fn bits(self, index: i64) -> u64 {
        mix(self.0 ^ (index as u64).wrapping_mul(0xa076_1d64_78bd_642f))
    }

    /// A number in [0, 1).
    pub(super) fn unit(self, index: i64) -> f64 {
        (self.bits(index) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in [low, high).
    pub(super) fn between(self, index: i64, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit(index)
    }

    /// A whole number in [low, high].
    pub(super) fn whole(self, index: i64, low: i64, high: i64) -> i64 {
        low + (self.bits(index) % (high - low + 1).unsigned_abs()) as i64
    }

    /// Whether an event with this probability happens.
    pub(super) fn chance(self, index: i64, probability: f64) -> bool {
        self.unit(index) < probability
    }

    /// An approximately normal number with mean 0 and standard deviation 1: the sum of four 16-bit
    /// uniform numbers. Its absolute value is at most 3.46.
    pub(super) fn normal(self, index: i64) -> f64 {
        let b = self.bits(index);
        let sum = (b & 0xffff) + ((b >> 16) & 0xffff) + ((b >> 32) & 0xffff) + (b >> 48);
        (sum as f64 / 65_536.0 - 2.0 + 2.0 / 65_536.0) * 1.732_050_807_568_877_2
    }

    /// One element of `of`; `otherwise` if `of` is empty.
    pub(super) fn pick<T: Copy>(self, index: i64, of: &[T], otherwise: T) -> T {
        let at = (self.bits(index) % of.len().max(1) as u64) as usize;
        of.get(at).copied().unwrap_or(otherwise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_seed_name_item_and_index_only() {
        let a = Draw::new(1, "AAPL").item(3).bits(7);
        assert_eq!(a, Draw::new(1, "AAPL").item(3).bits(7));
        assert_ne!(a, Draw::new(2, "AAPL").item(3).bits(7));
        assert_ne!(a, Draw::new(1, "MSFT").item(3).bits(7));
        assert_ne!(a, Draw::new(1, "AAPL").item(4).bits(7));
        assert_ne!(a, Draw::new(1, "AAPL").item(3).bits(8));
    }

    #[test]
    fn normal_has_mean_zero_and_deviation_one() {
        let d = Draw::new(5, "N");
        let n = 200_000;
        let (sum, squares) = (0..n).map(|i| d.normal(i)).fold((0.0, 0.0), |(s, q), x| (s + x, q + x * x));
        assert!((sum / n as f64).abs() < 0.01);
        assert!((squares / n as f64 - 1.0).abs() < 0.01);
    }
}
