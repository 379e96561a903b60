//! Empty responses of FMP that are errors, and empty responses that mean "no data".

use findata_fmp_simulator::Options;
use findata_pipeline::{run::Status, summary::Summary};
use findata_tests::{Home, Job, Replay, Simulator, today};

const SYMBOLS: [&str; 3] = ["AAPL", "MSFT", "KO"];

fn run(server: &Simulator, home: &Home) -> Summary {
    Job::new(server.url(), &SYMBOLS).on(today()).run_ok(home)
}

fn empty(endpoints: &str) -> Simulator {
    Simulator::with_faults(12, &[&format!("empty={endpoints}")])
}

/// A home after a run without faults.
fn expected() -> Home {
    let home = Home::new();
    run(&Simulator::with_symbols(12), &home);
    home
}

#[test]
fn after_an_outage_with_empty_responses_the_next_run_of_the_day_fetches_the_data() {
    let expected = expected();
    let good = Simulator::with_symbols(12);
    for endpoints in ["income-statement", "prices", "profile"] {
        let (server, home) = (empty(endpoints), Home::new());
        let outage = run(&server, &home);
        assert_eq!(outage.status, Status::Partial, "{endpoints}: {outage:#?}");
        assert!(outage.failures.iter().all(|f| f.reason.contains("empty")), "{:?}", outage.failures);
        let recorded =
            "select count(*) from ops.tasks where outcome = 'unexpectedly_empty' and reason like '%empty%'";
        assert_eq!(home.count(recorded), outage.tasks.failed as i64, "{endpoints}");
        let calls = good.calls();
        let healed = run(&good, &home);
        assert_eq!(healed.status, Status::Complete, "{endpoints}: {:?}", healed.failures);
        assert_eq!(good.calls() - calls, outage.tasks.failed, "{endpoints}: only what was empty");
        let differences = home.differences(&expected);
        assert!(differences.is_empty(), "{endpoints}: {differences:?}");
        assert_eq!(run(&good, &home).calls, 0, "{endpoints}");
    }
}

#[test]
fn an_empty_response_where_rows_existed_is_fetched_again_the_same_day() {
    let known = expected();
    let good = Simulator::with_symbols(12);
    for endpoints in ["income-statement", "prices", "profile", "dividends"] {
        let home = Home::copy_of(&known);
        let full = |server: &Simulator| {
            Job::new(server.url(), &SYMBOLS).on(today()).with(|o| o.full = true).run_ok(&home)
        };
        let outage = full(&empty(endpoints));
        assert_eq!(outage.status, Status::Partial, "{endpoints}: {outage:#?}");
        let healed = run(&good, &home);
        assert_eq!((healed.status, healed.calls), (Status::Complete, outage.tasks.failed), "{endpoints}");
        let differences = home.differences(&known);
        assert!(differences.is_empty(), "{endpoints}: {differences:?}");
    }
}

#[test]
fn a_statement_that_stays_empty_is_recorded_as_not_offered() {
    let server = Simulator::with_faults(12, &["empty=cash-flow,AAPL"]);
    let home = Home::new();
    for _ in 0..2 {
        let summary = run(&server, &home);
        assert_eq!((summary.status, summary.tasks.failed), (Status::Partial, 2), "{:?}", summary.failures);
    }
    let third = run(&server, &home);
    assert_eq!((third.status, third.calls), (Status::Complete, 2), "{:?}", third.failures);
    let note = third.notes.iter().find(|note| note.starts_with("cash_flow: not offered")).unwrap();
    assert!(note.contains("(AAPL)"), "{note}");
    let recorded = "select count(*) from ops.tasks where outcome = 'not_offered' and subject like 'AAPL:%'";
    assert_eq!(home.count(recorded), 2);
    assert_eq!(run(&server, &home).calls, 0, "not before its normal time");
    // The next day's run fetches the statement again. It accepts an empty response without new
    // confirmation, and loads the rows once FMP has them.
    let next_day = today() + chrono::Days::new(3);
    let anchor = Some(today());
    let on_monday = |faults: &[&str]| {
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        Simulator::start(Options {
            symbols: 12,
            today: next_day,
            anchor,
            faults,
            ..Options::default()
        })
    };
    let still = on_monday(&["empty=cash-flow,AAPL"]);
    let summary = Job::new(still.url(), &SYMBOLS).on(next_day).run_ok(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    let come = on_monday(&[]);
    let last = next_day + chrono::Days::new(1);
    Job::new(come.url(), &SYMBOLS).on(last).run_ok(&home);
    assert!(home.count("select count(*) from staging.cash_flow where symbol = 'AAPL'") > 0);
}

#[test]
fn runs_of_companies_without_some_data_are_complete() {
    let server = Simulator::with_symbols(48);
    let home = Home::new();
    // A fund, a new listing, a delisted company, and a company without a market cap.
    let symbols = ["SPY", "FRESH", "DELIS", "NOCAP"];
    let summary = Job::new(server.url(), &symbols).on(today()).run_ok(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    // A weekend has no trading session, so an empty response is correct.
    let weekend = |o: &mut findata_pipeline::run::Options| {
        o.prices_from = Some(today() - chrono::Days::new(6));
        o.prices_to = Some(today() - chrono::Days::new(5));
        o.datasets = vec!["prices".into()];
    };
    let other = Home::new();
    let summary = Job::new(server.url(), &["AAPL", "MSFT"]).on(today()).with(weekend).run_ok(&other);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
}

#[test]
fn a_company_without_a_profile_has_figures_but_no_attributes() {
    let (server, home) = (empty("profile"), Home::new());
    run(&server, &home);
    assert_eq!(home.count("select count(*) from analytics.dim_company"), 0);
    assert_eq!(
        home.lines("select distinct symbol from analytics.fact_financials order by 1"),
        ["AAPL", "KO", "MSFT"]
    );
    let output = findata_tests::findata(&["explain", "AAPL", "roe"]).home(&home).run();
    assert_eq!(output.code, Some(0), "{output:#?}");
}

#[test]
fn a_row_without_attributes_from_an_earlier_build_is_replaced() {
    let bars: Vec<String> = ["2026-09-18", "2026-09-17"]
        .iter()
        .map(|d| {
            format!(r#"{{"symbol":"AAPL","date":"{d}","open":9,"high":9,"low":9,"close":9,"volume":5}}"#)
        })
        .collect();
    let profile = r#"[{"symbol":"AAPL","companyName":"Apple","sector":"Technology","currency":"USD"}]"#;
    let server = Replay::new()
        .answer("historical-price-eod/full", "AAPL", "", format!("[{}]", bars.join(",")))
        .answer("profile", "AAPL", "", profile)
        .start();
    let home = Home::new();
    let job = |datasets: &[&str]| {
        let datasets = datasets.iter().map(ToString::to_string).collect();
        Job::new(server.url(), &["AAPL"])
            .on(today())
            .with(|o| (o.datasets, o.index) = (datasets, None))
    };
    job(&["prices"]).run_ok(&home);
    let old = "insert into analytics.dim_company (company_key, symbol, is_current, valid_from) \
         values (md5('AAPL'), 'AAPL', true, date '2026-09-17')";
    duckdb::Connection::open(home.warehouse()).unwrap().execute_batch(old).unwrap();
    job(&["profile"]).run_ok(&home);
    assert_eq!(
        home.lines("select company_name, is_current, valid_to from analytics.dim_company"),
        ["Apple|true|NULL"]
    );
}

#[test]
fn a_company_that_left_the_market_is_a_warning_after_two_runs() {
    let home = expected();
    let run_on = |server: &Simulator, day: u64| {
        let day = today() + chrono::Days::new(day);
        Job::new(server.url(), &SYMBOLS).on(day).with(|o| o.full = true).run_ok(&home)
    };
    // FMP has removed the company.
    let server = empty("KO");
    for (day, status) in [(3, Status::Partial), (4, Status::Partial), (5, Status::Complete)] {
        let summary = run_on(&server, day);
        assert_eq!(summary.status, status, "day {day}: {:?}", summary.failures);
        assert!(summary.failures.iter().all(|failure| failure.symbol == "KO"), "{:?}", summary.failures);
        let is_warning = summary.failures.iter().all(|failure| failure.no_such_symbol);
        assert_eq!(is_warning, status == Status::Complete, "day {day}: {:?}", summary.failures);
    }
    // FMP answers nothing at all: an outage, however long.
    let outage = run_on(&Simulator::with_faults(12, &["empty=AAPL", "empty=MSFT", "empty=KO"]), 6);
    assert_eq!(outage.status, Status::Failed, "{outage:#?}");
}
