//! `explain` shows where a figure comes from, down to the row that FMP sent.

mod output;
mod recomputation;

use std::sync::OnceLock;

use duckdb::Connection;
use findata_explain::{Facts, answer, ask::Question};
use findata_tests::{Command, Home, Job, Simulator, findata, models};

/// Ordinary companies, and companies whose figures are computed in a special way.
const SYMBOLS: [&str; 14] = [
    "AAPL", "KO", "JPM", "SPY", "MISSQ", "FYCHG", "NEGEQ", "ZEROR", "SEMIA", "EURRP", "SPLIT", "NULLS",
    "HOSTL", "STALE",
];

/// The home of a run of these companies, created once and only read.
fn home() -> &'static Home {
    static HOME: OnceLock<Home> = OnceLock::new();
    HOME.get_or_init(|| {
        let (server, home) = (Simulator::with_symbols(41), Home::new());
        Job::new(server.url(), &SYMBOLS).days(385).run_ok(&home);
        home
    })
}

fn explain(arguments: &[&str]) -> Command {
    findata(&[&["explain"], arguments].concat()).home(home()).no_key()
}

/// The output of `explain`, without the parts that differ from run to run.
fn printed(arguments: &[&str]) -> String {
    let output = explain(arguments).run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    let normalize_words = |line: &str| {
        let word = |word: &str| match word {
            w if w.len() >= 32 && w.bytes().all(|b| b.is_ascii_hexdigit()) => "HASH".to_owned(),
            w if w.starts_with("landing/") => {
                format!("landing/{}/FILE", w.split('/').nth(1).unwrap_or_default())
            }
            w => w.to_owned(),
        };
        line.split(' ').map(word).collect::<Vec<_>>().join(" ")
    };
    // The number of a row depends on the order in which responses arrived.
    let normalize_row = |line: String| match line.split_once("row ") {
        Some((before, rest)) => {
            format!("{before}row N{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => line,
    };
    let kept = output.stdout.lines().filter(|line| !line.trim_start().starts_with("run "));
    kept.map(|line| format!("{}\n", normalize_row(normalize_words(line)))).collect()
}

fn question(symbol: &str, metric: &str, basis: Option<&str>) -> Question {
    Question {
        symbol: symbol.parse().unwrap(),
        metric: metric.into(),
        date: None,
        basis: basis.map(|basis| basis.parse().unwrap()),
    }
}

fn with_facts<T>(symbol: &str, ask: impl FnOnce(&Facts<'_>) -> T) -> T {
    let connection: Connection = home().open();
    ask(&Facts::read(&connection, &symbol.parse().unwrap(), None, models()).unwrap())
}

#[test]
fn an_alias_is_explained_as_its_metric() {
    for (alias, metric) in [
        ("P/E", "pe_ratio_ttm"),
        ("ev/ebitda", "ev_to_ebitda"),
        ("debt/equity", "debt_to_equity"),
        ("return on equity", "roe"),
        ("Return-on Equity", "roe"),
        ("52-week high", "high_52w"),
    ] {
        assert_eq!(printed(&["KO", alias]), printed(&["KO", metric]), "{alias}");
    }
}

#[test]
fn the_source_of_a_figure_is_the_row_on_the_stage() {
    let explanation =
        with_facts("KO", |facts| answer(facts, &question("KO", "revenue", Some("FY"))).unwrap());
    let source = explanation.figure.source.unwrap();
    assert_eq!((source.endpoint.as_str(), source.field.as_str()), ("income-statement", "revenue"));
    let row = home().rows(&format!(
        "select r.payload, f.sha256 from raw.income_statement r join ops.files f on f.source_file = r.source_file \
         where r.source_file = '{}' and r.source_row = {} and r.row_hash = '{}'",
        source.file,
        source.row.unwrap(),
        source.row_hash
    ));
    assert_eq!(row.len(), 1);
    assert_eq!(row[0][1], source.sha256);
    let sent = source.sent.unwrap();
    assert!(row[0][0].as_ref().unwrap().contains(&format!("\"revenue\":{sent}")), "{row:?} {sent}");
    let file = std::fs::read(home().stage().join(&source.file)).unwrap();
    assert_eq!(findata_domain::hash::sha256(&file), source.sha256.unwrap());
}

#[test]
fn a_ratio_is_printed_as_a_tree() {
    let text = printed(&["KO", "gross_margin", "--basis", "FY"]);
    let expected =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/cli/explained/ratio.txt")).unwrap();
    assert_eq!(text, expected, "\n{text}");
    let wide = printed(&["AAPL", "enterprise_value"]);
    for line in wide.lines().filter(|line| !line.contains("landing/")) {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn a_market_metric_is_printed_as_a_tree() {
    let text = printed(&["KO", "pe_ratio_ttm", "--date", "2026-09-13"]);
    let expected =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/cli/explained/market.txt")).unwrap();
    assert_eq!(text, expected, "\n{text}");
}

#[test]
fn a_null_is_explained_by_its_reason() {
    let text = printed(&["MISSQ", "net_margin", "--date", "2026-03-01"]);
    let expected =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/cli/explained/null.txt")).unwrap();
    assert_eq!(text, expected, "\n{text}");
    for (arguments, parts) in [
        (&["JPM", "current_ratio"][..], &["not_meaningful_for_sector", "Financial Services"][..]),
        (&["NEGEQ", "debt_to_equity"], &["negative_equity", "stockholders equity = -"]),
        (&["EURRP", "pe_ratio_ttm"], &["currency_mismatch", "reported in EUR, quoted in USD"]),
        (
            &["STALE", "ev_to_ebitda"],
            &["stale_fundamentals", "the newest period known that day ended on"],
        ),
        (&["NULLS", "interest_expense"], &["missing_input", "FMP sent null"]),
        (
            &["NULLS", "interest_coverage", "--basis", "FY"],
            &["missing_input", "missing: interest expense", "FMP sent null"],
        ),
        (
            &["KO", "return_252d", "--date", "2025-12-01"],
            &["insufficient_history", "of 253 sessions are available"],
        ),
        (&["KO", "revenue_cagr_5y", "--basis", "Q"], &["not_applicable_to_basis"]),
    ] {
        let text = printed(arguments);
        for part in parts {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }
}

#[test]
fn a_date_selects_what_was_known_on_it() {
    let json = |arguments: &[&str]| explain(arguments).arg("--json").run().json();
    let newest = json(&["AAPL", "net_margin"]);
    let known_on = newest["known_on"].as_str().unwrap().to_owned();
    let on = json(&["AAPL", "net_margin", "--date", &known_on]);
    assert_eq!(on["date"], newest["date"]);
    let day_before = known_on.parse::<chrono::NaiveDate>().unwrap().pred_opt().unwrap().to_string();
    let before = json(&["AAPL", "net_margin", "--date", &day_before]);
    assert!(before["date"].as_str() < newest["date"].as_str(), "{before}");
    let sunday = json(&["AAPL", "close_price", "--date", "2026-09-13"]);
    assert_eq!(sunday["date"], "2026-09-11");
    assert!(
        sunday["notes"][0].as_str().unwrap().contains("no trading session on 2026-09-13"),
        "{sunday}"
    );
    // With `--as-of`, the figure is the one that was known on the earlier day. A filing accepted after
    // the close is known that evening, and counts from the next day.
    let earlier = known_on.parse::<chrono::NaiveDate>().unwrap() - chrono::Days::new(3);
    let as_of = json(&["AAPL", "net_margin", "--as-of", &earlier.to_string()]);
    assert_eq!(
        (&as_of["as_of"], &as_of["date"]),
        (&earlier.to_string().into(), &before["date"]),
        "{as_of}"
    );
    assert_eq!(as_of["value"], before["value"]);
}
