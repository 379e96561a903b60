//! The JSON output of `explain`, its error messages, and text that could break the output.

use findata_tests::{Home, findata};

use super::{explain, home, printed};

#[test]
fn json_output_has_the_whole_tree() {
    let json = explain(&["AAPL", "roe"]).arg("--json").run().json();
    for key in [
        "symbol",
        "company",
        "metric",
        "table",
        "column",
        "basis",
        "date",
        "value",
        "unit",
        "formula",
        "expression",
        "only_when",
        "known_on",
        "inputs",
    ] {
        assert!(!json[key].is_null(), "{key} is missing in {json}");
    }
    assert_eq!(
        (&json["metric"], &json["basis"], &json["unit"]),
        (&"roe".into(), &"TTM".into(), &"ratio".into())
    );
    let quarter = &json["inputs"][0]["inputs"][3];
    for key in ["date", "basis", "filing_date", "known_on", "value", "unit", "table", "column", "source"] {
        assert!(!quarter[key].is_null(), "{key} is missing in {quarter}");
    }
    for key in [
        "dataset",
        "endpoint",
        "field",
        "sent",
        "file",
        "row",
        "row_hash",
        "sha256",
        "run_id",
        "observed_at",
    ] {
        assert!(!quarter["source"][key].is_null(), "{key} is missing in {quarter}");
    }
    assert_eq!(quarter["source"]["sent"], format!("{}", quarter["value"].as_f64().unwrap()));
}

#[test]
fn invalid_arguments_are_usage_errors_on_one_line() {
    let before = home().content();
    for (arguments, parts) in [
        (&["AAPL", "gros_margin"][..], &["unknown metric", "gross_margin"][..]),
        (&["AAPL", "ev/ebitd"], &["unknown metric", "ev/ebitda (ev_to_ebitda)"]),
        (&["AAPL", "return on equity", "--basis", "MARKET"], &["roe has no basis MARKET"]),
        (&["AAPL", "x'; drop table analytics.dim_company; --"], &["unknown metric"]),
        (&["AAPL", "symbol"], &["unknown metric"]),
        (&["A';--", "roe"], &["is not a symbol"]),
        (&["AAPL'", "roe"], &["is not a symbol"]),
        (&["ZZZZ", "roe"], &["ZZZZ is not in this warehouse", "findata run --symbols ZZZZ"]),
        (&["AAPL", "pe_ratio_ttm", "--basis", "FY"], &["no basis FY", "MARKET"]),
        (&["AAPL", "roe", "--date", "1990-01-01"], &["1990-01-01", "the first became known on"]),
        (
            &["AAPL", "market_cap", "--date", "1990-01-01"],
            &["no trading session on or before 1990-01-01", "its first is"],
        ),
        (&["SPY", "roe"], &["SPY has no known period"]),
    ] {
        let output = explain(arguments).run();
        let line = output.failed(2).to_owned();
        assert_eq!(output.stdout, "", "{output:#?}");
        for part in parts {
            assert!(line.contains(part), "{part} is missing in {line}");
        }
    }
    for arguments in [&["AAPL"][..], &["AAPL", "roe", "--basis", "Q5"], &["AAPL", "roe", "--date", "soon"]] {
        let output = explain(arguments).run();
        assert!(output.code == Some(2) && !output.stderr.contains("panicked"), "{output:#?}");
    }
    assert_eq!(home().content(), before);
    let empty_home = Home::new();
    let output = findata(&["explain", "AAPL", "roe"]).home(&empty_home).run();
    assert!(output.failed(5).contains("findata run"), "{output:#?}");
    assert!(empty_home.files().is_empty());
}

#[test]
fn a_hostile_company_name_cannot_break_the_output() {
    let text = printed(&["HOSTL", "net_margin"]);
    assert!(text.starts_with("HOSTL (O'Hostile"), "{text}");
    assert!(
        !text.contains(['\u{202e}', '\u{1b}']) && text.lines().nth(1).unwrap().starts_with("analytics."),
        "{text}"
    );
}
