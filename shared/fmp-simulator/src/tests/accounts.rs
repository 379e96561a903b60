//! Tests of the accounts: the three statements of every company agree, and quarters add up to
//! years.

use super::*;

/// Companies whose rows the simulator makes irregular after it generated the accounts.
const MUTATED: [&str; 4] = ["NULLS", "TEXTS", "BIGNR", "TWICE"];

fn unmutated(answers: &Answers) -> impl Iterator<Item = String> {
    answers.world.universe().filter(|s| !MUTATED.contains(&s.as_str()) && s != "SPY")
}

fn check_income(r: &Value) {
    let i = |f| int(r, f);
    assert_eq!(i("grossProfit"), i("revenue") - i("costOfRevenue"));
    assert_eq!(
        i("operatingExpenses"),
        i("researchAndDevelopmentExpenses")
            + i("sellingGeneralAndAdministrativeExpenses")
            + i("otherExpenses")
    );
    assert_eq!(i("costAndExpenses"), i("costOfRevenue") + i("operatingExpenses"));
    assert_eq!(i("operatingIncome"), i("grossProfit") - i("operatingExpenses"));
    assert_eq!(i("incomeBeforeTax"), i("operatingIncome") + i("totalOtherIncomeExpensesNet"));
    assert_eq!(i("netIncome"), i("incomeBeforeTax") - i("incomeTaxExpense"));
    assert_eq!(i("bottomLineNetIncome"), i("netIncome") - i("netIncomeDeductions"));
    assert_eq!(i("ebitda"), i("ebit") + i("depreciationAndAmortization"));
    assert_eq!(i("ebit"), i("operatingIncome") - i("nonOperatingIncomeExcludingInterest"));
    let eps = i("bottomLineNetIncome") as f64 / i("weightedAverageShsOut") as f64;
    assert!((eps - r["eps"].as_f64().expect("eps")).abs() < 0.006, "{r}");
    assert!(i("weightedAverageShsOut") <= i("weightedAverageShsOutDil"));
}

fn check_balance(r: &Value) {
    let i = |f| int(r, f);
    assert_eq!(i("totalAssets"), i("totalCurrentAssets") + i("totalNonCurrentAssets"));
    assert_eq!(i("totalAssets"), i("totalLiabilities") + i("totalEquity"));
    assert_eq!(i("totalAssets"), i("totalLiabilitiesAndTotalEquity"));
    assert_eq!(i("totalEquity"), i("totalStockholdersEquity") + i("minorityInterest"));
    assert_eq!(i("totalLiabilities"), i("totalCurrentLiabilities") + i("totalNonCurrentLiabilities"));
    assert_eq!(i("totalDebt"), i("shortTermDebt") + i("longTermDebt") + i("capitalLeaseObligations"));
    assert_eq!(i("netDebt"), i("totalDebt") - i("cashAndCashEquivalents"));
    let owners = ["commonStock", "retainedEarnings", "accumulatedOtherComprehensiveIncomeLoss"];
    assert_eq!(i("totalStockholdersEquity"), owners.iter().map(|f| i(f)).sum::<i64>());
}

fn check_cash(r: &Value) {
    let i = |f| int(r, f);
    assert_eq!(i("freeCashFlow"), i("operatingCashFlow") + i("capitalExpenditure"));
    assert_eq!(i("cashAtEndOfPeriod"), i("cashAtBeginningOfPeriod") + i("netChangeInCash"));
    let parts = ["netCashProvidedByOperatingActivities", "netCashProvidedByInvestingActivities"];
    let rest = ["netCashProvidedByFinancingActivities", "effectOfForexChangesOnCash"];
    assert_eq!(i("netChangeInCash"), parts.iter().chain(&rest).map(|f| i(f)).sum::<i64>());
    for field in [
        "capitalExpenditure",
        "netDividendsPaid",
        "commonStockRepurchased",
        "purchasesOfInvestments",
    ] {
        assert!(i(field) <= 0, "{field} {r}");
    }
    assert!(i("commonStockIssuance") >= 0 && i("salesMaturitiesOfInvestments") >= 0);
}

#[test]
fn the_three_statements_of_every_company_agree() {
    for revision in [0, 1] {
        let answers = answers(400, "2026-09-18", revision);
        for symbol in unmutated(&answers) {
            for period in ["quarter", "annual"] {
                let of = |endpoint| {
                    rows(&answers, endpoint, &format!("symbol={symbol}&period={period}&limit=1000"))
                };
                let (income, balance, cash) =
                    (of("income-statement"), of("balance-sheet-statement"), of("cash-flow-statement"));
                assert!(!income.is_empty() || symbol == "IPOED", "{symbol}");
                assert_eq!((income.len(), income.len()), (balance.len(), cash.len()));
                income.iter().for_each(check_income);
                balance.iter().for_each(check_balance);
                cash.iter().for_each(check_cash);
                for ((i, b), c) in income.iter().zip(&balance).zip(&cash) {
                    for field in [
                        "date",
                        "fiscalYear",
                        "period",
                        "acceptedDate",
                        "filingDate",
                        "cik",
                        "reportedCurrency",
                    ] {
                        assert!(i[field] == b[field] && b[field] == c[field]);
                    }
                    assert_eq!(int(i, "netIncome"), int(c, "netIncome"));
                    assert_eq!(int(i, "depreciationAndAmortization"), int(c, "depreciationAndAmortization"));
                    assert_eq!(int(b, "cashAndCashEquivalents"), int(c, "cashAtEndOfPeriod"), "{symbol}");
                }
                assert!(income.windows(2).all(|w| w[0]["date"].as_str() > w[1]["date"].as_str()));
                if symbol != "MISSQ" {
                    let rolls = |w: &[Value]| {
                        int(&w[0], "cashAtBeginningOfPeriod") == int(&w[1], "cashAtEndOfPeriod")
                    };
                    assert!(cash.windows(2).all(rolls), "{symbol}");
                }
            }
        }
    }
}

#[test]
fn quarters_add_up_to_years() {
    let answers = answers(300, "2026-09-18", 1);
    let flows = ["revenue", "netIncome", "interestExpense"];
    let cash_flows = ["operatingCashFlow", "capitalExpenditure", "netDividendsPaid", "netStockIssuance"];
    for symbol in unmutated(&answers).filter(|s| s != "MISSQ" && s != "IPOED") {
        for (endpoint, fields) in
            [("income-statement", flows.as_slice()), ("cash-flow-statement", &cash_flows)]
        {
            let quarters = rows(&answers, endpoint, &format!("symbol={symbol}&period=quarter&limit=99"));
            let years = rows(&answers, endpoint, &format!("symbol={symbol}&period=FY&limit=5"));
            for year in years {
                let parts = quarters.iter().filter(|q| q["fiscalYear"] == year["fiscalYear"]);
                for field in fields {
                    let sum: i64 = parts.clone().map(|q| int(q, field)).sum();
                    assert_eq!(sum, int(&year, field), "{symbol} {} {field}", year["fiscalYear"]);
                }
            }
        }
    }
}
