//! The user's metrics on the command line: `--metrics`, `FINDATA_METRICS`, `metrics.toml` in the home, and the stage.

use std::fs;

use findata_tests::{Home, Simulator, findata};

use super::run;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../metrics.example.toml");

const FAULTY: &str = "[[ratio]]
name = 'roe'
about = 'Taken.'
formula = 'net_income / equity'
colour = 'red'

[[input]]
name = 'a'
about = 'x'
formula = 'b + 1'

[[input]]
name = 'b'
about = 'x'
formula = 'a + 1'
";

const FAULTS: [&str; 5] = [
    "line 2: roe: a built-in metric has the name roe; choose another name",
    "line 4: roe: the formula divides by equity: add `denominator` with the rule for it, such as \"positive\", or require it to be above zero",
    "line 4: roe: there is no input equity",
    "line 5: remove `colour`: an entry of this kind can have name, about, formula, denominator, banks, bases, requires, \
     missing, percent, aliases",
    "line 10: the inputs form a cycle: a uses b uses a",
];

#[test]
fn faults_are_listed_with_their_lines_before_a_call() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let file = home.path().join("mine.toml");
    fs::write(&file, FAULTY).unwrap();
    let file = file.to_str().unwrap();
    let plan = || findata(&["plan", "--symbols", "AAPL"]).home(&home).url(server.url());
    let option = |command: findata_tests::Command| command.option("--metrics", file).run();
    let outputs = [
        option(run(&home, &server.url(), "AAPL")),
        option(plan()),
        option(findata(&["explain", "AAPL", "roe"]).home(&home)),
        option(findata(&["dictionary"]).home(&home)),
        option(findata(&["models"]).home(&home)),
    ];
    for output in &outputs {
        let error = output.failed(2);
        let lines: Vec<&str> = error.lines().map(str::trim).collect();
        assert!(
            lines[0].contains("--metrics: ") && lines[0].ends_with("mine.toml has 5 faults:"),
            "{lines:?}"
        );
        assert_eq!(lines[1..], FAULTS);
    }
    // A file that no option names is part of the configuration.
    let variable = plan().variable("FINDATA_METRICS", file).run();
    assert!(variable.failed(5).contains("FINDATA_METRICS: "));
    for place in ["metrics.toml", "stage/state/metrics.toml"] {
        let path = home.path().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, FAULTY).unwrap();
        for output in [plan().run(), run(&home, &server.url(), "AAPL").run()] {
            assert!(output.failed(5).contains("metrics.toml"), "{place}");
        }
        fs::remove_file(path).unwrap();
    }
    for (content, part) in
        [(&b"\xff\xfe"[..], "line 1: this is not UTF-8"), (&[b'#'; 3 << 20], "more than 1 MiB")]
    {
        fs::write(file, content).unwrap();
        let output = option(plan());
        assert!(output.code == Some(2) && output.stderr.contains(part), "{output:#?}");
    }
    for missing in [home.path().join("absent.toml"), home.path().to_owned()] {
        let output = plan().option("--metrics", missing.to_str().unwrap()).run();
        assert!(output.failed(2).contains("--metrics: "), "{output:#?}");
    }
    assert_eq!(server.calls(), 0);
}

#[test]
fn the_users_metrics_are_computed_explained_and_described() {
    let (server, home) = (Simulator::with_symbols(5), Home::new());
    let path = home.path().join("metrics.toml");
    fs::copy(EXAMPLE, &path).unwrap();
    assert_eq!(run(&home, &server.url(), "AAPL,JPM").run().code, Some(0));
    for metric in [
        "greenblatt roc",
        "gross_margin_change",
        "enterprise_value_to_gross_profit",
        "net_cash_to_market_cap",
    ] {
        let json = findata(&["explain", "AAPL", metric, "--json"]).home(&home).run().json();
        assert_eq!(json["table"], "analytics.fact_custom_metrics", "{json:#}");
        assert!(json["value"].is_number() && json["mismatch"].is_null(), "{metric}: {json:#}");
        assert!(!json["inputs"].as_array().unwrap().is_empty(), "{metric}");
    }
    // explain recomputes the value and reports a stored value that differs.
    let change =
        "update analytics.fact_custom_metrics set value = 2 * value where metric = 'gross_margin_change'";
    duckdb::Connection::open(home.warehouse()).unwrap().execute_batch(change).unwrap();
    let json = findata(&["explain", "AAPL", "gross_margin_change", "--json"]).home(&home).run().json();
    assert!(!json["mismatch"].is_null(), "{json:#}");
    let bank = findata(&["explain", "JPM", "gross_margin_change"]).home(&home).run().stdout;
    assert!(bank.contains("NULL: not_meaningful_for_sector"), "{bank}");
    let typo = findata(&["explain", "AAPL", "gross_margin_chang"]).home(&home).run();
    assert!(typo.failed(2).contains("gross_margin_change"), "{typo:#?}");

    let dictionary = findata(&["dictionary"]).home(&home).no_key().run().stdout;
    assert!(dictionary.contains("\n## Custom metrics\n"), "{dictionary}");
    let custom = findata(&["dictionary", "custom", "--json"]).home(&home).no_key().run().json();
    assert_eq!(custom[0]["name"], "return_on_tangible_capital");
    assert!(custom[0]["about"].as_str().unwrap().contains("EBIT ÷ tangible capital"), "{custom:#}");
    let sql = findata(&["models", "new_fact_custom_metrics"]).home(&home).no_key().run().stdout;
    assert!(sql.contains("'gross_margin_change'"), "{sql}");

    // Another entry is known to explain at once, and computed by the next run.
    let more = fs::read_to_string(EXAMPLE).unwrap()
        + "\n[[ratio]]\nname = 'mine'\nabout = 'x'\nformula = 'net_income - ebit'\n";
    fs::write(&path, more).unwrap();
    let explained = findata(&["explain", "AAPL", "mine"]).home(&home).run().stdout;
    assert!(explained.contains("NULL: not_computed"), "{explained}");
    fs::remove_file(&path).unwrap();
    let unknown = findata(&["explain", "AAPL", "gross_margin_change"]).home(&home).run();
    assert!(unknown.failed(2).contains("unknown metric"), "{unknown:#?}");
}
