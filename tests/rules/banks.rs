//! Which companies count as banks, and which figures they lack.

use super::{
    company::{Company, INCOME, TODAY},
    growth_rate, market, near, null, ratio,
};

const EVER: (&str, &str) = ("2000-01-01", "2099-01-01");
const NOT_A_BANK: &str = "not_meaningful_for_sector";
const QUARTER: &str = "2026-06-30";

pub(super) fn companies() -> Vec<Company> {
    let financial = Some("Financial Services");
    let lender = |symbol, interest: i64| {
        let company = Company::new(symbol).industry(financial, Some("Financial - Credit Services"));
        let company = company.set(INCOME, "Q", EVER, "interestIncome", interest);
        company.set(INCOME, "FY", EVER, "interestIncome", interest * 4)
    };
    vec![
        lender("CARDS", 20_000_000),
        lender("LENDER", 62_000_000),
        Company::new("BANK").industry(financial, Some("Banks - Regional")),
        Company::new("OLDBANK").industry(financial, Some("Banks\u{2014}Regional")),
        Company::new("LIFE").industry(financial, Some("Insurance - Life")),
        Company::new("MREIT").industry(Some("Real Estate"), Some("REIT - Mortgage")),
        Company::new("BROKER").industry(financial, Some("Insurance - Brokers")),
        Company::new("BOURSE").industry(financial, Some("Financial - Data & Stock Exchanges")),
        Company::new("FUNDS").industry(financial, Some("Asset Management")),
        Company::new("OFFICE").industry(Some("Real Estate"), Some("REIT - Office")),
        Company::new("MAKER").industry(Some("Industrials"), None),
        Company::new("NAMED").industry(None, Some("Agricultural - Machinery")),
        Company::new("FINANCE").industry(financial, None),
        Company::new("ESTATE").industry(Some("Real Estate"), Some("")),
        Company::new("NOTHING").industry(None, None),
    ]
}

#[test]
fn banks_and_insurers_have_no_ebitda_multiples_and_card_networks_do() {
    for bank in ["BANK", "OLDBANK", "LIFE", "MREIT", "LENDER"] {
        assert_eq!(market(bank, TODAY, "ev_to_ebitda"), null(NOT_A_BANK), "{bank}");
        assert_eq!(ratio(bank, "TTM", QUARTER, "current_ratio"), null(NOT_A_BANK), "{bank}");
        near(market(bank, TODAY, "pe_ratio_ttm"), 10.0);
        near(ratio(bank, "TTM", QUARTER, "net_margin"), 0.15);
    }
    for company in ["CARDS", "BROKER", "BOURSE", "FUNDS", "OFFICE", "MAKER", "NAMED"] {
        near(market(company, TODAY, "ev_to_ebitda"), (1200.0 + 170.0 - 100.0) / 200.0);
        near(ratio(company, "TTM", QUARTER, "current_ratio"), 2.0);
    }
}

#[test]
fn a_company_that_may_be_a_bank_has_no_such_figures() {
    for company in ["FINANCE", "ESTATE", "NOTHING"] {
        assert_eq!(market(company, TODAY, "ev_to_ebitda"), null("unknown_sector"), "{company}");
        assert_eq!(ratio(company, "Q2", QUARTER, "gross_margin"), null("unknown_sector"), "{company}");
        near(ratio(company, "Q2", QUARTER, "net_margin"), 0.15);
    }
}

#[test]
fn banks_lack_all_figures_of_margins_capital_coverage_and_free_cash_flow() {
    for metric in [
        "gross_margin",
        "roic",
        "roic_average",
        "roce",
        "interest_coverage",
        "fcf_margin",
        "fcf_to_ocf",
        "fcf_per_share",
        "free_cash_flow_to_equity",
        "free_cash_flow_to_firm",
        "asset_turnover",
    ] {
        assert_eq!(ratio("BANK", "FY", "2025-12-31", metric), null(NOT_A_BANK), "{metric}");
        assert!(ratio("CARDS", "FY", "2025-12-31", metric).is_ok(), "{metric}");
    }
    for metric in ["fcf_yield", "p_to_fcf_ttm", "ev_to_ebit"] {
        assert_eq!(market("BANK", TODAY, metric), null(NOT_A_BANK), "{metric}");
        assert!(market("CARDS", TODAY, metric).is_ok(), "{metric}");
    }
    assert_eq!(growth_rate("BANK", "TTM", QUARTER, "free_cash_flow_yoy"), null(NOT_A_BANK));
    near(growth_rate("CARDS", "TTM", QUARTER, "free_cash_flow_yoy"), 0.0);
    near(growth_rate("BANK", "TTM", QUARTER, "revenue_yoy"), 0.0);
}
