//! An invented healthy company, which each test changes in one respect.

use chrono::{Days, NaiveDate};
use findata_domain::nyse_calendar::is_trading_day;
use findata_tests::Replay;
use serde_json::{Value, json};

pub(super) const INCOME: &str = "income-statement";
pub(super) const BALANCE: &str = "balance-sheet-statement";
pub(super) const CASH: &str = "cash-flow-statement";

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The newest session of every company.
pub(super) const TODAY: &str = "2026-09-18";
/// The close of every session.
pub(super) const PRICE: f64 = 60.0;
/// The shares of every company.
pub(super) const SHARES: f64 = 20e6;

/// A company's answers. Statements are by endpoint and cadence, newest first.
pub(super) struct Company {
    pub(super) symbol: &'static str,
    pub(super) profile: Value,
    pub(super) dividends: Vec<Value>,
    pub(super) ratios_ttm: Vec<Value>,
    pub(super) key_metrics_ttm: Vec<Value>,
    pub(super) splits: Vec<Value>,
    pub(super) market_caps: Vec<Value>,
    pub(super) shares_float: Vec<Value>,
    /// The close from a day on, oldest first, as FMP adjusts it for splits and spin-offs.
    pub(super) closes: Vec<(&'static str, f64)>,
    statements: Vec<(&'static str, &'static str, Vec<Value>)>,
}

/// The end of a period, its label, and how many quarters it has.
pub(super) type Period = (&'static str, &'static str, i64);

/// Quarters and years up to June 2026.
const PERIODS: [Period; 17] = [
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
    ("2025-09-30", "Q3", 1),
    ("2025-12-31", "Q4", 1),
    ("2026-03-31", "Q1", 1),
    ("2026-06-30", "Q2", 1),
    ("2023-12-31", "FY", 4),
    ("2024-12-31", "FY", 4),
    ("2025-12-31", "FY", 4),
];

/// A statement of so many quarters. Every quarter is like the others: revenue 200 million, net income 30 million.
fn statement(symbol: &str, endpoint: &str, (end, label, quarters): Period) -> Value {
    let filed = day(end) + Days::new(35);
    let of = |millions: i64| millions * 1_000_000 * quarters;
    let mut row = json!({"symbol": symbol, "date": end, "period": label, "fiscalYear": &end[..4], "reportedCurrency": "USD",
        "cik": "0001234567", "filingDate": filed, "acceptedDate": format!("{filed} 07:30:00")});
    let lines = match endpoint {
        INCOME => {
            json!({"revenue": of(200), "costOfRevenue": of(120), "grossProfit": of(80), "operatingIncome": of(40),
            "ebit": of(40), "ebitda": of(50), "depreciationAndAmortization": of(10), "interestIncome": 0,
            "interestExpense": of(2), "incomeBeforeTax": of(38), "incomeTaxExpense": of(8), "netIncome": of(30),
            "bottomLineNetIncome": of(30), "eps": 1.5 * quarters as f64, "epsDiluted": 1.5 * quarters as f64,
            "weightedAverageShsOut": SHARES, "weightedAverageShsOutDil": SHARES})
        }
        BALANCE => json!({"cashAndCashEquivalents": 100_000_000, "shortTermInvestments": 0,
            "cashAndShortTermInvestments": 100_000_000, "netReceivables": 50_000_000, "inventory": 40_000_000,
            "totalCurrentAssets": 220_000_000, "totalAssets": 700_000_000, "accountPayables": 30_000_000,
            "shortTermDebt": 20_000_000, "totalCurrentLiabilities": 110_000_000, "longTermDebt": 150_000_000,
            "totalDebt": 170_000_000, "totalLiabilities": 400_000_000, "totalStockholdersEquity": 300_000_000,
            "totalEquity": 300_000_000, "minorityInterest": 0, "capitalLeaseObligationsCurrent": 0}),
        _ => {
            json!({"netIncome": of(30), "operatingCashFlow": of(45), "capitalExpenditure": of(-15), "freeCashFlow": of(30),
            "cashAtBeginningOfPeriod": 100_000_000, "netChangeInCash": 0, "cashAtEndOfPeriod": 100_000_000,
            "netDividendsPaid": 0, "netDebtIssuance": 0})
        }
    };
    row.as_object_mut().unwrap().extend(lines.as_object().unwrap().clone());
    row
}

/// A dividend as FMP sends it.
pub(super) fn dividend(ex_date: &str, amount: f64, frequency: &str) -> Value {
    json!({"date": ex_date, "recordDate": ex_date, "paymentDate": ex_date, "declarationDate": "", "adjDividend": amount,
        "dividend": amount, "frequency": frequency})
}

impl Company {
    /// A machine maker with 14 quarters and three years.
    pub(super) fn new(symbol: &'static str) -> Self {
        Company::of_periods(symbol, &PERIODS)
    }

    /// A machine maker with these periods, oldest first.
    pub(super) fn of_periods(symbol: &'static str, periods: &[Period]) -> Self {
        let cadence = |annual: bool| if annual { "annual" } else { "quarter" };
        let statements = [INCOME, BALANCE, CASH].into_iter().flat_map(|endpoint| {
            [false, true].map(|annual| {
                let own = periods.iter().rev().filter(|p| (p.1 == "FY") == annual);
                (endpoint, cadence(annual), own.map(|p| statement(symbol, endpoint, *p)).collect())
            })
        });
        Company {
            symbol,
            profile: json!({"symbol": symbol, "companyName": symbol, "currency": "USD", "price": PRICE,
                "marketCap": PRICE * SHARES, "sector": "Industrials", "industry": "Industrial - Machinery"}),
            dividends: Vec::new(),
            ratios_ttm: Vec::new(),
            key_metrics_ttm: Vec::new(),
            splits: Vec::new(),
            market_caps: Vec::new(),
            shares_float: Vec::new(),
            closes: vec![("2024-06-03", PRICE)],
            statements: statements.collect(),
        }
    }

    /// Sets the CIK of the profile and of all statements.
    pub(super) fn cik(mut self, cik: &str) -> Self {
        self.profile["cik"] = json!(cik);
        self.statements().for_each(|row| row["cik"] = json!(cik));
        self
    }

    /// Multiplies all amounts of the statements, but not the number of shares.
    pub(super) fn scaled(mut self, factor: i64) -> Self {
        for row in self.statements() {
            for (field, value) in row.as_object_mut().unwrap() {
                match value.as_i64() {
                    Some(amount) => *value = json!(amount * factor),
                    None if field.starts_with("eps") => {
                        *value = json!(value.as_f64().unwrap() * factor as f64)
                    }
                    None => {}
                }
            }
        }
        self
    }

    fn statements(&mut self) -> impl Iterator<Item = &mut Value> {
        self.statements.iter_mut().flat_map(|(_, _, rows)| rows)
    }

    /// Sets sector and industry.
    pub(super) fn industry(mut self, sector: Option<&str>, industry: Option<&str>) -> Self {
        (self.profile["sector"], self.profile["industry"]) = (json!(sector), json!(industry));
        self
    }

    /// Sets a field of all statements of an endpoint with a label (`Q` for every quarter) and an end in a range of dates.
    pub(super) fn set(
        mut self,
        endpoint: &str,
        label: &str,
        range: (&str, &str),
        field: &str,
        value: impl Into<Value> + Clone,
    ) -> Self {
        for (_, _, rows) in self.statements.iter_mut().filter(|s| s.0 == endpoint) {
            for row in rows {
                let (end, own) = (row["date"].as_str().unwrap(), row["period"].as_str().unwrap());
                if own.starts_with(label) && (range.0..=range.1).contains(&end) {
                    row[field] = value.clone().into();
                }
            }
        }
        self
    }

    /// Removes the statements of an endpoint (all, if it is empty) with an end in a range of dates.
    pub(super) fn without(mut self, endpoint: &str, range: (&str, &str)) -> Self {
        for (_, _, rows) in self.statements.iter_mut().filter(|s| endpoint.is_empty() || s.0 == endpoint) {
            rows.retain(|row| !(range.0..=range.1).contains(&row["date"].as_str().unwrap()));
        }
        self
    }

    /// Sets the dividends, oldest first.
    pub(super) fn paying(mut self, dividends: Vec<Value>) -> Self {
        self.dividends = dividends.into_iter().rev().collect();
        for row in &mut self.dividends {
            row["symbol"] = json!(self.symbol);
        }
        self
    }

    /// Adds its answers.
    pub(super) fn answer(self, replay: Replay) -> Replay {
        self.answer_until(TODAY, replay)
    }

    /// Adds its answers on an earlier day.
    pub(super) fn answer_until(self, today: &str, mut replay: Replay) -> Replay {
        let bars: Vec<Value> = day("2024-06-03")
            .iter_days()
            .take_while(|d| *d <= day(today))
            .filter(|d| is_trading_day(*d))
            .map(|d| {
                let close = self.closes.iter().rev().find(|(from, _)| day(from) <= d).unwrap().1;
                json!({"symbol": self.symbol, "date": d, "open": close, "high": close, "low": close, "close": close,
                    "volume": 1_000})
            })
            .collect();
        let text = |rows: Vec<Value>| Value::Array(rows).to_string();
        for (endpoint, cadence, rows) in self.statements {
            replay = replay.answer(endpoint, self.symbol, cadence, text(rows));
        }
        replay
            .answer("profile", self.symbol, "", text(vec![self.profile]))
            .answer("dividends", self.symbol, "", text(self.dividends))
            .answer("splits", self.symbol, "", text(self.splits))
            .answer("historical-market-capitalization", self.symbol, "", text(self.market_caps))
            .answer("shares-float", self.symbol, "", text(self.shares_float))
            .answer("ratios-ttm", self.symbol, "", text(self.ratios_ttm))
            .answer("key-metrics-ttm", self.symbol, "", text(self.key_metrics_ttm))
            .answer("historical-price-eod/full", self.symbol, "", text(bars))
    }
}
