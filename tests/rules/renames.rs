//! Symbols that FMP renames, and symbols that another company uses later.

use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Replay};
use serde_json::{Value, json};

use super::company::{Company, TODAY, day};

/// The answer of `symbol-change`.
fn changes(rows: &[(&str, &str, &str)]) -> String {
    let row = |(date, old, new): &(&str, &str, &str)| json!({"date": date, "companyName": "A company", "oldSymbol": old, "newSymbol": new});
    Value::Array(rows.iter().map(row).collect()).to_string()
}

fn server(companies: Vec<Company>, renamed: &[(&str, &str, &str)]) -> Replay {
    let replay = companies.into_iter().fold(Replay::new(), |replay, company| company.answer(replay));
    replay.answer("symbol-change", "", "", changes(renamed))
}

fn calls_of<'a>(calls: &'a [String], endpoint: &str) -> Vec<&'a String> {
    calls.iter().filter(|call| call.starts_with(&format!("/stable/{endpoint}?"))).collect()
}

const FACTS: [&str; 6] = [
    "fact_financials_history",
    "fact_financials_ttm_history",
    "fact_financial_ratios_history",
    "fact_growth_rates_history",
    "fact_market_metrics_history",
    "fact_daily_prices",
];

/// Asserts that a symbol has no figures.
fn assert_gone(home: &Home, symbol: &str) {
    for table in FACTS {
        let query = format!("select count(*) from analytics.{table} where symbol = '{symbol}'");
        assert_eq!(home.count(&query), 0, "{table}");
    }
}

/// Asserts that all figures of a symbol have the key that the first symbol of its security gives.
fn assert_key(home: &Home, symbol: &str, first: &str) {
    for table in FACTS {
        let query = format!(
            "select count(*), count(*) filter (where company_key = md5('{first}')) from analytics.{table} where symbol = '{symbol}'"
        );
        let found = home.lines(&query)[0].clone();
        let (all, with_key) = found.split_once('|').unwrap();
        assert!(all != "0" && all == with_key, "{table} of {symbol}: {found}");
    }
}

#[test]
fn a_renamed_symbol_is_loaded_under_its_new_name_and_keeps_its_history() {
    let home = Home::new();
    let before = server(vec![Company::new("OLD"), Company::new("PEER")], &[]).start();
    let first = Job::new(before.url(), &["OLD", "PEER"]).on(day("2026-09-16")).run_ok(&home);
    assert_eq!(first.status, Status::Complete, "{:?}", first.failures);
    let versions = home.count("select count(*) from analytics.fact_financials_history where symbol = 'OLD'");

    let list = [("2026-09-17", "OLD", "NEW"), ("2020-01-02", "PEER", "ELSE")];
    let after = server(vec![Company::new("NEW"), Company::new("PEER")], &list).start();
    let job = Job::new(after.url(), &["OLD", "PEER"]).on(day(TODAY));
    let run = job.run_ok(&home);
    assert_eq!(run.status, Status::Complete, "{:?}", run.failures);
    assert!(
        run.notes.iter().any(|note| note.contains("OLD became NEW on 2026-09-17")),
        "{:?}",
        run.notes
    );
    assert_eq!(calls_of(&after.calls(), "symbol-change").len(), 1);
    assert_eq!(run.calls, after.calls().len() as u64, "the summary counts every call");

    assert_gone(&home, "OLD");
    assert_key(&home, "NEW", "OLD");
    assert_key(&home, "PEER", "PEER");
    // FMP sends the same statements under the new symbol, which is not a restatement.
    let query = "select count(*) from analytics.fact_financials_history where symbol = 'NEW'";
    assert_eq!(home.count(query), versions);
    assert_eq!(home.count("select count(*) from ops.restatements"), 0);
    assert_eq!(home.count("select count(*) from staging.income_statement where symbol = 'OLD'"), 0);
    // The statements were known before the change of the symbol.
    let query = "select count(*) from analytics.fact_financials_history where symbol = 'NEW' and known_from > '2026-09-15'";
    assert_eq!(home.count(query), 0);
    let dimension = home.lines(
        "select symbol, is_current, valid_from, valid_to from analytics.dim_company \
         where company_key = md5('OLD') order by valid_from",
    );
    assert_eq!(dimension, ["OLD|false|2026-09-16|2026-09-18", "NEW|true|2026-09-18|NULL"]);

    // Further runs make no calls, and nothing changes.
    let content = home.content();
    let calls = after.calls().len();
    let again = job.run_ok(&home);
    assert_eq!((again.calls, after.calls().len(), home.content()), (0, calls, content));
}

#[test]
fn a_universe_that_already_has_the_new_symbol_continues_the_history_of_the_old_one() {
    let home = Home::new();
    let before = server(vec![Company::new("OLD")], &[]).start();
    Job::new(before.url(), &["OLD"]).on(day("2026-09-16")).run_ok(&home);
    let after = server(vec![Company::new("NEW")], &[("2026-09-17", "OLD", "NEW")]).start();
    let run = Job::new(after.url(), &["NEW"]).on(day(TODAY)).run_ok(&home);
    assert_eq!(run.status, Status::Complete, "{:?}", run.failures);
    assert_gone(&home, "OLD");
    assert_key(&home, "NEW", "OLD");
}

#[test]
fn a_new_symbol_that_was_loaded_on_its_own_is_merged_with_the_old_one() {
    let home = Home::new();
    let (old, new) = (Company::new("OLD"), Company::new("NEW"));
    let before = server(vec![old, new], &[]).start();
    Job::new(before.url(), &["OLD", "NEW"]).on(day("2026-09-16")).run_ok(&home);
    assert_key(&home, "NEW", "NEW");
    let after = server(vec![Company::new("NEW")], &[("2026-09-15", "OLD", "NEW")]).start();
    let run = Job::new(after.url(), &["OLD", "NEW"]).on(day(TODAY)).run_ok(&home);
    assert_eq!(run.symbols, 1, "{:?}", run.notes);
    assert_gone(&home, "OLD");
    assert_key(&home, "NEW", "OLD");
    for table in FACTS {
        let query = format!("select count(*) from analytics.{table} where company_key = md5('NEW')");
        assert_eq!(home.count(&query), 0, "{table}");
    }
}

#[test]
fn an_old_symbol_that_another_company_uses_is_another_security() {
    let home = Home::new();
    let before = server(vec![Company::new("OLD").cik("0000000001")], &[]).start();
    Job::new(before.url(), &["OLD"]).on(day("2026-06-16")).days(30).run_ok(&home);
    let list = [("2026-07-01", "OLD", "NEW")];
    let other = Company::new("OLD").cik("0000000002").scaled(3);
    let after = server(vec![Company::new("NEW").cik("0000000001"), other], &list).start();
    let run = Job::new(after.url(), &["OLD", "NEW"]).on(day(TODAY)).run_ok(&home);
    assert_eq!(run.status, Status::Complete, "{:?}", run.failures);
    assert!(
        run.notes.iter().any(|note| note.contains("another company uses OLD now")),
        "{:?}",
        run.notes
    );
    assert_key(&home, "NEW", "OLD");
    let revenues = |symbol: &str| {
        home.lines(&format!(
            "select distinct revenue::bigint from analytics.fact_financials_history where symbol = '{symbol}' \
             and period_type <> 'FY'"
        ))
    };
    assert_eq!(revenues("NEW"), ["200000000"]);
    assert_eq!(revenues("OLD"), ["600000000"]);
    let keys = "select count(distinct company_key) from analytics.fact_financials_history";
    assert_eq!(home.count(keys), 2);
    let query =
        "select count(*) from analytics.fact_daily_prices where symbol = 'OLD' and company_key = md5('OLD')";
    assert_eq!(home.count(query), 0);
}

#[test]
fn a_symbol_in_use_is_not_renamed() {
    let home = Home::new();
    // FMP lists a change that it has not made yet, an old one of a symbol that is in use again, and two
    // symbols that were swapped.
    let list = [
        ("2026-09-15", "LATE", "SOON"),
        ("2015-03-02", "USED", "PEER"),
        ("2026-09-30", "PEER", "NEXT"),
        ("2018-03-01", "SWAP", "OTHER"),
        ("2019-03-01", "THIRD", "SWAP"),
    ];
    let companies = || {
        let company = |symbol, cik| Company::new(symbol).cik(cik);
        vec![company("LATE", "1"), company("USED", "2"), company("PEER", "3"), company("SWAP", "4")]
    };
    let symbols = ["LATE", "USED", "PEER", "SWAP"];
    let (yesterday, today) = (server(companies(), &list).start(), server(companies(), &list).start());
    for (server, on) in [(&yesterday, "2026-09-17"), (&today, TODAY)] {
        let run = Job::new(server.url(), &symbols).on(day(on)).run_ok(&home);
        assert_eq!((run.status, run.symbols), (Status::Complete, 4), "{:?}", run.failures);
        assert!(!run.notes.iter().any(|note| note.contains(" became ")), "{:?}", run.notes);
    }
    for symbol in symbols {
        assert_key(&home, symbol, symbol);
    }
}

#[test]
fn a_run_without_profiles_or_without_the_list_in_its_plan_does_not_read_the_list() {
    let companies = || server(vec![Company::new("OLD")], &[]).start();
    let (restricted, free, refusing) = (
        companies(),
        companies(),
        server(vec![Company::new("OLD")], &[])
            .override_endpoint("symbol-change", 402, "Restricted Endpoint: x")
            .start(),
    );
    let job = |url: &str| Job::new(url, &["OLD"]).on(day(TODAY));
    job(restricted.url()).with(|o| o.datasets = vec!["prices".into()]).run_ok(&Home::new());
    job(free.url()).with(|o| o.plan_limits.symbol_changes = false).run_ok(&Home::new());
    let home = Home::new();
    let run = job(refusing.url()).run_ok(&home);
    assert_eq!(run.status, Status::Complete, "{:?}", run.failures);
    job(refusing.url()).with(|o| o.full = true).run_ok(&home);
    let of = |calls: Vec<String>| calls_of(&calls, "symbol-change").len();
    assert_eq!((of(restricted.calls()), of(free.calls()), of(refusing.calls())), (0, 0, 1));
}
