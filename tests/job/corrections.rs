//! The user's corrections of FMP's data: they apply from the run that has them until a run that no longer has them,
//! and past reads do not see them.

use std::{
    fs,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use duckdb::Connection;
use findata_domain::Error;
use findata_explain::{Figure, ask::Question};
use findata_pipeline::{corrections::STAGE_KEY, summary::Summary};
use findata_tests::{Home, Job, Replay};

use super::invented::{BALANCE, CASH, Company, INCOME, day, run_on};

const FIRST: &str = "2026-03-10";
const SECOND: &str = "2026-03-11";
const THIRD: &str = "2026-03-12";

/// Puts entries on the stage.
fn correct(home: &Home, entries: &[String]) {
    let path = home.stage().join(STAGE_KEY);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, entries.concat()).unwrap();
}

fn entry(symbol: &str, lines: &str) -> String {
    format!(
        "[[correction]]\nsymbol = '{symbol}'\nreason = 'as filed by {symbol}'\ndecided_on = 2026-03-01\n{lines}\n\n"
    )
}

fn value(symbol: &str, period: &str, date: &str, column: &str, value: &str) -> String {
    entry(
        symbol,
        &format!("kind = 'value'\nperiod = '{period}'\ndate = {date}\ncolumn = '{column}'\nvalue = {value}"),
    )
}

/// The companies, each with its entries.
fn cases() -> Vec<(Company, Vec<String>)> {
    let eps = |of: &str| {
        [("eps", "2.28"), ("epsDiluted", "2.24")].map(|(c, v)| value(of, "Q3", "2025-09-30", c, v))
    };
    let count = |(from, count): (&str, &str)| {
        entry("COUNT", &format!("kind = 'share_count'\ndate = {from}\nvalue = {count}"))
    };
    vec![
        (
            Company::healthy("EPSYTD").set(INCOME, "quarter", 1, &[("eps", 6.6), ("epsDiluted", 6.5)]),
            eps("EPSYTD").to_vec(),
        ),
        (
            Company::healthy("BOOKS").set(BALANCE, "quarter", 0, &[("totalLiabilities", 2e9)]),
            vec![value("BOOKS", "Q4", "2025-12-31", "total_liabilities", "2_000_000_000")],
        ),
        (
            Company::healthy("PARTS").change("quarter", |rows| rows.retain(|row| row["period"] != "Q4")),
            vec![
                value("PARTS", "Q2", "2025-06-30", "revenue", "800_000_000.5"),
                value("PARTS", "Q2", "2025-06-30", "operatingCashFlow", "100"),
            ],
        ),
        (
            Company::healthy("LABEL").change("quarter", |rows| rows[1]["period"] = "Q1".into()),
            vec![entry(
                "LABEL",
                "kind = 'period_label'\ndate = 2025-09-29\nvalue = 'Q3'\nfiscal_year = 2025",
            )],
        ),
        (
            // FMP sends the third quarter under two labels. Without a correction, the later one wins.
            Company::healthy("TWICE").change("quarter", |rows| {
                let mut again = rows[1].clone();
                again["period"] = "Q2".into();
                again["acceptedDate"] = "2025-11-20 16:31:07".into();
                rows.insert(1, again);
            }),
            vec![entry("TWICE", "kind = 'period_label'\ndate = 2025-09-30\nvalue = 'Q3'")],
        ),
        (
            Company::healthy("COUNT"),
            [("2025-06-02", "40_000_000"), ("2026-01-05", "30_000_000")].map(count).to_vec(),
        ),
        (Company::healthy("ADR"), vec![entry("ADR", "kind = 'share_ratio'\nvalue = 4")]),
        (
            Company::healthy("TRUST"),
            vec![entry("TRUST", "kind = 'value'\ncolumn = 'industry'\nvalue = 'Banks - Regional'")],
        ),
        (
            Company::healthy("NOTHING"),
            vec![
                value("NOTHING", "Q2", "2019-06-30", "revenue", "1"),
                entry("NOTHING", "kind = 'split'\ndate = 2025-04-01\nvalue = 'spin_off'"),
            ],
        ),
    ]
}

/// A symbol that is loaded on the third day only.
const LATER: &str = "LATER";

/// Runs on three days: without corrections, with them, and with that of one symbol only.
fn three_days() -> &'static (Home, Summary) {
    static RUNS: OnceLock<(Home, Summary)> = OnceLock::new();
    RUNS.get_or_init(|| {
        let home = Home::new();
        let (mut companies, entries): (Vec<Company>, Vec<Vec<String>>) = cases().into_iter().unzip();
        run_on(&home, FIRST, false, &companies);
        let later = entry(LATER, "kind = 'share_ratio'\nvalue = 4");
        correct(&home, &[entries.concat(), vec![later.clone()]].concat());
        let summary = run_on(&home, SECOND, false, &companies);
        correct(&home, &[later]);
        companies.push(Company::healthy(LATER));
        run_on(&home, THIRD, false, &companies);
        (home, summary)
    })
}

/// The warehouse as known on each of the three days.
fn past() -> MutexGuard<'static, Vec<Connection>> {
    static PAST: OnceLock<Mutex<Vec<Connection>>> = OnceLock::new();
    let open = |on: &str| {
        let (path, memory) = (three_days().0.warehouse(), findata_duckdb::MemoryLimit::of_machine());
        let reach = findata_duckdb::Reach::Warehouse;
        findata_duckdb::as_of::open(&path, day(on), reach, memory, findata_tests::models()).unwrap()
    };
    let past = PAST.get_or_init(|| Mutex::new([FIRST, SECOND, THIRD].map(open).into()));
    past.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A query's rows as known on each of the three days.
fn on_each_day(query: &str) -> Vec<String> {
    past()
        .iter()
        .map(|connection| findata_tests::lines_of(connection, query).join(" "))
        .collect()
}

/// Explains a figure as known on the second day.
fn explain(symbol: &str, metric: &str, basis: Option<&str>) -> Figure {
    let question = Question {
        symbol: symbol.parse().unwrap(),
        metric: metric.into(),
        date: None,
        basis: basis.map(|basis| basis.parse().unwrap()),
    };
    findata_explain::explain(&past()[1], &question, Some(day(SECOND)), findata_tests::models())
        .unwrap()
        .figure
}

/// All notes of a figure and its inputs.
fn notes(figure: &Figure) -> String {
    let below: Vec<String> = figure.inputs.iter().map(notes).collect();
    format!("{} {}", figure.notes.join("; "), below.join(" "))
}

fn mismatches(figure: &Figure) -> usize {
    usize::from(figure.mismatch.is_some()) + figure.inputs.iter().map(mismatches).sum::<usize>()
}

#[test]
fn a_corrected_value_replaces_that_of_fmp_while_the_entry_is_there() {
    let eps = "select eps, eps_diluted from analytics.fact_financials where symbol = 'EPSYTD' and fiscal_date = '2025-09-30'";
    let (wrong, right) = ("6.6|6.5", "2.28|2.24");
    assert_eq!(on_each_day(eps), [wrong, right, wrong]);
    let suspect = "select bool_or(is_suspect) from analytics.fact_market_metrics where symbol = 'EPSYTD' and metric_date >= '2026-02-01'";
    assert_eq!(on_each_day(suspect), ["true", "false", "true"]);
    let yearly = "select round(ttm_eps_diluted_sum, 2) from analytics.fact_financials_ttm where symbol = 'EPSYTD' and fiscal_date = '2025-12-31'";
    assert_eq!(on_each_day(yearly), ["13.16", "8.9", "13.16"]);
    let kept =
        "select count(*), min(known_from), max(known_to) from staging.corrections where symbol = 'EPSYTD'";
    assert_eq!(three_days().0.lines(kept), [format!("2|{SECOND} 23:00:00|{THIRD} 23:00:00")]);
    let figure = explain("EPSYTD", "pe_ratio_ttm", None);
    assert!(notes(&figure).contains("corrected by the user: as filed by EPSYTD"), "{figure:#?}");
    assert_eq!(mismatches(&figure), 0);
    let line = explain("EPSYTD", "eps_diluted", Some("Q3"));
    assert_eq!((line.value, line.source.and_then(|s| s.sent)), (Some(2.24), Some("6.5".into())));
}

#[test]
fn figures_with_the_right_value_are_those_of_a_company_without_the_fault() {
    let (healthy, corrected) = (Home::new(), Home::new());
    let (company, entries) = cases().remove(0);
    run_on(&healthy, SECOND, false, &[Company::healthy("EPSYTD")]);
    correct(&corrected, &entries);
    run_on(&corrected, SECOND, false, &[company]);
    for table in ["fact_financials", "fact_financials_ttm", "fact_financial_ratios", "fact_market_metrics"] {
        let rows = format!(
            "select columns(c -> c not in ('run_id', 'computed_at', 'known_from', 'known_reconstructed')) \
             from analytics.{table} order by all"
        );
        assert_eq!(corrected.lines(&rows), healthy.lines(&rows), "{table}");
    }
    let marked = "select check_name, basis, fiscal_date, ours, status, reason from ops.quality where status = 'corrected' order by 1";
    let of = |item: &str, ours: &str| {
        format!("corrected_{item}|Q3|2025-09-30|{ours}|corrected|as filed by EPSYTD")
    };
    assert_eq!(corrected.lines(marked), [of("eps", "2.28"), of("eps_diluted", "2.24")]);
}

#[test]
fn a_confirmed_value_decides_its_suspicions() {
    let suspects = "select bool_or(is_suspect) from analytics.fact_financials_ttm where symbol = 'BOOKS'";
    assert_eq!(on_each_day(suspects), ["true", "false", "true"]);
    let line = explain("BOOKS", "total_liabilities", Some("Q4"));
    assert!(notes(&line).contains("confirmed by the user: as filed by BOOKS"), "{line:#?}");
    assert!(line.contradictions.is_empty());
}

#[test]
fn a_derived_quarter_follows_the_corrections_of_its_parts() {
    let derived = "select revenue, operating_cash_flow from analytics.fact_financials where symbol = 'PARTS' and is_derived \
                   and fiscal_date = '2025-12-31'";
    let fmp = "851000000.0|141833334.0";
    assert_eq!(on_each_day(derived), [fmp, "879999999.5|279999900.0", fmp]);
}

#[test]
fn a_quarter_gets_its_right_label_and_loses_it_again() {
    let labels = "select period_type from analytics.fact_financials where symbol = 'LABEL' \
                  and fiscal_date between '2025-03-31' and '2025-12-31' and period_type <> 'FY' order by fiscal_date";
    assert_eq!(on_each_day(labels), ["Q1 Q2 Q1 Q4", "Q1 Q2 Q3 Q4", "Q1 Q2 Q1 Q4"]);
    let line = explain("LABEL", "revenue", Some("Q3"));
    assert_eq!(line.date.as_deref(), Some("2025-09-30"));
    assert!(
        notes(&line).contains("period label corrected by the user: as filed by LABEL"),
        "{line:#?}"
    );
    // Of two labels, the user chooses one.
    let label = "select period_type from analytics.fact_financials where symbol = 'TWICE' and fiscal_date = '2025-09-30'";
    assert_eq!(on_each_day(label), ["Q2", "Q3", "Q2"]);
    // Labels do not change the twelve months.
    let twelve = "select symbol, count(*), count(ttm_revenue), sum(ttm_revenue) from analytics.fact_financials_ttm \
                  where symbol in ('LABEL', 'TWICE') group by 1 order by 1";
    let days = on_each_day(twelve);
    assert_eq!(days[0], days[1]);
}

#[test]
fn a_share_count_holds_from_its_day_on() {
    let shares = "select min(metric_date), shares_outstanding_used::bigint, any_value(shares_source) \
                  from analytics.fact_market_metrics where symbol = 'COUNT' group by 2 order by 1";
    let reported = "2025-01-08|46000000|statement";
    let entered = "2025-06-04|40000000|correction 2026-01-07|30000000|correction";
    assert_eq!(on_each_day(shares), [reported, &format!("{reported} {entered}"), reported]);
    let figure = explain("COUNT", "market_cap", None);
    assert!(
        notes(&figure).contains("30000000 shares from 2026-01-05 on: corrected by the user"),
        "{figure:#?}"
    );
    assert_eq!(mismatches(&figure), 0);
}

#[test]
fn a_share_ratio_converts_figures_per_share() {
    let figures = "select round(ttm_eps_diluted_sum, 2), latest_shares_outstanding::bigint from analytics.fact_financials_ttm \
                   where symbol = 'ADR' and fiscal_date = '2025-12-31'";
    assert_eq!(on_each_day(figures), ["8.9|46000000", "35.6|11500000", "8.9|46000000"]);
    let worth = "select market_cap::bigint from analytics.fact_market_metrics where symbol = 'ADR' and metric_date = '2026-03-04'";
    assert_eq!(on_each_day(worth), ["4140000000", "1035000000", "4140000000"]);
    let figure = explain("ADR", "pe_ratio_ttm", None);
    assert!(notes(&figure).contains("4 shares of the statements for each traded share"), "{figure:#?}");
    assert_eq!(mismatches(&figure), 0);
    // The entry of a symbol takes effect when the company is loaded.
    let later = format!(
        "select distinct latest_shares_outstanding::bigint from analytics.fact_financials_ttm where symbol = '{LATER}'"
    );
    assert_eq!(three_days().0.lines(&later), ["11500000"]);
}

#[test]
fn a_corrected_industry_decides_which_figures_exist() {
    let reasons = "select distinct regexp_extract(null_reasons, 'current_ratio=([a-z_]*)', 1) \
                   from analytics.fact_financial_ratios where symbol = 'TRUST' and basis = 'Q4'";
    assert_eq!(on_each_day(reasons), ["unknown_sector", "not_meaningful_for_sector", "unknown_sector"]);
    let figure = explain("TRUST", "current_ratio", Some("Q4"));
    assert!(notes(&figure).contains("industry Banks - Regional: corrected by the user"), "{figure:#?}");
}

#[test]
fn the_summary_counts_entries_and_names_those_without_effect() {
    let (home, summary) = three_days();
    assert_eq!((summary.quality.corrections, summary.quality.corrected_companies), (14, 10));
    let found: Vec<&str> = summary
        .notes
        .iter()
        .filter_map(|note| Some(note.split_once(" has no effect")?.0))
        .collect();
    assert_eq!(
        found,
        [
            "corrections.toml, line 99: the revenue of NOTHING, Q2 2019-06-30",
            "corrections.toml, line 109: the split of NOTHING, 2025-04-01",
            "corrections.toml, line 117: the share_ratio of LATER",
        ]
    );
    let left = "select symbol, check_name from ops.quality where status = 'corrected'";
    assert_eq!(home.lines(left), [format!("{LATER}|corrected_share_ratio")]);
}

#[test]
fn the_user_decides_what_is_a_split() {
    let home = Home::new();
    let split = r#"[{"symbol":"SPIN","date":"2025-10-01","numerator":1250,"denominator":1000}]"#;
    let run = |on: &str| {
        let mut replay = Replay::new().answer("splits", "SPIN", "", split);
        let mut company = Company::healthy("SPIN");
        for endpoint in [INCOME, BALANCE, CASH] {
            for cadence in ["quarter", "annual"] {
                let rows = serde_json::Value::from(company.rows(endpoint, cadence).clone());
                replay = replay.answer(endpoint, "SPIN", cadence, rows.to_string());
            }
        }
        let server = replay.start();
        let datasets =
            ["splits", "income_statement", "balance_sheet", "cash_flow"].map(String::from).to_vec();
        Job::new(server.url(), &["SPIN"])
            .on(day(on))
            .with(|o| (o.datasets, o.full) = (datasets, true))
            .run_ok(&home);
        home.lines(
            "select fiscal_date, average_shares_outstanding_diluted::bigint from analytics.fact_financials_ttm \
             where fiscal_date in ('2025-06-30', '2025-12-31') order by 1",
        )
    };
    // A numerator over 100 looks like a spin-off, which leaves share counts alone.
    assert_eq!(run(FIRST), ["2025-06-30|46920000", "2025-12-31|46920000"]);
    correct(&home, &[entry("SPIN", "kind = 'split'\ndate = 2025-10-01\nvalue = 'split'")]);
    assert_eq!(run(SECOND), ["2025-06-30|58650000", "2025-12-31|52785000"]);
}

#[test]
fn faulty_corrections_end_the_run_before_a_call() {
    let (server, home) = (Replay::new().start(), Home::new());
    correct(&home, &[entry("X", "kind = 'values'"), entry("Y", "kind = 'share_ratio'\nvalue = -1")]);
    let error = Job::new(server.url(), &["X"]).run(&home).unwrap_err();
    let Error::Config(text) = &error else { panic!("{error:?}") };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(lines[0], "state/corrections.toml on the stage has 2 faults:");
    assert!(
        lines[1].starts_with("line 5: kind must be one of") && lines[2].starts_with("line 12: value must be"),
        "{text}"
    );
    assert_eq!(server.calls(), Vec::<String>::new());
}
