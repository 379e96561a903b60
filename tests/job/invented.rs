//! Companies made up for tests of contradictory data: twelve consistent quarters and their years,
//! whose rows a test can change.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};
use findata_models::Models;
use findata_pipeline::summary::Summary;
use findata_tests::{Home, Job, Replay};
use serde_json::{Value, json};

pub(super) const INCOME: &str = "income-statement";
pub(super) const BALANCE: &str = "balance-sheet-statement";
pub(super) const CASH: &str = "cash-flow-statement";

/// The day on which the companies are fetched first.
pub(super) const FIRST_DAY: &str = "2026-03-10";

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// What a company earned in a quarter. Amounts are in dollars.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quarter {
    pub end: NaiveDate,
    pub revenue: i64,
    /// Net income of the company's shareholders, before preferred dividends.
    pub net_income: i64,
    /// Net income of minorities, which is not part of `net_income`.
    pub minorities: i64,
    pub preferred_dividends: i64,
    pub shares: i64,
}

/// A company's rows by endpoint and cadence, newest first.
#[derive(Debug, Clone)]
pub(super) struct Company {
    pub symbol: String,
    rows: BTreeMap<(&'static str, &'static str), Vec<Value>>,
}

impl Company {
    /// A company whose quarters end with the calendar's, from March 2023 to December 2025.
    pub fn healthy(symbol: &str) -> Self {
        Company::with(symbol, |_, _| ())
    }

    /// Like [`Company::healthy`], with a change of each quarter by number, from 0. The rows stay
    /// consistent.
    pub fn with(symbol: &str, change: impl Fn(usize, &mut Quarter)) -> Self {
        let quarter = |n: usize| {
            let (year, month) = (2023 + n as i32 / 4, 3 * (n as u32 % 4) + 3);
            let next = NaiveDate::from_ymd_opt(year + i32::from(month == 12), month % 12 + 1, 1).unwrap();
            let revenue = 730_000_000 + 11_000_000 * n as i64;
            let mut quarter = Quarter {
                end: next - Days::new(1),
                revenue,
                net_income: revenue / 8,
                minorities: 0,
                preferred_dividends: 0,
                shares: 46_000_000,
            };
            change(n, &mut quarter);
            quarter
        };
        let quarters: Vec<Quarter> = (0..12).map(quarter).collect();
        let mut rows: BTreeMap<_, Vec<Value>> = BTreeMap::new();
        let mut add = |cadence, label: &str, year: usize, parts: &[Quarter]| {
            for (endpoint, row) in statements(symbol, label, 2023 + year, parts) {
                rows.entry((endpoint, cadence)).or_default().insert(0, row);
            }
        };
        for (n, quarter) in quarters.iter().enumerate() {
            add("quarter", ["Q1", "Q2", "Q3", "Q4"][n % 4], n / 4, &[*quarter]);
        }
        for (year, parts) in quarters.chunks(4).enumerate() {
            add("annual", "FY", year, parts);
        }
        Company { symbol: symbol.into(), rows }
    }

    pub fn rows(&mut self, endpoint: &'static str, cadence: &'static str) -> &mut Vec<Value> {
        self.rows.get_mut(&(endpoint, cadence)).unwrap()
    }

    /// The row of a quarter: 0 is the newest.
    pub fn quarter(&mut self, endpoint: &'static str, n: usize) -> &mut Value {
        &mut self.rows(endpoint, "quarter")[n]
    }

    /// Changes the rows of all three statements.
    pub fn change(mut self, cadence: &'static str, change: impl Fn(&mut Vec<Value>)) -> Self {
        for endpoint in [INCOME, BALANCE, CASH] {
            change(self.rows(endpoint, cadence));
        }
        self
    }

    /// Changes one row.
    pub fn set(
        mut self,
        endpoint: &'static str,
        cadence: &'static str,
        n: usize,
        fields: &[(&str, f64)],
    ) -> Self {
        let row = &mut self.rows(endpoint, cadence)[n];
        for (field, value) in fields {
            row[*field] = json!(value);
        }
        self
    }
}

fn statements(symbol: &str, label: &str, year: usize, parts: &[Quarter]) -> [(&'static str, Value); 3] {
    let newest = parts.last().unwrap();
    let sum = |of: fn(&Quarter) -> i64| parts.iter().map(of).sum::<i64>();
    let (revenue, own) = (sum(|q| q.revenue), sum(|q| q.net_income));
    let (minorities, preferred) = (sum(|q| q.minorities), sum(|q| q.preferred_dividends));
    let shares = sum(|q| q.shares) / parts.len() as i64;
    let cents = |amount: i64, shares: i64| (amount as f64 / shares as f64 * 100.0).round() / 100.0;
    let cost = revenue * 6 / 10;
    let filed = newest.end + Days::new(if label == "FY" || label == "Q4" { 48 } else { 33 });
    let head = json!({
        "symbol": symbol, "date": newest.end.to_string(), "period": label, "fiscalYear": year.to_string(), "cik": "0001234567",
        "reportedCurrency": "USD", "filingDate": filed.to_string(), "acceptedDate": format!("{filed} 16:31:07"),
    });
    let with = |mut row: Value| {
        row.as_object_mut().unwrap().extend(head.as_object().unwrap().clone());
        row
    };
    let income = json!({
        "revenue": revenue, "costOfRevenue": cost, "grossProfit": revenue - cost, "operatingIncome": revenue / 5,
        "netIncomeFromContinuingOperations": own + minorities, "netIncome": own, "bottomLineNetIncome": own - preferred,
        "eps": cents(own - preferred, shares), "epsDiluted": cents(own - preferred, shares + shares / 50),
        "weightedAverageShsOut": shares, "weightedAverageShsOutDil": shares + shares / 50,
    });
    // Balances follow the newest quarter.
    let scale = newest.revenue;
    let (assets, liabilities, minority_interest) = (3 * scale, scale, newest.minorities * 4);
    let balance = json!({
        "cashAndCashEquivalents": scale / 4, "shortTermInvestments": 0, "cashAndShortTermInvestments": scale / 4,
        "inventory": scale / 5, "totalCurrentAssets": scale, "propertyPlantEquipmentNet": scale, "totalAssets": assets,
        "totalCurrentLiabilities": scale / 3, "shortTermDebt": scale / 10, "longTermDebt": scale / 5,
        "totalDebt": scale / 10 + scale / 5, "totalLiabilities": liabilities, "minorityInterest": minority_interest,
        "totalStockholdersEquity": assets - liabilities - minority_interest, "totalEquity": assets - liabilities,
    });
    let (operating, capex) = (revenue / 6, revenue / 20);
    let cash = json!({
        "netIncome": own + minorities, "operatingCashFlow": operating, "capitalExpenditure": -capex,
        "freeCashFlow": operating - capex, "preferredDividendsPaid": -preferred,
    });
    [(INCOME, with(income)), (BALANCE, with(balance)), (CASH, with(cash))]
}

/// Runs on a day on which FMP has these companies, with a bar per week.
pub(super) fn run_on(home: &Home, on: &str, is_full: bool, companies: &[Company]) -> Summary {
    run_with(home, on, is_full, companies, findata_tests::models())
}

/// Like [`run_on`], with other models.
pub(super) fn run_with(
    home: &Home,
    on: &str,
    is_full: bool,
    companies: &[Company],
    models: &'static Models,
) -> Summary {
    let mut replay = Replay::new();
    let first = day("2025-01-08");
    let weeks: Vec<String> = (0..61)
        .map(|week| first + Days::new(7 * week))
        .filter(|bar| *bar < day(on) && !(bar.month() == 1 && bar.day() == 1))
        .map(|bar| bar.to_string())
        .collect();
    for company in companies {
        let symbol = &company.symbol;
        for ((endpoint, cadence), rows) in &company.rows {
            replay = replay.answer(endpoint, symbol, cadence, Value::from(rows.clone()).to_string());
        }
        let bar = |day: &String| json!({"symbol": symbol, "date": day, "open": 90, "high": 91, "low": 89, "close": 90, "volume": 9});
        let bars: Vec<Value> = weeks.iter().map(bar).collect();
        replay = replay.answer("historical-price-eod/full", symbol, "", Value::from(bars).to_string());
    }
    let server = replay.start();
    let symbols: Vec<&str> = companies.iter().map(|company| company.symbol.as_str()).collect();
    let datasets = ["prices", "income_statement", "balance_sheet", "cash_flow"].map(String::from).to_vec();
    let mut job = Job::new(server.url(), &symbols).on(day(on)).with(|o| {
        (o.datasets, o.full, o.index, o.prices_from) = (datasets, is_full, None, Some(first));
    });
    job.models = models;
    let summary = job.run_ok(home);
    assert!(summary.failures.is_empty(), "{:?}", summary.failures);
    summary
}
