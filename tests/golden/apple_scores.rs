//! Apple's fiscal years 2022 to 2024, and scores that compare a year with the two before. The amounts
//! are those of Apple's 10-K filings of 2024 and 2023 (consolidated statements and notes). The
//! expected figures were computed outside of this project, in Python, with the formulas of the
//! papers: indices and averages of the reported amounts instead of FMP's fields.

use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Replay};
use serde_json::{Map, Value, json};

use super::close;

/// The ends of the fiscal years and the days of acceptance.
const YEARS: [(&str, &str); 3] =
    [("2024-09-28", "2024-11-01"), ("2023-09-30", "2023-11-03"), ("2022-09-24", "2022-10-28")];

/// Amounts of the years in millions, shares in thousands.
const INCOME: &[(&str, [i64; 3])] = &[
    ("revenue", [391035, 383285, 394328]),
    ("costOfRevenue", [210352, 214137, 223546]),
    ("grossProfit", [180683, 169148, 170782]),
    ("researchAndDevelopmentExpenses", [31370, 29915, 26251]),
    ("sellingGeneralAndAdministrativeExpenses", [26097, 24932, 25094]),
    ("operatingExpenses", [57467, 54847, 51345]),
    ("operatingIncome", [123216, 114301, 119437]),
    ("ebit", [123216, 114301, 119437]),
    ("incomeBeforeTax", [123485, 113736, 119103]),
    ("incomeTaxExpense", [29749, 16741, 19300]),
    ("netIncome", [93736, 96995, 99803]),
    ("netIncomeFromContinuingOperations", [93736, 96995, 99803]),
    ("depreciationAndAmortization", [11445, 11519, 11104]),
    ("weightedAverageShsOut", [15343783, 15744231, 16215963]),
    ("weightedAverageShsOutDil", [15343783, 15744231, 16215963]),
];

/// Balances at the ends of the years, in millions.
const BALANCE: &[(&str, [i64; 3])] = &[
    ("totalCurrentAssets", [152987, 143566, 135405]),
    ("totalCurrentLiabilities", [176392, 145308, 153982]),
    ("cashAndShortTermInvestments", [65171, 61555, 48304]),
    ("shortTermDebt", [20879, 15807, 21110]),
    ("taxPayables", [26601, 8819, 6552]),
    ("totalAssets", [364980, 352583, 352755]),
    ("propertyPlantEquipmentNet", [45680, 43715, 42117]),
    ("netReceivables", [66243, 60985, 60932]),
    ("longTermDebt", [85750, 95281, 98959]),
    ("retainedEarnings", [-19154, -214, -3068]),
    ("totalLiabilities", [308030, 290437, 302083]),
    ("totalStockholdersEquity", [56950, 62146, 50672]),
];

/// Cash flows of the years in millions. The change of working capital is the sum of the statement's
/// changes in operating assets and liabilities.
const CASH: &[(&str, [i64; 3])] = &[
    ("netIncome", [93736, 96995, 99803]),
    ("stockBasedCompensation", [11688, 10833, 9038]),
    ("changeInWorkingCapital", [3651, -6577, 1200]),
    ("operatingCashFlow", [118254, 110543, 122151]),
    ("capitalExpenditure", [-9447, -10959, -10708]),
    ("freeCashFlow", [108807, 99584, 111443]),
];

const RATIOS: &[(&str, f64)] = &[
    ("piotroski_income", 1.0),
    ("piotroski_cash_flow", 1.0),
    ("piotroski_return", 0.0),
    ("piotroski_accruals", 1.0),
    ("piotroski_leverage", 1.0),
    ("piotroski_liquidity", 0.0),
    ("piotroski_shares", 1.0),
    ("piotroski_margin", 1.0),
    ("piotroski_turnover", 1.0),
    ("piotroski_f_score", 7.0),
    ("beneish_m_score", -2.768770621577301),
    ("sloan_accruals", -0.03865862648993886),
    ("cash_flow_accruals", -0.06833685683347664),
    ("net_share_issuance", -0.025763636753046416),
    ("rule_of_40", 0.2984738055187063),
    ("altman_z_double_prime", 1.8710225662241713),
    ("owner_earnings", 99385000000.0),
];

const GROWTH: &[(&str, f64)] = &[
    ("gross_profit_yoy", 0.06819471705252211),
    ("operating_cash_flow_yoy", 0.069755660693124),
    ("shares_yoy", -0.025434586166831474),
    ("book_value_per_share_yoy", -0.059693251557224714),
    ("net_receivables_yoy", 0.0862179224399442),
    ("research_and_development_yoy", 0.04863780712017385),
];

fn rows(fields: &[(&str, [i64; 3])]) -> String {
    let row = |(n, (end, accepted)): (usize, &(&str, &str))| {
        let mut row: Map<String, Value> = fields
            .iter()
            .map(|(field, amounts)| {
                let unit = if field.starts_with("weighted") { 1_000 } else { 1_000_000 };
                ((*field).to_owned(), json!(amounts[n] * unit))
            })
            .collect();
        for (field, value) in [
            ("symbol", "AAPL"),
            ("date", end),
            ("period", "FY"),
            ("fiscalYear", &end[..4]),
            ("reportedCurrency", "USD"),
            ("filingDate", accepted),
            ("acceptedDate", &format!("{accepted} 06:01:36")),
        ] {
            row.insert(field.into(), json!(value));
        }
        Value::Object(row)
    };
    Value::Array(YEARS.iter().enumerate().map(row).collect()).to_string()
}

#[test]
fn scores_of_apples_fiscal_year_2024_equal_those_computed_from_its_10_k() {
    let profile = json!([{"symbol": "AAPL", "companyName": "Apple Inc.", "currency": "USD",
        "sector": "Technology", "industry": "Consumer Electronics", "country": "US"}]);
    let server = Replay::new()
        .answer("profile", "AAPL", "", profile.to_string())
        .answer("income-statement", "AAPL", "annual", rows(INCOME))
        .answer("balance-sheet-statement", "AAPL", "annual", rows(BALANCE))
        .answer("cash-flow-statement", "AAPL", "annual", rows(CASH))
        .start();
    let home = Home::new();
    let summary = Job::new(server.url(), &["AAPL"]).on("2024-11-15".parse().unwrap()).run_ok(&home);
    assert_ne!(summary.status, Status::Failed, "{:?}", summary.failures);
    for (table, expected) in [("fact_financial_ratios", RATIOS), ("fact_growth_rates", GROWTH)] {
        let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        let place = format!("from analytics.{table} where basis = 'FY' and fiscal_date = '2024-09-28'");
        let ours = home.figures(&names, &place);
        for (name, wanted) in expected {
            assert!(
                ours.get(*name).is_some_and(|ours| close(*ours, *wanted)),
                "{name}: {:?} instead of {wanted}",
                ours.get(*name)
            );
        }
    }
    // A year earlier, the second year before is unknown.
    let reasons = home.lines(
        "select metric || ' ' || reason from analytics.metric_nulls where basis = 'FY' and subject_date = '2023-09-30' \
         and metric in ('piotroski_f_score', 'piotroski_return', 'beneish_m_score') order by 1",
    );
    assert_eq!(
        reasons,
        ["piotroski_f_score insufficient_history", "piotroski_return insufficient_history"]
    );
}
