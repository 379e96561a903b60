//! The user's metrics: their values, reasons, suspicions and versions, and what a changed or removed entry does.

use chrono::NaiveDate;
use findata_fmp_simulator::Options;
use findata_models::metrics::Files;
use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Simulator, models_with};

use super::invented::{BALANCE, CASH, Company, INCOME, day, run_with};

const EXAMPLE: &str = include_str!("../../metrics.example.toml");

/// Built-in ratios, each with the rule that the user has to write.
const RATIOS: [(&str, Option<&str>); 14] = [
    ("net_margin", Some("positive")),
    ("gross_margin", Some("positive")),
    ("roe", None),
    ("nopat_margin", Some("positive")),
    ("working_capital", None),
    ("inventory_turnover", None),
    ("graham_number", Some("positive")),
    ("effective_tax_rate", None),
    ("roa_average", Some("positive")),
    ("rule_of_40", None),
    ("beneish_m_score", None),
    ("piotroski_f_score", None),
    ("roa_annualised", Some("positive")),
    ("net_share_issuance", Some("any")),
];

/// Built-in market metrics, each with the rule that the user has to write.
const MARKET: [(&str, Option<&str>); 8] = [
    ("pe_ratio_ttm", None),
    ("peg_ratio", None),
    ("ev_to_ebitda", None),
    ("ev_to_revenue", Some("positive")),
    ("fcf_yield", Some("any")),
    ("earnings_yield", Some("any")),
    ("price_to_book", None),
    ("altman_z", Some("any")),
];

/// Returns an entry of a built-in file as an entry of the user, with the prefix `own_`.
fn own(file: &str, header: &str, name: &str, rule: Option<&str>) -> Option<String> {
    let is_it = |entry: &&str| entry.lines().any(|line| line == format!("name = \"{name}\""));
    let entry = file.split(&format!("[[{header}]]\n")).find(is_it)?;
    let omitted = ["aliases", "heading", "fmp", "amount", "#", "name"];
    let kept = entry.lines().filter(|line| !omitted.iter().any(|key| line.starts_with(key)));
    let kept: Vec<&str> = kept.collect();
    let declared = kept.iter().any(|line| line.starts_with("denominator"));
    let rule = rule.filter(|_| !declared).map(|rule| format!("denominator = \"{rule}\"\n"));
    let kept = kept.join("\n");
    Some(format!("[[{header}]]\nname = \"own_{name}\"\n{}{kept}\n", rule.unwrap_or_default()))
}

/// Returns a file with copies of built-in metrics, and the names of those that are built in.
fn copies() -> (String, Vec<&'static str>, Vec<&'static str>) {
    let files = Files::built_in();
    let (mut text, mut ratios, mut market) = (String::new(), Vec::new(), Vec::new());
    for (name, rule) in RATIOS {
        if let Some(entry) = own(&files.ratios, "ratio", name, rule) {
            text.push_str(&entry);
            ratios.push(name);
        }
    }
    for (name, rule) in MARKET {
        if let Some(entry) = own(&files.market_metrics, "metric", name, rule) {
            text.push_str(&entry);
            market.push(name);
        }
    }
    (text, ratios, market)
}

/// Asserts that each copy has the value and reason of its original in every version, and no suspicion that the
/// original does not have.
fn assert_equal_to_built_in(home: &Home) {
    let (_, ratios, market) = copies();
    let ratios = ratios.into_iter().map(|name| ("fact_financial_ratios_history", "fiscal_date", name));
    let market = market.into_iter().map(|name| ("fact_market_metrics_history", "metric_date", name));
    for (table, date, name) in ratios.chain(market) {
        let basis = if date == "fiscal_date" { "b.basis" } else { "'MARKET'" };
        let part =
            |name: &str| format!("nullif(split_part(split_part(b.null_reasons, '|{name}=', 2), '|', 1), '')");
        // The reason of a NULL, as in the view metric_nulls.
        let shares = if date == "fiscal_date" {
            "null".into()
        } else {
            part("shares_outstanding_used")
        };
        let reason = format!(
            "case when b.{name} is null then coalesce({}, {shares}, 'missing_input') end",
            part(name)
        );
        let wrong = home.lines(&format!(
            "select b.symbol, b.{date}, {basis} as basis, b.known_from, b.{name}, c.value, {reason}, c.reason \
             from analytics.{table} b left join analytics.fact_custom_metrics c \
             on c.company_key = b.company_key and c.as_of_date = b.{date} and c.basis = {basis} \
             and c.metric = 'own_{name}' and c.known_from <= b.known_from \
             and (c.known_to is null or c.known_to > b.known_from) \
             where c.metric is null or (c.value is null) <> (b.{name} is null) \
             or abs(c.value - b.{name}) > 1e-12 * abs(b.{name}) \
             or c.reason is distinct from {reason} or (c.is_suspect and not b.is_suspect) limit 3"
        ));
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
    let bad = "select count(*) from analytics.fact_custom_metrics where (value is null) = (reason is null)";
    assert_eq!(home.count(bad), 0);
}

#[test]
fn a_copy_of_a_built_in_metric_has_its_values_reasons_and_versions() {
    let (text, ratios, market) = copies();
    assert!(ratios.len() >= 10 && market.len() >= 6, "{ratios:?} {market:?}");
    let home = Home::new();
    for (on, revision) in [("2026-09-17", 0), ("2026-09-18", 1)] {
        let today: NaiveDate = on.parse().unwrap();
        let server = Simulator::start(Options { symbols: 41, today, revision, ..Options::default() });
        let symbols = server.symbols();
        let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
        // The companies with odd data come last.
        let mut job =
            Job::new(server.url(), &symbols[16..]).on(today).with(|o| (o.quarters, o.years) = (12, 5));
        job.models = models_with(&text);
        job.run(&home).unwrap();
        assert_equal_to_built_in(&home);
    }
    let count = |query: &str| {
        home.count(&format!("select count(*) from analytics.fact_custom_metrics where {query}"))
    };
    assert!(count("known_to is not null and basis <> 'MARKET'") > 0, "no older version of a ratio");
    assert!(
        count("known_to is not null and basis = 'MARKET'") > 0,
        "no older version of a market metric"
    );
    assert!(count("reason is null") > 1_000);
}

#[test]
fn suspicions_and_restatements_carry_over_to_the_users_metrics() {
    let (text, ..) = copies();
    let home = Home::new();
    let change = Company::healthy("CHANGE");
    let companies = [
        change.clone(),
        Company::healthy("BOOKS").set(BALANCE, "quarter", 0, &[("totalLiabilities", 2e9)]),
        Company::healthy("FLOW").set(CASH, "quarter", 4, &[("netIncome", 1e9)]),
    ];
    run_with(&home, "2026-03-10", false, &companies, models_with(&text));
    assert!(home.count("select count(*) from analytics.fact_custom_metrics where is_suspect") > 0);
    let healthy = "select count(*) from analytics.fact_custom_metrics where is_suspect and symbol = 'CHANGE'";
    assert_eq!(home.count(healthy), 0);
    // A suspicion of an earlier period concerns only the ratios that use inputs of that period.
    let suspect = |symbol: &str, metric: &str, end: &str| {
        home.lines(&format!(
            "select is_suspect from analytics.fact_custom_metrics where symbol = '{symbol}' and metric = 'own_{metric}' \
             and basis = 'Q4' and as_of_date = '{end}'"
        ))
    };
    assert_eq!(suspect("BOOKS", "net_margin", "2025-12-31"), ["true"]);
    assert_eq!(suspect("FLOW", "net_margin", "2024-12-31"), ["true"]);
    assert_eq!(suspect("FLOW", "net_margin", "2025-12-31"), ["false"]);
    assert_eq!(suspect("FLOW", "piotroski_f_score", "2025-12-31"), ["true"]);

    let restated = change.set(INCOME, "quarter", 0, &[("netIncome", 90e6), ("revenue", 900e6)]);
    let restated = [&[restated], &companies[1..]].concat();
    run_with(&home, "2026-03-11", false, &restated, models_with(&text));
    assert_equal_to_built_in(&home);
    let margin = "select value from analytics.fact_custom_metrics where symbol = 'CHANGE' and basis = 'Q4' \
                  and metric = 'own_net_margin' and known_to is null order by as_of_date desc limit 1";
    let before: f64 = home.lines_as_of(day("2026-03-10"), margin)[0].parse().unwrap();
    assert!((before - 0.125).abs() < 1e-6, "{before}");
    assert_eq!(home.figure(margin), Some(0.1));
}

/// No built-in market metric uses the restated line, so only the user's metric has another version.
#[test]
fn a_restated_line_that_only_the_users_metric_uses_leaves_its_past_values() {
    let text = "[[metric]]\nname = 'own_gross_yield'\nabout = 'Gross profit as a share of all assets.'\n\
                formula = 'ttm.gross_profit / latest.total_assets'\ndenominator = 'positive'\n";
    let home = Home::new();
    let company = Company::healthy("GROSS");
    run_with(&home, "2026-03-10", false, std::slice::from_ref(&company), models_with(text));
    let value = "select value from analytics.fact_custom_metrics where metric = 'own_gross_yield' and known_to is null \
                 and as_of_date = '2026-03-04'";
    let before = home.figure(value).unwrap();
    let restated = company.set(INCOME, "quarter", 0, &[("grossProfit", 300e6)]);
    run_with(&home, "2026-03-11", false, &[restated], models_with(text));
    let after = home.figure(value).unwrap();
    assert!((after / before - 1.0).abs() > 0.01, "{before} {after}");
    let as_known: f64 = home.lines_as_of(day("2026-03-10"), value)[0].parse().unwrap();
    assert!((as_known / before - 1.0).abs() < 1e-12, "{before} {as_known}");
}

const FIRST: &str = "
[[ratio]]
name = 'own_margin'
about = 'Net margin.'
formula = 'net_income / revenue'
denominator = 'positive'

[[metric]]
name = 'own_sales_yield'
about = 'Revenue as a share of the market cap.'
formula = 'ttm.revenue / market_cap'
denominator = 'positive'
";

/// Returns what the table has: the metrics with their number of rows and the mean of their values.
fn found(home: &Home) -> Vec<String> {
    home.lines(
        "select metric, count(*), round(avg(value), 9) from analytics.fact_custom_metrics group by metric order by metric",
    )
}

#[test]
fn a_changed_or_removed_entry_replaces_or_removes_its_rows_for_all_companies() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let run = |symbols: &[&str], file: Option<&str>| {
        let mut job = Job::new(server.url(), symbols);
        if let Some(file) = file {
            job.models = models_with(file);
        }
        job.run_ok(&home)
    };
    let plain = run(&symbols, None);
    assert_eq!(plain.status, Status::Complete);
    assert_eq!(plain.analytics["fact_custom_metrics"].rows, 0);
    let calls = server.calls();

    // The runs that follow ask for one company, and compute all.
    let one = &symbols[..1];
    run(one, Some(FIRST));
    let first = found(&home);
    assert_eq!(first.len(), 2, "{first:?}");
    let companies =
        "select count(distinct symbol) from analytics.fact_custom_metrics where metric = 'own_margin'";
    assert_eq!(home.count(companies), 12);
    let wrong = "select count(*) from analytics.fact_custom_metrics c join analytics.fact_financials f \
                 on f.symbol = c.symbol and f.fiscal_date = c.as_of_date and f.period_type = c.basis \
                 where c.metric = 'own_margin' and abs(c.value - f.net_income::double / f.revenue::double) > 1e-12";
    assert_eq!(home.count(wrong), 0);

    let again = run(one, Some(FIRST));
    let counts = &again.analytics["fact_custom_metrics"];
    assert_eq!((counts.written, counts.removed), (0, 0), "an unchanged file changes nothing");
    assert_eq!(found(&home), first);

    let doubled = FIRST.replace("net_income / revenue", "2 * net_income / revenue");
    let doubled = doubled.split("\n[[metric]]").next().unwrap();
    run(one, Some(doubled));
    assert_eq!(home.count(companies), 12);
    assert_eq!(found(&home).len(), 1);
    assert!(home.count(&wrong.replace("f.net_income::double", "2 * f.net_income::double")) == 0);

    let removed = run(one, None);
    assert_eq!(removed.status, Status::Complete);
    assert_eq!(home.count("select count(*) from analytics.fact_custom_metrics"), 0);
    let after = run(one, None);
    assert!(after.warehouse.statements < removed.warehouse.statements, "nothing is computed again");
    assert_eq!(server.calls(), calls, "the metrics need no call");
}

#[test]
fn the_example_has_the_values_of_its_formulas() {
    let (server, home) = (Simulator::with_symbols(5), Home::new());
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let mut job = Job::new(server.url(), &symbols);
    job.models = models_with(EXAMPLE);
    job.run_ok(&home);
    let capital = "t.latest_current_assets - t.latest_cash_and_short_term_investments - t.latest_current_liabilities \
                   + t.latest_property_plant_equipment_net";
    let ttm = "join analytics.fact_financials_ttm t on t.symbol = c.symbol and t.fiscal_date = c.as_of_date";
    let newest = "join analytics.fact_market_metrics m on m.symbol = c.symbol and m.metric_date = c.as_of_date \
                  join analytics.fact_financials_ttm t on t.symbol = c.symbol and t.fiscal_date = m.fundamentals_as_of";
    for (metric, basis, join, expected) in [
        ("return_on_tangible_capital", "TTM", ttm, format!("t.ttm_ebit::double / ({capital})::double")),
        (
            "gross_margin_change",
            "TTM",
            "join analytics.fact_financials_ttm t on t.symbol = c.symbol and t.fiscal_date = c.as_of_date \
             join analytics.fact_financials_ttm b on b.symbol = c.symbol and t.fiscal_date - b.fiscal_date between 350 and 380",
            "t.ttm_gross_profit::double / t.ttm_revenue::double - b.ttm_gross_profit::double / b.ttm_revenue::double".into(),
        ),
        (
            "enterprise_value_to_gross_profit",
            "MARKET",
            newest,
            "m.enterprise_value::double / t.ttm_gross_profit::double".into(),
        ),
        (
            "net_cash_to_market_cap",
            "MARKET",
            newest,
            "(t.latest_cash_and_short_term_investments - t.latest_total_debt)::double / m.market_cap::double".into(),
        ),
    ] {
        let rows = home.rows(&format!(
            "select count(*), max(abs(c.value - ({expected})) / abs(c.value)) from analytics.fact_custom_metrics c {join} \
             where c.metric = '{metric}' and c.basis = '{basis}' and c.value is not null"
        ));
        let number = |column: usize| rows[0][column].as_deref().unwrap_or("1").parse::<f64>().unwrap();
        assert!(number(0) > 3.0 && number(1) < 1e-9, "{metric}: {rows:?}");
    }
    let basis = "select distinct basis from analytics.fact_custom_metrics where reason = 'not_applicable_to_basis' order by 1";
    assert_eq!(home.lines(basis), ["Q1", "Q2", "Q3", "Q4"]);
}
