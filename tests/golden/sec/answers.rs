//! FMP's answers made of SEC's facts.

use findata_tests::Replay;
use serde_json::{Value, json};

use super::facts::{Facts, Item, Quarter, Span};

/// Whether the quarter answers have the fourth quarter, which a company files inside its year only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FourthQuarter {
    /// The year less the three quarters, as FMP has it.
    Computed,
    /// Not there: the year alone says what it was.
    LeftOut,
}

/// A company, and the splits since its facts begin.
pub(super) struct Company {
    pub(super) symbol: &'static str,
    pub(super) file: &'static str,
    /// Day, and new shares for one old.
    pub(super) splits: &'static [(&'static str, i64)],
}

/// A server that answers with a company's facts.
pub(super) fn replay(company: &Company, facts: &Facts, fourth: FourthQuarter) -> Replay {
    let symbol = company.symbol;
    let newest = facts.quarters.iter().rev().find_map(|q| facts.amount(Item::SharesDiluted, Span::Quarter, q.end));
    // Any price will do; the count that follows from it tells on which split basis the older ones are.
    let profile = json!([{"symbol": symbol, "companyName": symbol, "currency": "USD", "sector": "Technology",
        "price": 100, "marketCap": 100 * newest.unwrap()}]);
    let bar = json!([{"symbol": symbol, "date": "2026-05-29", "open": 100, "high": 100, "low": 100, "close": 100, "volume": 1}]);
    let splits: Vec<Value> = company
        .splits
        .iter()
        .map(|(day, new)| json!({"symbol": symbol, "date": day, "numerator": new, "denominator": 1}))
        .collect();
    let mut replay = Replay::new()
        .answer("profile", symbol, "", profile.to_string())
        .answer("historical-price-eod/full", symbol, "", bar.to_string())
        .answer("splits", symbol, "", Value::from(splits).to_string());
    // Newest first, as FMP answers.
    let quarters: Vec<Quarter> = facts.quarters.iter().rev().copied().collect();
    for (endpoint, row) in [
        ("income-statement", income as fn(&Facts, Quarter, bool) -> Option<Value>),
        ("balance-sheet-statement", balance),
        ("cash-flow-statement", cash_flow),
    ] {
        for (period, annual) in [("quarter", false), ("annual", true)] {
            let wanted = quarters.iter().filter(|q| match (annual, fourth) {
                (true, _) | (false, FourthQuarter::LeftOut) => (q.number == 4) == annual,
                (false, FourthQuarter::Computed) => true,
            });
            let rows: Vec<Value> = wanted
                .filter_map(|quarter| {
                    let mut row = row(facts, *quarter, annual)?;
                    let header = header(symbol, facts, *quarter, annual);
                    row.as_object_mut()?.extend(header.as_object()?.clone());
                    Some(row)
                })
                .collect();
            replay = replay.answer(endpoint, symbol, period, Value::from(rows).to_string());
        }
    }
    replay
}

/// A period's header; it was accepted when its net income was first filed.
fn header(symbol: &str, facts: &Facts, quarter: Quarter, annual: bool) -> Value {
    let span = if quarter.number == 4 { Span::Year } else { Span::Quarter };
    let (filed, _) = facts.days(Item::NetIncome, span, quarter.end).unwrap();
    let period = if annual { "FY".to_owned() } else { format!("Q{}", quarter.number) };
    json!({"symbol": symbol, "date": quarter.end, "period": period, "fiscalYear": quarter.year.to_string(),
        "reportedCurrency": "USD", "filingDate": filed, "acceptedDate": format!("{filed} 18:00:00")})
}

fn income(facts: &Facts, quarter: Quarter, annual: bool) -> Option<Value> {
    let amount = |item| match (annual, quarter.number) {
        (true, _) => facts.amount(item, Span::Year, quarter.end),
        (false, 4) => fourth_quarter(facts, item, quarter),
        (false, _) => facts.amount(item, Span::Quarter, quarter.end),
    };
    // Per-share figures do not subtract: the fourth quarter has them where they were filed, as they were until 2020.
    let span = if annual { Span::Year } else { Span::Quarter };
    let figure = |item| facts.at_first(item, span, quarter.end);
    Some(json!({"revenue": amount(Item::Revenue)?, "netIncome": amount(Item::NetIncome)?,
        "eps": figure(Item::Eps), "epsDiluted": figure(Item::EpsDiluted),
        "weightedAverageShsOut": figure(Item::Shares), "weightedAverageShsOutDil": figure(Item::SharesDiluted)}))
}

/// The year less its three quarters, or less its nine months where not all three were filed.
fn fourth_quarter(facts: &Facts, item: Item, fourth: Quarter) -> Option<i64> {
    let year = facts.amount(item, Span::Year, fourth.end)?;
    let of_the_year: Vec<&Quarter> = facts.quarters.iter().filter(|q| q.year == fourth.year && q.number < 4).collect();
    let quarters: Option<Vec<i64>> =
        (1..4).map(|n| facts.amount(item, Span::Quarter, of_the_year.iter().find(|q| q.number == n)?.end)).collect();
    let before = match quarters {
        Some(quarters) => quarters.iter().sum(),
        None => facts.amount(item, Span::NineMonths, of_the_year.last()?.end)?,
    };
    Some(year - before)
}

fn balance(facts: &Facts, quarter: Quarter, _: bool) -> Option<Value> {
    let amount = |item| facts.amount(item, Span::Instant, quarter.end);
    Some(json!({"totalAssets": amount(Item::Assets)?, "totalStockholdersEquity": amount(Item::Equity)?}))
}

/// Cash flows are filed from the beginning of the year on: a quarter is what came since the last one.
fn cash_flow(facts: &Facts, quarter: Quarter, annual: bool) -> Option<Value> {
    let before = facts.quarters.iter().find(|q| (q.year, q.number + 1) == (quarter.year, quarter.number));
    let amount = |item| {
        let to_date = facts.amount(item, Span::to_date(quarter.number), quarter.end)?;
        if annual || quarter.number == 1 {
            return Some(to_date);
        }
        let before = before?;
        Some(to_date - facts.amount(item, Span::to_date(before.number), before.end)?)
    };
    let (operating, capex) = (amount(Item::OperatingCash)?, amount(Item::Capex).map(|spent| -spent));
    Some(
        json!({"operatingCashFlow": operating, "capitalExpenditure": capex, "freeCashFlow": capex.map(|c| operating + c)}),
    )
}
