//! `explain` follows the rules: what it shows gives the stored figures, and it names what is behind a NULL.

use findata_explain::{
    Facts, Figure, answer,
    ask::{Basis, FACTS, Question, figures},
};
use findata_tests::models;

use super::{
    company::{TODAY, day},
    home,
};

fn ask(facts: &Facts<'_>, metric: &str, basis: &str) -> Figure {
    let question = Question {
        symbol: facts.symbol.clone(),
        metric: metric.to_owned(),
        date: Some(day(TODAY)),
        basis: Some(basis.parse::<Basis>().unwrap()),
    };
    answer(facts, &question)
        .unwrap_or_else(|e| panic!("{} {metric}: {e}", facts.symbol))
        .figure
}

fn with_facts<T>(symbol: &str, use_them: impl FnOnce(&Facts<'_>) -> T) -> T {
    let connection = home().open();
    use_them(&Facts::read(&connection, &symbol.parse().unwrap(), None, models()).unwrap())
}

fn mismatches(figure: &Figure) -> Vec<String> {
    let own = figure.mismatch.map(|m| format!("{} {:?} {m:?}", figure.label, figure.value));
    figure.inputs.iter().flat_map(mismatches).chain(own).collect()
}

#[test]
fn no_figure_differs_from_what_explain_shows() {
    for (symbol, table, basis) in [
        ("SPECIAL", "fact_market_metrics", "MARKET"),
        ("STOPPED", "fact_market_metrics", "MARKET"),
        ("NOCASH", "fact_market_metrics", "MARKET"),
        ("RICH", "fact_market_metrics", "MARKET"),
        ("LENDER", "fact_financial_ratios", "TTM"),
        ("OVERTAX", "fact_financial_ratios", "TTM"),
        ("NOCOST", "fact_financial_ratios", "Q"),
        ("SHORT", "fact_financial_ratios", "FY"),
        ("TURNED", "fact_growth_rates", "TTM"),
    ] {
        let wrong = with_facts(symbol, |facts| {
            let mut wrong = Vec::new();
            let of_table = |fact| FACTS.iter().any(|(known, name)| *known == fact && *name == table);
            for (_, metric) in figures(models()).into_iter().filter(|(fact, _)| of_table(*fact)) {
                let figure = ask(facts, metric, basis);
                assert!(figure.value.is_some() || figure.reason.is_some(), "{symbol} {metric} {basis}");
                wrong.extend(mismatches(&figure).into_iter().map(|m| format!("{metric} {basis}: {m}")));
            }
            wrong
        });
        assert!(wrong.is_empty(), "{symbol}: {wrong:#?}");
    }
}

#[test]
fn every_dividend_of_the_twelve_months_is_shown() {
    let dividends = with_facts("SPECIAL", |facts| ask(facts, "dividends_per_share_ttm", "MARKET"));
    let sum = &dividends.inputs[0];
    let shown: Vec<_> = sum
        .inputs
        .iter()
        .map(|d| (d.date.clone().unwrap(), d.value.unwrap(), d.notes.join(",")))
        .collect();
    let of = |date: &str, amount, frequency: &str| (date.to_owned(), amount, frequency.to_owned());
    assert_eq!(
        shown,
        [
            of("2025-11-07", 0.2, "Quarterly"),
            of("2026-02-13", 0.2, "Quarterly"),
            of("2026-02-13", 0.2, "Special"),
            of("2026-02-13", 3.0, "Special"),
            of("2026-05-08", 0.2, "Quarterly"),
            of("2026-08-14", 0.2, "Quarterly"),
        ]
    );
    assert!(sum.inputs.iter().all(|d| d.source.is_some()));
}

#[test]
fn a_null_names_what_is_behind_it() {
    for (symbol, metric, basis, reason, note) in [
        (
            "RICH",
            "ev_to_ebitda",
            "MARKET",
            "negative_enterprise_value",
            "fundamentals to 2026-06-30",
        ),
        (
            "LENDER",
            "ev_to_ebitda",
            "MARKET",
            "not_meaningful_for_sector",
            "interest income exceeds 30 % of revenue",
        ),
        ("NOTHING", "current_ratio", "TTM", "unknown_sector", "sector unknown, industry unknown"),
        ("NOSHEET", "pb_ratio", "MARKET", "stale_fundamentals", "that day ended on 2025-09-30"),
        ("NOCOST", "gross_profit", "Q", "not_reported", ""),
        ("TURNED", "net_income_yoy", "TTM", "negative_base", ""),
    ] {
        let figure = with_facts(symbol, |facts| ask(facts, metric, basis));
        let found = figure.reason.as_ref().unwrap();
        assert_eq!(found.word, reason, "{symbol} {metric}");
        assert!(!found.meaning.contains("without an explanation"), "{reason}");
        assert!(
            note.is_empty() || figure.notes.iter().any(|n| n.contains(note)),
            "{symbol}: {:?}",
            figure.notes
        );
    }
}
