//! A small company made up for these tests: five quarters and two years, typed by hand. Amounts are
//! in thousands with cents, so rounding to a float would change them. EBIT differs from operating
//! income, one quarter lacks FMP's EBITDA, and there are leases, minority interests and goodwill.

use std::collections::BTreeMap;

use findata_tests::Replay;

pub(super) const SYMBOL: &str = "SMALL";
pub(super) const PRICE: f64 = 40.0;
pub(super) const MARKET_CAP: f64 = 4_040_000.0;

/// The fields of FMP's income statement, in the order of the amounts below.
const INCOME: [&str; 19] = [
    "revenue",
    "costOfRevenue",
    "grossProfit",
    "researchAndDevelopmentExpenses",
    "sellingGeneralAndAdministrativeExpenses",
    "operatingExpenses",
    "interestExpense",
    "depreciationAndAmortization",
    "ebitda",
    "ebit",
    "operatingIncome",
    "incomeBeforeTax",
    "incomeTaxExpense",
    "netIncomeFromContinuingOperations",
    "netIncome",
    "eps",
    "epsDiluted",
    "weightedAverageShsOut",
    "weightedAverageShsOutDil",
];

const BALANCE: [&str; 21] = [
    "cashAndCashEquivalents",
    "shortTermInvestments",
    "cashAndShortTermInvestments",
    "netReceivables",
    "inventory",
    "totalCurrentAssets",
    "propertyPlantEquipmentNet",
    "goodwillAndIntangibleAssets",
    "totalAssets",
    "accountPayables",
    "shortTermDebt",
    "capitalLeaseObligationsCurrent",
    "totalCurrentLiabilities",
    "longTermDebt",
    "totalLiabilities",
    "totalStockholdersEquity",
    "minorityInterest",
    "preferredStock",
    "totalDebt",
    "totalEquity",
    "netDebt",
];

const CASH: [&str; 9] = [
    "netIncome",
    "depreciationAndAmortization",
    "stockBasedCompensation",
    "operatingCashFlow",
    "capitalExpenditure",
    "freeCashFlow",
    "netDividendsPaid",
    "commonStockRepurchased",
    "netDebtIssuance",
];

/// Period end, label, acceptance time in New York, and the amounts of the three statements. `-` is
/// a null.
type Period = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

/// Newest first, as in FMP's responses.
pub(super) const QUARTERS: [Period; 5] = [
    // Accepted after the close of 5 August, so known from 6 August.
    (
        "2026-06-30",
        "Q2",
        "2026-08-05 16:30:00",
        "260000.25 143000.15 117000.10 20000.05 41000.05 61000.10 3000.00 9000.00 66500.00 57500.00 56000.00 54000.00 12000.00 42000.00 42000.00 0.42 0.41 100000.00 102000.00",
        "50000.10 20000.20 70000.30 90000.00 60000.00 240000.30 300000.00 80000.00 700000.00 55000.00 30000.00 5000.00 150000.00 160000.00 400000.00 280000.00 20000.00 1000.00 215000.00 300000.00 164999.90",
        "42000.00 9000.00 4000.00 61000.00 -15000.00 46000.00 -10000.00 -8000.00 2500.00",
    ),
    (
        "2026-03-31",
        "Q1",
        "2026-05-06 07:00:00",
        "240000.50 134000.25 106000.25 19000.00 40000.00 59000.00 3100.00 8900.00 - 47500.00 47000.25 44000.25 9900.05 34100.20 34100.20 0.34 0.335 100200.00 102300.00",
        "45000.00 18000.00 63000.00 88000.00 61000.00 230000.00 298000.00 80500.00 690000.00 54000.00 31000.00 5000.00 152000.00 162000.00 405000.00 266000.00 19000.00 1000.00 218000.00 285000.00 173000.00",
        "34100.20 8900.00 3900.00 30000.00 -14000.00 16000.00 -10000.00 -7000.00 -1500.00",
    ),
    (
        "2025-12-31",
        "Q4",
        "2026-02-12 16:05:00",
        "300000.75 165000.50 135000.25 21000.25 45000.00 66000.25 3200.00 8800.00 78800.00 70000.00 69000.00 66000.00 15000.00 51000.00 51000.00 0.51 0.50 100300.00 102500.00",
        "60000.00 15000.00 75000.00 99000.00 58000.00 245000.00 295000.00 81000.00 695000.00 60000.00 29000.00 5000.00 155000.00 164000.00 412000.00 264000.00 18000.00 1000.00 220000.00 282000.00 160000.00",
        "51000.00 8800.00 3800.00 80000.00 -16000.00 64000.00 -9500.00 -6000.00 -3000.00",
    ),
    (
        "2025-09-30",
        "Q3",
        "2025-11-05 16:01:00",
        "230000.00 128000.00 102000.00 18500.00 39500.00 58000.00 3300.00 8700.00 53700.00 45000.00 44000.00 41000.00 9000.00 32000.00 32000.00 0.32 0.315 100500.00 102700.00",
        "40000.00 16000.00 56000.00 85000.00 62000.00 222000.00 290000.00 81500.00 680000.00 52000.00 32000.00 5000.00 150000.00 166000.00 410000.00 253000.00 17000.00 1000.00 223000.00 270000.00 183000.00",
        "32000.00 8700.00 3700.00 41000.00 -13000.00 28000.00 -9500.00 -5000.00 -2000.00",
    ),
    (
        "2025-06-30",
        "Q2",
        "2025-08-06 16:02:00",
        "225000.00 126000.00 99000.00 18000.00 39000.00 57000.00 3400.00 8600.00 51600.00 43000.00 42000.00 39000.00 8600.00 30400.00 30400.00 0.30 0.295 101000.00 103000.00",
        "38000.00 14000.00 52000.00 82000.00 63000.00 215000.00 285000.00 82000.00 670000.00 50000.00 33000.00 5000.00 149000.00 168000.00 409000.00 245000.00 16000.00 1000.00 226000.00 261000.00 188000.00",
        "30400.00 8600.00 3600.00 45000.00 -12500.00 32500.00 -9500.00 -4000.00 -1000.00",
    ),
];

pub(super) const YEARS: [Period; 2] = [
    (
        "2025-12-31",
        "FY",
        "2026-02-12 16:05:00",
        "970000.25 537000.25 433000.00 75500.25 160000.00 235500.25 13200.00 34600.00 232100.00 197500.00 197499.75 190000.00 43000.00 147000.00 147000.00 1.46 1.44 100700.00 102800.00",
        "60000.00 15000.00 75000.00 99000.00 58000.00 245000.00 295000.00 81000.00 695000.00 60000.00 29000.00 5000.00 155000.00 164000.00 412000.00 264000.00 18000.00 1000.00 220000.00 282000.00 160000.00",
        "147000.00 34600.00 14600.00 210000.00 -54000.00 156000.00 -38000.00 -19000.00 -8000.00",
    ),
    (
        "2024-12-31",
        "FY",
        "2025-02-13 16:05:00",
        "880000.00 500000.00 380000.00 70000.00 150000.00 220000.00 14000.00 33000.00 196000.00 163000.00 160000.00 150000.00 34000.00 116000.00 116000.00 1.14 1.12 101800.00 103900.00",
        "36000.00 12000.00 48000.00 78000.00 64000.00 205000.00 275000.00 83000.00 650000.00 48000.00 35000.00 5000.00 148000.00 172000.00 420000.00 216000.00 14000.00 1000.00 232000.00 230000.00 196000.00",
        "116000.00 33000.00 13900.00 170000.00 -48000.00 122000.00 -36000.00 -12000.00 -6000.00",
    ),
];

/// Trading days and their closes. The newest close is the profile's price.
pub(super) const CLOSES: [(&str, &str); 4] = [
    ("2026-08-07", "40.00"),
    ("2026-08-06", "41.25"),
    ("2026-08-05", "38.50"),
    ("2026-08-04", "37.00"),
];

/// Ex dates and amounts: four dividends within the last year, and one older.
pub(super) const DIVIDENDS: [(&str, &str); 5] = [
    ("2026-06-12", "0.10"),
    ("2026-03-13", "0.10"),
    ("2025-12-12", "0.095"),
    ("2025-09-12", "0.095"),
    ("2025-06-13", "0.09"),
];

/// The lines of a period by FMP's field names. Cash flow lines have the prefix `cf.`, because other
/// statements have some of the same names.
pub(super) fn lines(period: &Period) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for (prefix, names, figures) in
        [("", &INCOME[..], period.3), ("", &BALANCE[..], period.4), ("cf.", &CASH[..], period.5)]
    {
        let figures: Vec<&str> = figures.split(' ').collect();
        assert_eq!(figures.len(), names.len(), "{} {}", period.0, period.1);
        let known = names
            .iter()
            .zip(figures)
            .filter_map(|(name, figure)| Some((format!("{prefix}{name}"), figure.parse().ok()?)));
        found.extend(known);
    }
    found
}

fn json(periods: &[Period], names: &[&str], figures: impl Fn(&Period) -> &'static str) -> String {
    let row = |period: &Period| {
        let fields = names.iter().zip(figures(period).split(' '));
        let fields: Vec<String> = fields
            .map(|(name, figure)| format!("\"{name}\":{}", if figure == "-" { "null" } else { figure }))
            .collect();
        format!(
            "{{\"symbol\":\"{SYMBOL}\",\"date\":\"{}\",\"period\":\"{}\",\"fiscalYear\":\"{}\",\"reportedCurrency\":\"USD\",\"filingDate\":\"{}\",\"acceptedDate\":\"{}\",{}}}",
            period.0,
            period.1,
            &period.0[..4],
            &period.2[..10],
            period.2,
            fields.join(",")
        )
    };
    format!("[{}]", periods.iter().map(row).collect::<Vec<_>>().join(","))
}

/// A replay server with the company's responses.
pub(super) fn replay() -> Replay {
    let rows = |rows: &[(&str, &str)], of: fn(&str, &str) -> String| {
        format!("[{}]", rows.iter().map(|(day, amount)| of(day, amount)).collect::<Vec<_>>().join(","))
    };
    let bar = |day: &str, close: &str| {
        format!(
            "{{\"symbol\":\"SMALL\",\"date\":\"{day}\",\"open\":{close},\"high\":{close},\"low\":{close},\"close\":{close},\"volume\":1000}}"
        )
    };
    let dividend = |day: &str, amount: &str| {
        format!("{{\"symbol\":\"SMALL\",\"date\":\"{day}\",\"adjDividend\":{amount},\"dividend\":{amount}}}")
    };
    let profile = format!(
        "[{{\"symbol\":\"{SYMBOL}\",\"price\":{PRICE},\"marketCap\":{MARKET_CAP},\"companyName\":\"Small plc\",\"currency\":\"USD\",\"sector\":\"Industrials\"}}]"
    );
    let mut replay = Replay::new()
        .answer("profile", SYMBOL, "", profile)
        .answer("historical-price-eod/full", SYMBOL, "", rows(&CLOSES, bar))
        .answer("dividends", SYMBOL, "", rows(&DIVIDENDS, dividend));
    for (period, periods) in [("quarter", &QUARTERS[..]), ("annual", &YEARS[..])] {
        replay = replay
            .answer("income-statement", SYMBOL, period, json(periods, &INCOME, |p| p.3))
            .answer("balance-sheet-statement", SYMBOL, period, json(periods, &BALANCE, |p| p.4))
            .answer("cash-flow-statement", SYMBOL, period, json(periods, &CASH, |p| p.5));
    }
    replay
}
