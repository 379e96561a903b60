//! What holds for any input: rows, decimals and symbols out of arbitrary text, and the figures of made companies. Seeds are fixed.

mod decimals;
mod figures;
mod rows;
mod symbols;

use proptest::test_runner::{Config, RngSeed};

/// So many cases, always the same ones.
fn config(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(4_711), failure_persistence: None, ..Config::default() }
}
