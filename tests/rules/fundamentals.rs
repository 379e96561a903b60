//! Which periods figures use: missing statements, gaps, short years, stale periods; and values that say nothing.

use serde_json::{Value, json};

use super::{
    company::{BALANCE, CASH, Company, INCOME, PRICE, Period, SHARES, TODAY},
    growth_rate, home, market, near, null, ratio,
};

const EVER: (&str, &str) = ("2000-01-01", "2099-01-01");
const QUARTER: &str = "2026-06-30";

/// The fiscal year moves from December to June; half a year lies between.
const SHORT_YEAR: [Period; 18] = [
    ("2023-03-31", "Q1", 1),
    ("2023-06-30", "Q2", 1),
    ("2023-09-30", "Q3", 1),
    ("2023-12-31", "Q4", 1),
    ("2024-03-31", "Q1", 1),
    ("2024-06-30", "Q2", 1),
    ("2024-09-30", "Q3", 1),
    ("2024-12-31", "Q4", 1),
    ("2025-03-31", "Q1", 1),
    ("2025-06-30", "Q2", 1),
    ("2025-09-30", "Q1", 1),
    ("2025-12-31", "Q2", 1),
    ("2026-03-31", "Q3", 1),
    ("2026-06-30", "Q4", 1),
    ("2023-12-31", "FY", 4),
    ("2024-12-31", "FY", 4),
    ("2025-06-30", "FY", 2),
    ("2026-06-30", "FY", 4),
];

/// The last Saturday of the year: 2025 has 53 weeks.
const LONG_YEAR: [Period; 11] = [
    ("2023-12-30", "Q4", 1),
    ("2024-03-30", "Q1", 1),
    ("2024-06-29", "Q2", 1),
    ("2024-09-28", "Q3", 1),
    ("2024-12-28", "Q4", 1),
    ("2025-03-29", "Q1", 1),
    ("2025-06-28", "Q2", 1),
    ("2025-09-27", "Q3", 1),
    ("2026-01-03", "Q4", 1),
    ("2024-12-28", "FY", 4),
    ("2026-01-03", "FY", 4),
];

const HALVES: [Period; 5] = [
    ("2023-11-25", "Q4", 2),
    ("2024-05-25", "Q2", 2),
    ("2024-11-25", "Q4", 2),
    ("2025-05-25", "Q2", 2),
    ("2025-11-25", "Q4", 2),
];

const YEARS: [Period; 3] = [("2023-05-31", "FY", 4), ("2024-05-31", "FY", 4), ("2025-05-31", "FY", 4)];

pub(super) fn companies() -> Vec<Company> {
    let rich = ["cashAndCashEquivalents", "cashAndShortTermInvestments"]
        .into_iter()
        .fold(Company::new("RICH"), |company, field| {
            company.set(BALANCE, "", EVER, field, 1_400_000_000)
        });
    let mut no_currency = Company::new("NOMONEY");
    no_currency.profile["currency"] = Value::Null;
    let no_cost = |symbol, gross: i64| {
        let company = Company::new(symbol).set(INCOME, "Q", ("2026-06-30", "2026-06-30"), "costOfRevenue", 0);
        company.set(INCOME, "Q", ("2026-06-30", "2026-06-30"), "grossProfit", gross)
    };
    // Minority interest of 40 million, and net income of 33 million at the top of the cash flow statement.
    let mut minority = Company::new("PARENT")
        .set(BALANCE, "", EVER, "minorityInterest", 40_000_000)
        .set(BALANCE, "", EVER, "totalEquity", 340_000_000)
        .set(CASH, "Q", EVER, "netIncome", 33_000_000);
    minority.ratios_ttm = vec![
        json!({"symbol": "PARENT", "bookValuePerShareTTM": 17.0, "shareholdersEquityPerShareTTM": 15.0,
        "priceToBookRatioTTM": 4.0, "priceToOperatingCashFlowRatioTTM": PRICE / 9.0,
        "operatingCashFlowPerShareTTM": 9.0}),
    ];
    minority.key_metrics_ttm =
        vec![json!({"symbol": "PARENT", "marketCap": PRICE * SHARES, "incomeQualityTTM": 180.0 / 132.0})];
    vec![
        Company::new("NOCASH").without(CASH, ("2026-01-01", "2026-12-31")),
        Company::new("NOSHEET").without(BALANCE, ("2025-10-01", "2026-12-31")),
        Company::of_periods("SHORT", &SHORT_YEAR),
        // The short year is the oldest one, so only the labels of its quarters show that it is short.
        Company::of_periods("SHORT1ST", &[&SHORT_YEAR[..14], &SHORT_YEAR[16..]].concat()),
        Company::of_periods("WEEKS53", &LONG_YEAR),
        Company::of_periods("HALVES", &HALVES),
        Company::of_periods("YEARLY", &YEARS),
        [INCOME, BALANCE, CASH]
            .into_iter()
            .fold(Company::new("HOLE"), |c, endpoint| c.without(endpoint, ("2025-06-30", "2025-06-30"))),
        rich,
        no_currency,
        no_cost("NOCOST", 0),
        no_cost("SERVICE", 200_000_000),
        minority,
        Company::new("EARLY").set(
            INCOME,
            "Q3",
            ("2025-09-30", "2025-09-30"),
            "acceptedDate",
            "2025-11-28 14:10:00",
        ),
    ]
}

#[test]
fn earnings_do_not_wait_for_a_cash_flow_statement() {
    near(market("NOCASH", TODAY, "pe_ratio_ttm"), 10.0);
    near(ratio("NOCASH", "TTM", QUARTER, "net_margin"), 0.15);
    assert_eq!(market("NOCASH", TODAY, "fcf_yield"), null("missing_input"));
    assert_eq!(ratio("NOCASH", "TTM", QUARTER, "fcf_margin"), null("missing_input"));
    let known = home().lines(
        "select fundamentals_as_of, fundamentals_known_on from analytics.fact_market_metrics \
         where symbol = 'NOCASH' and metric_date = '2026-08-04'",
    );
    assert_eq!(known, ["2026-06-30|2026-08-04"]);
}

#[test]
fn only_figures_that_need_an_old_statement_are_stale() {
    // The newest balance sheet is of September 2025, the newest income statement of June 2026.
    near(market("NOSHEET", TODAY, "pe_ratio_ttm"), 10.0);
    for metric in ["pb_ratio", "enterprise_value", "ev_to_ebitda"] {
        assert_eq!(market("NOSHEET", TODAY, metric), null("stale_fundamentals"), "{metric}");
        assert!(market("NOSHEET", "2026-04-02", metric).is_ok(), "{metric}");
        assert_eq!(market("NOSHEET", "2026-04-06", metric), null("stale_fundamentals"), "{metric}");
    }
}

#[test]
fn a_half_year_and_a_year_stay_in_force_until_the_next_one_is_overdue() {
    // 297 and 305 days after the half year's end, and 475 days after the year's end.
    near(market("HALVES", TODAY, "pe_ratio_ttm"), 10.0);
    near(market("YEARLY", TODAY, "pe_ratio"), 10.0);
    near(market("YEARLY", TODAY, "pb_ratio"), 4.0);
    // The fiscal year of a quarterly reporter is up to 15 months old.
    near(market("NOCASH", TODAY, "pe_ratio"), 10.0);
}

#[test]
fn a_short_fiscal_year_replaces_no_full_one() {
    // Its EPS is 3, that of a full year 6.
    near(market("SHORT", "2025-12-01", "pe_ratio"), 10.0);
    near(market("SHORT", TODAY, "pe_ratio"), 10.0);
    assert_eq!(ratio("SHORT", "FY", "2025-06-30", "roa"), null("transition_period"));
    assert_eq!(growth_rate("SHORT", "FY", "2025-06-30", "revenue_yoy"), null("transition_period"));
    assert_eq!(growth_rate("SHORT", "FY", "2026-06-30", "revenue_yoy"), null("transition_period"));
    near(ratio("SHORT", "FY", "2026-06-30", "roa"), 120.0 / 700.0);
    let flags = home().lines(
        "select symbol, check_name, fiscal_date from ops.quality where symbol like 'SHORT%' and status = 'flag'",
    );
    assert!(flags.is_empty(), "{flags:?}");
}

#[test]
fn a_year_of_53_weeks_is_a_full_year() {
    near(market("WEEKS53", "2026-06-01", "pe_ratio"), 10.0);
    near(ratio("WEEKS53", "FY", "2026-01-03", "roa_average"), 120.0 / 700.0);
    near(growth_rate("WEEKS53", "FY", "2026-01-03", "revenue_yoy"), 0.0);
}

#[test]
fn a_quarter_after_a_gap_has_no_average() {
    for metric in ["roa_average", "average_inventory", "operating_return_on_assets"] {
        assert_eq!(ratio("HOLE", "Q3", "2025-09-30", metric), null("insufficient_history"), "{metric}");
        assert!(ratio("HOLE", "Q4", "2025-12-31", metric).is_ok(), "{metric}");
        assert!(ratio("HALVES", "Q2", "2025-05-25", metric).is_ok(), "{metric}");
    }
}

#[test]
fn multiples_of_a_negative_enterprise_value_are_null() {
    near(market("RICH", TODAY, "enterprise_value"), 1.2e9 + 170e6 - 1.4e9);
    for metric in [
        "ev_to_revenue",
        "ev_to_revenue_ttm",
        "ev_to_ebitda",
        "ev_to_ebit",
        "ev_to_fcf",
        "ev_to_ocf_fmp",
    ] {
        assert_eq!(market("RICH", TODAY, metric), null("negative_enterprise_value"), "{metric}");
    }
    near(market("RICH", TODAY, "fcf_yield"), 0.1);
}

#[test]
fn an_unknown_currency_is_not_the_same_currency() {
    assert_eq!(market("NOMONEY", TODAY, "pe_ratio_ttm"), null("unknown_currency"));
    near(ratio("NOMONEY", "TTM", QUARTER, "net_margin"), 0.15);
}

#[test]
fn a_gross_profit_of_zero_without_cost_of_revenue_is_not_reported() {
    assert_eq!(ratio("NOCOST", "Q2", QUARTER, "gross_margin"), null("not_reported"));
    // Three quarters of gross profit are not the gross profit of a year.
    assert_eq!(ratio("NOCOST", "TTM", QUARTER, "gross_margin"), null("not_reported"));
    assert!(ratio("NOCOST", "TTM", QUARTER, "inventory_turnover").is_err());
    near(ratio("SERVICE", "Q2", QUARTER, "gross_margin"), 1.0);
}

#[test]
fn figures_of_fmp_are_compared_with_those_of_the_same_meaning() {
    let checks = home().lines(
        "select check_name, status, round(ours, 6), round(theirs, 6) from ops.quality where symbol = 'PARENT' \
         and check_name in ('fmp_book_value_per_share', 'fmp_income_quality', 'fmp_pb_ratio') order by 1",
    );
    assert_eq!(
        checks,
        [
            "fmp_book_value_per_share|pass|15.0|15.0",
            "fmp_income_quality|pass|1.363636|1.363636",
            "fmp_pb_ratio|pass|4.0|4.0",
        ]
    );
}

#[test]
fn a_filing_after_an_early_close_counts_from_the_next_day() {
    let known = |period: &str| {
        home().text(&format!(
            "select known_on from analytics.fact_financials where symbol = 'EARLY' and fiscal_date = '{period}' \
             and period_type = 'Q3'"
        ))
    };
    assert_eq!(known("2025-09-30"), "2025-11-29");
    assert_eq!(known("2024-09-30"), "2024-11-04");
}
