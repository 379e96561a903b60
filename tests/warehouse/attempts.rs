//! Several attempts in one session, as a function makes them, and writes of other sessions in between.

use findata_analytics::HostMetrics;
use findata_domain::{Error, Result, clock::DayClock};
use findata_local::{bus::LocalBus, stage::DirectoryStage};
use findata_pipeline::{
    ledger,
    ports::{
        stage::{self, Stage},
        warehouse::Warehouse,
    },
    summary::Summary,
};
use findata_snowflake::Snowflake;
use findata_tests::{FakeSnowflake, Home, Job, Simulator, today, wait};

use super::{Files, comparison, contract::set_up};

/// A warehouse on which a run is loaded, but not computed.
struct Loaded {
    fake: &'static FakeSnowflake,
    home: Home,
    stage: DirectoryStage,
    done: Summary,
    warehouse: Snowflake,
    _copy: Home,
}

fn load(database: &str) -> Option<Loaded> {
    let fake = FakeSnowflake::shared()?;
    // In another session, so that its statements are not counted as those of load.
    let mut owner = fake.warehouse(database);
    wait(async {
        set_up(&mut owner).await;
        owner.close().await.unwrap();
    });
    let mut warehouse = fake.warehouse(database);
    let (server, home) = (Simulator::with_symbols(2), Home::new());
    let done = Job::new(server.url(), &["AAPL"]).days(20).run_ok(&home);
    let copy = Home::copy_of(&home);
    for key in [ledger::loaded_key(&done.run_id), ledger::summary_key(&done.run_id)] {
        std::fs::remove_file(copy.stage().join(key)).unwrap();
    }
    let stage = DirectoryStage::open(&copy.stage()).unwrap();
    wait(async {
        let staged: ledger::Staged =
            stage::read_json(&stage, &ledger::staged_key(&done.run_id)).await.unwrap().unwrap();
        assert!(Files::Fake(fake).copy_files(&stage, &staged.files).await);
        findata_load::handle(&done.run_id, &stage, &mut warehouse, &DayClock(today()))
            .await
            .unwrap();
    });
    Some(Loaded { fake, home, stage, done, warehouse, _copy: copy })
}

impl Loaded {
    fn compute(&mut self) -> Result<Summary> {
        let models = findata_tests::models();
        let (clock, bus, metrics) = (DayClock(today()), LocalBus::default(), HostMetrics::default());
        let run = &self.done.run_id;
        wait(findata_analytics::handle(
            run,
            &self.stage,
            &mut self.warehouse,
            models,
            &bus,
            &clock,
            &metrics,
        ))
    }
}

#[test]
fn a_second_attempt_in_the_same_session_publishes_into_empty_tables() {
    let Some(mut loaded) = load("second_attempt") else {
        return;
    };
    loaded.fake.inject_failure(
        "second_attempt",
        "delete from ops.changes",
        "code=000625&state=57014&message=a lock",
    );
    let error = loaded.compute().unwrap_err();
    assert!(matches!(&error, Error::Retry { reason, .. } if reason.contains("a lock")), "{error:?}");
    loaded.compute().unwrap();
    comparison::assert_same_tables(&loaded.home, loaded.fake, "second_attempt");
    wait(loaded.warehouse.close()).unwrap();
}

#[test]
fn figures_are_not_published_if_load_wrote_while_they_were_computed() {
    let Some(mut loaded) = load("snapshot") else {
        return;
    };
    // The load of another run, which commits between two models that read the prices.
    let load = "begin transaction; \
        update staging.prices set volume = volume + 1; \
        insert into ops.changes (run_id, dataset, symbol) values ('other', 'prices', 'AAPL'); \
        commit";

    loaded.fake.inject_failure(
        "snapshot",
        "create or replace temporary table new_fact_daily_prices",
        &format!("sql={load}"),
    );
    let error = loaded.compute().unwrap_err();
    assert!(
        matches!(&error, Error::Retry { reason, .. } if reason.contains("have changed")),
        "{error:?}"
    );
    let published = "select count(*)::varchar from analytics.fact_daily_prices";
    assert_eq!(wait(loaded.warehouse.query(published)).unwrap(), [[Some("0".to_owned())]]);
    // A change of another company does not matter.
    let load = "insert into ops.changes (run_id, dataset, symbol) values ('other', 'prices', 'OTHER')";
    loaded.fake.inject_failure(
        "snapshot",
        "create or replace temporary table new_fact_daily_prices",
        &format!("sql={load}"),
    );
    loaded.compute().unwrap();
    let differences = "select count(*)::varchar from staging.prices s \
        join analytics.fact_daily_prices f on f.symbol = s.symbol and f.price_date = s.price_date \
        where f.volume <> s.volume";
    assert_eq!(wait(loaded.warehouse.query(differences)).unwrap(), [[Some("0".to_owned())]]);
    assert!(loaded.stage_has_summary());
    wait(loaded.warehouse.close()).unwrap();
}

#[test]
fn one_symbol_needs_few_round_trips() {
    let Some(mut loaded) = load("one_symbol") else {
        return;
    };
    let summary = loaded.compute().unwrap();
    let used = &summary.warehouse;
    println!("{} statements, {} requests, {:?}", used.statements, used.requests, used.by_function);
    assert_eq!(used.by_function.values().sum::<u64>(), used.statements);
    // At 150 ms each, they take 16.5 seconds.
    assert!(used.requests <= 110, "{} requests", used.requests);
    assert!(used.by_function["load"] <= 140, "{:?}", used.by_function);
    assert!(used.by_function["analytics"] <= 150, "{:?}", used.by_function);
    wait(loaded.warehouse.close()).unwrap();
}

impl Loaded {
    fn stage_has_summary(&self) -> bool {
        wait(self.stage.get(&ledger::summary_key(&self.done.run_id))).unwrap().is_some()
    }
}
