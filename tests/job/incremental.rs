//! Later runs keep the existing rows and write only changes.

use std::collections::BTreeSet;

use chrono::Days;
use findata_fmp_simulator::Options;
use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Simulator, today};

use super::{MARKET_WIDE, SYMBOLS, first_run, job};

#[test]
fn a_second_run_makes_no_call_and_changes_no_row() {
    let (server, home) = (Simulator::with_symbols(SYMBOLS), Home::copy_of(&first_run().home));
    let before = home.content();
    let summary = job(&server).run_ok(&home);
    assert_eq!(server.calls(), 0);
    assert_eq!((summary.status, summary.calls, summary.tasks.planned), (Status::Complete, 0, 0));
    // The share count is not planned at all: only a profile without market cap requires it, and
    // that profile is fresh.
    assert_eq!(summary.tasks.skipped_fresh, first_run().summary.tasks.planned - 1);
    assert_eq!(summary.cache_hit_rate, 1.0);
    assert_eq!(home.content(), before);
    assert!(summary.analytics.values().all(|t| t.written + t.removed == 0), "{:?}", summary.analytics);
}

#[test]
fn a_full_run_refetches_everything_and_changes_no_row() {
    let (server, home) = (Simulator::with_symbols(SYMBOLS), Home::copy_of(&first_run().home));
    let before = home.content();
    let summary = job(&server).with(|o| o.full = true).run_ok(&home);
    // The first run has already read the change feeds and the list of symbol changes of this day.
    assert_eq!(server.calls(), first_run().summary.calls - MARKET_WIDE);
    for (dataset, rows) in &summary.rows {
        assert_eq!((rows.loaded, rows.staged), (0, rows.unchanged + rows.quarantined), "{dataset}");
    }
    assert_eq!(home.content(), before);
    let by_run = "select count(*) from (select run_id from analytics.fact_financials union all select run_id from analytics.fact_market_metrics \
                  union all select run_id from raw.prices union all select run_id from staging.profile) where run_id <> ";
    assert_eq!(home.count(&format!("{by_run}'{}'", first_run().summary.run_id)), 0);
}

#[test]
fn a_day_later_only_changed_companies_are_written() {
    let later = today() + Days::new(3);
    let statements = || ["income_statement", "balance_sheet", "cash_flow"].map(String::from).to_vec();
    let world = |revision, day| {
        Simulator::start(Options { symbols: SYMBOLS, today: day, revision, ..Options::default() })
    };
    let home = Home::copy_of(&first_run().home);
    // On the next day FMP returns the same statements: they are fetched again, and nothing is
    // written.
    let unchanged_world = world(0, today());
    let unchanged = job(&unchanged_world)
        .on(today() + Days::new(1))
        .with(|o| o.datasets = statements())
        .run_ok(&home);
    assert_eq!(unchanged.tasks.done, SYMBOLS as u64 * 6);
    assert!(unchanged.rows.values().all(|r| r.loaded == 0), "{:?}", unchanged.rows);
    let changed_world = world(1, later);
    let summary = job(&changed_world).on(later).with(|o| o.datasets = statements()).run_ok(&home);
    assert_eq!(summary.status, Status::Complete);
    let run = &summary.run_id;
    let of = |table: &str| -> BTreeSet<String> {
        home.lines(&format!("select distinct symbol from {table} where run_id = '{run}'"))
            .into_iter()
            .collect()
    };
    let loaded: BTreeSet<String> = ["staging.income_statement", "staging.balance_sheet", "staging.cash_flow"]
        .into_iter()
        .flat_map(of)
        .collect();
    assert!(loaded.contains("RESTA") && loaded.contains("FRESH"), "{loaded:?}");
    assert!(
        loaded.len() < SYMBOLS / 2,
        "revision 1 should change some companies, not most: {loaded:?}"
    );
    for table in [
        "fact_financials",
        "fact_financials_ttm",
        "fact_financial_ratios",
        "fact_growth_rates",
        "fact_market_metrics",
    ] {
        let written = of(&format!("analytics.{table}"));
        assert!(written.is_subset(&loaded), "{table}: {written:?} beyond {loaded:?}");
    }
    assert!(of("analytics.fact_financials").contains("RESTA"));
    // The restated quarter keeps its first version and gets a second. The new quarter is a new row.
    let versions = "select max(n) from (select count(*) n from staging.income_statement where symbol = 'RESTA' group by period_type, fiscal_date)";
    assert_eq!(home.count(versions), 2);
    let newest = |symbol: &str| {
        home.text(&format!(
            "select max(fiscal_date) from analytics.fact_financials where symbol = '{symbol}'"
        ))
    };
    let before = first_run()
        .home
        .text("select max(fiscal_date) from analytics.fact_financials where symbol = 'FRESH'");
    assert!(newest("FRESH") > before, "{} is not newer than {before}", newest("FRESH"));
}

#[test]
fn after_a_change_the_tables_equal_those_of_a_new_home() {
    let (changed_world, fresh) = (changed_home(), Home::new());
    Job::new(world(1).url(), &CHANGING).run_ok(&fresh);
    // Only FRESH's newest period is compared, without scores that look two years back. In the older
    // home, there is one more quarter before the others.
    let of_newest = |table: &str| {
        format!(
            "symbol = 'FRESH' and fiscal_date = (select max(fiscal_date) from analytics.{table} where symbol = 'FRESH')"
        )
    };
    for table in ["fact_financials", "fact_financials_ttm", "fact_financial_ratios", "fact_growth_rates"] {
        let without_scores = "and not starts_with(c, 'piotroski_') and c <> 'null_reasons'";
        for (columns, rows) in [("", "symbol <> 'FRESH'"), (without_scores, &of_newest(table))] {
            let query = format!(
                "select columns(c -> c not in ('run_id', 'computed_at') and not starts_with(c, 'known_') {columns}) \
                 from analytics.{table} where {rows} order by all"
            );
            let (changed_world, fresh) = (changed_world.lines(&query), fresh.lines(&query));
            let other = changed_world.iter().zip(&fresh).find(|(a, b)| a != b);
            assert!(changed_world.len() == fresh.len() && other.is_none(), "{table}: {other:#?}");
            assert!(!fresh.is_empty(), "{table}: {rows}");
        }
    }
}

#[test]
fn recomputing_everything_changes_no_row() {
    let (server, home) = (Simulator::with_symbols(SYMBOLS), Home::copy_of(&first_run().home));
    let before = home.content();
    mark_everything_for_recomputation(&home);
    let summary = job(&server).run_ok(&home);
    assert_eq!(summary.calls, 0);
    assert_eq!(home.content(), before);
    assert_eq!(home.count("select count(*) from ops.changes"), 0);
}

#[test]
fn figures_from_outdated_models_are_recomputed() {
    let (server, home) = (Simulator::with_symbols(SYMBOLS), Home::copy_of(&first_run().home));
    let before = home.content();
    let connection = duckdb::Connection::open(home.warehouse()).unwrap();
    let other = "update ops.models set sha256 = 'other' where file in ('4_ratios/1_period_inputs.sql', 'tables/fact_growth_rates_history.sql'); \
                 update analytics.fact_financial_ratios_history set roe = 0; \
                 alter table analytics.fact_growth_rates_history drop column revenue_yoy";
    connection.execute_batch(other).unwrap();
    drop(connection);
    let summary = job(&server).run_ok(&home);
    assert_eq!(summary.calls, 0);
    assert_eq!(home.content(), before);
    assert_eq!(home.count("select count(*) from ops.models where sha256 = 'other'"), 0);
}

#[test]
fn recomputing_after_a_restatement_changes_no_past_day() {
    let home = changed_home();
    let before = Home::copy_of(&home);
    mark_everything_for_recomputation(&home);
    Job::new(world(1).url(), &CHANGING).run_ok(&home);
    let differences = home.differences(&before);
    assert!(
        differences.is_empty(),
        "what was known on a past day does not depend on when it is computed: {differences:?}"
    );
}

/// Two companies whose data revision 1 changes, and two whose data it keeps.
const CHANGING: [&str; 4] = ["RESTA", "FRESH", "AAPL", "MISSQ"];

fn world(revision: u32) -> Simulator {
    Simulator::start(Options {
        symbols: SYMBOLS,
        today: today(),
        revision,
        ..Options::default()
    })
}

/// A home after a run with revision 0 and a full run with revision 1.
fn changed_home() -> Home {
    let home = Home::new();
    Job::new(world(0).url(), &CHANGING).run_ok(&home);
    let summary = Job::new(world(1).url(), &CHANGING).with(|o| o.full = true).run_ok(&home);
    assert!(summary.rows["income_statement"].loaded > 0);
    home
}

/// Marks all days of all companies for recomputation.
fn mark_everything_for_recomputation(home: &Home) {
    let connection = duckdb::Connection::open(home.warehouse()).unwrap();
    let all = "insert into ops.changes (run_id, dataset, symbol, first_date) select 'again', 'dividends', symbol, null from staging.profile";
    connection.execute_batch(all).unwrap();
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn one_run_or_one_run_per_symbol_gives_the_same_tables() {
    let symbols = ["AAPL", "JPM", "SPLIT", "EURRP", "IPOED", "BADPX"];
    let server = Simulator::with_symbols(SYMBOLS);
    let (together, apart) = (Home::new(), Home::new());
    Job::new(server.url(), &symbols).days(DAYS_APART).run_ok(&together);
    for symbol in symbols.iter().rev() {
        Job::new(server.url(), &[symbol]).days(DAYS_APART).run_ok(&apart);
    }
    let differences = together.differences(&apart);
    assert!(differences.is_empty(), "{differences:?}");
}

/// Calendar days of prices: more than a year, so that beta has a value.
const DAYS_APART: u64 = 380;

#[test]
fn prices_fetched_in_two_parts_give_the_same_tables_as_in_one() {
    let symbols = ["AAPL", "SPLIT", "DELIS"];
    let server = Simulator::with_symbols(SYMBOLS);
    let (whole, parts) = (Home::new(), Home::new());
    Job::new(server.url(), &symbols).days(DAYS_APART).run_ok(&whole);
    Job::new(server.url(), &symbols).days(60).run_ok(&parts);
    let more = Job::new(server.url(), &symbols).days(DAYS_APART).run_ok(&parts);
    // The second run lacks only the older prices and market caps of three companies, and prices of the index.
    assert_eq!(more.calls, 7);
    let differences = whole.differences(&parts);
    assert!(differences.is_empty(), "{differences:?}");
}

#[test]
fn loading_now_and_computing_later_gives_the_same_tables() {
    let symbols = ["AAPL", "JPM", "NEGEQ", "SEMIA", "NOCAP"];
    let server = Simulator::with_symbols(SYMBOLS);
    let (at_once, later) = (Home::new(), Home::new());
    Job::new(server.url(), &symbols).run_ok(&at_once);
    let loaded = Job::new(server.url(), &symbols).with(|o| o.skip_analytics = true).run_ok(&later);
    assert_eq!(loaded.status, Status::Complete);
    assert_eq!(later.count("select count(*) from analytics.fact_financials"), 0);
    assert!(later.count("select count(*) from ops.changes") > 0);
    let computed = Job::new(server.url(), &symbols).run_ok(&later);
    assert_eq!(computed.calls, 0);
    let differences = at_once.differences(&later);
    assert!(differences.is_empty(), "{differences:?}");
    assert_eq!(later.count("select count(*) from ops.changes"), 0);
}

#[test]
fn only_failed_tasks_are_retried_by_the_next_run() {
    let symbols = ["AAPL", "MSFT", "KO"];
    let faulty = Simulator::with_faults(SYMBOLS, &["not-found=income-statement@MSFT"]);
    let good = Simulator::with_symbols(SYMBOLS);
    let (home, whole) = (Home::new(), Home::new());
    let partial = Job::new(faulty.url(), &symbols).run_ok(&home);
    assert_eq!((partial.status, partial.tasks.failed), (Status::Partial, 2));
    assert!(
        partial.failures.iter().all(|f| f.symbol == "MSFT" && f.dataset == "income_statement"),
        "{:?}",
        partial.failures
    );
    let healed = Job::new(good.url(), &symbols).run_ok(&home);
    assert_eq!((healed.status, healed.calls), (Status::Complete, 2));
    Job::new(good.url(), &symbols).run_ok(&whole);
    let differences = home.differences(&whole);
    assert!(differences.is_empty(), "{differences:?}");
}
