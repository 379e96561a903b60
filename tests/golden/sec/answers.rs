//! FMP responses built from SEC facts.

use findata_tests::Replay;
use serde_json::{Value, json};

use super::facts::{Facts, Item, Quarter, Span};

/// Whether the quarterly responses include the fourth quarter. Companies file it only as part of
/// the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FourthQuarter {
    /// The fourth quarter is included: the year minus the first three quarters, as FMP computes it.
    Computed,
    /// The fourth quarter is left out: only the year contains it.
    LeftOut,
}

/// A company, and its splits since its first facts.
pub(super) struct Company {
    pub(super) symbol: &'static str,
    pub(super) file: &'static str,
    /// Day, and new shares per old share.
    pub(super) splits: &'static [(&'static str, i64)],
}

/// A replay server's responses, built from a company's facts.
pub(super) fn replay(company: &Company, facts: &Facts, fourth: FourthQuarter) -> Replay {
    let symbol = company.symbol;
    let newest = facts
        .quarters
        .iter()
        .rev()
        .find_map(|q| facts.amount(Item::SharesDiluted, Span::Quarter, q.end));
    // The price is arbitrary. The market cap is the price times the newest share count, so it shows
    // the current split basis.
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
    // Newest first, as in FMP's responses.
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

/// The header fields of a period. Its acceptance date is the day on which its net income was first
/// filed.
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
    // Per-share figures cannot be subtracted. The fourth quarter has them only until 2020, while
    // companies still filed them.
    let span = if annual { Span::Year } else { Span::Quarter };
    let figure = |item| facts.at_first(item, span, quarter.end);
    Some(json!({"revenue": amount(Item::Revenue)?, "netIncome": amount(Item::NetIncome)?,
        "eps": figure(Item::Eps), "epsDiluted": figure(Item::EpsDiluted),
        "weightedAverageShsOut": figure(Item::Shares), "weightedAverageShsOutDil": figure(Item::SharesDiluted)}))
}

/// The year minus its first three quarters. If not all three were filed, the year minus its first
/// nine months.
fn fourth_quarter(facts: &Facts, item: Item, fourth: Quarter) -> Option<i64> {
    let year = facts.amount(item, Span::Year, fourth.end)?;
    let of_the_year: Vec<&Quarter> =
        facts.quarters.iter().filter(|q| q.year == fourth.year && q.number < 4).collect();
    let quarters: Option<Vec<i64>> = (1..4)
        .map(|n| facts.amount(item, Span::Quarter, of_the_year.iter().find(|q| q.number == n)?.end))
        .collect();
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

/// The cash flow of a quarter. Companies file year-to-date amounts, so a quarter is the increase
/// since the previous one.
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
