//! Invalid arguments and environment variables.

use std::fs;

use findata_tests::{Command, Home, Simulator, findata};

use super::{outcome, run};

/// Runs a command that must fail before it writes a file or makes a call. Returns its line on
/// standard error.
fn rejected(command: &Command, home: &Home, code: i32) -> String {
    let output = command.run();
    let line = output.failed(code).to_owned();
    assert_eq!(output.stdout, "", "{output:#?}");
    assert!(home.files().is_empty(), "{:?}", home.files());
    line
}

#[test]
fn malformed_symbols_are_usage_errors_and_have_no_effect() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    for bad in ["A/B", "A'B", "..", "A B", "A;B", "%41", "AAPL,A/B", "SIXTEENLETTERSXX", "Ä", "A\nB"] {
        let line = rejected(&run(&home, &server.url(), bad), &home, 2);
        assert!(line.contains("is not a symbol") && line.contains("BRK-B"), "{line}");
    }
    let empty = run(&home, &server.url(), ",").run();
    assert_eq!(empty.code, Some(2), "{empty:#?}");
    assert_eq!(server.calls(), 0);
}

#[test]
fn unknown_datasets_plans_and_options_are_usage_errors() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let known = || run(&home, &server.url(), "AAPL");
    let line = known().option("--datasets", "profile,nothing").run().failed(2).to_owned();
    assert!(line.contains("nothing") && line.contains("income_statement"), "{line}");
    let line = known().option("--fmp-plan", "nonsense").run().failed(2).to_owned();
    assert!(line.contains("--fmp-plan") && line.contains("premium"), "{line}");
    for wrong in [
        ["--index", "A/B"],
        ["--fmp-burst", "0"],
        ["--warehouse", "postgres"],
        ["--stage", "s3://bucket/x"],
    ] {
        let line = known().option(wrong[0], wrong[1]).run().failed(2).to_owned();
        assert!(line.contains(wrong[0]), "{line}");
    }
    let line = findata(&["run", "--symbols", "AAPL", "--today", "tomorrow"])
        .option("--home", home.path())
        .run()
        .failed(2)
        .to_owned();
    assert!(line.contains("--today"), "{line}");
    let with = |extra: &'static [&'static str]| [&["run", "--symbols", "A"], extra].concat();
    let (both, negative, no_date, no_day) = (
        with(&["--universe", "sp500"]),
        with(&["--quarters", "-1"]),
        with(&["--from", "x"]),
        with(&["--days", "0"]),
    );
    let (no_symbols, no_calls) = (&["bench", "--symbols", "0"][..], &["bench", "--limit", "0"][..]);
    for arguments in [
        &["run", "--symbols"][..],
        &["nothing"],
        &[],
        &both,
        &negative,
        &no_date,
        &no_day,
        no_symbols,
        no_calls,
    ] {
        let output = findata(arguments).run();
        assert_eq!(output.code, Some(2), "{arguments:?} {output:#?}");
        assert!(output.stdout.is_empty() && !output.stderr.contains("panicked"), "{output:#?}");
        assert!(output.stderr.starts_with("error: ") || output.stderr.contains("Usage: "), "{output:#?}");
    }
    let line = known().option("--fmp-url", "ftp://x/stable").run();
    assert_eq!(
        line.code,
        Some(2),
        "the same option twice, or a URL with an unsupported scheme: {line:#?}"
    );
    for none in [&["run"][..], &["plan"], &["invoke"]] {
        let output = findata(none).run();
        assert!(output.failed(2).contains("no symbols"), "{output:#?}");
    }
    assert_eq!(server.calls(), 0);
}

#[test]
fn a_date_range_that_ends_before_it_begins_is_a_usage_error() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let output =
        findata(&["run", "--json", "--symbols", "AAPL", "--from", "2026-09-10", "--to", "2026-09-01"])
            .home(&home)
            .url(server.url())
            .run();
    let line = output.failed(2);
    assert!(line.contains("2026-09-10") && line.contains("before"), "{line}");
    assert_eq!(server.calls(), 0);
}

#[test]
fn dates_at_the_edge_of_the_calendar_are_usage_errors() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    for (command, option, day) in [
        ("run", "--today", "+262142-12-31"),
        ("run", "--today", "-262143-01-01"),
        ("run", "--to", "-262143-01-01"),
        ("run", "--from", "+262142-12-31"),
        ("run", "--to", "2201-01-01"),
        ("sql", "--as-of", "+262142-12-31"),
        ("explain", "--date", "-262143-01-01"),
    ] {
        let arguments = match command {
            "run" => &["run", "--symbols", "AAPL"][..],
            "sql" => &["sql", "select 1"],
            _ => &["explain", "AAPL", "pe_ratio_ttm"],
        };
        let output = findata(arguments)
            .option("--home", home.path())
            .url(server.url())
            .arg(format!("{option}={day}"))
            .run();
        assert_eq!(output.code, Some(2), "{option}={day} {output:#?}");
        assert!(output.stderr.contains("from 1900 to 2200"), "{output:#?}");
    }
    let first_and_last = ["1900-01-01", "2200-12-31"];
    for today in first_and_last {
        let plan = findata(&["plan", "--symbols", "AAPL", "--days", "36500", "--today", today])
            .option("--home", home.path())
            .run();
        assert_eq!(plan.code, Some(0), "{today} {plan:#?}");
    }
    assert!(home.files().is_empty() && server.calls() == 0);
}

#[test]
fn invalid_variables_are_configuration_errors_named_in_one_message() {
    let home = Home::new();
    let both = findata(&["run", "--symbols", "AAPL"])
        .option("--home", home.path())
        .variable("FINDATA_TODAY", "soon")
        .variable("FINDATA_FMP_PLAN", "golden");
    let line = rejected(&both, &home, 5);
    for part in ["FINDATA_TODAY", "FINDATA_FMP_PLAN", "soon", "golden", "2026-11-20", "premium"] {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
    let url = findata(&["run", "--symbols", "AAPL"])
        .option("--home", home.path())
        .variable("FINDATA_FMP_URL", "nowhere");
    assert!(rejected(&url, &home, 5).contains("FINDATA_FMP_URL"));
}

#[test]
fn every_global_option_can_be_set_by_a_variable() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let output = findata(&["run", "--symbols", "AAPL", "--days", "30"])
        .variable("FINDATA_HOME", home.path().to_str().unwrap())
        .variable("FINDATA_FMP_URL", server.url())
        .variable("FINDATA_TODAY", "2026-09-18")
        .variable("FINDATA_JSON", "true")
        .variable("FINDATA_INDEX", "none")
        .variable("FINDATA_FMP_PLAN", "unlimited")
        .run();
    assert_eq!(outcome(&output), (Some(0), "complete".into()), "{output:#?}");
    assert_eq!(
        server.calls(),
        12,
        "eleven calls for the company, one for symbol changes, none for an index"
    );
    assert_eq!(home.text("select max(price_date) from analytics.fact_daily_prices"), "2026-09-18");
}

#[test]
fn an_unknown_symbol_is_a_warning_unless_no_symbol_is_known() {
    let server = Simulator::with_symbols(12);
    let (only_unknown, with_known) = (Home::new(), Home::new());
    let output = run(&only_unknown, &server.url(), "NOSUCH").run();
    assert_eq!(outcome(&output), (Some(1), "failed".into()), "{output:#?}");
    assert!(output.failed(1).contains("unknown symbol"), "{output:#?}");
    assert_eq!(output.json()["failures"][0]["symbol"], "NOSUCH");
    for table in ["dim_company", "fact_financials", "fact_daily_prices", "metric_nulls"] {
        assert_eq!(only_unknown.count(&format!("select count(*) from analytics.{table}")), 0, "{table}");
    }
    let output = run(&with_known, &server.url(), "NOSUCH,AAPL,NONE.L").run();
    assert_eq!(outcome(&output), (Some(0), "complete".into()), "{output:#?}");
    let failed: Vec<_> = output.json()["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["symbol"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(failed, ["NONE.L", "NOSUCH"]);
    assert_eq!(with_known.lines("select distinct symbol from analytics.fact_financials"), ["AAPL"]);
    assert_eq!(with_known.lines("select symbol from analytics.dim_company"), ["AAPL"]);
    // A second run on the same day does not ask FMP about the unknown symbol again.
    let calls = server.calls();
    let again = run(&with_known, &server.url(), "NOSUCH,AAPL,NONE.L").run();
    assert_eq!((outcome(&again), server.calls() - calls), ((Some(0), "complete".into()), 0), "{again:#?}");
    assert!(
        again.json()["failures"][1]["reason"].as_str().unwrap().contains("unknown symbol"),
        "{again:#?}"
    );
    assert_eq!(again.json()["failures"][1]["no_such_symbol"], true);
    let strict = run(&with_known, &server.url(), "NOSUCH,AAPL,NONE.L").arg("--strict").run();
    assert_eq!(outcome(&strict), (Some(3), "complete".into()), "{strict:#?}");
    let all_known = run(&with_known, &server.url(), "AAPL").arg("--strict").run();
    assert_eq!(all_known.code, Some(0), "{all_known:#?}");
}

#[test]
fn a_universe_file_may_have_comments_headers_and_columns_but_no_invalid_line() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let file = home.path().join("universe.csv");
    let universe = |text: &str| {
        fs::write(&file, text).unwrap();
        findata(&["plan", "--json", "--days", "30"])
            .home(&home)
            .url(server.url())
            .option("--universe", &file)
            .run()
    };
    let good =
        universe("symbol,name\n# a comment\nAAPL,\"Apple, Inc.\"\n\n\"MSFT\";x\nBRK-B\nAAPL\n  ko  \n");
    assert_eq!((good.code, &good.json()["symbols"]), (Some(0), &4.into()), "{good:#?}");
    let bad = universe("AAPL\nA/B\n");
    let line = bad.failed(2);
    assert!(line.contains("A/B") && line.contains("universe.csv"), "{line}");
    assert!(universe("# nothing\n").failed(2).contains("no symbol"));
    let absent = findata(&["plan", "--universe", "/nowhere/at/all.txt"]).home(&home).run();
    assert!(absent.failed(2).contains("/nowhere/at/all.txt"));
    // FMP writes share classes with a hyphen, so BRK.B becomes BRK-B. In VOD.L the dot denotes
    // another listing, so it is kept.
    let dotted = universe("BRK.B\nVOD.L\n");
    assert_eq!((dotted.code, &dotted.json()["symbols"]), (Some(0), &2.into()), "{dotted:#?}");
    assert_eq!(server.calls(), 0);
}

#[test]
fn a_universe_file_may_come_from_a_spreadsheet() {
    let home = Home::new();
    let file = home.path().join("universe.csv");
    let universe = |content: &[u8]| {
        fs::write(&file, content).unwrap();
        findata(&["plan", "--json", "--universe", file.to_str().unwrap()]).home(&home).run()
    };
    let utf16: Vec<u8> = "\u{feff}AAPL\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for good in [
        "\u{feff}Symbol;Name\r\nAAPL;Apple\r\nMSFT",
        "AAPL # a note\nMSFT# another",
        "AAPL\rMSFT\r",
    ] {
        let output = universe(good.as_bytes());
        assert_eq!((output.code, &output.json()["symbols"]), (Some(0), &2.into()), "{output:#?}");
    }
    for bad in [&utf16[..], &utf16[2..], b"A\xff\n"] {
        assert!(universe(bad).failed(2).contains("save it as UTF-8"));
    }
    assert!(universe(&b"AAPL\n".repeat(4_000_000)).failed(2).contains("16 MiB"));
}

#[test]
fn a_universe_that_is_not_a_regular_file_is_refused_at_once() {
    let home = Home::new();
    let pipe = home.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), "/dev/zero".as_ref(), home.path()] {
        let output = findata(&["plan"]).home(&home).option("--universe", path).run();
        assert!(output.failed(2).contains("use a regular file"), "{output:#?}");
    }
}

#[test]
fn the_sp500_is_fetched_from_the_server_or_taken_from_the_bundled_list() {
    let home = Home::new();
    let bundled = findata(&["plan", "--json", "--universe", "sp500", "--datasets", "profile"])
        .home(&home)
        .run();
    let plan = bundled.json();
    assert!(plan["symbols"].as_u64().is_some_and(|n| (500..=510).contains(&n)), "{plan}");
    assert!(plan["notes"][0].as_str().is_some_and(|note| note.contains("bundled")), "{plan}");
    let server = Simulator::with_symbols(12);
    let command = findata(&["run", "--json", "--universe", "SP500", "--datasets", "profile"])
        .home(&home)
        .url(server.url());
    let output = command.run();
    assert_eq!(outcome(&output), (Some(0), "complete".into()), "{output:#?}");
    let members = server.calls_by_endpoint()["profile"];
    assert_eq!(
        (output.json()["symbols"].as_u64(), server.calls_by_endpoint()["sp500-constituent"]),
        (Some(members), 1)
    );
    assert_eq!(home.count("select count(*) from staging.sp500_constituents"), members as i64);
    // A second run on the same day fetches neither the list nor a profile.
    let calls = server.calls();
    assert_eq!(command.run().code, Some(0));
    assert_eq!(server.calls(), calls);
}
