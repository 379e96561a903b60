//! Every figure equals the value recomputed from the inputs that `explain` shows, and a changed figure
//! is a mismatch.

use duckdb::Connection;
use findata_explain::{
    Explanation, Facts, Figure, answer,
    ask::{FACTS, figures},
    recomputed,
};
use findata_tests::{Home, findata, models};

use super::{home, question, with_facts};

/// Adds to `wrong` the figures of a tree whose value differs from the value recomputed from their
/// inputs. Counts the figures that are equal.
fn collect_mismatches(figure: &Figure, wrong: &mut Vec<String>, compared: &mut usize) {
    if let Some(mismatch) = figure.mismatch {
        wrong.push(format!("{} {}: {:?} {mismatch:?}", figure.label, figure.when(), figure.value));
    }
    if let (Some(value), Some(expression)) = (figure.value, &figure.expression) {
        match recomputed(figure) {
            // The warehouse stores per-share amounts and averages with six decimal places.
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
                    // SPY is a fund, which has no statements.
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
        // Each column is changed by another factor, so no two changes cancel out.
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
fn data_without_versions_causes_no_mismatch_as_of_an_earlier_day() {
    let copy = Home::copy_of(home());
    let change = |sql: &str| Connection::open(copy.warehouse()).unwrap().execute_batch(sql).unwrap();
    let explain = |metric: &str, as_of: &str| {
        findata(&["explain", "KO", metric, "--as-of", as_of, "--json"]).home(&copy).run().json()
    };
    // Later dividends lower the adjusted close of an earlier day.
    let adjusted = explain("adj_close", "2026-03-02");
    assert!(adjusted["value"].as_f64() < adjusted["inputs"][0]["value"].as_f64(), "{adjusted}");
    assert!(adjusted["mismatch"].is_null(), "{adjusted}");
    assert!(
        adjusted["notes"][0].as_str().unwrap().contains("including those after 2026-03-02"),
        "{adjusted}"
    );
    // A later split halves the bars of an earlier day.
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
    // A later run has replaced the profile from which the newest share count was computed.
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
