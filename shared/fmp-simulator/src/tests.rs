//! Tests of the responses of each endpoint. The tests of the accounts are in `accounts`.

mod accounts;

use super::plan::Plan;
use super::routes::{Answer, Answers, Query};
use super::world::World;
use super::{fixed_symbols, symbols};
use chrono::NaiveDate;
use serde_json::Value;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("date")
}

fn answers(symbols: usize, today: &str, revision: u32) -> Answers {
    Answers::new(World::new(42, symbols, date(today), None, revision), Plan::Ultimate)
}

fn request(answers: &Answers, endpoint: &str, query: &str) -> String {
    let pairs = query
        .split('&')
        .filter_map(|p| p.split_once('='))
        .map(|(n, v)| (n.to_owned(), v.to_owned()));
    match answers.answer(endpoint, &Query(pairs.collect())) {
        Answer::Json(json) => json,
        Answer::Csv(pieces) => pieces.collect(),
        Answer::Refused(status, text) => format!("{status} {text}"),
    }
}

fn rows(answers: &Answers, endpoint: &str, query: &str) -> Vec<Value> {
    let json = request(answers, endpoint, query);
    serde_json::from_str(&json).unwrap_or_else(|e| panic!("{endpoint}?{query}: {e}: {json:.200}"))
}

fn int(row: &Value, field: &str) -> i64 {
    row[field]
        .as_i64()
        .unwrap_or_else(|| panic!("{field} is {} in {}", row[field], row["symbol"]))
}

#[test]
fn responses_have_the_fields_of_fmp_and_are_reproducible() {
    let one = answers(100, "2026-09-18", 0);
    let two = answers(100, "2026-09-18", 0);
    let counts = [
        ("profile", 36),
        ("quote", 17),
        ("income-statement", 39),
        ("balance-sheet-statement", 61),
        ("cash-flow-statement", 47),
        ("balance-sheet-statement-ttm", 60),
        ("ratios-ttm", 62),
        ("key-metrics-ttm", 43),
        ("historical-price-eod/full", 10),
        ("historical-price-eod/light", 4),
        ("dividends", 9),
        ("shares-float", 6),
        ("historical-price-eod/dividend-adjusted", 7),
        ("historical-price-eod/non-split-adjusted", 7),
    ];
    for symbol in fixed_symbols() {
        for (endpoint, fields) in counts {
            let query = format!("symbol={symbol}");
            let json = request(&one, endpoint, &query);
            assert_eq!(json, request(&two, endpoint, &query));
            let rows: Vec<Value> = serde_json::from_str(&json).expect("JSON");
            for row in &rows {
                assert_eq!(row.as_object().map(serde_json::Map::len), Some(fields), "{symbol} {endpoint}");
            }
        }
    }
}

#[test]
fn prices_are_newest_first_within_the_requested_days_and_at_most_5000_rows() {
    let answers = answers(100, "2026-09-19", 0);
    let full = |query: &str| rows(&answers, "historical-price-eod/full", query);
    let five_years = full("symbol=AAPL");
    assert!((1_250..1_262).contains(&five_years.len()), "{}", five_years.len());
    // 19 September 2026 is a Saturday.
    assert_eq!(five_years[0]["date"], "2026-09-18");
    assert!(five_years.windows(2).all(|w| w[0]["date"].as_str() > w[1]["date"].as_str()));
    let all = full("symbol=AAPL&from=1990-01-01");
    assert_eq!((all.len(), all.last().expect("row")["date"].as_str() > Some("2006-01-01")), (5_000, true));
    let week = full("symbol=AAPL&from=2026-09-07&to=2026-09-11");
    assert_eq!(week.iter().filter_map(|r| r["date"].as_str()).next_back(), Some("2026-09-08"));
    assert_eq!(week.len(), 4);
    assert!(full("symbol=AAPL&from=2026-09-11&to=2026-09-07").is_empty());
    assert!(
        full("symbol=AAPL&to=-262143-01-01").is_empty() && full("symbol=AAPL&from=+262142-12-31").is_empty()
    );
    assert!(full("symbol=AAPL,MSFT").is_empty() && full("symbol=BRK.B").is_empty());
    assert_eq!(full("symbol=^GSPC").len(), five_years.len());
    assert!(full("symbol=DELIS").len() < five_years.len() - 60);
    assert!((40..64).contains(&full("symbol=IPOED").len()));
    assert!(full("symbol=FRACT").iter().any(|r| r["volume"].as_i64().is_none()));
    let bad = full("symbol=BADPX&from=2026-08-01");
    assert!(bad.iter().any(|r| r["high"].as_f64() < r["low"].as_f64()));
    assert!(bad.iter().any(|r| r["date"] == "2026-13-45") && bad.iter().any(|r| r["symbol"] == "OTHER"));
    let adjusted = rows(&answers, "historical-price-eod/dividend-adjusted", "symbol=SPY");
    let (newest, oldest) = (0, adjusted.len() - 1);
    let plain = full("symbol=SPY");
    assert_eq!(adjusted[newest]["adjClose"], plain[newest]["close"]);
    assert!(adjusted[oldest]["adjClose"].as_f64() < plain[oldest]["close"].as_f64());
    let traded = rows(&answers, "historical-price-eod/non-split-adjusted", "symbol=SPLIT");
    let split = full("symbol=SPLIT");
    let ratio = traded[500]["adjClose"].as_f64().expect("n") / split[500]["close"].as_f64().expect("n");
    assert!((ratio - 4.0).abs() < 0.01, "{ratio}");
}

#[test]
fn edge_case_companies_have_their_irregularities() {
    let answers = answers(100, "2026-09-18", 0);
    let quarters =
        |s: &str| rows(&answers, "income-statement", &format!("symbol={s}&period=quarter&limit=8"));
    let labels = |s: &str| -> Vec<String> {
        quarters(s)
            .iter()
            .map(|r| format!("{}{}", r["fiscalYear"], r["period"]).replace('"', ""))
            .collect()
    };
    assert!(
        !labels("MISSQ").contains(&"2025Q2".to_owned()) && labels("MISSQ").contains(&"2025Q1".to_owned())
    );
    assert_eq!(labels("SEMIA")[..2], ["2026Q4", "2026Q2"]);
    assert!(
        labels("FYCHG").contains(&"2025Q1".to_owned()) && !labels("FYCHG").contains(&"2025Q2".to_owned())
    );
    assert_eq!(quarters("IPOED").len(), 2);
    assert!(quarters("SPY").is_empty());
    assert!(quarters("ZEROR").iter().all(|r| int(r, "revenue") == 0 && int(r, "netIncome") < 0));
    assert!(quarters("NULLS").iter().all(|r| r["acceptedDate"].is_null()));
    assert_eq!(quarters("TWICE")[0], quarters("TWICE")[1]);
    assert!(
        quarters("TEXTS")
            .iter()
            .all(|r| r["revenue"].is_string() && r["interestExpense"] == "NULL")
    );
    assert_eq!(quarters("JPYRP")[0]["reportedCurrency"], "JPY");
    assert!(
        rows(&answers, "balance-sheet-statement", "symbol=NEGEQ")
            .iter()
            .all(|r| int(r, "totalEquity") < 0)
    );
    assert!(
        rows(&answers, "balance-sheet-statement", "symbol=JPM")
            .iter()
            .all(|r| int(r, "inventory") == 0)
    );
    let profile = |s: &str| rows(&answers, "profile", &format!("symbol={s}")).remove(0);
    assert!(profile("NOCAP")["marketCap"].is_null() && profile("DELIS")["isActivelyTrading"] == false);
    assert!(profile("HOSTL")["companyName"].as_str().expect("text").contains("'; drop table x; --"));
    let apple = profile("AAPL");
    let shares = rows(&answers, "shares-float", "symbol=AAPL")[0]["outstandingShares"].as_f64().expect("n");
    let cap = apple["price"].as_f64().expect("n") * shares;
    assert!((apple["marketCap"].as_f64().expect("n") / cap - 1.0).abs() < 1e-9);
    assert!(request(&answers, "income-statement", "symbol=BIGNR").contains("e9,"));
    assert!(quarters("STALE")[0]["date"].as_str() < Some("2025-12-01"));
    let next = self::answers(100, "2026-09-18", 1);
    let of = |a: &Answers| rows(a, "income-statement", "symbol=RESTA&period=quarter&limit=8");
    let changed: Vec<_> = of(&answers).into_iter().zip(of(&next)).filter(|(a, b)| a != b).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].1["acceptedDate"], "2026-09-18 06:45:10");
}

#[test]
fn lists_feeds_and_bulk_files_cover_the_universe() {
    let answers = answers(600, "2026-08-10", 0);
    assert_eq!(rows(&answers, "sp500-constituent", "").len(), 503);
    let changes = rows(&answers, "historical-sp500-constituent", "");
    assert!(changes.len() > 100 && changes.iter().any(|change| change["removedTicker"] == ""));
    assert!(changes.windows(2).all(|w| w[0]["date"].as_str() >= w[1]["date"].as_str()));
    assert_eq!(rows(&answers, "stock-list", "").len(), 600);
    assert_eq!(rows(&answers, "batch-quote", "symbols=AAPL,NOPE,AAPL,MSFT").len(), 3);
    assert_eq!(rows(&answers, "market-capitalization-batch", "symbols=AAPL,NOCAP").len(), 1);
    assert_eq!(rows(&answers, "shares-float-all", "limit=10&page=1").len(), 10);
    let feed = rows(&answers, "latest-financial-statements", "limit=1000");
    assert_eq!(feed.len(), 250);
    assert!(feed.windows(2).all(|w| w[0]["dateAdded"].as_str() >= w[1]["dateAdded"].as_str()));
    let calendar = rows(&answers, "earnings-calendar", "from=2026-08-03&to=2026-08-14");
    assert!(calendar.len() > 50 && calendar.iter().any(|r| r["epsActual"].is_null()));
    assert!(!rows(&answers, "dividends-calendar", "").is_empty());
    assert!(rows(&answers, "splits-calendar", "").iter().any(|r| r["symbol"] == "SPLIT"));
    assert_eq!(
        request(&answers, "profile-bulk", "part=0").matches("https://www.").count(),
        601,
        "TWICE has two rows"
    );
    assert_eq!(
        request(&answers, "profile-bulk", "part=1"),
        "400 Query Error: Invalid or missing query parameter - part"
    );
    assert!(request(&answers, "eod-bulk", "date=2026-08-07").lines().count() > 500);
    assert_eq!(request(&answers, "eod-bulk", "date=2026-08-08"), "");
    let bulk = request(&answers, "income-statement-bulk", "year=2025&period=Q1");
    assert!(bulk.starts_with("\"date\",\"symbol\"") && bulk.lines().count() > 500);
    assert_eq!(
        request(&answers, "income-statement-ttm", "symbol=AAPL&limit=2")
            .matches("\"symbol\"")
            .count(),
        2
    );
}

#[test]
fn errors_and_plan_limits_match_those_of_fmp() {
    let mut answers = answers(200, "2026-09-18", 0);
    assert_eq!(
        request(&answers, "profile", ""),
        "400 Query Error: Invalid or missing query parameter - symbol"
    );
    let query = "symbol=AAPL&period=Q9";
    assert_eq!(
        request(&answers, "income-statement", query),
        "400 Query Error: Invalid or missing query parameter - period"
    );
    let annual = request(&answers, "income-statement", "symbol=AAPL");
    assert_eq!(request(&answers, "income-statement", "symbol=AAPL&period=bogus"), annual);
    assert_eq!(request(&answers, "profile", "symbol=NOPE1"), "[]");
    answers.plan = Plan::Free;
    let refused =
        |query: &str| request(&answers, "income-statement", query).split_once('\'').map(|t| t.0.to_owned());
    let premium = Some("402 Premium Query Parameter: ".to_owned());
    assert_eq!(refused("symbol=AAPL&limit=6"), premium);
    assert_eq!(refused("symbol=AAPL&period=quarter"), premium);
    assert_eq!(refused(&format!("symbol={}", symbols(200)[150])), premium);
    assert_eq!(refused("symbol=AAPL"), None);
    for endpoint in ["sp500-constituent", "historical-sp500-constituent", "historical-nasdaq-constituent"] {
        assert!(request(&answers, endpoint, "").starts_with("402 Restricted Endpoint: "));
    }
}
