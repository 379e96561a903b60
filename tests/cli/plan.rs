//! `plan` changes nothing.

use findata_tests::{Home, Simulator, findata};

use super::run;

#[test]
fn a_plan_makes_no_call_and_creates_no_file() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let missing = home.path().join("not/there");
    let plan =
        findata(&["plan", "--json", "--symbols", "AAPL,MSFT", "--days", "30", "--today", "2026-09-18"])
            .url(server.url())
            .option("--home", &missing)
            .no_key();
    let running = plan.start();
    let output = running.wait();
    assert_eq!(output.code, Some(0), "{output:#?}");
    let json = output.json();
    for key in ["symbols", "calls", "bytes", "minutes", "usd", "fmp_plan", "datasets", "notes"] {
        assert!(json.get(key).is_some(), "{key}");
    }
    assert_eq!((&json["symbols"], &json["calls"]), (&2.into(), &24.into()));
    assert_eq!(json["datasets"]["prices"]["due"]["not fetched yet"], 3);
    assert!(!missing.exists() && home.files().is_empty());
    assert_eq!(server.calls(), 0);
}

#[test]
fn a_plan_predicts_the_next_run() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let plan = || {
        findata(&["plan", "--json", "--symbols", "AAPL,KO", "--days", "30"])
            .home(&home)
            .url(server.url())
            .run()
            .json()
    };
    let before = plan();
    let ran = run(&home, &server.url(), "AAPL,KO").run().json();
    assert_eq!(before["calls"], ran["calls"]);
    let files = home.files();
    let after = plan();
    assert_eq!((&after["calls"], home.files()), (&0.into(), files));
    assert_eq!(after["datasets"]["profile"]["skipped"]["fresh"], 2);
    let more = findata(&["plan", "--json", "--symbols", "AAPL,KO", "--days", "30", "--quarters", "32"])
        .home(&home)
        .url(server.url())
        .run()
        .json();
    assert_eq!(more["calls"], 6);
    let limited = findata(&["plan", "--json", "--symbols", "AAPL", "--fmp-plan", "10"])
        .home(&Home::new())
        .url(server.url())
        .run()
        .json();
    assert!(limited["minutes"].as_f64().is_some_and(|m| m >= 1.0), "{limited}");
}

#[test]
fn a_plan_counts_the_days_of_a_daily_limit_and_the_cost() {
    let plan = |more: &[&str]| {
        let symbols = (0..100).map(|i| format!("S{i}")).collect::<Vec<_>>().join(",");
        findata(&[&["plan", "--fmp-plan", "free"], more].concat())
            .home(&Home::new())
            .option("--symbols", &symbols)
            .run()
    };
    let json = plan(&["--json"]).json();
    let calls = json["calls"].as_u64().unwrap();
    assert!(json["days"] == calls.div_ceil(250) && calls > 600, "{json}");
    assert!(json["usd"] == 0.0 && json["on_aws"]["usd"].as_f64() > Some(0.0001), "{json}");
    assert!(json["on_aws"]["snowflake_credits"].as_f64() > Some(0.01), "{json}");
    let text = plan(&[]).stdout;
    assert!(text.contains("days (250 calls a day)") && text.contains("Snowflake credits"), "{text}");
}

#[test]
fn a_plan_says_when_fmps_own_ratios_are_fetched() {
    let plan =
        |args: &[&str]| findata(&[&["plan", "--symbols", "AAPL,KO"], args].concat()).home(&Home::new()).run();
    let usual = plan(&[]).stdout;
    assert!(
        usual.contains("2 not requested: compared from the day after the first quarterly statements"),
        "{usual}"
    );
    let all = plan(&["--reconcile", "--json"]).json();
    assert_eq!((&all["calls"], &all["datasets"]["ratios_ttm"]["calls"]), (&28.into(), &2.into()));
}

#[test]
fn a_plan_without_json_is_a_table() {
    let output = findata(&["plan", "--symbols", "AAPL"]).home(&Home::new()).run();
    assert_eq!(output.code, Some(0));
    for part in [
        "1 symbol",
        "dataset",
        "income_statement",
        "not fetched yet",
        "ratios_ttm",
        "in all",
        "premium",
    ] {
        assert!(output.stdout.contains(part), "{part} is missing in\n{}", output.stdout);
    }
}

#[test]
fn a_probe_counts_towards_the_call_limit() {
    let home = Home::new();
    for limit in [0, 2] {
        let server = Simulator::with_symbols(12);
        let output = findata(&["plan", "--probe", "--symbols", "AAPL", "--max-calls", &limit.to_string()])
            .home(&home)
            .url(server.url())
            .run();
        assert_eq!((output.code, server.calls()), (Some(0), limit), "{output:#?}");
        assert!(output.stderr.contains("--max-calls"), "{output:#?}");
    }
    let server = Simulator::with_symbols(12);
    let all = findata(&["plan", "--probe", "--symbols", "AAPL"]).home(&home).url(server.url()).run();
    assert_eq!((all.code, server.calls()), (Some(0), 7), "{all:#?}");
}
