//! Growth from losses, jumps in earnings, and tax rates.

use super::{
    company::{Company, INCOME, TODAY},
    growth_rate, market, near, null, ratio,
};

/// The four quarters that end in June 2025, and those that end in June 2026.
const BEFORE: (&str, &str) = ("2024-07-01", "2025-06-30");
const NOW: (&str, &str) = ("2025-07-01", "2026-06-30");
const QUARTER: &str = "2026-06-30";

/// A company whose quarters have this EPS before and now.
fn earning(symbol: &'static str, before: f64, now: f64) -> Company {
    let change = |company: Company, range, eps: f64| {
        let company = company.set(INCOME, "Q", range, "netIncome", eps * 20e6);
        company.set(INCOME, "Q", range, "epsDiluted", eps).set(INCOME, "Q", range, "eps", eps)
    };
    change(change(Company::new(symbol), BEFORE, before), NOW, now)
}

pub(super) fn companies() -> Vec<Company> {
    let taxed = |symbol, pretax: i64, tax: i64| {
        let company = Company::new(symbol).set(INCOME, "Q", NOW, "incomeBeforeTax", pretax);
        company.set(INCOME, "Q", NOW, "incomeTaxExpense", tax)
    };
    vec![
        earning("TURNED", -0.8, 0.75),
        earning("BROKEN", 0.0, 0.75),
        earning("FELL", 1.0, -0.5),
        earning("JUMPED", 0.05, 1.2),
        taxed("LOSS", -20_000_000, -5_000_000),
        taxed("OVERTAX", 10_000_000, 13_000_000),
        taxed("REFUND", 10_000_000, -3_000_000),
    ]
}

#[test]
fn nothing_grows_from_a_base_at_or_below_zero() {
    for symbol in ["TURNED", "BROKEN"] {
        for metric in ["net_income_yoy", "eps_diluted_yoy"] {
            assert_eq!(
                growth_rate(symbol, "TTM", QUARTER, metric),
                null("negative_base"),
                "{symbol} {metric}"
            );
        }
        assert_eq!(market(symbol, TODAY, "peg_ratio"), null("negative_base"), "{symbol}");
        near(market(symbol, TODAY, "pe_ratio_ttm"), 20.0);
    }
    // The quarter before is at the new level.
    near(growth_rate("TURNED", "Q2", QUARTER, "net_income_qoq"), 0.0);
    assert_eq!(growth_rate("TURNED", "Q3", "2025-09-30", "net_income_qoq"), null("negative_base"));
}

#[test]
fn a_fall_into_losses_and_a_jump_in_earnings_are_changes() {
    near(growth_rate("FELL", "TTM", QUARTER, "net_income_yoy"), -1.5);
    assert_eq!(market("FELL", TODAY, "peg_ratio"), null("negative_earnings"));
    near(growth_rate("JUMPED", "TTM", QUARTER, "eps_diluted_yoy"), 23.0);
    // A P/E of 12.5 on growth of 2,300 %.
    near(market("JUMPED", TODAY, "peg_ratio"), 12.5 / 2_300.0);
}

#[test]
fn a_share_outside_0_to_1_is_no_tax_rate() {
    for metric in ["effective_tax_rate", "roic"] {
        assert_eq!(ratio("LOSS", "TTM", QUARTER, metric), null("negative_earnings"), "{metric}");
        for symbol in ["OVERTAX", "REFUND"] {
            assert_eq!(ratio(symbol, "TTM", QUARTER, metric), null("missing_input"), "{symbol} {metric}");
        }
    }
    assert_eq!(ratio("OVERTAX", "TTM", QUARTER, "free_cash_flow_to_firm"), null("missing_input"));
    near(ratio("TURNED", "TTM", QUARTER, "effective_tax_rate"), 8.0 / 38.0);
    near(ratio("TURNED", "TTM", QUARTER, "roic"), 160.0 * (1.0 - 8.0 / 38.0) / 610.0);
}
