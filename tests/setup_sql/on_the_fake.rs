//! The setup script runs twice on the fake Snowflake, and all objects exist afterwards.

use findata_domain::{catalog::CATALOG, clock::DayClock};
use findata_local::{
    bus::LocalBus,
    setup_sql::{self, Given, Values},
    stage::DirectoryStage,
};
use findata_models::PUBLISHED;
use findata_pipeline::{
    ledger,
    ports::{
        stage::{self, Stage},
        warehouse::Warehouse,
    },
};
use findata_snowflake::{Settings, Snowflake};
use findata_tests::{FakeSnowflake, Home, Job, Simulator, analyze, today, wait};

use super::{code, defaults, given};

/// Runs the statements of a script.
pub(crate) async fn run_script(warehouse: &mut impl Warehouse, script: &str) {
    for statement in setup_sql::statements(script) {
        // The fake recognizes statements about accounts by their first words. It has no integration
        // to describe.
        let code = code(&statement);
        if code.starts_with("desc ") {
            continue;
        }
        warehouse.execute(&code).await.unwrap_or_else(|e| panic!("{e}\n{statement}"));
    }
}

async fn text(warehouse: &mut impl Warehouse, query: &str) -> String {
    let rows = warehouse.query(query).await.unwrap_or_else(|e| panic!("{e}\n{query}"));
    rows.first().and_then(|row| row.first()?.clone()).unwrap_or_default()
}

/// A session in the database that the script creates.
fn session(fake: &FakeSnowflake, name: &str) -> Snowflake {
    Snowflake::new(fake.settings(name)).unwrap()
}

/// Runs the script this many times. After the first time, two tables get a row.
fn set_up(name: &str, values: &Values, times: usize) -> Option<Snowflake> {
    let fake = FakeSnowflake::shared()?;
    let mut warehouse = session(fake, name);
    wait(async {
        // The default of an account in which somebody sets findata up.
        let unusual = "alter session set timestamp_type_mapping = 'TIMESTAMP_LTZ'";
        warehouse.execute(unusual).await.unwrap();
        run_script(&mut warehouse, &setup_sql::setup(values, false, findata_tests::models())).await;
        let row = "insert into staging.profile (symbol) select 'ACME'";
        assert_eq!(warehouse.execute(row).await.unwrap(), 1);
        warehouse
            .execute("insert into analytics.dim_company (symbol) select 'ACME'")
            .await
            .unwrap();
        for _ in 1..times {
            run_script(&mut warehouse, &setup_sql::setup(values, false, findata_tests::models())).await;
        }
    });
    Some(warehouse)
}

#[test]
fn the_script_can_be_run_twice_and_creates_every_table() {
    let Some(mut warehouse) = set_up("findata", &defaults(), 2) else {
        return;
    };
    wait(async {
        for dataset in CATALOG {
            for schema in ["raw", "staging"] {
                text(&mut warehouse, &format!("select count(*)::varchar from {schema}.{}", dataset.name))
                    .await;
            }
        }
        for table in PUBLISHED {
            text(&mut warehouse, &format!("select count(*)::varchar from {}", table.full_name())).await;
        }
        assert_eq!(text(&mut warehouse, "select count(*)::varchar from staging.profile").await, "1");
        assert_eq!(text(&mut warehouse, "select count(*)::varchar from analytics.dim_company").await, "1");
        assert_eq!(text(&mut warehouse, "select count(*)::varchar from analytics.metric_nulls").await, "0");
        assert_eq!(text(&mut warehouse, "select count(*)::varchar from ops.changes").await, "0");
        let moments = "select count(distinct data_type)::varchar || ' ' || min(data_type) \
            from information_schema.columns where data_type like 'TIMESTAMP%'";
        assert_eq!(text(&mut warehouse, moments).await, "1 TIMESTAMP_NTZ");
        let files = text(&mut warehouse, "select count(*)::varchar from ops.models").await;
        assert_eq!(files, (findata_tests::models().tables.len() + 1).to_string(), "with the version");
    });
}

#[test]
fn rebuilt_tables_are_marked_for_recomputation_and_outdated_tables_stay_detectable() {
    let Some(mut warehouse) = set_up("acme_dev", &given(), 1) else {
        return;
    };
    wait(async {
        let hash = "select sha256 from ops.models where file = 'tables/dim_company.sql'";
        let own = text(&mut warehouse, hash).await;
        for statement in [
            "update ops.models set sha256 = 'older' where file like '%dim_company.sql' or file like '%metric_nulls.sql'",
            "insert into ops.models (file, sha256) select '1_scope/1_companies_to_recompute.sql', 'model'",
        ] {
            warehouse.execute(statement).await.unwrap();
        }
        run_script(&mut warehouse, &setup_sql::setup(&given(), false, findata_tests::models())).await;
        assert_eq!(text(&mut warehouse, hash).await, "older", "the table is unchanged");
        let older = "select count(*)::varchar from ops.models where sha256 = 'older'";
        assert_eq!(text(&mut warehouse, older).await, "1", "the view was replaced");

        run_script(&mut warehouse, &setup_sql::setup(&given(), true, findata_tests::models())).await;
        assert_eq!(text(&mut warehouse, hash).await, own);
        assert_eq!(text(&mut warehouse, "select count(*)::varchar from analytics.dim_company").await, "0");
        assert_eq!(text(&mut warehouse, "select count(*)::varchar from staging.profile").await, "1");
        assert_eq!(
            text(&mut warehouse, "select dataset || ' ' || symbol from ops.changes").await,
            "models ACME"
        );
        let models = "select sha256 from ops.models where file = '1_scope/1_companies_to_recompute.sql'";
        assert_eq!(
            text(&mut warehouse, models).await,
            "model",
            "the hashes of models are written by the functions only"
        );
    });
}

#[test]
fn load_and_analytics_work_in_the_database_the_script_created() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let (server, home) = (Simulator::with_symbols(3), Home::new());
    let run_id = Job::new(server.url(), &["AAPL"]).run_ok(&home).run_id;
    for key in [ledger::loaded_key(&run_id), ledger::summary_key(&run_id)] {
        std::fs::remove_file(home.stage().join(key)).unwrap();
    }
    let files = DirectoryStage::open(&home.stage()).unwrap();
    // The bucket and the prefix that the fake uses.
    let given = Given {
        bucket: Some("findata"),
        prefix: Some("some/home"),
        name: Some("by_script"),
        ..Given::default()
    };
    let mut first = session(fake, "by_script");
    wait(run_script(
        &mut first,
        &setup_sql::setup(&Values::of(&given).unwrap(), false, findata_tests::models()),
    ));
    wait(first.close()).unwrap();

    let settings = fake.settings("by_script");
    let settings = Settings {
        schema: "scratch".into(),
        stage: "raw.landing".into(),
        ..settings
    };
    let mut warehouse = Snowflake::new(settings).unwrap();
    wait(async {
        let staged: ledger::Staged =
            stage::read_json(&files, &ledger::staged_key(&run_id)).await.unwrap().unwrap();
        for file in &staged.files {
            let body = files.get(&file.key).await.unwrap().unwrap().body.to_vec();
            tokio::task::block_in_place(|| fake.put(&file.key, body));
        }
        let clock = DayClock(today());
        findata_load::handle(&run_id, &files, &mut warehouse, &clock).await.unwrap();
        let bus = LocalBus::default();
        analyze(&run_id, &files, &mut warehouse, &bus, &clock).await.unwrap();
        let days = "select count(*)::varchar from analytics.fact_market_metrics";
        let on_duckdb = home.count("select count(*) from analytics.fact_market_metrics").to_string();
        assert_ne!(on_duckdb, "0");
        assert_eq!(text(&mut warehouse, days).await, on_duckdb);
    });
    wait(warehouse.close()).unwrap();
}
