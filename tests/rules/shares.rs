//! Share counts are cross-checked: those of statements with each other and with the vendor's.

use serde_json::{Value, json};

use super::{
    company::{BALANCE, Company, INCOME, PRICE, SHARES, TODAY, day},
    market, near, null, shares_source, suspect, suspicions,
};

const NEWEST: (&str, &str) = ("2026-06-30", "2026-06-30");

/// Sets the share count of a range of periods, and EPS to match.
fn counts(company: Company, range: (&str, &str), shares: f64) -> Company {
    let mut company = company;
    for field in ["weightedAverageShsOut", "weightedAverageShsOutDil"] {
        company = company.set(INCOME, "", range, field, shares);
    }
    for (label, income) in [("Q", 30e6), ("FY", 120e6)] {
        for field in ["eps", "epsDiluted"] {
            company = company.set(INCOME, label, range, field, income / shares);
        }
    }
    company
}

fn vendor(mut company: Company, shares: f64) -> Company {
    company.profile["marketCap"] = json!(PRICE * shares);
    company
}

/// Market caps of all days, with the share count of each.
fn caps(mut company: Company, shares: impl Fn(&str) -> f64) -> Company {
    let days = day("2024-06-03").iter_days().take_while(|d| *d <= day(TODAY));
    let one = |d: chrono::NaiveDate| {
        let date = d.to_string();
        let cap = PRICE * shares(&date);
        json!({"symbol": company.symbol, "date": date, "marketCap": cap})
    };
    company.market_caps = days.map(one).collect::<Vec<Value>>();
    company
}

pub(super) fn companies() -> Vec<Company> {
    let mut ipo = vendor(Company::new("IPOYEAR"), SHARES);
    ipo.profile["ipoDate"] = json!("2026-02-10");
    let ipo = counts(
        counts(ipo, ("2000-01-01", "2025-12-31"), SHARES * 0.1),
        ("2026-01-01", "2026-03-31"),
        SHARES * 0.4,
    );
    // Two companies become one: shares and assets more than double.
    let merged = ["totalAssets", "totalEquity", "totalStockholdersEquity"]
        .into_iter()
        .zip([1_600e6, 1_200e6, 1_200e6]);
    let merger = merged.fold(
        counts(vendor(Company::new("MERGER"), SHARES * 2.4), NEWEST, SHARES * 2.4),
        |company, (field, value)| company.set(BALANCE, "", NEWEST, field, value),
    );
    let ends = ["2025-03-31", "2025-06-30", "2025-09-30", "2025-12-31", "2026-03-31", "2026-06-30"];
    let buyback = ends.into_iter().enumerate().fold(Company::new("BUYBACK"), |company, (n, end)| {
        counts(company, (end, end), SHARES * (1.0 - 0.05 * n as f64))
    });
    let mut thousands = Company::new("THOUSAND");
    for field in ["weightedAverageShsOut", "weightedAverageShsOutDil"] {
        thousands = thousands.set(INCOME, "Q", NEWEST, field, SHARES / 1_000.0);
    }
    let mut cents = Company::new("CENTS");
    for field in ["eps", "epsDiluted"] {
        cents = cents.set(INCOME, "Q", NEWEST, field, 150.0);
    }
    let in_may = |date: &str| ("2026-05-04".."2026-05-22").contains(&date);
    vec![
        ipo,
        merger,
        vendor(buyback, SHARES * 0.74),
        thousands,
        cents,
        vendor(Company::new("HUNDRED"), SHARES / 100.0),
        vendor(Company::new("UNKNOWN"), SHARES * 2.7),
        vendor(Company::new("AHEAD"), SHARES * 1.3),
        caps(vendor(Company::new("CAPS"), SHARES * 1.08), |_| SHARES * 1.08),
        caps(Company::new("CAPSWRONG"), move |date| if in_may(date) { SHARES * 5.0 } else { SHARES }),
        caps(vendor(Company::new("GLITCH"), SHARES * 3.1), |date| {
            if date < "2026-09-17" { SHARES } else { SHARES * 3.1 }
        }),
        caps(vendor(Company::new("CLASSES"), SHARES * 0.45), |_| SHARES * 0.45),
    ]
}

#[test]
fn growth_mergers_buybacks_and_ipos_are_not_suspect() {
    for symbol in ["IPOYEAR", "MERGER", "BUYBACK", "AHEAD", "CAPS"] {
        assert_eq!(suspicions(symbol), Vec::<String>::new(), "{symbol}");
    }
    near(market("IPOYEAR", TODAY, "market_cap"), PRICE * SHARES);
    near(market("MERGER", TODAY, "market_cap"), PRICE * SHARES * 2.4);
    near(market("MERGER", "2026-07-01", "market_cap"), PRICE * SHARES);
    near(market("BUYBACK", TODAY, "market_cap"), PRICE * SHARES * 0.74);
    near(market("BUYBACK", "2026-09-17", "market_cap"), PRICE * SHARES * 0.75);
}

#[test]
fn a_change_of_source_moves_the_count_by_at_most_five_percent() {
    near(market("AHEAD", TODAY, "market_cap"), PRICE * SHARES);
    assert_eq!(shares_source("AHEAD", TODAY), "statement");
    assert_eq!(shares_source("BUYBACK", TODAY), "profile");
}

#[test]
fn a_count_or_eps_that_is_off_by_a_unit_is_not_used() {
    // EPS and the vendor show that the newest count is in thousands.
    assert_eq!(market("THOUSAND", "2026-09-17", "market_cap"), null("share_count_disputed"));
    near(market("THOUSAND", TODAY, "market_cap"), PRICE * SHARES);
    near(market("THOUSAND", TODAY, "pe_ratio_ttm"), 10.0);
    assert_eq!(suspicions("THOUSAND"), ["eps_disputed|Q2", "share_count_disputed|Q2"]);
    assert_eq!(market("CENTS", TODAY, "pe_ratio_ttm"), null("eps_disputed"));
    near(market("CENTS", TODAY, "market_cap"), PRICE * SHARES);
    // EPS shows that the vendor's count is a hundredth.
    near(market("HUNDRED", TODAY, "market_cap"), PRICE * SHARES);
    near(market("HUNDRED", TODAY, "pe_ratio_ttm"), 10.0);
    assert_eq!(shares_source("HUNDRED", TODAY), "statement");
}

#[test]
fn counts_that_differ_without_a_cause_give_no_figures() {
    for metric in ["market_cap", "pe_ratio_ttm", "pb_ratio", "enterprise_value"] {
        for date in ["2026-02-02", TODAY] {
            assert_eq!(market("UNKNOWN", date, metric), null("share_count_disputed"), "{metric}");
        }
    }
    assert_eq!(suspect("UNKNOWN", TODAY), "share_count_disputed");
    assert!(suspicions("UNKNOWN").contains(&"share_count_disputed|MARKET".to_owned()));
}

#[test]
fn past_market_caps_are_those_of_the_market() {
    for date in ["2024-09-03", "2026-02-02", "2026-09-17", TODAY] {
        near(market("CAPS", date, "market_cap"), PRICE * SHARES * 1.08);
        assert_eq!(shares_source("CAPS", date), if date == TODAY { "profile" } else { "market_caps" });
    }
    // FMP's market cap is fivefold for three weeks.
    for date in ["2026-05-01", "2026-05-04", "2026-05-21", "2026-05-22", TODAY] {
        near(market("CAPSWRONG", date, "market_cap"), PRICE * SHARES);
    }
    assert_eq!(shares_source("CAPSWRONG", "2026-05-11"), "statement");
    // The vendor agreed with the statements until two days ago.
    near(market("GLITCH", TODAY, "market_cap"), PRICE * SHARES);
    near(market("GLITCH", TODAY, "pe_ratio_ttm"), 10.0);
    // The vendor counts one class, today and a year ago.
    for date in ["2025-06-02", TODAY] {
        near(market("CLASSES", date, "market_cap"), PRICE * SHARES);
    }
    near(market("CLASSES", TODAY, "pe_ratio_ttm"), 10.0);
}
