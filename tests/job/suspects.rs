//! Contradictory statements make the figures computed from them suspect; unusual but consistent
//! ones do not.

use std::{collections::BTreeSet, sync::OnceLock};

use chrono::Days;
use findata_explain::{Facts, answer, ask::Question};
use findata_pipeline::summary::Summary;
use findata_tests::Home;
use serde_json::json;

use super::invented::{BALANCE, CASH, Company, FIRST_DAY, INCOME, day, run_on};

/// Consistent companies that resemble faulty ones.
fn neighbours() -> Vec<Company> {
    vec![
        Company::healthy("PLAIN"),
        // A year of 53 weeks, which ends on the Saturday nearest to the end of December.
        Company::with("WEEKS53", |n, q| {
            q.end = day("2023-04-01") + Days::new(91 * n as u64 + if n >= 7 { 7 } else { 0 });
        }),
        Company::with("BUYBACK", |n, q| q.shares = 90_000_000 - 5_500_000 * n as i64),
        // Earnings jump to eight times those of the quarter before, and fall again.
        Company::with("JUMP", |n, q| q.net_income *= if n == 9 { 8 } else { 1 }),
        Company::with("LOSS", |n, q| q.net_income = if n == 6 { -310_000_000 } else { q.net_income }),
        // Two thirds of the group's earnings belong to minorities.
        Company::with("UPC", |_, q| (q.net_income, q.minorities) = (q.net_income / 3, q.net_income / 3 * 2)),
        Company::with("PREFS", |_, q| q.preferred_dividends = q.net_income * 45 / 100),
        // An all-stock merger: revenue doubles, and shares are two and a half times as many.
        Company::with("MERGER", |n, q| {
            if n >= 8 {
                (q.revenue, q.net_income, q.shares) = (q.revenue * 2, q.net_income * 2, q.shares * 5 / 2);
            }
        }),
        // Earnings near zero: rounding EPS to a cent is a large part of it.
        Company::with("PENNY", |_, q| (q.net_income, q.shares) = (690_000, 400_000_000)),
        // Before its listing there are only three quarters.
        Company::with("IPO", |n, q| q.shares = if n < 10 { 12_000_000 } else { 55_000_000 })
            .change("quarter", |rows| rows.truncate(3))
            .change("annual", |rows| rows.truncate(1)),
    ]
}

/// Faulty companies, with the end of the faulty period and the suspicion.
fn faulty() -> Vec<(Company, &'static str, &'static str)> {
    let of = Company::healthy;
    let mut filer = of("FILER");
    for endpoint in [INCOME, BALANCE, CASH] {
        for n in 2..12 {
            filer.quarter(endpoint, n)["cik"] = json!("0007654321");
        }
    }
    let mut since_january = of("JANUARY");
    for n in (0..12).rev().filter(|n| n % 4 != 3) {
        let before = since_january.quarter(CASH, n + 1)["netIncome"].as_i64().unwrap();
        let own = since_january.quarter(CASH, n)["netIncome"].as_i64().unwrap();
        since_january.quarter(CASH, n)["netIncome"] = json!(before + own);
    }
    vec![
        (
            of("CASHY").set(BALANCE, "quarter", 2, &[("cashAndCashEquivalents", 9e11)]),
            "2025-06-30",
            "parts_exceed_total",
        ),
        (
            of("DEBTLESS").set(BALANCE, "quarter", 1, &[("totalDebt", 0.0)]),
            "2025-09-30",
            "parts_exceed_total",
        ),
        (
            of("TILTED").set(BALANCE, "quarter", 0, &[("totalLiabilities", 2e9)]),
            "2025-12-31",
            "unbalanced",
        ),
        (
            of("MINUS").set(INCOME, "quarter", 1, &[("revenue", -8.1e8)]),
            "2025-09-30",
            "negative_revenue",
        ),
        // EPS of three quarters in one, and in another unit.
        (
            of("EPSYTD").set(INCOME, "quarter", 1, &[("eps", 6.6), ("epsDiluted", 6.5)]),
            "2025-09-30",
            "eps_disputed",
        ),
        (
            of("EPSCENT").set(INCOME, "quarter", 1, &[("eps", 228.0), ("epsDiluted", 224.0)]),
            "2025-09-30",
            "eps_disputed",
        ),
        (
            of("NOEPS").set(INCOME, "quarter", 1, &[("eps", 0.0), ("epsDiluted", 0.0)]),
            "2025-09-30",
            "eps_disputed",
        ),
        (
            of("SIGN").set(INCOME, "quarter", 1, &[("epsDiluted", -0.4)]),
            "2025-09-30",
            "diluted_eps_disputed",
        ),
        (
            of("ABOVE").set(INCOME, "quarter", 1, &[("epsDiluted", 2.6)]),
            "2025-09-30",
            "diluted_eps_disputed",
        ),
        (since_january, "2025-12-31", "cumulative_cash_flow"),
        (
            of("OTHERNI").set(CASH, "quarter", 1, &[("netIncome", 3e8)]),
            "2025-09-30",
            "cash_flow_mismatch",
        ),
        (
            of("YEAR").set(INCOME, "quarter", 2, &[("revenue", 2.4e9), ("costOfRevenue", 2e9)]),
            "2025-06-30",
            "contradicted_by_year",
        ),
        (filer, "2025-12-31", "filer_change"),
    ]
}

fn run() -> &'static (Home, Summary) {
    static RUN: OnceLock<(Home, Summary)> = OnceLock::new();
    RUN.get_or_init(|| {
        let home = Home::new();
        let faulty = faulty().into_iter().map(|(company, ..)| company);
        let all: Vec<Company> = neighbours().into_iter().chain(faulty).collect();
        let summary = run_on(&home, FIRST_DAY, false, &all);
        (home, summary)
    })
}

fn home() -> &'static Home {
    &run().0
}

fn summary() -> &'static Summary {
    &run().1
}

const FACTS: [&str; 4] =
    ["fact_financials_ttm", "fact_financial_ratios", "fact_growth_rates", "fact_market_metrics"];

#[test]
fn consistent_companies_have_no_suspect_figure() {
    let symbols: Vec<String> = neighbours().into_iter().map(|c| format!("'{}'", c.symbol)).collect();
    let symbols = symbols.join(", ");
    for table in FACTS {
        let suspects = format!(
            "select symbol, suspect_reason, count(*) from analytics.{table} where is_suspect and symbol in ({symbols}) group by all"
        );
        assert_eq!(home().lines(&suspects), Vec::<String>::new(), "{table}");
        let rows =
            format!("select count(distinct symbol) from analytics.{table} where symbol in ({symbols})");
        assert_eq!(home().count(&rows), neighbours().len() as i64, "{table}");
    }
    let flagged = format!("select * from ops.quality where reason = check_name and symbol in ({symbols})");
    assert_eq!(home().lines(&flagged), Vec::<String>::new());
}

#[test]
fn every_fault_marks_the_figures_computed_from_it_and_no_others() {
    for (company, end, code) in faulty() {
        let symbol = &company.symbol;
        for table in FACTS {
            let (found, row) = match table {
                "fact_market_metrics" => ("metric_date", "metric_date = '2026-03-04'".to_owned()),
                _ => ("fiscal_date", format!("fiscal_date = '{end}'")),
            };
            let suspects = format!(
                "select count(*) from analytics.{table} where symbol = '{symbol}' and is_suspect \
                 and ', ' || suspect_reason || ', ' like '%, {code}, %' and {row}"
            );
            assert!(home().count(&suspects) > 0, "{symbol} {table} {found}");
            let consistent = format!(
                "select count(*) from analytics.{table} where is_suspect is distinct from (suspect_reason is not null)"
            );
            assert_eq!(home().count(&consistent), 0, "{table}");
        }
        let flag = format!(
            "select count(*) from ops.quality where symbol = '{symbol}' and check_name = '{code}' and status = 'flag' \
             and fiscal_date = '{end}' and ours is not null and theirs is not null and ours <> theirs"
        );
        assert!(home().count(&flag) > 0, "{symbol}");
        // Only the twelve months that contain the faulty period are suspect, and those whose mean
        // balances begin with it.
        let clean = format!(
            "select count(*) from analytics.fact_financials_ttm where symbol = '{symbol}' and not is_suspect and fiscal_date < '{end}'"
        );
        let needed = if code == "cumulative_cash_flow" { 0 } else { 4 };
        assert!(home().count(&clean) >= needed, "{symbol}");
    }
}

#[test]
fn a_suspicion_of_balances_lasts_as_long_as_they_are_averaged() {
    let suspects = |symbol: &str| {
        home().lines(&format!(
            "select fiscal_date from analytics.fact_financials_ttm where symbol = '{symbol}' and is_suspect order by 1"
        ))
    };
    assert_eq!(suspects("CASHY"), ["2025-06-30", "2025-09-30", "2025-12-31"]);
    let home = Home::new();
    let old = |symbol: &str, endpoint, field, value| {
        Company::healthy(symbol).set(endpoint, "quarter", 6, &[(field, value)])
    };
    let companies = [old("OLDCASH", BALANCE, "inventory", 9e11), old("OLDEPS", INCOME, "epsDiluted", 9.0)];
    run_on(&home, FIRST_DAY, false, &companies);
    let last = "select symbol, max(fiscal_date) from analytics.fact_financials_ttm where is_suspect group by 1 order by 1";
    assert_eq!(home.lines(last), ["OLDCASH|2025-06-30", "OLDEPS|2025-03-31"]);
}

#[test]
fn a_ratio_is_suspect_if_the_period_of_a_year_ago_with_which_it_compares_is() {
    let home = Home::new();
    let cash = Company::healthy("OLDCASH").set(BALANCE, "quarter", 6, &[("inventory", 9e11)]);
    let mut eps = Company::healthy("OLDEPS");
    let basic = eps.quarter(INCOME, 6)["eps"].as_f64().unwrap();
    eps.quarter(INCOME, 6)["epsDiluted"] = json!(basic * 1.1);
    let companies = [cash, eps];
    run_on(&home, FIRST_DAY, false, &companies);
    let last = |basis: &str| {
        home.lines(&format!(
            "select symbol, max(fiscal_date) from analytics.fact_financial_ratios where is_suspect and basis {basis} \
             group by 1 order by 1"
        ))
    };
    // The faulty quarter ended on 2024-06-30. No ratio compares with diluted EPS of a year ago.
    assert_eq!(last("like 'Q%'"), ["OLDCASH|2025-09-30", "OLDEPS|2024-06-30"]);
    assert_eq!(last("= 'TTM'"), ["OLDCASH|2025-12-31", "OLDEPS|2025-03-31"]);
}

#[test]
fn a_quarter_is_suspect_from_the_day_on_which_its_year_contradicts_it() {
    let company = || Company::healthy("LATER").set(INCOME, "quarter", 2, &[("revenue", 2.4e9)]);
    let (mut before, home) = (company(), Home::new());
    for endpoint in [INCOME, BALANCE, CASH] {
        before.rows(endpoint, "annual").remove(0);
        before.rows(endpoint, "quarter").remove(0);
    }
    run_on(&home, "2026-02-10", true, &[before]);
    let suspects = "select count(*) from analytics.fact_market_metrics where is_suspect";
    assert_eq!(home.count(suspects), 0);
    run_on(&home, FIRST_DAY, true, &[company()]);
    let days =
        "select min(metric_date), max(metric_date) from analytics.fact_market_metrics where is_suspect";
    // The year was accepted after the close of 17 February.
    assert_eq!(home.lines(days), ["2026-02-18|2026-03-04"]);
    let ttm =
        "select count(*) from analytics.fact_financials_ttm where is_suspect and fiscal_date = '2025-12-31'";
    assert_eq!(home.count(ttm), 1);
    let once = Home::new();
    run_on(&once, FIRST_DAY, true, &[company()]);
    assert_eq!(home.lines(days), once.lines(days));
}

#[test]
fn no_fourth_quarter_is_derived_from_a_year_below_its_other_quarters() {
    let without_fourth = |symbol: &str| {
        Company::healthy(symbol).change("quarter", |rows| rows.retain(|row| row["period"] != "Q4"))
    };
    let home = Home::new();
    let small = without_fourth("SMALLYR").set(INCOME, "annual", 0, &[("revenue", 1.9e9)]);
    run_on(&home, FIRST_DAY, false, &[without_fourth("DERIVED"), small]);
    let derived =
        "select symbol, count(*) from analytics.fact_financials where is_derived group by 1 order by 1";
    assert_eq!(home.lines(derived), ["DERIVED|3", "SMALLYR|2"]);
    let flags =
        "select distinct symbol, basis, check_name from ops.quality where reason = check_name order by all";
    let expected = ["FY", "Q1", "Q2", "Q3"].map(|basis| format!("SMALLYR|{basis}|contradicted_by_year"));
    assert_eq!(home.lines(flags), expected);
}

#[test]
fn no_fourth_quarter_is_derived_from_a_restated_year_and_older_quarters() {
    let company =
        || Company::healthy("RESTATE").change("quarter", |rows| rows.retain(|row| row["period"] != "Q4"));
    let home = Home::new();
    run_on(&home, FIRST_DAY, true, &[company()]);
    let derived = "select count(*) from analytics.fact_financials where is_derived and fiscal_year = 2025";
    assert_eq!(home.count(derived), 1);
    let restated = |company: Company| company.set(INCOME, "annual", 0, &[("netIncome", 4.4e8)]);
    run_on(&home, "2026-03-11", true, &[restated(company())]);
    assert_eq!(home.count(derived), 0);
    let quarter = restated(company()).set(INCOME, "quarter", 1, &[("netIncome", 1.07e8)]);
    run_on(&home, "2026-03-12", true, &[quarter]);
    assert_eq!(home.count(derived), 1);
}

#[test]
fn explain_and_the_summary_show_suspicions() {
    let connection = home().open();
    let facts = Facts::read(&connection, &"EPSYTD".parse().unwrap(), None, findata_tests::models()).unwrap();
    let explain = |metric: &str, basis: Option<&str>| {
        let question = Question {
            symbol: "EPSYTD".parse().unwrap(),
            metric: metric.into(),
            date: None,
            basis: basis.map(|basis| basis.parse().unwrap()),
        };
        answer(&facts, &question).unwrap().figure.contradictions
    };
    let found = explain("pe_ratio_ttm", None);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].code.as_str(), found[0].period.as_deref()),
        ("eps_disputed", Some("Q3 2025-09-30"))
    );
    assert_eq!((found[0].ours.as_str(), found[0].theirs.as_str()), ("EPS times shares", "net income"));
    assert_eq!((found[0].our_value, found[0].their_value), (Some(6.6 * 46e6), Some(105_000_000.0)));
    assert_eq!(explain("roe", Some("TTM")), found);
    assert_eq!(explain("eps_diluted", Some("Q3")), found);
    assert!(explain("eps_diluted", Some("FY")).is_empty());
    let names = faulty().into_iter().map(|(company, ..)| company.symbol).collect::<BTreeSet<_>>();
    let quality = &summary().quality;
    assert_eq!(quality.suspect_companies, names.len() as u64);
    assert!(quality.suspicions >= quality.suspect_companies && quality.suspicions <= quality.flagged);
}

#[test]
fn days_without_new_statements_stay_suspect() {
    let company =
        || Company::healthy("STAYS").set(INCOME, "quarter", 0, &[("eps", 9.4), ("epsDiluted", 9.2)]);
    let home = Home::new();
    run_on(&home, "2026-03-02", false, &[company()]);
    run_on(&home, "2026-03-05", false, &[company()]);
    let days = "select max(metric_date), max(case when is_suspect then metric_date end) from analytics.fact_market_metrics";
    assert_eq!(home.lines(days), ["2026-03-04|2026-03-04"]);
}
