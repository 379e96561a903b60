//! One run with a clock that is ahead. The next runs, with a correct clock, fetch and publish as if
//! the wrong clock had never been used.

use chrono::NaiveDate;
use findata_domain::{Error, clock::DayClock};
use findata_fmp::{FmpPlan, SourceKind};
use findata_fmp_simulator::Options;
use findata_pipeline::run::Status;
use findata_tests::{Home, Job, NoProgress, Replay, Simulator, client, host, request, wait};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn server_on(today: &str, symbols: usize) -> Simulator {
    let anchor = Some(day("2026-11-01"));
    Simulator::start(Options { symbols, today: day(today), anchor, ..Options::default() })
}

fn job(server: &Simulator, symbols: &[&str]) -> Job {
    let mut job = Job::new(server.url(), symbols);
    job.options.prices_from = Some(day("2026-10-01"));
    job
}

const TABLES: [&str; 5] = [
    "select symbol, sector, is_current from analytics.dim_company where is_current order by all",
    "select * exclude (run_id, computed_at) from analytics.fact_daily_prices order by all",
    "select * exclude (run_id, computed_at) from analytics.fact_financials order by all",
    "select * exclude (run_id, computed_at) from analytics.fact_market_metrics order by all",
    "select * exclude (run_id, computed_at) from analytics.fact_growth_rates order by all",
];

#[test]
fn one_run_with_a_clock_ahead_does_not_block_later_runs() {
    const SYMBOLS: [&str; 2] = ["KO", "SPLIT"];
    let (friday, monday) = (server_on("2026-11-20", 41), server_on("2026-11-23", 41));
    let home = Home::new();
    job(&friday, &SYMBOLS).on(day("2026-11-20")).run_ok(&home);
    let right = Home::copy_of(&home);
    let on_monday = |home: &Home| job(&monday, &SYMBOLS).on(day("2026-11-23")).run_ok(home);
    on_monday(&right);
    let wrong = job(&friday, &SYMBOLS).on(day("2026-12-20")).run_ok(&home);
    assert_eq!(wrong.status, Status::Complete, "{:?}", wrong.failures);
    let summary = on_monday(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    for query in TABLES {
        let (found, expected) = (home.lines(query), right.lines(query));
        let other: Vec<_> = found.iter().filter(|line| !expected.contains(line)).take(3).collect();
        assert!(other.is_empty() && found.len() == expected.len(), "{query}: {other:#?}");
    }
    let later = "select (select count(*) from ops.published where as_of > date '2026-11-24') \
         + (select count(*) from analytics.fact_financials_history where known_from > timestamp '2026-11-24') \
         + (select count(*) from staging.prices where observed_at > timestamp '2026-11-24') \
         + (select count(*) from staging.cash_flow where observed_at > timestamp '2026-11-24')";
    assert_eq!(home.count(later), 0);
    assert_eq!(on_monday(&home).calls, 0, "a second run fetches nothing");
}

#[test]
fn a_first_run_with_a_clock_years_ahead_does_not_block_later_runs() {
    let (friday, monday) = (server_on("2026-11-20", 12), server_on("2026-11-23", 12));
    let home = Home::new();
    let loading = |server: &Simulator, today: &str| {
        job(server, &["AAPL"]).on(day(today)).with(|o| o.skip_analytics = true).run_ok(&home)
    };
    loading(&friday, "2099-01-04");
    let summary = loading(&monday, "2026-11-23");
    assert_eq!((summary.status, summary.calls), (Status::Complete, 13), "{:?}", summary.failures);
    assert_eq!(home.text("select max(price_date) from staging.prices"), "2026-11-23");
    assert_eq!(loading(&monday, "2026-11-23").calls, 0);
}

#[test]
fn a_restatement_after_a_clock_was_ahead_is_the_newest_version() {
    let statements = |revenue: u32| {
        let row = format!(
            r#"[{{"date":"2025-12-31","symbol":"AAPL","reportedCurrency":"USD","cik":"1","filingDate":"2026-02-01",
                "acceptedDate":"2026-02-01 16:30:00","fiscalYear":"2025","period":"FY","netIncome":10,"revenue":{revenue}}}]"#
        );
        Replay::new().answer("income-statement", "AAPL", "annual", row).start()
    };
    let home = Home::new();
    let run = |server: &str, today: &str| {
        let job = Job::new(server, &["AAPL"]).on(day(today)).with(|o| {
            (o.datasets, o.quarters, o.index) = (vec!["income_statement".into()], 0, None);
        });
        job.run_ok(&home);
    };
    let (first, restated) = (statements(100), statements(90));
    run(first.url(), "2026-11-20");
    run(restated.url(), "2099-01-04");
    let again = statements(80);
    run(again.url(), "2026-11-23");
    let versions = "select revenue::integer, observed_at < timestamp '2026-11-24' from staging.income_statement \
         order by observed_at";
    assert_eq!(home.lines(versions), ["100|true", "90|true", "80|true"]);
    let known = "select count(*) from staging.statement_versions where known_from > timestamp '2026-11-24'";
    assert_eq!(home.count(known), 0);
    // A warehouse rebuilt from the stage has the same versions in the same order.
    std::fs::remove_file(home.warehouse()).unwrap();
    let clock = DayClock(day("2026-11-30"));
    let replayed = wait(async {
        let mut host = host(&home, client(again.url(), "test-key"), clock)?;
        host.replay(&request(&[], Default::default()), &NoProgress).await
    });
    assert_eq!(replayed.unwrap().status, Status::Complete);
    assert_eq!(home.lines(versions), ["100|true", "90|true", "80|true"]);
    assert_eq!(home.count(known), 0);
}

#[test]
fn attributes_from_a_future_day_are_dropped() {
    let profile = |sector: &str| {
        let row =
            format!(r#"[{{"symbol":"AAPL","companyName":"Apple","sector":"{sector}","currency":"USD"}}]"#);
        Replay::new().answer("profile", "AAPL", "", row).start()
    };
    let home = Home::new();
    let run = |server: &str, today: &str| {
        let datasets = vec!["profile".into()];
        Job::new(server, &["AAPL"])
            .on(day(today))
            .with(|o| (o.datasets, o.index) = (datasets, None))
            .run_ok(&home)
    };
    let (first, second, third) = (profile("Technology"), profile("Energy"), profile("Utilities"));
    run(first.url(), "2026-11-20");
    run(second.url(), "2099-01-04");
    run(third.url(), "2026-11-23");
    let rows =
        "select sector, is_current, valid_from, valid_to from analytics.dim_company order by valid_from";
    assert_eq!(
        home.lines(rows),
        ["Technology|false|2026-11-20|2026-11-23", "Utilities|true|2026-11-23|NULL"]
    );
}

#[test]
fn change_feeds_read_while_a_clock_was_ahead_are_reset() {
    let friday = server_on("2026-11-20", 41);
    let home = Home::new();
    let saving = |server: &Simulator, today: &str| {
        let symbols = server.symbols();
        let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
        job(server, &symbols)
            .on(day(today))
            .with(|o| {
                (o.plan_limits, o.skip_analytics) = (FmpPlan::Premium.plan_limits(SourceKind::Other), true)
            })
            .run_ok(&home)
    };
    saving(&friday, "2026-11-20");
    saving(&friday, "2099-01-04");
    let offers = || std::fs::read_to_string(home.stage().join("state/market/offers.json")).unwrap();
    let feeds = || std::fs::read_to_string(home.stage().join("state/market/news.json")).unwrap();
    assert!(feeds().contains("2099-01-04"));
    for today in ["2026-11-23", "2026-11-24"] {
        let server = server_on(today, 41);
        let summary = saving(&server, today);
        assert_ne!(summary.status, Status::Failed, "{:?}", summary.failures);
        let missing = format!(
            "select symbol from staging.prices where symbol in ('AAPL', 'MSFT', 'KO') group by symbol \
             having max(price_date) < date '{today}'"
        );
        assert!(home.lines(&missing).is_empty(), "{today}");
        assert!(!feeds().contains("2099-"), "{today}: {}", feeds());
    }
    assert!(!offers().contains("2099-"), "{}", offers());
}

#[test]
fn figures_of_later_days_are_still_protected() {
    let home = Home::new();
    let server = server_on("2026-11-20", 12);
    job(&server, &["AAPL"]).on(day("2026-11-20")).run_ok(&home);
    let calls = server.calls();
    let error = job(&server, &["AAPL"]).on(day("2026-11-19")).run(&home).unwrap_err();
    assert!(matches!(&error, Error::Config(text) if text.contains("--today 2026-11-20")), "{error}");
    assert_eq!(server.calls(), calls);
}
