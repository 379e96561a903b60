//! Tests of the built-in registry and of registries with faults.

use super::*;

#[test]
fn the_built_in_registry_is_sound() {
    let registry = Registry::built_in().unwrap();
    assert!(registry.ratios.len() > 80 && registry.market.len() > 25 && registry.prices.len() > 15);
    assert_eq!(registry.growth_rates().count(), 91);
    let average = registry.ratio("roa_average").unwrap();
    assert_eq!(registry.history(&average.formula), BTreeSet::from([Average::Year]));
}

#[test]
fn units_follow_from_formulas() {
    let registry = Registry::built_in().unwrap();
    let ratio = |name: &str| registry.unit_of(&registry.ratio(name).unwrap().formula).unwrap().to_string();
    let market =
        |name: &str| registry.unit_of(&registry.market_metric(name).unwrap().formula).unwrap().to_string();
    assert_eq!(ratio("gross_margin"), "ratio");
    assert_eq!(ratio("cash_conversion_cycle"), "days");
    assert_eq!(ratio("graham_number"), "money a share");
    assert_eq!(ratio("working_capital"), "money");
    assert_eq!(market("market_cap"), "money");
    assert_eq!(market("enterprise_value"), "money");
    assert_eq!(market("pb_ratio"), "ratio");
    assert_eq!(market("dividends_per_share_ttm"), "money a share");
    assert_eq!(market("shares_outstanding_used"), "shares");
}

#[test]
fn a_market_formula_is_split_into_fundamentals_and_the_day() {
    let registry = Registry::built_in().unwrap();
    let split = |name: &str| {
        let metric = registry.market_metric(name).unwrap();
        let operands: Vec<String> = metric.operands().iter().map(|o| o.expr.to_string()).collect();
        (
            operands.join("; "),
            metric.day_formula().to_string(),
            metric.checked().unwrap().to_string(),
        )
    };
    let of = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(
        split("pb_ratio"),
        of(
            "latest.stockholders_equity / latest.shares",
            "close_price / pb_ratio_operand",
            "latest.stockholders_equity"
        )
    );
    assert_eq!(
        split("earnings_yield"),
        of(
            "ttm.net_income / ttm.shares",
            "earnings_yield_operand / close_price",
            "ttm.net_income / ttm.shares"
        )
    );
    assert_eq!(
        split("dividend_yield"),
        of(
            "ttm.dividends",
            "coalesce(dividends_per_share / close_price, if(dividend_yield_operand = 0, 0, dividend_yield_operand / market_cap))",
            "ttm.dividends"
        )
    );
    assert_eq!(
        split("payout_ratio"),
        of("ttm.dividends / ttm.net_income", "payout_ratio_operand", "ttm.net_income")
    );
    let ev = registry.market_metric("ev_to_ebitda").unwrap();
    assert_eq!(ev.sources(), BTreeSet::from([Source::Ttm]));
    assert_eq!(ev.currency_sources(), BTreeSet::from([Source::Ttm, Source::Latest]));
    assert!(registry.market_metric("payout_ratio").unwrap().currency_sources().is_empty());
}

/// `v_market_metrics_live` scales the metrics of a session by the change of the price, so every scale must be that of
/// the metric's formula.
#[test]
fn live_metrics_scale_as_their_formulas() {
    const PRICE_FACTOR: f64 = 1.5;
    const CAP: f64 = 100.0;
    const VALUE: f64 = 130.0;
    const LIVE_VALUE: f64 = VALUE + CAP * (PRICE_FACTOR - 1.0);
    let models = crate::Models::built_in().unwrap();
    let view = models
        .tables
        .iter()
        .find(|model| model.file == "views/v_market_metrics_live.sql")
        .unwrap();
    let registry = Registry::built_in().unwrap();
    let mut checked = 0;
    for (scale, factor) in [
        (" * price_factor as ", PRICE_FACTOR),
        (" / nullif(price_factor, 0) as ", 1.0 / PRICE_FACTOR),
        (" * value_factor as ", LIVE_VALUE / VALUE),
    ] {
        let metrics = view.sql.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(scale));
        for (metric, column) in metrics {
            assert_eq!(metric, column);
            let formula = registry.market_metric(metric).unwrap().day_formula();
            let at = |price_factor: f64, value: f64| {
                let input = |name: &str| {
                    Some(match name {
                        "close_price" => 20.0 * price_factor,
                        "market_cap" => CAP * price_factor,
                        "enterprise_value" => value,
                        _ => 3.0,
                    })
                };
                formula.evaluate(&input).unwrap()
            };
            let scaled = at(PRICE_FACTOR, LIVE_VALUE) / at(1.0, VALUE);
            assert!((scaled - factor).abs() < 1e-12, "{metric}: {scaled} instead of {factor}");
            checked += 1;
        }
    }
    assert_eq!(checked, 14);
}

#[test]
fn inputs_of_earlier_periods_are_only_for_ratios() {
    let registry = Registry::built_in().unwrap();
    let score = registry.ratio("piotroski_f_score").unwrap();
    assert_eq!(registry.earlier(&score.formula), BTreeSet::from([Earlier::YearAgo, Earlier::TwoYearsAgo]));
    assert!(registry.earlier(&registry.ratio("roa").unwrap().formula).is_empty());
    assert!(registry.ratio_inputs().contains("periods_a_year"));
    assert_eq!(registry.unit("year_ago.shares"), Some(SHARES));
    let market = faults(|files| {
        files.market_metrics +=
            "\n[[metric]]\nname = \"x\"\nabout = \"x\"\nformula = \"market_cap * ttm.periods_a_year\"\n";
    });
    assert!(market.contains("no input ttm.periods_a_year"), "{market}");
    let growth = faults(|files| {
        files.growth_rates += "\n[[growth]]\nfigure = \"piotroski_return\"\nover = [\"yoy\"]\n";
    });
    assert!(growth.contains("only ratios can use the input piotroski_return"), "{growth}");
    for (formula, part) in [
        ("revenue / year_ago.nothing", "no input year_ago.nothing"),
        ("revenue / year_ago.days", "no input year_ago.days"),
        ("revenue / year_ago.periods_a_year", "no input year_ago.periods_a_year"),
    ] {
        let ratio = format!("\n[[ratio]]\nname = \"x\"\nabout = \"x\"\nformula = \"{formula}\"\n");
        let text = faults(|files| files.ratios += &ratio);
        assert!(text.contains(part), "{formula}: {text}");
    }
    let text = faults(|files| {
        files.ratios +=
            "\n[[ratio]]\nname = \"x\"\nabout = \"x\"\nformula = \"ebit / revenue\"\nbases = []\n";
    });
    assert!(text.contains("x: `bases` is empty"), "{text}");
}

#[test]
fn faulty_entries_are_rejected_together() {
    let mut files = Files::built_in();
    files.ratios.push_str(
        "\n[[ratio]]\nname = \"roe\"\nabout = \"x\"\nformula = \"nothing / revenue\"\nfmp = \"no_such_column\"\n\
         [[ratio]]\nname = \"odd\"\nabout = \"x\"\nformula = \"revenue * revenue\"\naliases = [\"P/E\"]\n\
         requires = [{ above_zero = \"revenue\", reason = \"x' or 1=1\" }]\n",
    );
    let text = Registry::parse(&files).unwrap_err().to_string();
    for part in [
        "roe is declared twice",
        "there is no input nothing",
        "no_such_column",
        "revenue * revenue give no unit",
        "\"p/e\" stands for",
        "odd: `x' or 1=1` is not a name",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    files = Files::built_in();
    files
        .market_metrics
        .push_str("\n[[metric]]\nname = \"x\"\nabout = \"x\"\nformula = \"1 +\"\n");
    let text = Registry::parse(&files).unwrap_err().to_string();
    assert!(text.contains("market_metrics.toml") && text.contains("line"), "{text}");
}

/// Returns the faults of the built-in registry after a change of its files.
fn faults(change: impl Fn(&mut Files)) -> String {
    let mut files = Files::built_in();
    change(&mut files);
    Registry::parse(&files).unwrap_err().to_string()
}

#[test]
fn a_ratio_that_cannot_be_computed_as_declared_is_rejected() {
    let ratio = |fields: &str| {
        faults(|files| files.ratios += &format!("\n[[ratio]]\nname = \"x\"\nabout = \"x\"\n{fields}\n"))
    };
    for (fields, part) in [
        ("formula = \"revenue + shares\"", "give no unit"),
        ("formula = \"sqrt(revenue) / revenue\"", "give no unit"),
        ("formula = \"ln(revenue)\"", "give no unit"),
        (
            "formula = \"revenue / total_assets - 1\"\ndenominator = \"equity\"",
            "last operation is a division",
        ),
        ("formula = \"ttm.revenue\"", "no input ttm.revenue"),
    ] {
        let text = ratio(fields);
        assert!(text.contains(part), "{fields}: {text}");
    }
    let nested = (0..9).fold("revenue".to_owned(), |inner, _| format!("min({inner}, revenue)"));
    assert!(ratio(&format!("formula = \"{nested} / revenue\"")).contains("too long"));
    for name in [
        "basis",
        "known_from",
        "revenue_yoy",
        "gross_profit_margin_ttm",
        "prior_x",
        "select",
        "x_reason",
    ] {
        let entry =
            format!("\n[[ratio]]\nname = \"{name}\"\nabout = \"x\"\nformula = \"revenue / revenue\"\n");
        let text = faults(|files| files.ratios += &entry);
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn a_market_metric_that_cannot_be_computed_as_declared_is_rejected() {
    let metric = |fields: &str| {
        faults(|files| {
            files.market_metrics += &format!("\n[[metric]]\nname = \"x\"\nabout = \"x\"\n{fields}\n")
        })
    };
    for (fields, part) in [
        ("formula = \"market_cap / latest.revenue\"", "no input latest.revenue"),
        ("formula = \"market_cap / ttm.year_average_total_assets\"", "no input ttm.year_average"),
        ("formula = \"market_cap / ttm.days\"", "no input ttm.days"),
        ("formula = \"market_cap / growth.nothing_yoy\"", "no input growth.nothing_yoy"),
        ("formula = \"enterprise_value / market_cap\"\nbanks = false", "uses no fundamentals"),
        (
            "formula = \"ttm.ebit / ttm.revenue - 1\"\ndenominator = \"earnings\"",
            "ends with a division",
        ),
        (
            "formula = \"market_cap / ttm.ebit\"\nchecked = \"market_cap\"",
            "not an input of fundamentals",
        ),
    ] {
        let text = metric(fields);
        assert!(text.contains(part), "{fields}: {text}");
    }
}

#[test]
fn inputs_horizons_and_aliases_are_checked() {
    for (entry, part) in [
        ("formula = \"x + revenue\"", "declared above it"),
        ("average_of = \"roa_average\"\nover = \"year\"\nttm = \"t\"", "declared above it"),
        ("formula = \"year_ago.nothing * 2\"", "declared above it"),
        ("formula = \"year_ago.days * 2\"", "declared above it"),
        ("average_of = \"piotroski_return\"\nover = \"year\"\nttm = \"t\"", "declared above it"),
        ("formula = \"revenue\"\nunit = \"money\"", "declare a formula"),
    ] {
        let text = faults(|files| files.inputs += &format!("\n[[input]]\nname = \"x\"\n{entry}\n"));
        assert!(text.contains(part), "{entry}: {text}");
    }
    let overlap = "\n[[horizon]]\nname = \"near\"\nabout = \"x\"\nbases = [\"ttm\"]\n\
                   days = { from = 360, to = 400, target = 401 }\n";
    let text = faults(|files| files.growth_rates += overlap);
    assert!(text.contains("overlap") && text.contains("target"), "{text}");
    let alias = "\n[[ratio]]\nname = \"x\"\nabout = \"x\"\nformula = \"ebit / revenue\"\naliases = [\"Profit-Margin\"]\n";
    assert!(faults(|files| files.ratios += alias).contains("stands for"));
    let alias = alias.replace("Profit-Margin", "Gross margin");
    assert!(faults(|files| files.ratios += &alias).contains("stands for gross_margin"));
    let renamed = |files: &mut Files| {
        files.market_metrics = files.market_metrics.replace("\nname = \"market_cap\"", "\nname = \"cap\"");
    };
    assert!(faults(renamed).contains("the market metric market_cap is missing"));
}

#[test]
fn an_input_needs_existing_columns() {
    let mut files = Files::built_in();
    files.inputs += "\n[[input]]\nname = \"x\"\nperiod = \"no_column\"\nttm = \"no_sum\"\nunit = \"money\"\n";
    let text = crate::Models::of(Registry::parse(&files).unwrap()).unwrap_err().to_string();
    assert!(text.contains("fact_financials has no column no_column"), "{text}");
    assert!(text.contains("fact_financials_ttm has no column no_sum"), "{text}");
}

#[test]
fn only_known_metrics_are_ranked_and_each_once() {
    let with = |text: &str| faults(|files| text.clone_into(&mut files.ranks));
    let text = with("metrics = [\"roe\", \"no_such_ratio\", \"roe\"]");
    assert_eq!(text, "ranks: there is no metric no_such_ratio\nranks: roe is listed twice");
    assert_eq!(with("metrics = []"), "ranks: the list of metrics is empty");
    assert!(with("metric = [\"roe\"]").starts_with("ranks.toml: "));
    let registry = Registry::built_in().unwrap();
    assert_eq!(registry.ranked().count(), registry.ranks.len());
}
