//! Splits are judged: by their type, by the counts of later filings, and by the vendor's count.

use serde_json::{Value, json};

use super::{
    company::{BALANCE, Company, INCOME, PRICE, SHARES, TODAY},
    home, market, near, near_with_count, null, shares_source, suspect, suspicions,
};

const EVER: (&str, &str) = ("2000-01-01", "2099-01-01");
/// Periods filed after the splits of March 2026.
const AFTER: (&str, &str) = ("2026-01-01", "2099-01-01");

fn split(symbol: &str, date: &str, numerator: i64, denominator: i64, kind: &str) -> Value {
    json!({"symbol": symbol, "date": date, "numerator": numerator, "denominator": denominator, "splitType": kind})
}

/// Multiplies the share counts of a range of periods and divides EPS.
fn counts(company: Company, range: (&str, &str), factor: f64) -> Company {
    let mut company = company;
    for field in ["weightedAverageShsOut", "weightedAverageShsOutDil"] {
        company = company.set(INCOME, "", range, field, SHARES * factor);
    }
    for field in ["eps", "epsDiluted"] {
        company = company.set(INCOME, "Q", range, field, 1.5 / factor);
        company = company.set(INCOME, "FY", range, field, 6.0 / factor);
    }
    company
}

fn profile(mut company: Company, shares: f64, close: f64) -> Company {
    (company.profile["price"], company.profile["marketCap"]) = (json!(close), json!(close * shares));
    company.closes = vec![("2024-06-03", close)];
    company
}

fn with(mut company: Company, splits: Vec<Value>) -> Company {
    company.splits = splits;
    company
}

pub(super) fn companies() -> Vec<Company> {
    let two = |symbol| {
        with(
            profile(counts(Company::new(symbol), AFTER, 2.0), SHARES * 2.0, PRICE),
            vec![split(symbol, "2026-03-16", 2, 1, "stock-split")],
        )
    };
    let mut twice = two("SPLIT2D");
    twice.splits.insert(0, split("SPLIT2D", "2026-03-20", 4, 2, "stock-split"));
    let reverse = |symbol, into: i64, shares| {
        with(
            profile(Company::new(symbol), shares, PRICE * into as f64),
            vec![split(symbol, "2026-09-08", 1, into, "stock-split")],
        )
    };
    // FMP divides the prices before a spin-off, but the price itself fell as well.
    let spin_off = |symbol, numerator, denominator, kind| {
        with(Company::new(symbol), vec![split(symbol, "2026-06-15", numerator, denominator, kind)])
    };
    // FMP divided the prices without cause, so they jump by the factor.
    let mut bogus = spin_off("NOSPLIT", 3, 2, "stock-split");
    bogus.closes = vec![("2024-06-03", 40.0), ("2026-06-15", 60.0)];
    let large = profile(counts(Company::new("SPLIT150"), AFTER, 1.0 / 150.0), SHARES / 150.0, PRICE * 150.0);
    vec![
        two("SPLIT2"),
        twice,
        // FMP restated all statements for the split
        with(
            profile(counts(Company::new("SPLIT32"), EVER, 1.5), SHARES * 1.5, PRICE),
            vec![split("SPLIT32", "2026-03-16", 3, 2, "stock-split")],
        ),
        reverse("REVERSE", 10, SHARES / 10.0),
        reverse("STALECAP", 10, SHARES),
        reverse("SPLIT200", 200, SHARES / 200.0),
        with(large, vec![split("SPLIT150", "2026-03-16", 1, 150, "stock-split")]),
        spin_off("SPINOFF", 23, 20, "spin-off"),
        spin_off("SPINFACT", 1407, 1000, ""),
        bogus,
        counts_off_by_a_split(),
        split_between_annual_statements(),
        offering_after_a_reverse_split(),
    ]
}

/// A 1-for-8 split and an offering of 100 million that triples the shares before the next filing.
fn offering_after_a_reverse_split() -> Company {
    let company = counts(Company::new("DILUTED"), AFTER, 3.0 / 8.0);
    let company = profile(company, SHARES * 3.0 / 8.0, PRICE * 8.0);
    let balances = [
        ("cashAndCashEquivalents", 200),
        ("cashAndShortTermInvestments", 200),
        ("totalCurrentAssets", 320),
        ("totalAssets", 800),
        ("totalStockholdersEquity", 400),
        ("totalEquity", 400),
    ];
    let company = balances.iter().fold(company, |company, (field, millions)| {
        company.set(BALANCE, "", AFTER, field, millions * 1_000_000)
    });
    with(company, vec![split("DILUTED", "2026-03-16", 1, 8, "stock-split")])
}

/// A 3-for-2 split in May 2024, around which there are annual statements only. Buybacks since then
/// brought the count back near the one before the split.
fn split_between_annual_statements() -> Company {
    let periods = [("2023-12-31", "FY", 4), ("2024-12-31", "FY", 4)];
    let later = [
        ("2025-12-31", "FY", 4),
        ("2025-09-30", "Q3", 1),
        ("2025-12-31", "Q4", 1),
        ("2026-03-31", "Q1", 1),
    ];
    let company = Company::of_periods("OLDSPLIT", &[&periods[..], &later[..]].concat());
    let company =
        counts(counts(company, ("2024-12-31", "2024-12-31"), 1.4), ("2025-01-01", "2099-01-01"), 1.175);
    with(
        profile(company, SHARES * 1.175, PRICE),
        vec![split("OLDSPLIT", "2024-05-13", 3, 2, "stock-split")],
    )
}

/// A 5-for-1 split, for which FMP divided the counts before July 2026 once more.
fn counts_off_by_a_split() -> Company {
    let company = counts(Company::new("ADJUSTED"), ("2000-01-01", "2026-03-31"), 0.2);
    with(company, vec![split("ADJUSTED", "2025-10-20", 1, 5, "stock-split")])
}

#[test]
fn real_splits_leave_the_market_cap_and_no_suspicion() {
    for (symbol, factor) in [("SPLIT2", 2.0), ("SPLIT2D", 2.0), ("SPLIT32", 1.5)] {
        for date in
            ["2025-12-15", "2026-03-13", "2026-03-16", "2026-04-01", "2026-06-01", "2026-09-17", TODAY]
        {
            near(market(symbol, date, "market_cap"), PRICE * SHARES * factor);
            near(market(symbol, date, "pe_ratio_ttm"), PRICE / (6.0 / factor));
            assert_eq!(suspect(symbol, date), "", "{symbol}");
        }
        assert_eq!(suspicions(symbol), Vec::<String>::new(), "{symbol}");
    }
    for date in ["2026-09-04", TODAY] {
        near(market("REVERSE", date, "market_cap"), PRICE * SHARES);
        near(market("REVERSE", date, "pe_ratio_ttm"), 10.0);
    }
    assert_eq!(suspicions("REVERSE"), Vec::<String>::new(), "the vendor confirms the split");
    for date in ["2026-09-04", TODAY] {
        near(market("SPLIT200", date, "market_cap"), PRICE * SHARES);
        near(market("SPLIT200", date, "pe_ratio_ttm"), 10.0);
    }
    assert_eq!(suspicions("SPLIT200"), Vec::<String>::new(), "the vendor confirms 1 for 200");
    near_with_count(market("SPLIT150", "2026-02-02", "market_cap"), PRICE * SHARES, SHARES / 150.0);
    near_with_count(market("SPLIT150", TODAY, "market_cap"), PRICE * SHARES, SHARES / 150.0);
    assert_eq!(suspicions("SPLIT150"), Vec::<String>::new(), "filings confirm 1 for 150");
}

#[test]
fn a_split_of_earlier_years_is_judged_by_annual_statements() {
    near(market("OLDSPLIT", TODAY, "market_cap"), PRICE * SHARES * 1.175);
    assert_eq!(suspect("OLDSPLIT", TODAY), "");
    assert_eq!(suspicions("OLDSPLIT"), Vec::<String>::new());
}

#[test]
fn an_offering_after_a_reverse_split_does_not_contradict_it() {
    near(market("DILUTED", TODAY, "market_cap"), PRICE * SHARES * 3.0);
    // The count of the quarters before fits neither basis, so their figures per share are not used.
    assert_eq!(market("DILUTED", TODAY, "pe_ratio_ttm"), null("share_count_disputed"));
    let verdict =
        "select count(*) from ops.quality where symbol = 'DILUTED' and check_name = 'split_unconfirmed'";
    assert_eq!(home().count(verdict), 0);
}

#[test]
fn a_vendor_count_that_contradicts_a_split_is_not_used_and_the_figures_are_suspect() {
    for date in ["2026-02-02", "2026-09-17", TODAY] {
        near(market("STALECAP", date, "market_cap"), PRICE * SHARES);
        near(market("STALECAP", date, "pe_ratio_ttm"), 10.0);
        assert_eq!(suspect("STALECAP", date), "split_unconfirmed");
    }
    assert_eq!(shares_source("STALECAP", TODAY), "statement");
    assert_eq!(suspicions("STALECAP"), ["split_unconfirmed|MARKET"]);
}

#[test]
fn a_spin_off_changes_prices_and_not_the_share_count() {
    for (symbol, factor) in [("SPINOFF", 1.15), ("SPINFACT", 1.407)] {
        near(market(symbol, "2026-06-12", "market_cap"), PRICE * factor * SHARES);
        near(market(symbol, "2026-06-12", "pe_ratio_ttm"), PRICE * factor / 6.0);
        near(market(symbol, "2026-06-15", "market_cap"), PRICE * SHARES);
        near(market(symbol, TODAY, "pe_ratio_ttm"), PRICE / 6.0);
        assert_eq!(suspicions(symbol), Vec::<String>::new());
        let traded = "select as_traded_close from analytics.fact_daily_prices where price_date = '2026-06-12' and symbol";
        near(home().figure(&format!("{traded} = '{symbol}'")).ok_or_else(String::new), PRICE * factor);
    }
}

#[test]
fn a_split_without_new_shares_that_divided_prices_is_none() {
    for date in ["2026-06-12", "2026-06-15", TODAY] {
        near(market("NOSPLIT", date, "market_cap"), PRICE * SHARES);
        near(market("NOSPLIT", date, "pe_ratio_ttm"), 10.0);
    }
}

#[test]
fn counts_that_fmp_adjusted_twice_are_null_with_a_reason() {
    let disputed = || null("share_count_disputed");
    for metric in ["market_cap", "pe_ratio_ttm", "pb_ratio", "ps_ratio_ttm"] {
        assert_eq!(market("ADJUSTED", "2026-07-01", metric), disputed(), "{metric}");
    }
    assert_eq!(market("ADJUSTED", TODAY, "pe_ratio_ttm"), disputed());
    near(market("ADJUSTED", TODAY, "market_cap"), PRICE * SHARES);
    near(market("ADJUSTED", "2026-08-10", "market_cap"), PRICE * SHARES);
    assert_eq!(suspect("ADJUSTED", "2026-07-01"), "share_count_disputed");
    let reason = "select distinct reason from analytics.metric_nulls where symbol = 'ADJUSTED' and basis = 'TTM' \
                  and subject_date = '2026-06-30' and metric in ('ttm_eps', 'ttm_eps_diluted', 'ttm_eps_diluted_sum')";
    assert_eq!(home().lines(reason), ["share_count_disputed"]);
}
