//! `explain` shows where a figure comes from, down to the row that FMP sent.

use std::sync::OnceLock;

use duckdb::Connection;
use findata_explain::{
    Explanation, Facts, Figure, answer,
    ask::{FACTS, Question, figures},
    recomputed,
};
use findata_tests::{Command, Home, Job, Simulator, findata, models};

/// Ordinary companies, and companies whose figures are computed in a special way.
const SYMBOLS: [&str; 14] = [
    "AAPL", "KO", "JPM", "SPY", "MISSQ", "FYCHG", "NEGEQ", "ZEROR", "SEMIA", "EURRP", "SPLIT", "NULLS",
    "HOSTL", "STALE",
];

/// Created once and only read.
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

/// The output without the parts that differ from run to run.
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
    // The row number depends on which response arrived first.
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

/// Collects the figures of a tree whose value differs from the value recomputed from their inputs,
/// and counts the comparisons.
fn collect_mismatches(figure: &Figure, wrong: &mut Vec<String>, compared: &mut usize) {
    if let Some(mismatch) = figure.mismatch {
        wrong.push(format!("{} {}: {:?} {mismatch:?}", figure.label, figure.when(), figure.value));
    }
    if let (Some(value), Some(expression)) = (figure.value, &figure.expression) {
        match recomputed(figure) {
            // Per-share amounts and averages are stored with six decimal places.
            Some(recalculated)
                if (recalculated - value).abs() <= 1e-9 * value.abs().max(recalculated.abs()) + 1e-6 =>
            {
                *compared += 1
            }
            recalculated => wrong.push(format!(
                "{} {}: {value} is not {expression} = {recalculated:?}",
                figure.label,
                figure.when()
            )),
        }
    }
    for input in &figure.inputs {
        collect_mismatches(input, wrong, compared);
    }
}

#[test]
fn every_ratio_and_growth_rate_can_be_recomputed_from_the_inputs_shown() {
    let (mut wrong, mut compared, mut nulls) = (Vec::new(), 0, 0);
    for symbol in ["KO", "MISSQ", "SEMIA", "SPLIT", "NULLS"] {
        with_facts(symbol, |facts| {
            for (table, bases) in [
                ("fact_financial_ratios", &["TTM", "FY", "Q"][..]),
                ("fact_growth_rates", &["TTM", "FY", "Q"][..]),
            ] {
                for column in models().columns(table).iter().filter(|c| c.is_figure()) {
                    for basis in bases {
                        let Ok(explanation) = answer(facts, &question(symbol, &column.name, Some(basis)))
                        else {
                            continue;
                        };
                        let figure = &explanation.figure;
                        match (figure.value, recomputed(figure)) {
                            (Some(value), Some(recalculated))
                                if (recalculated - value).abs() <= 1e-9 * value.abs() => {}
                            (None, _) => {
                                nulls += 1;
                                assert!(figure.reason.is_some(), "{symbol} {} {basis}", column.name);
                                continue;
                            }
                            other => wrong.push(format!("{symbol} {} {basis}: {other:?}", column.name)),
                        }
                        collect_mismatches(figure, &mut wrong, &mut compared);
                    }
                }
            }
        });
    }
    assert!(wrong.is_empty(), "{} of {compared}: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
    assert!(compared > 2_500 && nulls > 150, "{compared} {nulls}");
}

#[test]
fn every_figure_of_every_table_can_be_explained() {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for symbol in ["AAPL", "SPLIT", "SPY"] {
        with_facts(symbol, |facts| {
            for (fact, metric) in figures(models()) {
                let table = FACTS.iter().find(|(known, _)| *known == fact).unwrap().1;
                let basis = match table {
                    "fact_daily_prices" => Some("PRICE"),
                    "fact_market_metrics" => Some("MARKET"),
                    "fact_financials_ttm" => Some("TTM"),
                    _ => None,
                };
                let explanation: Explanation = match answer(facts, &question(symbol, metric, basis)) {
                    Ok(explanation) => explanation,
                    // A fund has no statements.
                    Err(error) if symbol == "SPY" => {
                        assert!(error.to_string().contains("SPY has no known period"), "{error}");
                        continue;
                    }
                    Err(error) => panic!("{symbol} {metric}: {error}"),
                };
                let figure = &explanation.figure;
                if figure.table.as_deref() != Some(&format!("analytics.{table}")) {
                    wrong.push(format!("{symbol} {metric}: {:?} is not {table}", figure.table));
                }
                let explained =
                    figure.formula.is_some() || figure.source.is_some() || figure.reason.is_some();
                if !explained || (figure.value.is_some() && figure.unit.is_none()) {
                    wrong.push(format!("{symbol} {table}.{metric}: {figure:?}"));
                }
                collect_mismatches(figure, &mut wrong, &mut compared);
            }
        });
    }
    assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(20)]);
    assert!(compared > 1_000, "{compared}");
}

#[test]
fn a_stored_figure_that_was_changed_by_hand_is_a_mismatch() {
    let copy = Home::copy_of(home());
    let connection = Connection::open(copy.warehouse()).unwrap();
    let (mut unnoticed, mut changed) = (Vec::new(), 0);
    for (fact, table) in FACTS {
        let (stored, current) = match table {
            "fact_daily_prices" => (table.to_owned(), "true"),
            _ => (format!("{table}_history"), "known_to is null"),
        };
        // Every column changes differently, so that no two changes cancel out.
        let columns = (1..).zip(models().columns(table).iter().filter(|c| c.is_figure()));
        let changes = columns.map(|(n, c)| format!("{0} = {0} * 1.{n:03} + 1", c.name)).collect::<Vec<_>>();
        connection
            .execute_batch(&format!(
                "begin transaction; \
                 update analytics.{stored} set {} where symbol = 'AAPL' and {current}",
                changes.join(", ")
            ))
            .unwrap();
        let facts = Facts::read(&connection, &"AAPL".parse().unwrap(), None, models()).unwrap();
        for (_, metric) in figures(models()).into_iter().filter(|(known, _)| *known == fact) {
            let basis = match table {
                "fact_daily_prices" => "PRICE",
                "fact_market_metrics" => "MARKET",
                "fact_financials" => "FY",
                _ => "TTM",
            };
            let figure = answer(&facts, &question("AAPL", metric, Some(basis))).unwrap().figure;
            if figure.value.is_some() {
                changed += 1;
                if figure.mismatch.is_none() {
                    unnoticed.push(format!("{table}.{metric}: {:?} {:?}", figure.value, figure.formula));
                }
            }
        }
        drop(facts);
        connection.execute_batch("rollback").unwrap();
    }
    assert!(unnoticed.is_empty(), "{} of {changed}: {unnoticed:#?}", unnoticed.len());
    assert!(changed > 400, "{changed}");
}

#[test]
fn a_mismatch_is_printed() {
    let copy = Home::copy_of(home());
    Connection::open(copy.warehouse())
        .unwrap()
        .execute_batch(
            "update analytics.fact_market_metrics_history set volatility_30d = 0.5 where symbol = 'KO'; \
             update analytics.fact_financials_ttm_history set ttm_revenue = 1 where symbol = 'KO'",
        )
        .unwrap();
    let text = findata(&["explain", "KO", "volatility_30d"]).home(&copy).run().stdout;
    assert!(text.contains("= 0.5\n") && text.contains("MISMATCH: the inputs give 0."), "{text}");
    let json = findata(&["explain", "KO", "net_margin", "--json"]).home(&copy).run().json();
    let revenue = &json["inputs"][1];
    assert_eq!(revenue["value"], 1.0);
    assert!(revenue["mismatch"]["recomputed"].as_f64().unwrap() > 1e9, "{revenue}");
    assert_eq!(json["mismatch"]["recomputed"], json["inputs"][0]["value"]);
}

#[test]
fn what_has_no_versions_is_no_mismatch_as_of_an_earlier_day() {
    let copy = Home::copy_of(home());
    let change = |sql: &str| Connection::open(copy.warehouse()).unwrap().execute_batch(sql).unwrap();
    let explain = |metric: &str, as_of: &str| {
        findata(&["explain", "KO", metric, "--as-of", as_of, "--json"]).home(&copy).run().json()
    };
    // Dividends after the day have lowered its adjusted close.
    let adjusted = explain("adj_close", "2026-03-02");
    assert!(adjusted["value"].as_f64() < adjusted["inputs"][0]["value"].as_f64(), "{adjusted}");
    assert!(adjusted["mismatch"].is_null(), "{adjusted}");
    assert!(
        adjusted["notes"][0].as_str().unwrap().contains("including those after 2026-03-02"),
        "{adjusted}"
    );
    // A split after the day has halved its bars.
    change("update analytics.fact_daily_prices set close_price = close_price / 2 where symbol = 'KO'");
    for metric in ["close_price", "market_cap", "sma_50"] {
        assert!(!explain(metric, "2026-09-11")["mismatch"].is_null(), "{metric}");
    }
    change(
        "insert into staging.splits (symbol, split_date, numerator, denominator) values ('KO', '2026-09-14', 2, 1)",
    );
    for metric in ["close_price", "market_cap", "sma_50"] {
        let figure = explain(metric, "2026-09-11");
        assert!(figure["mismatch"].is_null(), "{figure}");
        assert!(figure["notes"].to_string().contains("bars are on the newest split basis"), "{figure}");
    }
    // The profile behind the newest share count has been replaced.
    change("update staging.profile set market_cap = 1, observed_at = '2026-09-20' where symbol = 'KO'");
    let shares = explain("shares_outstanding_used", "2026-09-18");
    assert!(shares["mismatch"].is_null(), "{shares}");
    assert!(
        shares["inputs"][0]["notes"][0].as_str().unwrap().contains("has been replaced since"),
        "{shares}"
    );
}

#[test]
fn every_price_metric_is_recomputed_on_every_session() {
    let sessions = home().lines(
        "select price_date from analytics.fact_daily_prices where symbol = 'AAPL' order by price_date desc",
    );
    let (mut wrong, mut compared, mut windows) = (Vec::new(), 0, 0);
    for symbol in ["AAPL", "SPLIT"] {
        with_facts(symbol, |facts| {
            for session in sessions.iter().step_by(33) {
                for metric in &models().registry.prices {
                    let mut question = question(symbol, &metric.name, Some("MARKET"));
                    question.date = Some(session.parse().unwrap());
                    let figure = answer(facts, &question).unwrap().figure;
                    windows += usize::from(figure.value.is_some());
                    collect_mismatches(&figure, &mut wrong, &mut compared);
                }
            }
        });
    }
    assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(20)]);
    assert!(windows > 90, "{windows}");
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
    // As of an earlier day, the same question gets that day's answer. A filing accepted after the
    // close is known that evening and counts from the next day.
    let earlier = known_on.parse::<chrono::NaiveDate>().unwrap() - chrono::Days::new(3);
    let as_of = json(&["AAPL", "net_margin", "--as-of", &earlier.to_string()]);
    assert_eq!(
        (&as_of["as_of"], &as_of["date"]),
        (&earlier.to_string().into(), &before["date"]),
        "{as_of}"
    );
    assert_eq!(as_of["value"], before["value"]);
}

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
