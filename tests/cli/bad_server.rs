//! A server that is down, rejects the key, or returns truncated bodies.

use findata_tests::{Home, Simulator, findata};

use super::{outcome, run};

#[test]
fn a_missing_key_is_a_configuration_error_and_has_no_effect() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    for command in [
        run(&home, &server.url(), "AAPL").no_key(),
        run(&home, &server.url(), "AAPL").key(""),
        run(&home, &server.url(), "AAPL").key("  "),
    ] {
        let output = command.run();
        let line = output.failed(5);
        assert!(line.contains("FMP_API_KEY"), "{line}");
        assert_eq!(output.stdout, "");
        assert!(home.files().is_empty(), "{:?}", home.files());
    }
    let malformed = run(&home, &server.url(), "AAPL").key("a\nb").run();
    assert!(malformed.failed(5).contains("FMP_API_KEY"), "{malformed:#?}");
    assert_eq!(server.calls(), 0);
}

#[test]
fn a_wrong_key_stops_all_calls_and_publishes_nothing() {
    let server = Simulator::start(findata_fmp_simulator::Options {
        symbols: 12,
        today: findata_tests::today(),
        key: Some("right".into()),
        ..Default::default()
    });
    let home = Home::new();
    let output = run(&home, &server.url(), "AAPL,MSFT,KO").key("wrong").run();
    assert_eq!(outcome(&output), (Some(1), "failed".into()), "{output:#?}");
    assert!(output.failed(1).contains("FMP_API_KEY"), "{output:#?}");
    // No call is retried. FMP may still answer the calls that were in flight when the first refusal
    // arrived.
    assert!(server.calls() <= 31, "{}", server.calls());
    for table in [
        "analytics.dim_company",
        "analytics.fact_financials",
        "analytics.metric_nulls",
        "staging.profile",
        "raw.profile",
    ] {
        assert_eq!(home.count(&format!("select count(*) from {table}")), 0, "{table}");
    }
    let right = run(&home, &server.url(), "AAPL,MSFT,KO").key("right").run();
    assert_eq!(outcome(&right), (Some(0), "complete".into()), "{right:#?}");
}

#[test]
fn a_server_that_is_down_fails_the_run_quickly_and_loses_nothing() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server.url(), "AAPL").run().code, Some(0));
    let before = home.content();
    let url = server.url();
    drop(server);
    let output = run(&home, &url, "AAPL,MSFT").arg("--full").run();
    assert_eq!(output.code, Some(1), "{output:#?}");
    let line = output.failed(1);
    assert!(line.contains("--fmp-url") || line.contains("no answer"), "{line}");
    assert_eq!(home.content(), before);
    let server = Simulator::with_symbols(12);
    assert_eq!(run(&home, &server.url(), "AAPL,MSFT").run().code, Some(0));
    assert_eq!(
        home.lines("select distinct symbol from analytics.fact_financials order by 1"),
        ["AAPL", "MSFT"]
    );
}

#[test]
fn a_truncated_response_is_retried() {
    let (server, home, whole) = (Simulator::with_faults(12, &["truncated=x1"]), Home::new(), Home::new());
    let output = run(&home, &server.url(), "AAPL").run();
    assert_eq!(outcome(&output), (Some(0), "complete".into()), "{output:#?}");
    assert_eq!((server.calls(), server.faults_injected()), (26, 13));
    assert_eq!(run(&whole, &Simulator::with_symbols(12).url(), "AAPL").run().code, Some(0));
    let differences = home.differences(&whole);
    assert!(differences.is_empty(), "{differences:?}");
}

#[test]
fn a_permanently_truncated_response_fails_only_its_task() {
    let (server, home) = (Simulator::with_faults(12, &["truncated=cash-flow@MSFT"]), Home::new());
    let output = run(&home, &server.url(), "AAPL,MSFT").run();
    assert_eq!(outcome(&output), (Some(3), "partial".into()), "{output:#?}");
    let failures = output.json()["failures"].as_array().unwrap().clone();
    assert_eq!(failures.len(), 2, "{failures:?}");
    for failure in &failures {
        assert_eq!(
            (failure["symbol"].as_str(), failure["dataset"].as_str()),
            (Some("MSFT"), Some("cash_flow"))
        );
        assert!(failure["reason"].as_str().is_some_and(|r| r.contains("is truncated")), "{failure}");
    }
    assert_eq!(
        home.lines("select symbol, count(*) > 0 from staging.cash_flow group by 1 order by 1"),
        ["AAPL|true"]
    );
    assert_eq!(
        home.count("select count(*) from analytics.fact_financials where symbol = 'MSFT' and has_income"),
        24 + 11
    );
}

#[test]
fn a_dataset_that_the_plan_lacks_is_left_out_with_one_note() {
    let (server, home) = (Simulator::with_faults(12, &["payment=splits"]), Home::new());
    let output = run(&home, &server.url(), "AAPL,MSFT").run();
    assert_eq!(outcome(&output), (Some(0), "complete".into()), "{output:#?}");
    let summary = output.json();
    let notes: Vec<_> = summary["notes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|n| n.as_str().is_some_and(|n| n.starts_with("splits")))
        .collect();
    assert_eq!((notes.len(), &summary["tasks"]["not_in_plan"]), (1, &2.into()), "{summary}");
    assert_eq!(server.faults_injected(), 2, "not retried");
}

#[test]
fn a_json_error_body_is_reported_on_one_line() {
    let (server, home) = (Simulator::with_faults(12, &["forbidden"]), Home::new());
    let output = findata(&["run", "--symbols", "AAPL", "--days", "30"]).home(&home).url(server.url()).run();
    let line = output.failed(1);
    assert!(line.contains("Account suspended") && line.len() < 300, "{line}");
}
