//! Runs on different days: announced, moved and cancelled events, another index, and a run for a
//! past day.

use chrono::NaiveDate;
use findata_domain::Error;
use findata_fmp_simulator::Options;
use findata_tests::{Home, Job, Replay, Simulator};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn server_on(today: &str) -> Simulator {
    Simulator::start(Options {
        symbols: 41,
        today: day(today),
        anchor: Some(day("2026-11-01")),
        ..Options::default()
    })
}

/// A run of all datasets with prices since June.
fn job_on(server: &Simulator, today: &str) -> Job {
    Job::new(server.url(), &["AAPL", "KO", "SPLIT"])
        .on(day(today))
        .with(|o| o.prices_from = Some(day("2026-06-01")))
}

/// FMP's responses for AAPL: four bars, and these events.
fn replay(dividends: &str, splits: &str) -> Replay {
    let bars: Vec<String> = ["2026-09-18", "2026-09-17", "2026-09-16", "2026-09-15"]
        .iter()
        .map(|d| {
            format!(
                r#"{{"symbol":"AAPL","date":"{d}","open":100,"high":101,"low":99,"close":100,"volume":5}}"#
            )
        })
        .collect();
    Replay::new()
        .answer("historical-price-eod/full", "AAPL", "", format!("[{}]", bars.join(",")))
        .answer("dividends", "AAPL", "", dividends)
        .answer("splits", "AAPL", "", splits)
}

fn events(server_url: &str) -> Job {
    let datasets = ["prices", "dividends", "splits"].map(String::from).to_vec();
    Job::new(server_url, &["AAPL"]).with(|o| (o.datasets, o.full, o.index) = (datasets, true, None))
}

#[test]
fn an_announced_dividend_changes_the_adjusted_history_on_its_ex_date() {
    let (before, after) = (server_on("2026-11-30"), server_on("2026-12-18"));
    let (updated, fresh) = (Home::new(), Home::new());
    job_on(&before, "2026-11-30").run_ok(&updated);
    let announced = "select count(*) from staging.dividends where ex_date > date '2026-11-30' and ex_date <= date '2026-12-18'";
    assert!(
        updated.count(announced) > 0,
        "the simulated world announces no dividend; choose other days"
    );
    job_on(&after, "2026-12-18").run_ok(&updated);
    job_on(&after, "2026-12-18").run_ok(&fresh);
    let adjusted =
        "select symbol, price_date, close_price, adj_close from analytics.fact_daily_prices order by all";
    assert_eq!(updated.lines(adjusted), fresh.lines(adjusted));
    let yields = "select symbol, metric_date, round(dividend_yield, 12) from analytics.fact_market_metrics order by all";
    assert_eq!(updated.lines(yields), fresh.lines(yields));
}

#[test]
fn a_moved_or_cancelled_event_is_removed() {
    let home = Home::new();
    let dividend =
        |date: &str| format!(r#"{{"symbol":"AAPL","date":"{date}","dividend":1,"adjDividend":1}}"#);
    let split =
        |date: &str| format!(r#"[{{"symbol":"AAPL","date":"{date}","numerator":4,"denominator":1}}]"#);
    let first =
        replay(&format!("[{},{}]", dividend("2026-09-16"), dividend("2026-06-16")), &split("2026-09-01"))
            .start();
    events(first.url()).run_ok(&home);
    assert_eq!(home.count("select count(*) from staging.dividends"), 2);
    let second = replay(&format!("[{}]", dividend("2026-09-17")), &split("2026-09-02")).start();
    events(second.url()).run_ok(&home);
    assert_eq!(home.lines("select ex_date from staging.dividends"), ["2026-09-17"]);
    assert_eq!(home.lines("select split_date from staging.splits"), ["2026-09-02"]);
    let paid = "select distinct dividends_per_share_ttm from analytics.fact_market_metrics where metric_date = '2026-09-18'";
    assert_eq!(home.figure(paid), Some(1.0), "the metrics are updated");
    // An empty response does not mean that the event is cancelled.
    let third = replay("[]", "[]").start();
    events(third.url()).run_ok(&home);
    assert_eq!(home.count("select count(*) from staging.dividends"), 1);
}

#[test]
fn another_index_changes_every_beta_and_is_not_a_company() {
    let server = server_on("2026-11-20");
    let (home, fresh) = (Home::new(), Home::new());
    let job = |index: &str| {
        let index = index.parse().ok();
        job_on(&server, "2026-11-20").with(|o| (o.prices_from, o.index) = (Some(day("2025-06-01")), index))
    };
    let betas = "select symbol, metric_date, beta_252d from analytics.fact_market_metrics where symbol <> 'MSFT' order by all";
    job("^GSPC").run_ok(&home);
    let before = home.lines(betas);
    job("MSFT").run_ok(&home);
    job("MSFT").run_ok(&fresh);
    assert_ne!(home.lines(betas), before);
    assert_eq!(home.lines(betas), fresh.lines(betas));
    assert_eq!(
        home.count("select count(*) from analytics.dim_company where symbol in ('^GSPC', 'MSFT')"),
        0
    );
    job("^GSPC").run_ok(&home);
    assert_eq!(home.lines(betas), before);
    // If the index is also requested as a company, it becomes a company too.
    let mut both = job("KO");
    both.symbols = vec!["AAPL".into(), "KO".into()];
    both.run_ok(&home);
    assert!(home.count("select count(*) from analytics.fact_market_metrics where symbol = 'KO'") > 0);
}

#[test]
fn a_day_before_the_last_run_is_rejected_before_any_call() {
    let server = server_on("2026-11-20");
    let home = Home::new();
    job_on(&server, "2026-11-20").run_ok(&home);
    let (content, calls) = (home.content(), server.calls());
    let error = job_on(&server, "2026-10-01").run(&home).unwrap_err();
    assert!(
        matches!(&error, Error::Config(text) if text.contains("2026-11-20") && text.contains("--home")),
        "{error}"
    );
    assert_eq!((home.content(), server.calls()), (content, calls));
}
