//! The small company through a whole run, compared with figures computed here from the same
//! statements.

use std::sync::OnceLock;

use chrono::NaiveDate;
use findata_pipeline::run::Status;
use findata_tests::{Home, Job};

use super::{
    close,
    formulas::{ebitda, newest_quarter, newest_year, quarter, ratios, twelve_months},
    small_company_data::{self, MARKET_CAP, PRICE, SYMBOL, YEARS},
};

fn home() -> &'static Home {
    static HOME: OnceLock<Home> = OnceLock::new();
    HOME.get_or_init(|| {
        let (server, home) = (small_company_data::replay().start(), Home::new());
        let day = NaiveDate::from_ymd_opt(2026, 8, 7).unwrap();
        let summary = Job::new(server.url(), &[SYMBOL])
            .on(day)
            .with(|o| o.prices_from = NaiveDate::from_ymd_opt(2026, 8, 1))
            .run_ok(&home);
        assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
        home
    })
}

fn assert_figures(table: &str, place: &str, expected: &[(&str, f64)]) {
    let columns: Vec<&str> = expected.iter().map(|(column, _)| *column).collect();
    let figures =
        home().figures(&columns, &format!("from analytics.{table} where symbol = '{SYMBOL}' and {place}"));
    let wrong: Vec<String> = expected
        .iter()
        .filter_map(|(column, expected)| {
            let ours = figures.get(*column).copied();
            let is_equal = ours.map_or(expected.is_nan(), |ours| close(ours, *expected));
            (!is_equal).then(|| format!("{column}: {ours:?} instead of {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{table} {place}: {wrong:#?}");
}

#[test]
fn ratios_of_twelve_months_a_year_and_a_quarter_match_the_formulas() {
    assert_figures(
        "fact_financial_ratios",
        "basis = 'TTM' and fiscal_date = '2026-06-30'",
        &ratios(&twelve_months()),
    );
    assert_figures(
        "fact_financial_ratios",
        "basis = 'FY' and fiscal_date = '2025-12-31'",
        &ratios(&newest_year()),
    );
    assert_figures(
        "fact_financial_ratios",
        "basis = 'Q2' and fiscal_date = '2026-06-30'",
        &ratios(&newest_quarter()),
    );
}

#[test]
fn every_ratio_of_the_table_is_covered() {
    let known: Vec<&str> = ratios(&twelve_months()).iter().map(|(name, _)| *name).collect();
    let columns = home().lines(
        "select column_name from duckdb_columns() where schema_name = 'analytics' and table_name = 'fact_financial_ratios' and data_type = 'DOUBLE'",
    );
    // Columns that stay NULL because the small company does not report the bottom line.
    let missing: Vec<_> = columns
        .iter()
        .filter(|c| !known.contains(&c.as_str()) && *c != "bottom_line_margin")
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(
        home().lines(
            "select distinct reason from analytics.metric_nulls where metric = 'bottom_line_margin' and basis = 'FY'"
        ),
        ["missing_input"]
    );
}

#[test]
fn twelve_months_are_exact_sums_and_newest_balances() {
    let line = home().text(
        "select ttm_revenue || ' ' || ttm_cost_of_revenue || ' ' || ttm_ebitda || ' ' || latest_cash_and_equivalents || ' ' || quarters_included || ' ' || status \
         from analytics.fact_financials_ttm where fiscal_date = '2026-06-30'",
    );
    // Revenue is 260000.25 + 240000.50 + 300000.75 + 230000.00. The first quarter's EBITDA is
    // 47000.25 + 8900.00.
    assert_eq!(line, "1030001.5 570000.9 254900.25 50000.1 4 ok");
    let (net, shares): (f64, f64) = (
        42_000.0 + 34_100.2 + 51_000.0 + 32_000.0,
        (102_000.0 + 102_300.0 + 102_500.0 + 102_700.0) / 4.0,
    );
    assert_figures(
        "fact_financials_ttm",
        "fiscal_date = '2026-06-30'",
        &[
            ("ttm_eps_diluted", net / shares),
            ("ttm_eps_diluted_sum", 0.41 + 0.335 + 0.50 + 0.315),
            ("ttm_eps", 0.42 + 0.34 + 0.51 + 0.32),
        ],
    );
    // The twelve months to the fiscal year end need the first quarter of 2025, which is missing.
    let windows = home().lines("select fiscal_date, reason from analytics.fact_financials_ttm order by 1");
    assert_eq!(
        windows,
        [
            "2025-06-30|insufficient_history",
            "2025-09-30|insufficient_history",
            "2025-12-31|insufficient_history",
            "2026-03-31|NULL",
            "2026-06-30|NULL"
        ]
    );
}

#[test]
fn growth_compares_with_the_same_quarter_a_year_ago_the_last_quarter_and_the_last_year() {
    let (q, before, year) = (quarter(0), quarter(1), quarter(4));
    let rate = |new: f64, old: f64| (new - old) / old.abs();
    assert_figures(
        "fact_growth_rates",
        "basis = 'Q2' and fiscal_date = '2026-06-30'",
        &[
            ("revenue_yoy", rate(q["revenue"], year["revenue"])),
            ("revenue_qoq", rate(q["revenue"], before["revenue"])),
            ("net_income_yoy", rate(q["netIncome"], year["netIncome"])),
            ("eps_diluted_qoq", rate(q["epsDiluted"], before["epsDiluted"])),
            ("operating_income_yoy", rate(q["operatingIncome"], year["operatingIncome"])),
            ("free_cash_flow_qoq", rate(q["cf.freeCashFlow"], before["cf.freeCashFlow"])),
            ("total_assets_yoy", rate(q["totalAssets"], year["totalAssets"])),
            (
                "stockholders_equity_qoq",
                rate(q["totalStockholdersEquity"], before["totalStockholdersEquity"]),
            ),
        ],
    );
    let (new, old) = (small_company_data::lines(&YEARS[0]), small_company_data::lines(&YEARS[1]));
    assert_figures(
        "fact_growth_rates",
        "basis = 'FY' and fiscal_date = '2025-12-31'",
        &[
            ("revenue_yoy", rate(new["revenue"], old["revenue"])),
            ("eps_diluted_yoy", rate(new["epsDiluted"], old["epsDiluted"])),
        ],
    );
    let ttm = |from: usize| (from..from + 4).map(|n| quarter(n)["revenue"]).sum::<f64>();
    assert_figures(
        "fact_growth_rates",
        "basis = 'TTM' and fiscal_date = '2026-06-30'",
        &[("revenue_qoq", rate(ttm(0), ttm(1)))],
    );
}

#[test]
fn market_metrics_of_the_newest_day_use_the_price_and_the_known_fundamentals() {
    let span = twelve_months();
    let (flow, end) = (|name: &str| span.flows[name], |name: &str| span.end[name]);
    let ev = MARKET_CAP + end("totalDebt") + end("preferredStock") + end("minorityInterest")
        - end("cashAndShortTermInvestments");
    let narrow = MARKET_CAP + end("totalDebt") - end("cashAndCashEquivalents");
    let year = small_company_data::lines(&YEARS[0]);
    assert_figures(
        "fact_market_metrics",
        "metric_date = '2026-08-07'",
        &[
            ("market_cap", MARKET_CAP),
            ("shares_outstanding_used", MARKET_CAP / PRICE),
            ("enterprise_value", ev),
            ("enterprise_value_fmp", narrow),
            ("pe_ratio", PRICE / year["epsDiluted"]),
            ("pe_ratio_ttm", PRICE / (0.41 + 0.335 + 0.50 + 0.315)),
            ("pb_ratio", PRICE / (end("totalStockholdersEquity") / end("weightedAverageShsOut"))),
            ("ps_ratio", MARKET_CAP / year["revenue"]),
            ("ps_ratio_ttm", MARKET_CAP / flow("revenue")),
            ("ev_to_revenue", ev / year["revenue"]),
            ("ev_to_revenue_ttm", ev / flow("revenue")),
            ("ev_to_ebitda", ev / ebitda(&span.flows)),
            ("ev_to_ebit", ev / flow("ebit")),
            ("ev_to_fcf", ev / flow("cf.freeCashFlow")),
            ("ev_to_ocf", ev / flow("cf.operatingCashFlow")),
            ("fcf_yield", flow("cf.freeCashFlow") / MARKET_CAP),
            ("dividends_per_share_ttm", 0.39),
            ("dividend_yield", 0.39 / PRICE),
            ("payout_ratio", 39_000.0 / flow("netIncome")),
            ("debt_to_market_cap", (end("shortTermDebt") + end("longTermDebt")) / MARKET_CAP),
            ("return_1d", 40.0 / 41.25 - 1.0),
        ],
    );
}

#[test]
fn a_filing_after_the_close_counts_from_the_next_day() {
    let days = home().lines(
        "select metric_date, fundamentals_as_of, shares_source from analytics.fact_market_metrics order by 1",
    );
    assert_eq!(
        days,
        [
            "2026-08-04|2026-03-31|statement",
            "2026-08-05|2026-03-31|statement",
            "2026-08-06|2026-06-30|statement",
            "2026-08-07|2026-06-30|profile",
        ]
    );
    // On the day before the filing, the metrics use the twelve months to March and the share count
    // of that time.
    assert_figures(
        "fact_market_metrics",
        "metric_date = '2026-08-05'",
        &[
            ("pe_ratio_ttm", 38.5 / (0.335 + 0.50 + 0.315 + 0.295)),
            ("market_cap", 38.5 * 100_200.0),
            // The dividend of 13 June 2025 is older than a year; that of 12 September still counts.
            ("dividends_per_share_ttm", 0.39),
        ],
    );
}
