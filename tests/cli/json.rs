//! `--json`: one document on standard output, and errors as one line of JSON on standard error.

use findata_tests::{Home, Simulator, findata};
use serde_json::Value;

use super::run;

#[test]
fn every_kind_of_failure_is_a_document_with_its_exit_code() {
    let home = Home::new();
    let cases = [
        (&["sql", "select 1", "--json"][..], 5, "configuration"),
        (&["--json", "show", "AAPL"], 5, "configuration"),
        (&["run", "--json"], 2, "usage"),
        (&["run", "--json", "--symbols", "A/B"], 2, "usage"),
        (&["run", "--json", "--no-such-option"], 2, "usage"),
        (&["run", "--json", "--max-calls", "many"], 2, "usage"),
        (&["no-such-command", "--json"], 2, "usage"),
        (&["--json"], 2, "usage"),
        (&["setup-sql", "--json", "--rotate-key", "--teardown"], 2, "usage"),
        (&["status", "--json", "--config", "/nowhere/findata.toml"], 5, "configuration"),
        (&["upgrade", "--json", "--plan"], 5, "configuration"),
    ];
    for (arguments, code, kind) in cases {
        let output = findata(arguments).variable("FINDATA_HOME", home.path()).run();
        assert_eq!(output.failed_as_json(code), kind, "{arguments:?}: {output:#?}");
        assert_eq!(output.stdout, "", "{arguments:?}");
    }
    // The variable and the file ask for JSON, too.
    let variable = findata(&["run", "--no-such-option"]).variable("FINDATA_JSON", "true").run();
    assert_eq!(variable.failed_as_json(2), "usage");
    std::fs::write(home.path().join("findata.toml"), "json = true\n").unwrap();
    let file = findata(&["run", "--no-such-option"]).in_folder(home.path()).run();
    assert_eq!(file.failed_as_json(2), "usage");
    let text = findata(&["run", "--no-such-option"]).run();
    assert!(
        text.stderr.contains("error: unexpected argument") && !text.stderr.contains('{'),
        "{text:#?}"
    );
}

#[test]
fn a_failed_run_prints_its_summary_and_the_error() {
    let (server, home) = (Simulator::with_faults(12, &["unauthorized"]), Home::new());
    let output = run(&home, &server.url(), "AAPL").run();
    assert_eq!(output.code, Some(1), "{output:#?}");
    output.failed_as_json(1);
    if !output.stdout.is_empty() {
        assert_eq!(output.json()["status"], "failed");
    }
}

#[test]
fn every_object_has_the_version() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let summary = run(&home, &server.url(), "AAPL").run().json();
    let command = |arguments: &[&str]| {
        let output = findata(arguments).arg("--json").home(&home).url(server.url()).run();
        assert_eq!((output.code, output.stdout.lines().count()), (Some(0), 1), "{output:#?}");
        output.json()
    };
    let documents = [
        summary,
        command(&["plan", "--symbols", "AAPL"]),
        command(&["status"]),
        command(&["doctor"]),
        command(&["explain", "AAPL", "pe_ratio_ttm"]),
        command(&["upgrade"]),
        command(&["prune"]),
        command(&["replay"]),
    ];
    for document in documents {
        assert_eq!(document["schema_version"], 1, "{document}");
    }
    let rows = command(&["sql", "select 1 as x"]);
    assert!(matches!(&rows, Value::Array(rows) if rows.len() == 1), "{rows}");
}
