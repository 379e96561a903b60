//! Tests of the user's metrics file.

use crate::{Models, metrics::Registry};

const EXAMPLE: &str = include_str!("../../../../../../metrics.example.toml");

fn read(text: &str) -> Result<Registry, Vec<String>> {
    let built_in = Registry::built_in().unwrap();
    built_in.with_custom(text.as_bytes(), "m.toml").map_err(|error| {
        let text = error.to_string();
        text.lines().map(|line| line.trim().to_owned()).collect()
    })
}

/// Returns the faults of a file, without the first line, which counts them.
fn faults(text: &str) -> Vec<String> {
    let mut lines = read(text).unwrap_err();
    let first = lines.remove(0);
    let count = if lines.len() == 1 {
        "a fault".to_owned()
    } else {
        format!("{} faults", lines.len())
    };
    assert_eq!(first, format!("m.toml has {count}:"));
    lines
}

/// Returns the only fault of a file.
fn fault(text: &str) -> String {
    let found = faults(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

fn ratio(name: &str, formula: &str, more: &str) -> String {
    format!("[[ratio]]\nname = '{name}'\nabout = 'x'\nformula = '{formula}'\n{more}\n")
}

fn input(name: &str, formula: &str) -> String {
    format!("[[input]]\nname = '{name}'\nabout = 'x'\nformula = '{formula}'\n")
}

fn metric(formula: &str, more: &str) -> String {
    format!("[[metric]]\nname = 'mine'\nabout = 'x'\nformula = '{formula}'\n{more}\n")
}

#[test]
fn the_example_has_metrics_of_both_kinds_and_changes_no_built_in_metric() {
    let registry = read(EXAMPLE).unwrap();
    assert!(registry.custom.ratios.len() >= 2 && registry.custom.market.len() >= 2);
    let built_in = Models::built_in().unwrap();
    let models = Models::of(registry).unwrap();
    assert_eq!(models.tables, built_in.tables);
    let sql =
        |models: &Models, file: &str| models.models.iter().find(|m| m.file == file).unwrap().sql.clone();
    for file in [
        "4_ratios/4_new_fact_financial_ratios_history.sql",
        "7_valuation/4_valuation_operands.sql",
        "7_valuation/10_new_fact_market_metrics_history.sql",
    ] {
        assert_eq!(sql(&models, file), sql(built_in, file), "{file}");
    }
    let added: Vec<&str> = models.models.iter().map(|m| m.file).filter(|file| !has(built_in, file)).collect();
    assert_eq!(
        added,
        [
            "4_ratios/5_custom_ratios.sql",
            "7_valuation/5_custom_operands.sql",
            "7_valuation/11_custom_market_metrics.sql",
            "7_valuation/12_new_fact_custom_metrics.sql",
        ]
    );
}

fn has(models: &Models, file: &str) -> bool {
    models.models.iter().any(|model| model.file == file)
}

#[test]
fn a_file_without_entries_adds_no_model() {
    let models = Models::of(read("\u{feff}# nothing yet\n").unwrap()).unwrap();
    assert_eq!(models, *Models::built_in().unwrap());
}

#[test]
fn only_the_models_of_the_declared_kinds_are_added() {
    let of = |text: &str| Models::of(read(text).unwrap()).unwrap();
    let ratios = of(&ratio("mine", "net_income - ebit", ""));
    assert!(has(&ratios, "4_ratios/5_custom_ratios.sql"));
    assert!(!has(&ratios, "7_valuation/11_custom_market_metrics.sql"));
    let market = of(&metric("close_price * shares", ""));
    assert!(
        !has(&market, "4_ratios/5_custom_ratios.sql") && !has(&market, "7_valuation/5_custom_operands.sql")
    );
    assert!(has(&market, "7_valuation/12_new_fact_custom_metrics.sql"));
}

#[test]
fn every_fault_is_reported_with_its_line() {
    let text = "growth = 1\n\
        [[ratio]]\nname = 'own_one'\nabout = 'x'\nformula = 'nothing - net_income'\nheading = 'x'\n\
        [[ratio]]\nname = 'two'\nformula = 'net_income +'\nbanks = 'no'\n\
        [[metric]]\nname = 'three'\nabout = ''\nformula = 'ttm.revenue'\nrequires = [{ above_zero = 'ttm.revenue' }]\n";
    let found = faults(text);
    for (line, part) in [
        (1, "unknown key growth: an entry begins with [[ratio]], [[metric]] or [[input]]"),
        (5, "own_one: there is no input nothing"),
        (6, "remove `heading`: only built-in entries"),
        (7, "add `about`"),
        (9, "`formula`: formula \"net_income +\""),
        (10, "`banks`: invalid type"),
        (11, "`about` is empty"),
        (15, "`requires`: missing field `reason`"),
    ] {
        let is_it = |fault: &&String| fault.starts_with(&format!("line {line}: ")) && fault.contains(part);
        assert!(found.iter().any(|fault| is_it(&fault)), "line {line}, {part}: {found:#?}");
    }
    assert_eq!(found.len(), 8, "{found:#?}");
}

#[test]
fn formulas_are_checked() {
    for (text, line, part) in [
        (ratio("mine", "nothing - net_income", ""), 4, "there is no input nothing"),
        (ratio("mine", "ttm.revenue", ""), 4, "there is no input ttm.revenue"),
        (ratio("mine", "net_income + shares", ""), 4, "give no unit"),
        (ratio("mine", "net_income / revenue", ""), 4, "divides by revenue: add `denominator`"),
        (ratio("mine", "1 + net_income / revenue", ""), 4, "divides by revenue: add `denominator`"),
        (ratio("mine", "net_income / 2", "denominator = 'any'"), 5, "remove `denominator`"),
        (ratio("mine", "net_income", "bases = []"), 5, "`bases` is empty"),
        (ratio("mine", "net_income", "bases = ['month']"), 5, "unknown variant `month`"),
        (ratio("mine", "net_income", "missing = 'x, y'"), 5, "`x, y` is not a name"),
        (
            ratio("mine", "net_income", "requires = [{ above_zero = 'gone', reason = 'x' }]"),
            5,
            "there is no input gone",
        ),
        (
            ratio("mine", "net_income", "requires = [{ above_zero = 'ebit', reason = '1=1' }]"),
            5,
            "`1=1` is not a name",
        ),
        (ratio("mine", "mine + net_income", ""), 4, "mine: mine is a metric"),
        (ratio("mine", "roe + 1", ""), 4, "mine: roe is a metric"),
        (metric("market_cap / latest.revenue", "denominator = 'any'"), 4, "no input latest.revenue"),
        (metric("market_cap / ttm.revenue", ""), 4, "divides by ttm.revenue: add `denominator`"),
        (metric("ttm.revenue / market_cap", ""), 4, "divides by market_cap: add `denominator`"),
        (metric("close_price", "banks = false"), 4, "uses no fundamentals"),
        (
            metric("close_price", "checked = 'shares'\ndenominator = 'positive'"),
            5,
            "not an input of fundamentals",
        ),
    ] {
        let found = fault(&text);
        assert!(found.starts_with(&format!("line {line}: ")) && found.contains(part), "{text}{found}");
    }
    assert!(read(&ratio("mine", "net_income / 2", "")).is_ok());
    let required = "requires = [{ above_zero = 'revenue', reason = 'no_revenue' }]";
    assert!(read(&ratio("mine", "1 + net_income / revenue", required)).is_ok());
    assert!(read(&metric("close_price / dividends_per_share", "denominator = 'positive'")).is_ok());
}

#[test]
fn names_and_aliases_do_not_clash() {
    for (name, part) in [
        ("roe", "a built-in metric has the name roe"),
        ("revenue_yoy", "a built-in metric has the name"),
        ("pe_ratio_ttm", "a built-in metric has the name"),
        ("beta", "\"beta\" is an alias of the built-in metric"),
        ("goodwill", "statements or prices have a figure"),
        ("ttm_goodwill", "statements or prices have a figure"),
        ("close_price", "a column of this name exists already"),
        ("metric", "word of SQL"),
        ("x_reason", "the models use such names"),
        ("x_suspect", "the models use such names"),
        ("Mine", "not a name"),
        ("x'", "not a name"),
        ("select", "word of SQL"),
    ] {
        let text = format!("\n[[ratio]]\nname = \"{name}\"\nabout = 'x'\nformula = 'net_income'\n");
        let found = faults(&text).join("\n");
        assert!(found.contains("line 3: ") && found.contains(part), "{name}: {found}");
    }
    let twice = ratio("mine", "net_income", "") + &metric("ttm.revenue", "");
    assert_eq!(fault(&twice), "line 7: mine: the metric in line 2 has the name mine; choose another name");
    for (alias, part) in [
        ("P/E", "is taken, because \"p/e\" is an alias of the built-in metric"),
        ("Gross Margin", "is taken, because a built-in metric has the name gross_margin"),
        ("revenue", "statements or prices have a figure"),
        (" - ", "an alias is empty"),
    ] {
        let found = fault(&ratio("mine", "net_income", &format!("aliases = ['{alias}']")));
        assert!(found.starts_with("line 5: ") && found.contains(part), "{alias}: {found}");
    }
}

#[test]
fn inputs_are_used_in_any_order_and_may_not_form_a_cycle() {
    let sound = input("sum_x", "income_x + ebit") + &input("income_x", "net_income * 2");
    let registry = read(&(sound.clone() + &ratio("mine", "sum_x - year_ago.income_x", ""))).unwrap();
    let names: Vec<&str> = registry.inputs.iter().rev().take(2).map(|input| input.name.as_str()).collect();
    assert_eq!(names, ["sum_x", "income_x"]);
    let cycle = input("a", "b + 1") + &input("b", "c + 1") + &input("c", "a + 1") + &input("d", "c * 2");
    let found = fault(&(cycle + &ratio("mine", "d", "")));
    assert_eq!(found, "line 4: the inputs form a cycle: a uses b uses c uses a");
    assert_eq!(fault(&input("a", "a + 1")), "line 4: the inputs form a cycle: a uses a");
    for (text, part) in [
        (input("a", "nothing + 1"), "a: there is no input nothing"),
        (input("a", "ebit / revenue"), "a: an input has no rule for its divisor revenue"),
        (input("revenue", "ebit"), "there is a built-in input of this name"),
        (input("a", "ebit + shares"), "give no unit"),
        (sound.clone() + &input("income_x", "ebit"), "the input income_x is declared twice"),
        (input("a", "ebit +") + &ratio("mine", "a", ""), "`formula`: formula"),
    ] {
        let found = fault(&text);
        assert!(found.contains(part), "{text}: {found}");
    }
}

#[test]
fn a_file_that_is_not_toml_or_not_text_is_rejected() {
    let found = faults("[[ratio]]\nname = \nabout = 'x'\nformula = 'net_income'\nbanks = maybe\n");
    assert!(found.len() > 1 && found[0].starts_with("line 2: "), "{found:#?}");
    let built_in = Registry::built_in().unwrap();
    let error = |file: &[u8]| built_in.with_custom(file, "m.toml").unwrap_err().to_string();
    assert_eq!(
        error(b"# fine\n# \xff\n"),
        "m.toml has a fault:\n  line 2: this is not UTF-8 text: save the file as UTF-8"
    );
    assert!(error(&vec![b'#'; 1 << 21]).contains("more than 1 MiB"));
    let many: String = (0..101).map(|n| ratio(&format!("m{n}"), "net_income", "")).collect();
    assert_eq!(fault(&many), "line 1: the file has 101 metrics: 100 are allowed");
}
