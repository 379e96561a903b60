//! Standard output and standard error: closed pipes, full devices and text that would control a terminal.

use findata_tests::{Home, Replay, Simulator, findata};

use super::run;

#[test]
fn a_run_completes_although_nobody_reads_its_messages() {
    let server = Simulator::with_symbols(12);
    let silent = |home: &Home| run(home, &server.url(), "AAPL").arg("-vv");
    for command in [
        |c: findata_tests::Command| c.with_closed_stderr(),
        |c: findata_tests::Command| c.with_full_stderr(),
    ] {
        let home = Home::new();
        let output = command(silent(&home)).run();
        assert_eq!((output.code, &output.json()["status"]), (Some(0), &"complete".into()), "{output:#?}");
    }
}

#[test]
fn a_failing_command_keeps_its_exit_code_although_nobody_reads_its_messages() {
    for arguments in [&["sql", "select 1"][..], &["run"], &["run", "--symbols", "A/B"], &["setup-sql"]] {
        let command = || findata(arguments).option("--home", "/nowhere");
        let code = command().run().code;
        assert_eq!(command().with_closed_stderr().run().code, code, "{arguments:?}");
        assert_eq!(command().with_full_stderr().run().code, code, "{arguments:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_reported() {
    for arguments in [&["dictionary"][..], &["--help"], &["--version"]] {
        let output = findata(arguments).with_full_stdout().run();
        assert!(output.failed(1).contains("standard output"), "{output:#?}");
    }
}

/// Characters that act on a terminal: ESC, the C1 control that begins a sequence like ESC, BEL, and
/// characters that reorder or hide text.
const ACTIVE: [char; 6] = ['\u{1b}', '\u{9b}', '\u{7}', '\u{202e}', '\u{200b}', '\u{2066}'];

#[test]
fn text_from_fmp_is_printed_but_cannot_control_the_terminal() {
    let active: String = ACTIVE.iter().collect();
    let profile = serde_json::json!([{
        "symbol": "AAPL", "companyName": format!("Apple{active}[2J"), "sector": format!("Tech{active}"),
        "currency": "USD", "exchange": "NASDAQ", "marketCap": 1000, "price": 10,
    }]);
    let refusal = format!("refused{active}[31m by FMP");
    let server = Replay::new()
        .answer("profile", "AAPL", "", profile.to_string())
        .override_endpoint("dividends", 400, &refusal)
        .start();
    let home = Home::new();
    let ran = findata(&["run", "--symbols", "AAPL", "--days", "30", "-vv"])
        .home(&home)
        .url(server.url())
        .run();
    assert!(ran.stdout.contains("refused"), "{ran:#?}");
    let sql = |query: &str| findata(&["sql", query]).home(&home);
    let query = "select symbol, company_name, sector, (select any_value(reason) from ops.tasks) from analytics.dim_company";
    let table = sql(query).run();
    assert!(table.stdout.contains("Apple\\u{1b}\\u{9b}\\u{7}\\u{202e}"), "{table:#?}");
    let json = sql(query).arg("--json").run();
    assert_eq!(json.json()[0]["company_name"], format!("Apple{active}[2J"), "JSON keeps the value");
    let error = sql(&format!("select '{active}' from nowhere{active}")).run();
    let arguments = findata(&["run", &format!("--{active}")]).run();
    let explained = findata(&["explain", "AAPL", "pe_ratio_ttm"]).home(&home).run();
    for output in [ran, table, json, error, arguments, explained] {
        for text in [&output.stdout, &output.stderr] {
            assert!(!text.contains(ACTIVE), "{output:#?}");
        }
    }
}
