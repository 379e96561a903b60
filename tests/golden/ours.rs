//! The small company through the whole job, against figures computed here from the same statements.

use std::{collections::BTreeMap, sync::OnceLock};

use chrono::NaiveDate;
use findata_shared::run::Status;
use findata_tests::{Home, Job};

use super::{
    close,
    small::{self, MARKET_CAP, PRICE, QUARTERS, SYMBOL, YEARS},
};

fn home() -> &'static Home {
    static HOME: OnceLock<Home> = OnceLock::new();
    HOME.get_or_init(|| {
        let (server, home) = (small::replay().start(), Home::new());
        let day = NaiveDate::from_ymd_opt(2026, 8, 7).unwrap();
        let summary = Job::new(server.url(), &[SYMBOL]).on(day).with(|o| o.prices_from = NaiveDate::from_ymd_opt(2026, 8, 1)).done(&home);
        assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
        home
    })
}

type Lines = BTreeMap<String, f64>;

/// FMP's EBITDA, or operating income and D&A where it is absent.
fn ebitda(period: &Lines) -> f64 {
    period.get("ebitda").copied().unwrap_or_else(|| period["operatingIncome"] + period["depreciationAndAmortization"])
}

/// A period or twelve months: flows, balances at its end, the end before, a year before.
struct Span {
    flows: Lines,
    end: Lines,
    before: Option<Lines>,
    year_before: Option<Lines>,
    equity: f64,
    days: f64,
}

fn quarter(n: usize) -> Lines {
    small::lines(&QUARTERS[n])
}

/// Twelve months up to the newest quarter.
fn twelve_months() -> Span {
    let quarters: Vec<Lines> = (0..4).map(quarter).collect();
    let mut flows = Lines::new();
    for lines in &quarters {
        for (name, value) in lines {
            *flows.entry(name.clone()).or_default() += value;
        }
    }
    flows.insert("ebitda".into(), quarters.iter().map(ebitda).sum());
    let equity = quarters.iter().map(|q| q["totalStockholdersEquity"]).sum::<f64>() / 4.0;
    Span { flows, end: quarter(0), before: Some(quarter(1)), year_before: Some(quarter(4)), equity, days: 365.0 }
}

fn newest_year() -> Span {
    let (year, before) = (small::lines(&YEARS[0]), small::lines(&YEARS[1]));
    Span { equity: year["totalStockholdersEquity"], flows: year.clone(), end: year, before: Some(before.clone()), year_before: Some(before), days: 365.0 }
}

fn newest_quarter() -> Span {
    let equity = quarter(0)["totalStockholdersEquity"];
    Span { flows: quarter(0), end: quarter(0), before: Some(quarter(1)), year_before: Some(quarter(1)), equity, days: 90.0 }
}

/// Ratios of a span by our names, written out from FMP's formulas (api.md 3.1) and finance.md.
fn ratios(span: &Span) -> Vec<(&'static str, f64)> {
    let (flow, end) = (|name: &str| span.flows[name], |name: &str| span.end[name]);
    let pair = |name: &str| (end(name) + span.before.as_ref().unwrap()[name]) / 2.0;
    let year = |name: &str| (end(name) + span.year_before.as_ref().unwrap()[name]) / 2.0;
    let capital = |lines: &Lines| lines["totalAssets"] - lines["totalCurrentLiabilities"] + lines["shortTermDebt"] + lines["capitalLeaseObligationsCurrent"];
    let working = |lines: &Lines| lines["totalCurrentAssets"] - lines["totalCurrentLiabilities"];
    let nopat = flow("operatingIncome") * (1.0 - flow("incomeTaxExpense") / flow("incomeBeforeTax"));
    let (revenue, cost, net, shares) = (flow("revenue"), flow("costOfRevenue"), flow("netIncome"), end("weightedAverageShsOut"));
    let (equity, assets, current) = (end("totalStockholdersEquity"), end("totalAssets"), end("totalCurrentLiabilities"));
    let (ocf, capex, fcf, dividends) = (flow("cf.operatingCashFlow"), -flow("cf.capitalExpenditure"), flow("cf.freeCashFlow"), -flow("cf.netDividendsPaid"));
    let (sales_days, stock_days, pay_days) =
        (span.days * end("netReceivables") / revenue, span.days * end("inventory") / cost, span.days * end("accountPayables") / cost);
    vec![
        ("gross_margin", flow("grossProfit") / revenue),
        ("ebitda_margin", ebitda(&span.flows) / revenue),
        ("ebit_margin", flow("ebit") / revenue),
        ("operating_margin", flow("operatingIncome") / revenue),
        ("pretax_margin", flow("incomeBeforeTax") / revenue),
        ("continuous_operations_margin", flow("netIncomeFromContinuingOperations") / revenue),
        ("net_margin", net / revenue),
        ("fcf_margin", fcf / revenue),
        ("ocf_to_sales", ocf / revenue),
        ("capex_to_revenue", capex / revenue),
        ("research_and_development_to_revenue", flow("researchAndDevelopmentExpenses") / revenue),
        ("selling_general_and_administrative_to_revenue", flow("sellingGeneralAndAdministrativeExpenses") / revenue),
        ("stock_based_compensation_to_revenue", flow("cf.stockBasedCompensation") / revenue),
        ("roe", net / span.equity),
        ("roa", net / assets),
        ("return_on_tangible_assets", net / (assets - end("goodwillAndIntangibleAssets"))),
        ("roic", nopat / capital(&span.end)),
        ("roce", flow("operatingIncome") / (assets - current)),
        ("operating_return_on_assets", flow("operatingIncome") / pair("totalAssets")),
        ("roe_average", net / year("totalStockholdersEquity")),
        ("roa_average", net / year("totalAssets")),
        ("roic_average", nopat / ((capital(&span.end) + capital(span.year_before.as_ref().unwrap())) / 2.0)),
        ("asset_turnover", revenue / assets),
        ("fixed_asset_turnover", revenue / end("propertyPlantEquipmentNet")),
        ("receivables_turnover", revenue / end("netReceivables")),
        ("inventory_turnover", cost / end("inventory")),
        ("payables_turnover", cost / end("accountPayables")),
        ("working_capital_turnover", revenue / ((working(&span.end) + working(span.before.as_ref().unwrap())) / 2.0)),
        ("asset_turnover_average", revenue / year("totalAssets")),
        ("fixed_asset_turnover_average", revenue / year("propertyPlantEquipmentNet")),
        ("receivables_turnover_average", revenue / year("netReceivables")),
        ("inventory_turnover_average", cost / year("inventory")),
        ("payables_turnover_average", cost / year("accountPayables")),
        ("days_sales_outstanding", sales_days),
        ("days_inventory", stock_days),
        ("days_payables", pay_days),
        ("operating_cycle", sales_days + stock_days),
        ("cash_conversion_cycle", sales_days + stock_days - pay_days),
        ("current_ratio", end("totalCurrentAssets") / current),
        ("quick_ratio", (end("totalCurrentAssets") - end("inventory")) / current),
        ("cash_ratio", end("cashAndCashEquivalents") / current),
        ("operating_cash_flow_ratio", ocf / current),
        ("working_capital", working(&span.end)),
        ("net_current_asset_value", end("totalCurrentAssets") - end("totalLiabilities")),
        ("graham_net_net", (end("cashAndShortTermInvestments") + 0.75 * end("netReceivables") + 0.5 * end("inventory") - end("totalLiabilities")) / shares),
        ("average_receivables", pair("netReceivables")),
        ("average_payables", pair("accountPayables")),
        ("average_inventory", pair("inventory")),
        ("debt_to_equity", end("totalDebt") / equity),
        ("debt_to_assets", end("totalDebt") / assets),
        ("debt_to_capital", end("totalDebt") / (end("totalDebt") + equity)),
        ("long_term_debt_to_capital", end("longTermDebt") / (end("longTermDebt") + equity)),
        ("liabilities_to_assets", end("totalLiabilities") / assets),
        ("financial_leverage", assets / equity),
        ("solvency_ratio", (net + flow("depreciationAndAmortization")) / end("totalLiabilities")),
        ("net_debt_to_ebitda", (end("totalDebt") - end("cashAndCashEquivalents")) / ebitda(&span.flows)),
        ("interest_coverage", flow("operatingIncome") / flow("interestExpense")),
        ("debt_service_coverage", (ebitda(&span.flows) - flow("incomeTaxExpense")) / (flow("interestExpense") + end("shortTermDebt"))),
        ("ocf_to_short_term_debt", ocf / end("shortTermDebt")),
        ("ocf_to_total_debt", ocf / end("totalDebt")),
        ("capex_coverage", ocf / capex),
        ("dividend_and_capex_coverage", ocf / (dividends + capex)),
        ("fcf_to_ocf", fcf / ocf),
        ("capex_to_ocf", capex / ocf),
        ("capex_to_depreciation", capex / flow("depreciationAndAmortization")),
        ("income_quality", ocf / net),
        ("payout_ratio", dividends / net),
        ("total_payout_ratio", (dividends - flow("cf.commonStockRepurchased")) / net),
        ("free_cash_flow_to_equity", fcf + flow("cf.netDebtIssuance")),
        ("free_cash_flow_to_firm", fcf + flow("interestExpense") * (1.0 - flow("incomeTaxExpense") / flow("incomeBeforeTax"))),
        ("effective_tax_rate", flow("incomeTaxExpense") / flow("incomeBeforeTax")),
        ("tax_burden", net / flow("incomeBeforeTax")),
        ("interest_burden", flow("incomeBeforeTax") / flow("operatingIncome")),
        ("ebt_to_ebit", flow("incomeBeforeTax") / flow("ebit")),
        ("revenue_per_share", revenue / shares),
        ("net_income_per_share", net / shares),
        ("ocf_per_share", ocf / shares),
        ("fcf_per_share", fcf / shares),
        ("capex_per_share", capex / shares),
        ("dividends_per_share", dividends / shares),
        ("cash_per_share", end("cashAndShortTermInvestments") / shares),
        ("book_value_per_share", equity / shares),
        ("tangible_book_value_per_share", (equity - end("goodwillAndIntangibleAssets")) / shares),
        ("interest_debt_per_share", (end("totalDebt") + flow("interestExpense")) / shares),
        ("graham_number", (22.5 * net / shares * equity / shares).sqrt()),
        ("invested_capital", working(&span.end) + end("propertyPlantEquipmentNet") + end("goodwillAndIntangibleAssets")),
        ("tangible_asset_value", assets - end("goodwillAndIntangibleAssets") - end("totalLiabilities")),
        ("intangibles_to_assets", end("goodwillAndIntangibleAssets") / assets),
    ]
}

fn assert_figures(table: &str, place: &str, expected: &[(&str, f64)]) {
    let columns: Vec<&str> = expected.iter().map(|(column, _)| *column).collect();
    let figures = home().figures(&columns, &format!("from analytics.{table} where symbol = '{SYMBOL}' and {place}"));
    let wrong: Vec<String> = expected
        .iter()
        .filter_map(|(column, expected)| {
            let ours = figures.get(*column).copied();
            (!ours.is_some_and(|ours| close(ours, *expected))).then(|| format!("{column}: {ours:?} instead of {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{table} {place}: {wrong:#?}");
}

#[test]
fn ratios_of_twelve_months_a_year_and_a_quarter_are_the_formulas() {
    assert_figures("fact_financial_ratios", "basis = 'TTM' and fiscal_date = '2026-06-30'", &ratios(&twelve_months()));
    assert_figures("fact_financial_ratios", "basis = 'FY' and fiscal_date = '2025-12-31'", &ratios(&newest_year()));
    assert_figures("fact_financial_ratios", "basis = 'Q2' and fiscal_date = '2026-06-30'", &ratios(&newest_quarter()));
}

#[test]
fn every_ratio_of_the_table_is_computed_here_too() {
    let known: Vec<&str> = ratios(&twelve_months()).iter().map(|(name, _)| *name).collect();
    let columns = home().lines(
        "select column_name from duckdb_columns() where schema_name = 'analytics' and table_name = 'fact_financial_ratios' and data_type = 'DOUBLE'",
    );
    // The bottom line is a field that the small company does not report.
    let missing: Vec<_> = columns.iter().filter(|c| !known.contains(&c.as_str()) && *c != "bottom_line_margin").collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(home().lines("select distinct reason from analytics.metric_nulls where metric = 'bottom_line_margin' and basis = 'FY'"), ["missing_input"]);
}

#[test]
fn twelve_months_are_exact_sums_and_the_newest_balances() {
    let line = home().text(
        "select ttm_revenue || ' ' || ttm_cost_of_revenue || ' ' || ttm_ebitda || ' ' || latest_cash_and_equivalents || ' ' || quarters_included || ' ' || status \
         from analytics.fact_financials_ttm where fiscal_date = '2026-06-30'",
    );
    // 260000.25 + 240000.50 + 300000.75 + 230000.00; EBITDA of the first quarter is 47000.25 + 8900.00.
    assert_eq!(line, "1030001.500000 570000.900000 254900.250000 50000.100000 4 ok");
    let (net, shares): (f64, f64) = (42_000.0 + 34_100.2 + 51_000.0 + 32_000.0, (102_000.0 + 102_300.0 + 102_500.0 + 102_700.0) / 4.0);
    assert_figures(
        "fact_financials_ttm",
        "fiscal_date = '2026-06-30'",
        &[("ttm_eps_diluted", net / shares), ("ttm_eps_diluted_sum", 0.41 + 0.335 + 0.50 + 0.315), ("ttm_eps", 0.42 + 0.34 + 0.51 + 0.32)],
    );
    // The year end is inside: its twelve months need a fourth quarter that is not there.
    let windows = home().lines("select fiscal_date, reason from analytics.fact_financials_ttm order by 1");
    assert_eq!(windows, ["2025-06-30|insufficient_history", "2025-09-30|insufficient_history", "2025-12-31|insufficient_history", "2026-03-31|NULL", "2026-06-30|NULL"]);
}

#[test]
fn growth_compares_with_the_same_quarter_the_quarter_before_and_the_year_before() {
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
            ("stockholders_equity_qoq", rate(q["totalStockholdersEquity"], before["totalStockholdersEquity"])),
        ],
    );
    let (new, old) = (small::lines(&YEARS[0]), small::lines(&YEARS[1]));
    assert_figures(
        "fact_growth_rates",
        "basis = 'FY' and fiscal_date = '2025-12-31'",
        &[("revenue_yoy", rate(new["revenue"], old["revenue"])), ("eps_diluted_yoy", rate(new["epsDiluted"], old["epsDiluted"]))],
    );
    let ttm = |from: usize| (from..from + 4).map(|n| quarter(n)["revenue"]).sum::<f64>();
    assert_figures("fact_growth_rates", "basis = 'TTM' and fiscal_date = '2026-06-30'", &[("revenue_qoq", rate(ttm(0), ttm(1)))]);
}

#[test]
fn market_metrics_of_the_newest_day_are_price_against_what_is_known() {
    let span = twelve_months();
    let (flow, end) = (|name: &str| span.flows[name], |name: &str| span.end[name]);
    let ev = MARKET_CAP + end("totalDebt") + end("preferredStock") + end("minorityInterest") - end("cashAndShortTermInvestments");
    let narrow = MARKET_CAP + end("totalDebt") - end("cashAndCashEquivalents");
    let year = small::lines(&YEARS[0]);
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
    let days = home().lines("select metric_date, fundamentals_as_of, shares_source from analytics.fact_market_metrics order by 1");
    assert_eq!(
        days,
        [
            "2026-08-04|2026-03-31|statement",
            "2026-08-05|2026-03-31|statement",
            "2026-08-06|2026-06-30|statement",
            "2026-08-07|2026-06-30|profile",
        ]
    );
    // The day before the filing is priced with the twelve months to March, and those shares.
    assert_figures(
        "fact_market_metrics",
        "metric_date = '2026-08-05'",
        &[
            ("pe_ratio_ttm", 38.5 / (0.335 + 0.50 + 0.315 + 0.295)),
            ("market_cap", 38.5 * 100_200.0),
            // The dividend of 13 June 2025 has left the year, that of 12 September is still in it.
            ("dividends_per_share_ttm", 0.39),
        ],
    );
}
