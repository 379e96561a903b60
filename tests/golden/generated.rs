//! Companies made by formula, with every line of the three statements, and long histories: no two lines have the same
//! amount or the same growth, so a figure out of the wrong column or the wrong quarter shows. Amounts are whole
//! millionths, as the warehouse keeps them.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use findata_shared::catalog::{Column, Kind, dataset};
use findata_tests::Replay;

/// One unit in millionths.
pub(crate) const UNIT: i128 = 1_000_000;
/// The index of every made company.
pub(crate) const INDEX: &str = "^GSPC";
/// The three statements, with their endpoints.
const STATEMENTS: [(&str, &str); 3] = [
    ("income_statement", "income-statement"),
    ("balance_sheet", "balance-sheet-statement"),
    ("cash_flow", "cash-flow-statement"),
];

/// Amounts by the catalog's names, which stand once over all three statements.
pub(crate) type Lines = BTreeMap<&'static str, i128>;

#[derive(Debug, Clone)]
pub(crate) struct Period {
    pub(crate) end: NaiveDate,
    /// `Q1` to `Q4`, or `FY`.
    pub(crate) label: &'static str,
    /// Before the market opens: known on that day.
    pub(crate) accepted: NaiveDate,
    pub(crate) lines: Lines,
}

#[derive(Debug, Clone)]
pub(crate) struct Bar {
    pub(crate) day: NaiveDate,
    pub(crate) high: i128,
    pub(crate) low: i128,
    pub(crate) close: i128,
}

#[derive(Debug, Clone)]
pub(crate) struct Dividend {
    pub(crate) ex: NaiveDate,
    /// On the basis of its own day.
    pub(crate) declared: i128,
    /// On the basis of today.
    pub(crate) adjusted: i128,
}

#[derive(Debug, Clone)]
pub(crate) struct Company {
    pub(crate) symbol: &'static str,
    /// Newest first, as FMP answers.
    pub(crate) quarters: Vec<Period>,
    pub(crate) years: Vec<Period>,
    /// Oldest first.
    pub(crate) bars: Vec<Bar>,
    pub(crate) dividends: Vec<Dividend>,
    /// Day, new shares, old shares.
    pub(crate) splits: Vec<(NaiveDate, u32, u32)>,
    pub(crate) market_cap: i128,
}

/// The day on which made companies stand, a Friday; their newest quarter was accepted a week before.
pub(crate) fn today() -> NaiveDate {
    date(2026, 8, 14)
}

pub(crate) fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

/// A number between 0 and 1 that follows from others.
pub(crate) fn pseudo_random(seed: u64, n: u64) -> f64 {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ n.wrapping_mul(0xD1B5_4A32_D192_ED03);
    for _ in 0..2 {
        x = (x ^ (x >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    }
    (x >> 11) as f64 / (1_u64 << 53) as f64
}

/// The amounts of a statement, in the catalog's order.
pub(crate) fn columns(statement: &str) -> impl Iterator<Item = &'static Column> {
    dataset(statement).unwrap().columns.iter().filter(|column| column.kind == Kind::Decimal)
}

/// The end of the quarter that many quarters ago, and its label.
fn quarter_end(ago: usize) -> (NaiveDate, &'static str) {
    let quarters = 2026 * 4 + 1 - ago as i32;
    let (year, quarter) = (quarters.div_euclid(4), quarters.rem_euclid(4) as usize);
    let (month, day) = [(3, 31), (6, 30), (9, 30), (12, 31)][quarter];
    (date(year, month, day), ["Q1", "Q2", "Q3", "Q4"][quarter])
}

/// The amount of a line in the quarter that many quarters ago: it grows by a rate of its own, and a little by chance.
fn amount(seed: u64, place: usize, column: &str, ago: usize) -> i128 {
    let weight = match column {
        "total_assets" => 60.0,
        "revenue" | "total_liabilities" => 40.0,
        "cost_of_revenue" | "stockholders_equity" => 20.0,
        "current_assets" | "ebitda" | "operating_income" | "income_before_tax" | "operating_cash_flow" => 8.0,
        "current_liabilities" => 4.0,
        "capital_expenditures" | "dividends_paid" | "common_dividends_paid" | "common_stock_repurchased" => -1.0,
        _ => 1.0,
    };
    let growth = 1.006 + 0.0011 * (place % 11) as f64 + 0.004 * pseudo_random(seed, place as u64);
    let chance = 1.0 + 0.01 * pseudo_random(seed ^ 77, (place * 1_000 + ago) as u64);
    let size = (1.0 + 0.173 * place as f64) * growth.powi(-(ago as i32)) * chance;
    match column {
        // Per share in whole cents, counts in whole shares: both sides of a split are then exact.
        "eps" | "eps_diluted" => (20.0 * size).round() as i128 * UNIT / 100,
        "shares_outstanding" | "shares_outstanding_diluted" => {
            (60_000.0 * chance + 900.0 * place as f64).round() as i128 * UNIT
        }
        _ => (weight * size * 100_000.0).round() as i128 * UNIT / 100,
    }
}

fn lines(seed: u64, ago: usize) -> Lines {
    let names = STATEMENTS.iter().flat_map(|(statement, _)| columns(statement)).map(|column| column.name);
    names.enumerate().map(|(place, name)| (name, amount(seed, place, name, ago))).collect()
}

/// What a line of twelve months is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregation {
    Sum,
    Newest,
    Oldest,
}

/// How a column adds up over the quarters.
pub(crate) fn aggregation(column: &str) -> Aggregation {
    let balance = columns("balance_sheet").any(|c| c.name == column);
    match column {
        "cash_at_beginning_of_period" => Aggregation::Oldest,
        "cash_at_end_of_period" | "shares_outstanding" | "shares_outstanding_diluted" => Aggregation::Newest,
        _ if balance => Aggregation::Newest,
        _ => Aggregation::Sum,
    }
}

/// The lines of quarters together, newest first.
pub(crate) fn aggregate(quarters: &[&Lines]) -> Lines {
    let line = |name: &&'static str| {
        let amounts = quarters.iter().map(|lines| lines[name]);
        let amount = match aggregation(name) {
            Aggregation::Sum => amounts.sum(),
            Aggregation::Newest => quarters[0][name],
            Aggregation::Oldest => quarters[quarters.len() - 1][name],
        };
        (*name, amount)
    };
    quarters[0].keys().map(line).collect()
}

/// So many weekdays up to today, oldest first, with prices that walk.
pub(crate) fn bars(seed: u64, count: usize) -> Vec<Bar> {
    let weekday = |day: &NaiveDate| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
    let mut days: Vec<NaiveDate> = (0..).map(|n| today() - Days::new(n)).filter(weekday).take(count).collect();
    days.reverse();
    let (mut price, mut found) = (40.0, Vec::new());
    for (n, day) in days.into_iter().enumerate() {
        let n = n as u64;
        // Long falls, so that the deepest one is not always the last.
        let drift = if (120..150).contains(&(n % 200)) { -0.012 } else { 0.0015 };
        price *= 1.0 + drift + 0.03 * (pseudo_random(seed ^ 5, n) - 0.5);
        let cents = |factor: f64| (price * factor * 100.0).round() as i128 * UNIT / 100;
        let (high, low) =
            (cents(1.0 + 0.02 * pseudo_random(seed ^ 6, n)), cents(1.0 - 0.02 * pseudo_random(seed ^ 7, n)));
        found.push(Bar { day, high, low, close: cents(1.0) });
    }
    found
}

impl Company {
    /// A company with that many quarters, the years whose fourth quarters are among them, and so many sessions.
    pub(crate) fn new(symbol: &'static str, seed: u64, quarters: usize, sessions: usize) -> Company {
        let period = |ago: usize| {
            let (end, label) = quarter_end(ago);
            Period { end, label, accepted: end + Days::new(38), lines: lines(seed, ago) }
        };
        let all: Vec<Period> = (0..quarters + 3).map(period).collect();
        let year = |fourth: usize| {
            let quarters: Vec<&Lines> = all[fourth..fourth + 4].iter().map(|p| &p.lines).collect();
            Period { label: "FY", lines: aggregate(&quarters), ..all[fourth].clone() }
        };
        let years = (0..quarters).filter(|ago| all[*ago].label == "Q4").map(year).collect();
        let bars = bars(seed, sessions);
        let dividend = |n: u64| {
            // Every quarter; one of them goes ex on a Saturday.
            let ex = date(2024, 9, 9) + Days::new(n * 91) - Days::new(if n == 5 { 2 } else { 0 });
            let amount = i128::from(8 + n) * UNIT / 100;
            Dividend { ex, declared: amount, adjusted: amount }
        };
        let price = bars[bars.len() - 1].close;
        Company {
            symbol,
            quarters: all[..quarters].to_vec(),
            years,
            market_cap: price * 87_654,
            bars,
            dividends: (0..8).map(dividend).collect(),
            splits: Vec::new(),
        }
    }

    /// The newest close.
    pub(crate) fn price(&self) -> i128 {
        self.bars.iter().max_by_key(|bar| bar.day).unwrap().close
    }

    /// Adds its answers, every list in the order it has here.
    pub(crate) fn answer(&self, mut replay: Replay) -> Replay {
        let symbol = self.symbol;
        for (period, periods) in [("quarter", &self.quarters), ("annual", &self.years)] {
            for (statement, endpoint) in STATEMENTS {
                let rows = periods.iter().map(|period| statement_row(symbol, statement, period));
                replay = replay.answer(endpoint, symbol, period, array(rows));
            }
        }
        let profile = format!(
            r#"[{{"symbol":"{symbol}","companyName":"{symbol} plc","currency":"USD","sector":"Industrials","price":{},"marketCap":{}}}]"#,
            text(self.price()),
            text(self.market_cap)
        );
        let dividends = self.dividends.iter().map(|dividend| {
            let (adjusted, declared) = (text(dividend.adjusted), text(dividend.declared));
            format!(
                r#"{{"symbol":"{symbol}","date":"{}","adjDividend":{adjusted},"dividend":{declared}}}"#,
                dividend.ex
            )
        });
        let splits = self.splits.iter().map(|(day, new, old)| {
            format!(r#"{{"symbol":"{symbol}","date":"{day}","numerator":{new},"denominator":{old}}}"#)
        });
        replay
            .answer("profile", symbol, "", profile)
            .answer("dividends", symbol, "", array(dividends))
            .answer("splits", symbol, "", array(splits))
            .answer("historical-price-eod/full", symbol, "", bar_rows(symbol, &self.bars))
    }
}

fn statement_row(symbol: &str, statement: &str, period: &Period) -> String {
    let fields: Vec<String> =
        columns(statement).map(|c| format!("\"{}\":{}", c.field, text(period.lines[c.name]))).collect();
    format!(
        r#"{{"symbol":"{symbol}","date":"{}","period":"{}","fiscalYear":"{}","reportedCurrency":"USD","filingDate":"{}","acceptedDate":"{} 07:00:00",{}}}"#,
        period.end,
        period.label,
        period.end.year(),
        period.accepted,
        period.accepted,
        fields.join(",")
    )
}

/// The answer of a series of bars.
pub(crate) fn bar_rows(symbol: &str, bars: &[Bar]) -> String {
    array(bars.iter().rev().map(|bar| {
        let (high, low, close) = (text(bar.high), text(bar.low), text(bar.close));
        format!(
            r#"{{"symbol":"{symbol}","date":"{}","open":{close},"high":{high},"low":{low},"close":{close},"volume":1000}}"#,
            bar.day
        )
    }))
}

fn array(rows: impl Iterator<Item = String>) -> String {
    format!("[{}]", rows.collect::<Vec<_>>().join(","))
}

/// Millionths as a decimal with six digits after the point, as the warehouse shows them.
pub(crate) fn text(millionths: i128) -> String {
    let sign = if millionths < 0 { "-" } else { "" };
    let amount = millionths.unsigned_abs();
    format!("{sign}{}.{:06}", amount / 1_000_000, amount % 1_000_000)
}

/// Millionths as a figure.
pub(crate) fn figure(millionths: i128) -> f64 {
    millionths as f64 / UNIT as f64
}
