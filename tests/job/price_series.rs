//! Two price series that findata derives from stored prices and events (as traded, and
//! dividend-adjusted), compared with FMP's own series.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
};

use findata_tests::{Home, Job, Replay, Simulator};
use serde_json::Value;

const SYMBOLS: usize = 41;

#[test]
fn a_series_that_fmp_may_have_truncated_is_rejected() {
    let from: chrono::NaiveDate = "2005-01-03".parse().unwrap();
    let bars = |number: usize| {
        let bar = |day: chrono::NaiveDate| {
            format!(
                r#"{{"symbol":"AAPL","date":"{day}","open":100,"high":101,"low":99,"close":100,"volume":5}}"#
            )
        };
        let bars: Vec<String> = from.iter_days().take(number).map(bar).collect();
        format!("[{}]", bars.join(","))
    };
    for (number, failed) in [(5_000, 1), (4_999, 0)] {
        let server = Replay::new().answer("historical-price-eod/full", "AAPL", "", bars(number)).start();
        let home = Home::new();
        let summary = Job::new(server.url(), &["AAPL"])
            .with(|o| (o.datasets, o.index, o.skip_analytics) = (vec!["prices".into()], None, true))
            .with(|o| (o.prices_from, o.prices_to) = (Some(from), Some(from + chrono::Days::new(5_000))))
            .run_ok(&home);
        assert_eq!(summary.failures.len(), failed, "{summary:#?}");
        let kept = if failed == 0 { number as i64 } else { 0 };
        assert_eq!(home.count("select count(*) from staging.prices"), kept);
    }
}

/// One field, by day, of a price endpoint that runs never call.
fn fmp_series(server: &Simulator, endpoint: &str, symbol: &str, field: &str) -> BTreeMap<String, f64> {
    let url = server.url();
    let host = url.trim_start_matches("http://").split('/').next().unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!(
        "GET /stable/historical-price-eod/{endpoint}?symbol={symbol}&from=2026-01-01&to=2026-12-31 HTTP/1.1\r\nHost: {host}\r\napikey: k\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    // The body may be chunked, so the chunk headers are removed: only lines of JSON are kept.
    let body = answer.split_once("\r\n\r\n").unwrap().1.replace("\r\n", "\n");
    let lines: String = body.lines().filter(|line| line.contains(['{', '}', '[', ']', ':'])).collect();
    let rows: Vec<Value> = serde_json::from_str(&lines).unwrap_or_else(|e| panic!("{e}: {lines:.200}"));
    rows.iter()
        .map(|row| (row["date"].as_str().unwrap().to_owned(), row[field].as_f64().unwrap()))
        .collect()
}

fn ours(home: &Home, symbol: &str, column: &str) -> BTreeMap<String, f64> {
    let rows = home.rows(&format!(
        "select price_date, {column} from analytics.fact_daily_prices where symbol = '{symbol}' order by 1"
    ));
    rows.into_iter()
        .map(|row| (row[0].clone().unwrap(), row[1].as_deref().unwrap().parse().unwrap()))
        .collect()
}

#[test]
fn as_traded_and_dividend_adjusted_closes_equal_fmps_series() {
    let (server, home) = (Simulator::with_symbols(SYMBOLS), Home::new());
    Job::new(server.url(), &["SPLIT", "KO", "AAPL"]).days(250).run_ok(&home);
    let splits = home
        .count("select count(*) from staging.splits where symbol = 'SPLIT' and split_date > '2026-02-01'");
    assert!(splits > 0, "the simulated world has no split in this range");
    let mut compared = 0;
    for symbol in ["SPLIT", "KO", "AAPL"] {
        for (endpoint, column) in
            [("non-split-adjusted", "as_traded_close"), ("dividend-adjusted", "adj_close")]
        {
            let theirs = fmp_series(&server, endpoint, symbol, "adjClose");
            for (day, close) in ours(&home, symbol, column) {
                let wanted = theirs[&day];
                // FMP rounds to cents before it applies the split factor, and again afterwards.
                assert!(
                    (close - wanted).abs() <= 0.011 + 5e-5 * wanted,
                    "{symbol} {day} {column}: {close} {wanted}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 900, "{compared}");
    // The price as traded is the adjusted price times the split factor.
    let factors = "select count(*) from analytics.fact_daily_prices \
                   where abs(as_traded_close::double - close_price::double * split_factor) > 1e-5";
    assert_eq!(home.count(factors), 0);
    assert!(
        home.count(
            "select count(*) from analytics.fact_daily_prices where symbol = 'SPLIT' and split_factor = 4"
        ) > 0
    );
    assert_eq!(
        home.count(
            "select count(*) from analytics.fact_daily_prices where symbol = 'KO' and split_factor <> 1"
        ),
        0
    );
}
