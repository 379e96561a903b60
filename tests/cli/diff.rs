//! `findata diff`: what changed between two runs.

use findata_fmp_simulator::Options;
use findata_tests::{Home, Simulator, findata, today};

/// Runs on a day with a revision of the data.
fn run(home: &Home, days_ago: u64, revision: u32, symbols: &str, more: &[&str]) {
    let day = today() - chrono::Days::new(days_ago);
    let options = Options {
        symbols: 41,
        today: day,
        anchor: Some(today()),
        revision,
        ..Options::default()
    };
    let server = Simulator::start(options);
    let output = findata(&[&["run", "--json", "--days", "30", "--symbols", symbols], more].concat())
        .option("--home", home.path())
        .option("--today", day.to_string())
        .url(server.url())
        .run();
    assert_eq!(output.code, Some(0), "{output:#?}");
}

#[test]
fn each_change_between_two_runs_has_a_reason() {
    let home = Home::new();
    let diff = |more: &[&str]| findata(&[&["diff"], more].concat()).home(&home).no_key().run();
    run(&home, 1, 0, "RESTA,FRESH,AAPL", &[]);
    assert!(diff(&[]).failed(2).contains("needs two"));
    // RESTA restates a quarter and a year, FRESH files a quarter, KO is new.
    run(&home, 0, 1, "RESTA,FRESH,AAPL,KO", &["--full"]);
    let before = home.content();
    let all = diff(&["--json", "--limit", "100000"]).json();
    let changes = all["changes"].as_array().unwrap();
    let reasons = |symbol: &str, table: &str| {
        let of = changes.iter().filter(|c| c["symbol"] == symbol && c["table"] == table);
        let mut reasons: Vec<_> = of.map(|c| c["reason"].as_str().unwrap()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        reasons
    };
    assert_eq!(reasons("RESTA", "fact_financials"), ["restatement"]);
    assert_eq!(reasons("RESTA", "fact_financial_ratios"), ["restatement"]);
    assert_eq!(reasons("FRESH", "fact_financials"), ["new filing"]);
    assert_eq!(reasons("FRESH", "fact_market_metrics"), ["new filing", "price"]);
    assert_eq!(reasons("AAPL", "fact_market_metrics"), ["price"]);
    assert_eq!(reasons("AAPL", "fact_financial_ratios"), Vec::<&str>::new());
    assert_eq!(reasons("KO", "fact_market_metrics"), ["new company"]);
    // The values are those of the two versions.
    let restated = home.lines(
        "select fiscal_date, old_value::double, new_value::double from ops.restatements \
         where symbol = 'RESTA' and item = 'revenue' order by 1",
    );
    assert!(!restated.is_empty());
    for line in restated {
        let (day, values) = line.split_once('|').unwrap();
        let change = changes.iter().find(|c| {
            c["table"] == "fact_financials"
                && c["symbol"] == "RESTA"
                && c["metric"] == "revenue"
                && c["date"] == day
        });
        let change = change.unwrap_or_else(|| panic!("{day} is missing"));
        let found = [&change["old"], &change["new"]].map(|value| value.as_f64().unwrap());
        let expected: Vec<f64> = values.split('|').map(|value| value.parse().unwrap()).collect();
        assert_eq!(found.as_slice(), expected, "{day}");
    }
    // The text begins with the counts; the order of the runs does not matter.
    let text = diff(&["latest", "previous", "--symbol", "aapl", "--metric", "P/E"]);
    assert_eq!(text.code, Some(0), "{text:#?}");
    assert!(text.stdout.contains("price               1 company, 1 figure\n"), "{}", text.stdout);
    let change = "AAPL  2026-09-18 market  fact_market_metrics\n  pe_ratio_ttm  ";
    assert!(text.stdout.contains(change), "{}", text.stdout);
    let limited = diff(&["--limit", "3"]).stdout;
    assert!(
        limited.contains("\n3 of ") && limited.contains("restatement         1 company, "),
        "{limited}"
    );
    let ids: Vec<String> = home.lines("select run_id from ops.published order by 1");
    assert_eq!(diff(&[&ids[0], &ids[1], "--limit", "3"]).stdout, limited);
    for (arguments, message) in [
        (&["latest", "latest"][..], "name two runs"),
        (&["nothing"], "is not a run"),
        (&["--metric", "nothing_like_it"], "nothing_like_it"),
    ] {
        assert!(diff(arguments).failed(2).contains(message), "{arguments:?}");
    }
    assert_eq!(home.content(), before);
}
