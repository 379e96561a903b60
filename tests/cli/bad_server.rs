//! A server that is not there, refuses the key, or answers with half a body.

use findata_tests::{Home, Simulator, findata};

use super::{outcome, run};

#[test]
fn no_key_is_configuration_and_touches_nothing() {
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
    let odd = run(&home, &server.url(), "AAPL").key("a\nb").run();
    assert!(odd.failed(5).contains("FMP_API_KEY"), "{odd:#?}");
    assert_eq!(server.calls(), 0);
}

#[test]
fn a_wrong_key_fails_stops_calling_and_publishes_nothing() {
    let server = Simulator::start(findata_local::fmp_server::Options {
        symbols: 12,
        today: findata_tests::today(),
        key: Some("right".into()),
        ..Default::default()
    });
    let home = Home::new();
    let output = run(&home, &server.url(), "AAPL,MSFT,KO").key("wrong").run();
    assert_eq!(outcome(&output), (Some(1), "failed".into()), "{output:#?}");
    assert!(output.failed(1).contains("FMP_API_KEY"), "{output:#?}");
    // What was in flight when the first refusal came back may still be answered; no call is tried twice.
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
fn a_server_that_is_down_fails_soon_and_loses_nothing() {
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
    assert_eq!(home.lines("select distinct symbol from analytics.fact_financials order by 1"), ["AAPL", "MSFT"]);
}

#[test]
fn half_a_json_is_asked_for_again() {
    let (server, home, whole) = (Simulator::with_faults(12, &["truncated=x1"]), Home::new(), Home::new());
    let output = run(&home, &server.url(), "AAPL").run();
    assert_eq!(outcome(&output), (Some(0), "complete".into()), "{output:#?}");
    assert_eq!((server.calls(), server.faults_injected()), (22, 11));
    assert_eq!(run(&whole, &Simulator::with_symbols(12).url(), "AAPL").run().code, Some(0));
    let differences = home.differences(&whole);
    assert!(differences.is_empty(), "{differences:?}");
}

#[test]
fn half_a_json_for_ever_fails_that_task_alone() {
    let (server, home) = (Simulator::with_faults(12, &["truncated=cash-flow@MSFT"]), Home::new());
    let output = run(&home, &server.url(), "AAPL,MSFT").run();
    assert_eq!(outcome(&output), (Some(3), "partial".into()), "{output:#?}");
    let failures = output.json()["failures"].as_array().unwrap().clone();
    assert_eq!(failures.len(), 2, "{failures:?}");
    for failure in &failures {
        assert_eq!((failure["symbol"].as_str(), failure["dataset"].as_str()), (Some("MSFT"), Some("cash_flow")));
        assert!(failure["reason"].as_str().is_some_and(|r| r.contains("breaks off")), "{failure}");
    }
    assert_eq!(home.lines("select symbol, count(*) > 0 from staging.cash_flow group by 1 order by 1"), ["AAPL|true"]);
    assert_eq!(home.count("select count(*) from analytics.fact_financials where symbol = 'MSFT' and has_income"), 14);
}

#[test]
fn a_plan_that_lacks_a_dataset_leaves_it_out_and_says_so_once() {
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
    assert_eq!(server.faults_injected(), 2, "not tried again");
}

#[test]
fn an_error_body_of_json_is_one_line() {
    let (server, home) = (Simulator::with_faults(12, &["forbidden"]), Home::new());
    let output = findata(&["run", "--symbols", "AAPL", "--days", "30"]).home(&home).url(server.url()).run();
    let line = output.failed(1);
    assert!(line.contains("Account suspended") && line.len() < 300, "{line}");
}
