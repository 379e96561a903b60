//! Property tests with fixed seeds: rows, decimals and symbols from arbitrary text, and figures of
//! generated companies.

mod decimals;
mod figures;
mod rows;
mod symbols;

use proptest::test_runner::{Config, RngSeed};

/// A configuration with this many cases and a fixed seed.
fn config(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(4_711),
        failure_persistence: None,
        ..Config::default()
    }
}
