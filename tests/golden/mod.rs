//! Golden values: figures compared with numbers computed elsewhere. The references are FMP's own
//! figures for Apple's twelve months to 28 June 2025, SEC filings, and values computed here for
//! made-up companies.

mod added_ratio;
mod all_metrics;
mod apple;
mod apple_scores;
mod counterparts;
mod expected;
mod formulas;
pub(crate) mod generated;
mod price_metrics;
mod sec;
mod small_company;
mod small_company_data;

/// The largest relative difference between two figures that count as equal.
const TOLERANCE: f64 = 1e-6;

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

#[test]
fn the_comparison_detects_a_difference() {
    assert!(
        close(1.0, 1.0 + 9e-7)
            && !close(1.0, 1.0 + 2e-6)
            && close(0.0, 0.0)
            && !close(0.0, 1e-9)
            && !close(f64::NAN, 1.0)
    );
}
