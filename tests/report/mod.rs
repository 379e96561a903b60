//! `report` writes one file that needs no network and whose figures equal those of the tables. The
//! module `browser` opens the files in Chromium.

mod browser;
mod requests;

use std::{collections::BTreeMap, fs, path::PathBuf, sync::OnceLock};

use duckdb::Connection;
use findata_tests::{Command, Home, Job, Simulator, findata};
use serde_json::Value;

const SYMBOLS: [&str; 8] = ["AAPL", "KO", "JPM", "SPY", "NEGEQ", "HOSTL", "SPLIT", "IPOED"];

/// A company name that would run a script or end the data, if the page took it for markup.
const HOSTILE: &str = "</script><img src=x onerror=\"hacked = 1\"><!-- & {{data}} \u{2028}\u{202e}=1+1";

/// The home of two runs, with figures compared with FMP's. The second run makes no calls.
fn home() -> &'static Home {
    static HOME: OnceLock<Home> = OnceLock::new();
    HOME.get_or_init(|| {
        let (server, home) = (Simulator::with_symbols(41), Home::new());
        let job = Job::new(server.url(), &SYMBOLS).days(500).with(|options| options.reconcile = true);
        job.run_ok(&home);
        job.run_ok(&home);
        // One company gets a hostile name, and another one gets suspect figures.
        let connection = Connection::open(home.warehouse()).unwrap();
        connection
            .execute("update analytics.dim_company set company_name = ? where symbol = 'HOSTL'", [HOSTILE])
            .unwrap();
        let suspect = "set is_suspect = true, suspect_reason = 'unbalanced' where symbol = 'KO'";
        for table in ["fact_market_metrics_history", "fact_financial_ratios_history"] {
            connection.execute_batch(&format!("update analytics.{table} {suspect}")).unwrap();
        }
        home
    })
}

fn report(arguments: &[&str]) -> Command {
    findata(&[&["report"], arguments].concat()).no_key()
}

/// Writes a report to a new file and returns its path and text.
fn written(name: &str, symbols: &[&str]) -> (PathBuf, String) {
    let path = home().path().join(name);
    let output = report(symbols).home(home()).option("--output", &path).run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert!(output.stdout.starts_with(&format!("wrote {} (", path.display())), "{output:#?}");
    let page = fs::read_to_string(&path).unwrap();
    (path, page)
}

/// The report about all companies.
fn universe() -> &'static (PathBuf, String) {
    static PAGE: OnceLock<(PathBuf, String)> = OnceLock::new();
    PAGE.get_or_init(|| written("universe.html", &[]))
}

/// The report about a few companies.
fn companies() -> &'static (PathBuf, String) {
    static PAGE: OnceLock<(PathBuf, String)> = OnceLock::new();
    PAGE.get_or_init(|| written("companies.html", &["AAPL", "HOSTL", "KO", "SPY", "JPM"]))
}

/// The data inside a page.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}

fn company<'a>(data: &'a Value, symbol: &str) -> &'a Value {
    data["companies"].as_array().unwrap().iter().find(|c| c["symbol"] == symbol).unwrap()
}

#[test]
fn a_report_is_one_file_that_loads_nothing() {
    for (path, page) in [universe(), companies()] {
        let name = path.display();
        let (head, _) = page.split_once("id=\"data\"").unwrap();
        for loads in ["src=", "href=", "@import", "url(", "<link", "<iframe", "<object"] {
            assert!(!head.contains(loads), "{name} has {loads}");
        }
        assert!(head.contains("default-src 'none'"), "the policy forbids requests");
        assert_eq!(page.matches("</script>").count(), 2, "no data ends a script");
        assert!(page.contains("The MIT License (MIT)"), "the licence of the chart library");
        for adds_markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!page.contains(adds_markup), "{name} has {adds_markup}");
        }
        for fetches in ["fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon", "import("] {
            assert!(!page.contains(fetches), "{name} has {fetches}");
        }
    }
}

#[test]
fn hostile_names_keep_their_text() {
    let (_, page) = universe();
    let data = data(page);
    assert_eq!(company(&data, "HOSTL")["name"], HOSTILE);
    assert!(!page.contains("<img") && !page.contains('\u{2028}'));
}

#[test]
fn the_figures_equal_those_of_the_tables() {
    let (_, page) = universe();
    let data = data(page);
    assert_eq!(data["companies"].as_array().unwrap().len(), SYMBOLS.len());
    let figures = data["figures"].as_array().unwrap();
    assert!(figures.len() >= 40, "{} figures", figures.len());
    let at = |name: &str| figures.iter().position(|figure| figure["name"] == name).unwrap();
    let newest = |table: &str, only: &str, date: &str, name: &str, symbol: &str| {
        home().figure(&format!(
            "select {name} from analytics.{table} where symbol = '{symbol}' {only} order by {date} desc limit 1"
        ))
    };
    let mut compared = BTreeMap::new();
    for symbol in SYMBOLS {
        let values = &company(&data, symbol)["v"];
        for (table, only, date, names) in [
            (
                "fact_market_metrics",
                "",
                "metric_date",
                &["pe_ratio_ttm", "market_cap", "close_price"][..],
            ),
            ("fact_financial_ratios", "and basis = 'TTM'", "fiscal_date", &["roe", "net_margin"][..]),
            ("fact_growth_rates", "and basis = 'TTM'", "fiscal_date", &["revenue_yoy"][..]),
            ("fact_financials_ttm", "", "fiscal_date", &["ttm_revenue"][..]),
        ] {
            // A fund has no statements, so these tables have no row of it.
            if symbol == "SPY" && table != "fact_market_metrics" {
                continue;
            }
            for name in names {
                let stored = newest(table, only, date, name, symbol);
                let shown = values[at(name)].as_f64();
                // The database writes a decimal with 16 digits as JSON.
                let is_same = match (shown, stored) {
                    (Some(shown), Some(stored)) => (shown - stored).abs() <= 1e-14 * stored.abs(),
                    (shown, stored) => shown == stored,
                };
                assert!(is_same, "{symbol} {name}: {shown:?} instead of {stored:?}");
                *compared.entry(*name).or_insert(0) += usize::from(stored.is_some());
            }
        }
    }
    assert!(compared.values().all(|n| *n >= 5), "{compared:?}");
    // A NULL has the reason that the warehouse gives.
    let reason = home().text(
        "select reason from analytics.metric_nulls where symbol = 'NEGEQ' and metric = 'roe' and basis = 'TTM' \
         order by subject_date desc limit 1",
    );
    assert_eq!(company(&data, "NEGEQ")["r"][at("roe").to_string()], reason.as_str());
    assert_eq!(company(&data, "KO")["s"][at("pe_ratio_ttm").to_string()][0], "unbalanced");
    assert!(company(&data, "AAPL")["s"].as_object().unwrap().is_empty());
}

#[test]
fn the_inputs_give_the_figures() {
    let (_, page) = universe();
    let data = data(page);
    let apple = company(&data, "AAPL");
    let without = apple["h"].as_array().unwrap();
    assert!(without.is_empty(), "figures without inputs: {without:?}");
    let figures = data["figures"].as_array().unwrap();
    let figure = |name: &str| {
        let at = figures.iter().position(|figure| figure["name"] == name).unwrap();
        let inputs = figures[at]["inputs"].as_array().unwrap().iter();
        let inputs: Vec<f64> =
            inputs.map(|n| apple["x"][n.as_u64().unwrap() as usize].as_f64().unwrap()).collect();
        (apple["v"][at].as_f64().unwrap(), inputs)
    };
    let (value, inputs) = figure("pe_ratio_ttm");
    assert!((inputs[0] / inputs[1] - value).abs() < 1e-9 * value, "{inputs:?} {value}");
    let (value, inputs) = figure("ttm_revenue");
    assert_eq!((inputs.len(), inputs.iter().sum::<f64>()), (4, value));
    let (value, inputs) = figure("revenue_yoy");
    assert!(((inputs[0] - inputs[1]) / inputs[1] - value).abs() < 1e-9, "{inputs:?} {value}");
}

#[test]
fn the_runs_coverage_and_quality_equal_the_tables() {
    let (_, page) = universe();
    let data = data(page);
    let runs = data["runs"].as_array().unwrap();
    assert_eq!(runs.len() as i64, home().count("select count(*) from ops.runs"));
    assert_eq!(runs[1]["calls"], 0);
    assert_eq!(runs[1]["run_id"], home().text("select max(run_id) from ops.runs"));
    assert!(runs[0]["calls_per_symbol"].as_f64().unwrap() > 5.0);
    assert_eq!(data["coverage"]["companies"], SYMBOLS.len());
    assert_eq!(data["coverage"]["with_prices"], SYMBOLS.len());
    let flagged = home().count("select count(*) from ops.quality where status = 'flag'");
    assert_eq!(data["quality"]["flagged"], flagged);
    let checks = data["quality"]["checks"].as_array().unwrap();
    let passed: i64 = checks.iter().map(|check| check["pass"].as_i64().unwrap()).sum();
    assert_eq!(passed, home().count("select count(*) from ops.quality where status = 'pass'"));
    let quarantined = home().count("select count(*) from ops.quarantine");
    assert_eq!(data["quality"]["quarantined"], quarantined);
}

#[test]
fn a_company_report_has_the_explanations_of_explain() {
    let (_, page) = companies();
    let data = data(page);
    let apple = company(&data, "AAPL");
    let figures = apple["figures"].as_array().unwrap();
    for (name, basis) in [("pe_ratio_ttm", "MARKET"), ("roic", "TTM"), ("revenue_yoy", "TTM")] {
        let at = figures.iter().find(|figure| figure["name"] == name).unwrap()["at"].as_u64().unwrap();
        let node = &apple["explanations"]["nodes"][at as usize];
        let arguments = ["explain", "AAPL", name, "--basis", basis, "--json"];
        let explained = findata(&arguments).home(home()).no_key().run().json();
        for field in ["value", "formula", "date", "basis", "unit"] {
            assert_eq!(node[field], explained[field], "{name} {field}");
        }
        assert_eq!(node["inputs"].as_array().unwrap().len(), explained["inputs"].as_array().unwrap().len());
    }
    let closes = apple["daily"]["close"].as_str().unwrap().split(',').count();
    let sessions = home().count("select count(*) from analytics.fact_market_metrics where symbol = 'AAPL'");
    assert_eq!(closes as i64, sessions);
    let comparison = apple["comparison"].as_array().unwrap();
    assert!(comparison.iter().any(|row| row["status"] == "pass" && row["at"].is_u64()));
    assert_eq!(company(&data, "KO")["suspicions"][0], "unbalanced");
}
