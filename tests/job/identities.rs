//! Each accounting identity is violated on purpose, by one company each. The violation is flagged
//! with the right numbers, and the data is still loaded and shown.

use std::sync::OnceLock;

use findata_pipeline::{run::Status, summary::Summary};
use findata_tests::{Home, Job, Replay};
use serde_json::{Value, json};

/// A changed field of one period: statement, period label, field, value.
pub(super) type Violation = (&'static str, &'static str, &'static str, Value);

/// Period end, label, filing date.
const PERIODS: [(&str, &str, &str); 5] = [
    ("2025-12-31", "Q4", "2026-02-10"),
    ("2025-09-30", "Q3", "2025-11-05"),
    ("2025-06-30", "Q2", "2025-08-05"),
    ("2025-03-31", "Q1", "2025-05-05"),
    ("2025-12-31", "FY", "2026-02-10"),
];

/// A statement without violations except the given ones. Every quarter has revenue of 100,000 and
/// ends with 1,000 more cash.
pub(super) fn statement(symbol: &str, statement: &str, annual: bool, violations: &[Violation]) -> String {
    let rows = PERIODS.iter().filter(|p| (p.1 == "FY") == annual).map(|(end, label, filed)| {
        let n = if annual { 4 } else { 1 };
        let before = PERIODS.iter().filter(|p| p.1 != "FY" && p.0 < *end).count();
        let begin = 50_000 + if annual { 0 } else { 1_000 * before as i64 };
        let mut row = json!({"symbol": symbol, "date": end, "period": label, "fiscalYear": "2025", "reportedCurrency": "USD",
            "filingDate": filed, "acceptedDate": format!("{filed} 08:00:00")});
        let lines = match statement {
            "income-statement" => json!({"revenue": 100_000 * n, "costOfRevenue": 60_000 * n, "grossProfit": 40_000 * n,
                "netIncome": 10_000 * n, "eps": n, "epsDiluted": n, "weightedAverageShsOut": 10_000}),
            "balance-sheet-statement" => json!({"totalAssets": 500_000, "totalLiabilities": 300_000, "totalEquity": 200_000,
                "totalStockholdersEquity": 190_000, "minorityInterest": 10_000, "totalCurrentAssets": 200_000,
                "totalCurrentLiabilities": 100_000}),
            _ => json!({"netIncome": 10_000 * n, "operatingCashFlow": 15_000 * n, "capitalExpenditure": -5_000 * n,
                "freeCashFlow": 10_000 * n, "cashAtBeginningOfPeriod": begin, "netChangeInCash": 1_000 * n,
                "cashAtEndOfPeriod": begin + 1_000 * n}),
        };
        let row_fields = row.as_object_mut().unwrap();
        row_fields.extend(lines.as_object().unwrap().clone());
        for (_, _, field, value) in violations.iter().filter(|b| b.0 == statement && b.1 == *label) {
            row_fields.insert((*field).into(), value.clone());
        }
        row
    });
    Value::Array(rows.collect()).to_string()
}

const INCOME: &str = "income-statement";
const BALANCE: &str = "balance-sheet-statement";
const CASH: &str = "cash-flow-statement";

/// Each company with its violations and the checks that must be flagged. A check is listed as name,
/// basis, period end, our figure, the figure compared with, and their difference.
fn cases() -> Vec<(&'static str, Vec<Violation>, Vec<&'static str>)> {
    vec![
        (
            "GROSS",
            vec![(INCOME, "Q2", "grossProfit", json!(42_000.25))],
            vec!["gross_profit|Q2|2025-06-30|42000.25|40000.0|2000.25"],
        ),
        (
            "ASSET",
            vec![(BALANCE, "Q3", "totalAssets", json!(505_000))],
            vec!["assets|Q3|2025-09-30|505000.0|500000.0|5000.0"],
        ),
        (
            "FREEC",
            vec![(CASH, "FY", "freeCashFlow", json!(50_000))],
            vec!["free_cash_flow|FY|2025-12-31|50000.0|40000.0|10000.0"],
        ),
        (
            "CFNET",
            vec![(CASH, "Q4", "netIncome", json!(12_500))],
            vec!["cash_flow_net_income|Q4|2025-12-31|12500.0|10000.0|2500.0"],
        ),
        (
            "ROLLF",
            vec![(CASH, "Q2", "netChangeInCash", json!(-1_000))],
            vec!["cash_roll_forward|Q2|2025-06-30|52000.0|50000.0|2000.0"],
        ),
        (
            "CONTI",
            vec![
                (CASH, "Q3", "cashAtBeginningOfPeriod", json!(60_000)),
                (CASH, "Q3", "netChangeInCash", json!(-7_000)),
            ],
            vec!["cash_continuity|Q3|2025-09-30|60000.0|52000.0|8000.0"],
        ),
        (
            "YEARS",
            vec![(INCOME, "FY", "revenue", json!(500_000)), (INCOME, "FY", "costOfRevenue", json!(340_000))],
            vec![
                "quarters_revenue|FY|2025-12-31|400000.0|500000.0|-100000.0",
                "ttm_revenue|TTM|2025-12-31|400000.0|500000.0|-100000.0",
            ],
        ),
        (
            "NETIN",
            vec![(INCOME, "FY", "netIncome", json!(50_000)), (CASH, "FY", "netIncome", json!(50_000))],
            vec![
                "quarters_net_income|FY|2025-12-31|40000.0|50000.0|-10000.0",
                "ttm_net_income|TTM|2025-12-31|40000.0|50000.0|-10000.0",
            ],
        ),
        (
            "OCASH",
            vec![
                (CASH, "FY", "operatingCashFlow", json!(70_000)),
                (CASH, "FY", "freeCashFlow", json!(50_000)),
            ],
            vec![
                "quarters_operating_cash_flow|FY|2025-12-31|60000.0|70000.0|-10000.0",
                "ttm_operating_cash_flow|TTM|2025-12-31|60000.0|70000.0|-10000.0",
            ],
        ),
        ("GOODC", vec![], vec![]),
        // UNITS is off by 2 % but by less than 1,000 units; SHARE is off by 2,000 units but by less
        // than 0.5 %. Neither is flagged.
        ("UNITS", vec![(INCOME, "Q2", "grossProfit", json!(40_900))], vec![]),
        ("SHARE", vec![(BALANCE, "Q2", "totalAssets", json!(502_000))], vec![]),
        // A missing total equity is computed as stockholders' equity plus minority interest.
        ("MINOR", vec![(BALANCE, "Q2", "totalEquity", Value::Null)], vec![]),
        // A check with a missing input is not made.
        ("NOCOG", vec![(INCOME, "Q2", "costOfRevenue", Value::Null)], vec![]),
        // A quarter labelled with another fiscal year, and a quarter in another currency.
        (
            "LABEL",
            vec![
                (INCOME, "Q2", "fiscalYear", json!("2024")),
                (BALANCE, "Q2", "fiscalYear", json!("2024")),
                (CASH, "Q2", "fiscalYear", json!("2024")),
            ],
            vec![],
        ),
        ("MONEY", vec![(INCOME, "Q1", "reportedCurrency", json!("EUR"))], vec![]),
    ]
}

fn run_all() -> &'static (Home, Summary) {
    static RUN: OnceLock<(Home, Summary)> = OnceLock::new();
    RUN.get_or_init(|| {
        let mut replay = Replay::new();
        for (symbol, violations, _) in cases() {
            let profile = json!([{"symbol": symbol, "price": 40, "marketCap": 400_000, "companyName": symbol,
                "currency": "USD", "sector": "Industrials"}]);
            let bar = json!([{"symbol": symbol, "date": "2026-09-18", "open": 40, "high": 40, "low": 40, "close": 40, "volume": 1}]);
            replay = replay
                .answer("profile", symbol, "", profile.to_string())
                .answer("historical-price-eod/full", symbol, "", bar.to_string());
            for name in [INCOME, BALANCE, CASH] {
                for (period, annual) in [("quarter", false), ("annual", true)] {
                    replay = replay.answer(name, symbol, period, statement(symbol, name, annual, &violations));
                }
            }
        }
        let (server, home) = (replay.start(), Home::new());
        let symbols: Vec<&str> = cases().iter().map(|b| b.0).collect();
        let summary = Job::new(server.url(), &symbols).run_ok(&home);
        (home, summary)
    })
}

#[test]
fn each_violated_identity_is_flagged_with_its_numbers_and_nothing_else_is() {
    let (home, summary) = run_all();
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    for (symbol, _, expected) in cases() {
        let flagged = home.lines(&format!(
            "select check_name, basis, fiscal_date, ours, theirs, difference from ops.quality where symbol = '{symbol}' \
             and status = 'flag' and reason is null order by all"
        ));
        assert_eq!(flagged, expected, "{symbol}");
    }
    let relative = "select relative_difference from ops.quality where symbol = 'ASSET' and status = 'flag'";
    assert_eq!(home.figure(relative), Some(0.01));
}

#[test]
fn flagged_data_is_still_loaded_and_shown() {
    let (home, summary) = run_all();
    assert!(summary.rows.values().all(|rows| rows.quarantined == 0), "{:?}", summary.rows);
    let shown =
        "select gross_profit from analytics.fact_financials where symbol = 'GROSS' and period_type = 'Q2'";
    assert_eq!(home.text(shown), "42000.25");
    let margin =
        "select gross_margin from analytics.fact_financial_ratios where symbol = 'GROSS' and basis = 'Q2'";
    assert_eq!(home.figure(margin), Some(0.4200025));
}

#[test]
fn the_score_is_the_share_of_passed_checks_and_the_summary_names_the_lowest() {
    let (home, summary) = run_all();
    let counted = "select s.symbol from ops.quality s join (select symbol, count(case when status = 'pass' then 1 end) p, \
                   count(case when status <> 'not_checked' then 1 end) n from ops.quality where check_name <> 'score' group by symbol) c \
                   on c.symbol = s.symbol where s.check_name = 'score' and (s.theirs <> c.n or abs(s.ours - c.p / c.n) > 1e-12)";
    assert_eq!(home.lines(counted), Vec::<String>::new());
    let whole = "select ours, theirs, basis, fiscal_date, status, reason from ops.quality where symbol = 'GOODC' and check_name = 'score'";
    // 34 checks: 5 for each of 5 periods, 3 of cash continuity, and the comparisons of the year
    // with its quarters and with the twelve months.
    assert_eq!(home.lines(whole), ["1.0|34.0|COMPANY|2025-12-31|NULL|NULL"]);
    let quality = &summary.quality;
    assert_eq!((quality.companies, quality.flagged_companies), (16, 9));
    // Suspicions are flags too.
    assert_eq!(quality.flagged - quality.suspicions, 12);
    let lowest: Vec<&str> = quality.lowest.iter().map(|s| s.symbol.as_str()).collect();
    assert_eq!(lowest, ["NETIN", "OCASH", "YEARS", "ASSET", "CFNET"]);
    // Five suspicions follow from the two violated identities: those of the year and its quarters.
    assert!((quality.lowest[0].score - 32.0 / 39.0).abs() < 1e-12, "{:?}", quality.lowest);
}

#[test]
fn checks_that_cannot_be_made_record_the_reason() {
    let (home, _) = run_all();
    let reason = |symbol: &str, check: &str| {
        home.lines(&format!(
            "select fiscal_date, reason from ops.quality where symbol = '{symbol}' and check_name = '{check}' and status = 'not_checked' order by basis, fiscal_date"
        ))
    };
    assert_eq!(reason("NOCOG", "gross_profit"), ["2025-06-30|missing_input"]);
    assert_eq!(reason("LABEL", "quarters_revenue"), ["2025-12-31|missing_quarter"]);
    assert_eq!(
        reason("LABEL", "ttm_revenue"),
        Vec::<String>::new(),
        "the dates identify the period despite its label"
    );
    assert_eq!(reason("MONEY", "quarters_net_income"), ["2025-12-31|currency_change"]);
    assert_eq!(reason("MONEY", "ttm_net_income"), ["2025-12-31|currency_change"]);
    assert_eq!(
        reason("MONEY", "cash_continuity").len(),
        3,
        "the oldest quarter, the oldest year, and the change"
    );
    assert_eq!(
        reason("GOODC", "cash_continuity"),
        ["2025-12-31|insufficient_history", "2025-03-31|insufficient_history"]
    );
    let figures = "select count(*) from ops.quality where (status = 'not_checked') <> (reason is not null and reason <> check_name) \
                   or (status = 'not_checked' and coalesce(difference, relative_difference) is not null) \
                   or (status in ('pass', 'flag') and (ours is null or theirs is null or difference is null))";
    assert_eq!(home.count(figures), 0);
}
