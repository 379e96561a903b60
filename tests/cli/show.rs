//! `--help`, `--version`, the demo and the FMP server.

use findata_tests::{Home, findata, wait_until};

#[test]
fn help_lists_the_commands_and_version_prints_the_version() {
    let help = findata(&["--help"]).no_key().run();
    assert_eq!(help.code, Some(0));
    for command in [
        "demo",
        "run",
        "plan",
        "status",
        "sql",
        "explain",
        "show",
        "screen",
        "export",
        "diff",
        "completions",
        "man",
        "dictionary",
        "fmp-server",
        "bench",
    ] {
        assert!(
            help.stdout.lines().any(|line| line.trim_start().starts_with(command)),
            "{command} is missing in\n{}",
            help.stdout
        );
        let own = findata(&[command, "--help"]).no_key().run();
        assert!(own.code == Some(0) && own.stdout.contains("Usage: findata"), "{own:#?}");
    }
    for option in [
        "--home",
        "--fmp-url",
        "--fmp-plan",
        "--today",
        "--json",
        "--index",
        "--warehouse",
        "--stage",
        "FINDATA_HOME",
    ] {
        let run = findata(&["run", "--help"]).run().stdout;
        assert!(run.contains(option), "{option} is missing in\n{run}");
    }
    let version = findata(&["--version"]).no_key().run();
    assert_eq!(
        (version.code, version.stdout.trim()),
        (Some(0), concat!("findata ", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn the_demo_needs_no_key_and_fills_a_home() {
    let home = Home::new();
    let demo = findata(&["demo", "--companies", "8", "--latency", "0", "--days", "30"])
        .home(&home)
        .no_key();
    let output = demo.run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    for part in [
        "complete",
        "fact_market_metrics",
        "AAPL",
        "P/E ttm",
        "warehouse",
        "report.html",
        "findata report AAPL",
    ] {
        assert!(output.stdout.contains(part), "{part} is missing in\n{}", output.stdout);
    }
    assert!(home.path().join("report.html").is_file());
    assert_eq!(home.count("select count(*) from analytics.dim_company"), 8);
    let again = demo.run();
    assert!(again.code == Some(0) && again.stdout.contains("calls     0 "), "{again:#?}");
}

#[test]
fn the_server_prints_a_url_that_a_run_can_use() {
    let home = Home::new();
    let server = findata(&["fmp-server", "--symbols", "12", "--today", "2026-09-18"]).no_key().start();
    let begun = std::time::Instant::now();
    wait_until("the server prints its address", || {
        server.stdout().contains("/stable") || begun.elapsed().as_secs() > 20
    });
    let url = server.stdout().trim().to_owned();
    assert!(
        url.starts_with("http://127.0.0.1:") && url.ends_with("/stable"),
        "{url:?} {}",
        server.stderr()
    );
    let output = findata(&["run", "--symbols", "AAPL", "--days", "30", "--json"])
        .home(&home)
        .url(&url)
        .run();
    assert_eq!((output.code, &output.json()["status"]), (Some(0), &"complete".into()), "{output:#?}");
    // The server simulates the day that `--today` requests.
    assert_eq!(home.text("select max(price_date) from analytics.fact_daily_prices"), "2026-09-18");
    assert!(server.kill());
}
