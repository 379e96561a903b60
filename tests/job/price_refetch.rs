//! A split or dividend changes the price history. A run refetches the history once, together with
//! the next session's bars, and no figure changes.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use findata_fmp_simulator::Options;
use findata_pipeline::summary::Summary;
use findata_tests::{Home, Job, Replay, Simulator};
use serde_json::{Value, json};

use super::identities::statement;

const SYMBOL: &str = "SPLIT";

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Closes from one Monday to the next, on the split basis before the four-for-one split on
/// Thursday.
const CLOSES: [(&str, f64); 6] = [
    ("2026-03-16", 400.0),
    ("2026-03-17", 404.0),
    ("2026-03-18", 412.0),
    ("2026-03-19", 420.0),
    ("2026-03-20", 416.0),
    ("2026-03-23", 424.0),
];

/// FMP's responses on a day: the bars up to that day, adjusted for the splits that have happened.
fn on(today: &str, splits: &[&str], dividends: &[&str]) -> Replay {
    let basis = if splits.iter().any(|split| *split <= today) { 4.0 } else { 1.0 };
    let bar = |(date, close): &(&str, f64)| {
        let close = close / basis;
        json!({"symbol": SYMBOL, "date": date, "open": close, "high": close, "low": close, "close": close, "volume": 1_000.0 * basis})
    };
    let bars: Vec<Value> = CLOSES.iter().filter(|(date, _)| *date <= today).rev().map(bar).collect();
    let price = bars[0]["close"].as_f64().unwrap();
    let profile = json!([{"symbol": SYMBOL, "price": price, "marketCap": price * 10_000.0 * basis, "companyName": "Split",
        "currency": "USD", "sector": "Industrials"}]);
    let splits: Vec<Value> = splits
        .iter()
        .filter(|split| **split <= today)
        .map(|date| json!({"symbol": SYMBOL, "date": date, "numerator": 4, "denominator": 1}))
        .collect();
    let dividends: Vec<Value> = dividends
        .iter()
        .map(|date| json!({"symbol": SYMBOL, "date": date, "dividend": 1, "adjDividend": 1}))
        .collect();
    let mut replay = Replay::new()
        .answer("profile", SYMBOL, "", profile.to_string())
        .answer("historical-price-eod/full", SYMBOL, "", Value::Array(bars).to_string())
        .answer("splits", SYMBOL, "", Value::Array(splits).to_string())
        .answer("dividends", SYMBOL, "", Value::Array(dividends).to_string());
    for name in ["income-statement", "balance-sheet-statement", "cash-flow-statement"] {
        for (period, annual) in [("quarter", false), ("annual", true)] {
            replay = replay.answer(name, SYMBOL, period, statement(SYMBOL, name, annual, &[]));
        }
    }
    replay
}

/// Makes the run of a day. Returns the summary and the ranges of prices that the run requested.
fn run(home: &Home, today: &str, replay: Replay) -> (Summary, Vec<String>) {
    let server = replay.start();
    let job = Job::new(server.url(), &[SYMBOL]).on(day(today)).with(|o| {
        (o.prices_from, o.index) = (None, None);
    });
    let first = home.keys("runs/").is_empty();
    let job = if first {
        job.with(|o| o.prices_from = Some(day("2026-03-03")))
    } else {
        job
    };
    let summary = job.run_ok(home);
    let ranges = server.calls().into_iter().filter(|call| call.contains("historical-price-eod"));
    let range = |call: String| {
        let value = |name: &str| {
            call.split(['?', '&']).find_map(|p| p.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        format!("{} to {}", value("from="), value("to="))
    };
    let ranges = ranges.map(range).collect();
    // A second run on the same day makes no calls.
    let calls = server.calls().len();
    Job::new(server.url(), &[SYMBOL])
        .on(day(today))
        .with(|o| (o.prices_from, o.index) = (None, None))
        .run_ok(home);
    assert_eq!(server.calls().len(), calls, "a second run on {today} makes no calls");
    (summary, ranges)
}

/// Close, market cap and P/E by day, with all stored digits.
fn figures(home: &Home, until: &str) -> BTreeMap<String, (f64, f64, f64)> {
    let query = format!(
        "select metric_date, close_price, market_cap, pe_ratio_ttm from analytics.fact_market_metrics where metric_date <= '{until}'"
    );
    let number = |cell: &Option<String>| cell.as_deref().unwrap().parse::<f64>().unwrap();
    home.rows(&query)
        .iter()
        .map(|row| (row[0].clone().unwrap(), (number(&row[1]), number(&row[2]), number(&row[3]))))
        .collect()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs()
}

#[test]
fn after_a_split_the_history_is_refetched_on_the_new_basis_and_no_figure_changes() {
    let (home, splits) = (Home::new(), ["2026-03-19"]);
    let (_, ranges) = run(&home, "2026-03-18", on("2026-03-18", &splits, &[]));
    assert_eq!(ranges, ["2026-03-03 to 2026-03-18"]);
    let before = figures(&home, "2026-03-17");
    let (_, ranges) = run(&home, "2026-03-19", on("2026-03-19", &splits, &[]));
    assert_eq!(ranges, ["2026-03-14 to 2026-03-19"]);
    let on_the_day = figures(&home, "2026-03-18");
    // The next day's run fetches the whole history, with the same call that it needs for the new
    // bar.
    let (summary, ranges) = run(&home, "2026-03-20", on("2026-03-20", &splits, &[]));
    assert_eq!(ranges, ["2026-03-03 to 2026-03-20"]);
    assert_eq!(summary.calls, 11);
    let bars = "select close_price, observed_at::date from staging.prices where price_date <= '2026-03-18' order by price_date";
    assert_eq!(home.lines(bars)[0], "100.000000|2026-03-19");
    let days_after = figures(&home, "2026-03-18");
    assert_eq!((before.len(), on_the_day.len(), days_after.len()), (2, 3, 3));
    for (date, (price, cap, pe)) in &days_after {
        let (price_before, cap_before, pe_before) = on_the_day[date];
        assert!(close(*price, price_before) && close(*cap, cap_before) && close(*pe, pe_before), "{date}");
        assert!(close(*price, CLOSES.iter().find(|(d, _)| d == date).unwrap().1 / 4.0), "{date}");
        if let Some((_, cap_then, pe_then)) = before.get(date) {
            assert!(close(*cap, *cap_then) && close(*pe, *pe_then), "{date}: values from before the split");
        }
    }
    // Runs on later days do not refetch the history.
    let (_, ranges) = run(&home, "2026-03-23", on("2026-03-23", &splits, &[]));
    assert_eq!(ranges, ["2026-03-16 to 2026-03-23"]);
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn an_announced_dividend_refetches_the_history_on_its_ex_date() {
    let (home, dividends) = (Home::new(), ["2026-03-19", "2026-03-12"]);
    // A first load has all bars on one basis, so last week's dividend causes no refetch.
    run(&home, "2026-03-17", on("2026-03-17", &[], &dividends));
    for (today, range) in [
        ("2026-03-18", "2026-03-13 to 2026-03-18"),
        ("2026-03-19", "2026-03-03 to 2026-03-19"),
        ("2026-03-20", "2026-03-15 to 2026-03-20"),
    ] {
        let (summary, ranges) = run(&home, today, on(today, &[], &dividends));
        assert_eq!(ranges, [range], "{today}");
        assert_eq!(summary.calls, 11, "{today}");
    }
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn a_withdrawn_or_late_event_refetches_the_history_on_the_next_day() {
    let home = Home::new();
    run(&home, "2026-03-17", on("2026-03-17", &[], &["2026-03-12", "2026-02-10"]));
    let ranges = |today: &str, dividends: &[&str]| run(&home, today, on(today, &[], dividends)).1;
    // A withdrawn dividend causes a refetch on the next day. The dividend of February is older than
    // the first bar, so its change does not matter.
    assert_eq!(ranges("2026-03-18", &["2026-02-11"]), ["2026-03-13 to 2026-03-18"]);
    assert_eq!(ranges("2026-03-19", &["2026-02-11"]), ["2026-03-03 to 2026-03-19"]);
    assert_eq!(ranges("2026-03-20", &["2026-03-11", "2026-02-11"]), ["2026-03-15 to 2026-03-20"]);
    assert_eq!(ranges("2026-03-23", &["2026-03-11", "2026-02-11"]), ["2026-03-03 to 2026-03-23"]);
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn after_the_simulated_split_all_bars_in_staging_are_on_one_basis() {
    let server = |today: &str| {
        Simulator::start(Options {
            symbols: 41,
            today: day(today),
            anchor: Some(day("2026-11-01")),
            ..Options::default()
        })
    };
    let home = Home::new();
    for today in ["2026-10-09", "2026-10-12", "2026-10-13", "2026-10-14"] {
        let server = server(today);
        let job = Job::new(server.url(), &[SYMBOL])
            .on(day(today))
            .with(|o| o.prices_from = Some(day("2026-06-01")));
        job.run_ok(&home);
        let calls = server.calls_by_endpoint();
        assert_eq!(calls["historical-price-eod/full"], 2, "the company and the index on {today}: {calls:?}");
    }
    assert_eq!(home.text("select split_date from staging.splits"), "2026-10-12");
    let received = "select min(observed_at::date), count(case when observed_at::date = '2026-10-14' then 1 end) from staging.prices where symbol = 'SPLIT'";
    assert_eq!(
        home.text(received),
        "2026-10-12|1",
        "bars of the day itself were on the new basis already"
    );
    let step = "select count(*) from (select close_price / lag(close_price) over (order by price_date) s from staging.prices where symbol = 'SPLIT') where s < 0.7 or s > 1.4";
    assert_eq!(home.count(step), 0);
}
