//! Several days of the whole S&P 500 on both engines from the same stage: every table has the same
//! rows.

use std::time::Instant;

use chrono::{Days, NaiveDate};
use findata_analytics::HostMetrics;
use findata_domain::{Result, clock::DayClock};
use findata_fmp_simulator::Options;
use findata_local::{bus::LocalBus, stage::DirectoryStage};
use findata_models::{Models, PUBLISHED};
use findata_pipeline::{
    ledger,
    ports::{stage, warehouse::Warehouse},
    summary::Summary,
};
use findata_snowflake::{Settings, Snowflake};
use findata_tests::{FakeSnowflake, Home, Job, Simulator, today, wait};

use super::{Files, comparison, contract::set_up};

const COMPANIES: usize = 505;
const DAYS: u64 = 30;

/// Loads and computes, on the fake Snowflake, the files that a DuckDB run has just staged.
pub(crate) fn replicate(
    home: &Home,
    done: &Summary,
    day: NaiveDate,
    fake: &'static FakeSnowflake,
    database: &str,
) -> Summary {
    replicate_with(home, done, day, fake, database, findata_tests::models())
}

/// Like [`replicate`], with the models of the DuckDB run.
pub(super) fn replicate_with(
    home: &Home,
    done: &Summary,
    day: NaiveDate,
    fake: &'static FakeSnowflake,
    database: &str,
    models: &Models,
) -> Summary {
    let summary = load_and_compute(home, done, day, fake, fake.settings(database), models).unwrap();
    assert_eq!(summary.analytics, done.analytics, "rows written and removed");
    summary
}

/// Like [`replicate`], but opens its own session and returns an error instead of panicking.
pub(super) fn try_load_and_compute(
    home: &Home,
    done: &Summary,
    day: NaiveDate,
    fake: &'static FakeSnowflake,
    settings: Settings,
) -> Result<Summary> {
    load_and_compute(home, done, day, fake, settings, findata_tests::models())
}

fn load_and_compute(
    home: &Home,
    done: &Summary,
    day: NaiveDate,
    fake: &'static FakeSnowflake,
    settings: Settings,
    models: &Models,
) -> Result<Summary> {
    let other = Home::new();
    let run = &done.run_id;
    let from = DirectoryStage::open(&home.stage()).unwrap();
    let to = DirectoryStage::open(&other.stage()).unwrap();
    let mut warehouse = Snowflake::new(settings).unwrap();
    let summary = wait(async {
        let mut keys = vec![ledger::plan_key(run), ledger::staged_key(run)];
        keys.extend(stage::Stage::list(&from, &ledger::batches_prefix(run)).await.unwrap());
        for key in keys {
            let object = stage::Stage::get(&from, &key).await.unwrap().unwrap();
            stage::Stage::put_if_absent(&to, &key, object.body).await.unwrap();
        }
        let staged: ledger::Staged =
            stage::read_json(&from, &ledger::staged_key(run)).await.unwrap().unwrap();
        assert!(Files::Fake(fake).copy_files(&from, &staged.files).await);
        let (clock, bus) = (DayClock(day), LocalBus::default());
        let loaded = findata_load::handle(run, &to, &mut warehouse, &clock).await?;
        assert_eq!(loaded.rows, done.rows);
        let metrics = HostMetrics::default();
        findata_analytics::handle(run, &to, &mut warehouse, models, &bus, &clock, &metrics).await
    });
    // The session is closed even if a statement failed.
    let _ = wait(warehouse.close());
    summary
}

/// Asserts that a past day reads the same on both engines.
fn expect_as_of(home: &Home, fake: &FakeSnowflake, database: &str, day: NaiveDate) {
    let mut warehouse = Snowflake::new(fake.settings(database)).unwrap();
    for table in PUBLISHED.iter().filter(|t| t.full_name().ends_with("_history")) {
        let known = format!(
            "from {} where known_from <= timestamp '{day} 23:00:00' and (known_to is null or known_to > timestamp '{day} 23:00:00')",
            table.full_name()
        );
        let sums = match table.name {
            "fact_financials_history" => {
                "count(*)::varchar, sum(revenue)::varchar, sum(total_assets)::varchar"
            }
            "fact_financials_ttm_history" => {
                "count(*)::varchar, sum(ttm_revenue)::varchar, sum(ttm_net_income)::varchar"
            }
            "fact_market_metrics_history" => {
                "count(*)::varchar, count(pe_ratio_ttm)::varchar, count(distinct company_key)::varchar"
            }
            _ => {
                "count(*)::varchar, count(distinct fiscal_date)::varchar, count(distinct company_key)::varchar"
            }
        };
        let query = format!("select {sums} {known}");
        let theirs = wait(warehouse.query(&query)).unwrap();
        assert_eq!(home.rows(&query), theirs, "{query}");
        assert_ne!(theirs[0][0].as_deref(), Some("0"), "{query}");
    }
    wait(warehouse.close()).unwrap();
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn several_days_of_the_sp500_are_the_same_on_both_engines() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let database = "days";
    let (first, second) = (today(), today() + Days::new(3));
    let server = Simulator::with_symbols(COMPANIES);
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let home = Home::new();
    let mut warehouse = fake.warehouse(database);
    wait(set_up(&mut warehouse));
    wait(warehouse.close()).unwrap();
    let begun = Instant::now();
    let report = |what: &str, summary: &Summary| {
        println!(
            "{what}: {} statements, {:.1} s so far",
            summary.warehouse.statements,
            begun.elapsed().as_secs_f64()
        );
    };

    let job = Job::new(server.url(), &symbols).days(DAYS);
    let done = job.run_ok(&home);
    report("the first day", &replicate(&home, &done, first, fake, database));
    comparison::assert_same_tables(&home, fake, database);

    let again = Job::new(server.url(), &symbols).days(DAYS).with(|o| o.full = true).run_ok(&home);
    let summary = replicate(&home, &again, first, fake, database);
    report("the same day again", &summary);
    assert!(summary.analytics.values().all(|t| t.written + t.removed == 0), "{:?}", summary.analytics);
    comparison::assert_same_tables(&home, fake, database);

    let tomorrow = Simulator::start(Options {
        symbols: COMPANIES,
        today: second,
        revision: 1,
        ..Options::default()
    });
    let restated = Job::new(tomorrow.url(), &symbols).on(second).with(|o| o.full = true).run_ok(&home);
    report("a day with restatements", &replicate(&home, &restated, second, fake, database));
    assert!(home.count("select count(*) from ops.restatements") > 0);
    comparison::assert_same_tables(&home, fake, database);
    expect_as_of(&home, fake, database, first);
    expect_as_of(&home, fake, database, second);
}
