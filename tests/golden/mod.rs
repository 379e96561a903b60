//! Figures against numbers that somebody else computed: FMP's own for Apple's twelve months to 28 June 2025, and those of a small
//! company of ours, computed here.

mod all_metrics;
mod apple;
mod counterparts;
mod expected;
mod formulas;
pub(crate) mod generated;
mod price_metrics;
mod sec;
mod small_company;
mod small_company_data;

/// Relative difference that counts as none.
const TOLERANCE: f64 = 1e-6;

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

#[test]
fn the_comparison_tells_a_difference() {
    assert!(
        close(1.0, 1.0 + 9e-7)
            && !close(1.0, 1.0 + 2e-6)
            && close(0.0, 0.0)
            && !close(0.0, 1e-9)
            && !close(f64::NAN, 1.0)
    );
}
