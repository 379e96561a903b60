//! The role that the setup script creates for the functions has every privilege that they need. A
//! missing privilege fails the run without leaving partial changes.

use std::time::{Duration, Instant};

use chrono::Days;
use findata_domain::Error;
use findata_fmp_simulator::Options;
use findata_local::{
    doctor,
    setup_sql::{self, Given, Values},
};
use findata_pipeline::ports::warehouse::Warehouse;
use findata_snowflake::{Settings, Snowflake};
use findata_tests::{FakeSnowflake, Home, Job, Simulator, today, wait};

use super::{comparison, multi_day::try_load_and_compute, statement_grammar::assert_parses};
use crate::setup_sql::run_script;

const DATABASE: &str = "findata";

fn as_administrator(fake: &FakeSnowflake) -> Snowflake {
    let settings = Settings { role: "accountadmin".into(), ..fake.settings(DATABASE) };
    // The database does not exist at first.
    Snowflake::new(settings).unwrap().without_validation()
}

fn as_loader(fake: &FakeSnowflake) -> Settings {
    Settings {
        user: "findata_service".into(),
        role: "findata_loader".into(),
        warehouse: "findata_wh".into(),
        schema: "scratch".into(),
        stage: "raw.landing".into(),
        ..fake.settings(DATABASE)
    }
}

fn set_up(fake: &FakeSnowflake) {
    // The bucket and the prefix that the fake uses.
    let given = Given {
        bucket: Some("findata"),
        prefix: Some("some/home"),
        ..Given::default()
    };
    let script = setup_sql::setup(&Values::of(&given).unwrap(), false, findata_tests::models());
    let mut administrator = as_administrator(fake);
    wait(run_script(&mut administrator, &script));
    wait(administrator.close()).unwrap();
}

/// The fixes that `findata doctor` suggests.
fn fixes(fake: &FakeSnowflake) -> Vec<String> {
    let checks = wait(doctor::snowflake(&as_loader(fake), findata_tests::models())).unwrap();
    checks.into_iter().filter_map(|check| check.fix).collect()
}

#[test]
fn the_loader_role_is_sufficient_and_doctor_suggests_each_missing_grant() {
    let Some(fake) = FakeSnowflake::start(&["--privileges"]) else {
        return;
    };
    let fake: &'static FakeSnowflake = Box::leak(Box::new(fake));
    set_up(fake);
    assert_eq!(fixes(fake), Vec::<String>::new());
    fake.inject_failure(
        DATABASE,
        "^list @raw.landing/",
        "code=003167&state=42601&message=Error assuming AWS_ROLE",
    );
    let fixes_of_role = fixes(fake);
    assert!(fixes_of_role.len() == 1 && fixes_of_role[0].contains("trust policy"), "{fixes_of_role:?}");
    let misspelt = Settings { schema: "scrath".into(), ..as_loader(fake) };
    let error = wait(Snowflake::new(misspelt).unwrap().query("select '1'")).unwrap_err();
    assert!(
        matches!(&error, Error::Config(text) if text.contains("390201") && text.contains("schema")),
        "{error:?}"
    );
    let server = Simulator::with_symbols(2);
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let home = Home::new();
    let done = Job::new(server.url(), &symbols).days(20).run_ok(&home);
    let mut administrator = as_administrator(fake);
    wait(administrator.execute("alter warehouse findata_wh suspend")).unwrap();
    wait(administrator.close()).unwrap();
    let (resumes, before) = (fake.requests("resume"), fake.log().len());
    // As on AWS, with a slice for each company.
    let ends_at = Some(Instant::now() + Duration::from_secs(3_600));
    let in_slices = Settings { ends_at, rows_per_slice: 100, ..as_loader(fake) };
    let summary = try_load_and_compute(&home, &done, today(), fake, in_slices).unwrap();
    assert_eq!(fake.requests("resume") - resumes, 1, "one resume per run");
    assert_eq!(summary.warehouse.resumes, 1);
    assert_parses(fake, before);
    comparison::assert_same_tables(&home, fake, DATABASE);
    let texts: Vec<String> = fake.log()[before..].iter().map(|entry| entry.to_string()).collect();
    let sent = |text: &str| texts.iter().any(|entry| entry.contains(text));
    assert!(
        sent("insert into checkpoint_") && sent("drop table if exists checkpoint_"),
        "the slices were kept"
    );
    let mut administrator = as_administrator(fake);
    let kept = "select table_name from information_schema.tables where lower(table_name) like 'checkpoint_%' \
        union all select run_id from ops.slices";
    assert!(wait(administrator.query(kept)).unwrap().is_empty());
    wait(administrator.close()).unwrap();

    let next = today() + Days::new(3);
    let tomorrow = Simulator::start(Options { symbols: 2, today: next, revision: 1, ..Options::default() });
    let done = Job::new(tomorrow.url(), &symbols).on(next).with(|o| o.full = true).run_ok(&home);
    for (revoked, expected_fix) in [
        ("usage on warehouse findata_wh", "grant usage on warehouse findata_wh"),
        ("usage on stage findata.raw.landing", "grant usage on stage findata.raw.landing"),
        (
            "insert on all tables in schema findata.raw",
            "grant insert on all tables in schema findata.raw",
        ),
        ("delete on table findata.staging.prices", "grant delete on table findata.staging.prices"),
        ("usage on schema findata.scratch", "grant usage on schema findata.scratch"),
        (
            "select on view findata.analytics.fact_financials_ttm",
            "grant select on view findata.analytics.fact_financials_ttm",
        ),
        (
            "insert on table findata.analytics.fact_market_metrics_history",
            "grant insert on table findata.analytics.fact_market_metrics_history",
        ),
    ] {
        let mut administrator = as_administrator(fake);
        wait(administrator.execute(&format!("revoke {revoked} from role findata_loader"))).unwrap();
        let error = try_load_and_compute(&home, &done, next, fake, as_loader(fake)).unwrap_err();
        assert!(matches!(error, Error::Config(_) | Error::Stop(_)), "{revoked}: {error:?}");
        assert!(
            error.to_string().contains("findata doctor") || error.to_string().contains("USAGE"),
            "{revoked}: {error}"
        );
        let fixes = fixes(fake);
        assert!(
            fixes.iter().any(|fix| fix.starts_with(&format!("{expected_fix} to role findata_loader"))),
            "{revoked}: {fixes:?}"
        );
        for fix in fixes {
            wait(administrator.execute(fix.split(';').next().unwrap())).unwrap();
        }
        wait(administrator.close()).unwrap();
    }
    try_load_and_compute(&home, &done, next, fake, as_loader(fake)).unwrap();
    comparison::assert_same_tables(&home, fake, DATABASE);
}
