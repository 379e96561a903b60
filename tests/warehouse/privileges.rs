//! The role that the setup SQL makes for the functions has all that they need, and nothing is left half done where it has not.

use chrono::Days;
use findata_domain::Error;
use findata_fmp_simulator::Options;
use findata_local::{
    doctor,
    setup_sql::{self, Given, Values},
};
use findata_pipeline::ports::warehouse::Warehouse;
use findata_snowflake::{Settings, Snowflake};
use findata_tests::{Double, Home, Job, Server, today, wait};

use super::{days::tried, same, sent::expect_grammar};
use crate::setup_sql::run_script;

const DATABASE: &str = "findata";

fn as_administrator(double: &Double) -> Snowflake {
    Snowflake::new(Settings { role: "accountadmin".into(), ..double.settings(DATABASE) }).unwrap()
}

fn as_loader(double: &Double) -> Settings {
    Settings {
        user: "findata_service".into(),
        role: "findata_loader".into(),
        warehouse: "findata_wh".into(),
        schema: "scratch".into(),
        stage: "raw.landing".into(),
        ..double.settings(DATABASE)
    }
}

fn set_up(double: &Double) {
    // The double's own bucket and folder.
    let given = Given { bucket: Some("findata"), prefix: Some("some/home"), ..Given::default() };
    let script = setup_sql::setup(&Values::of(&given).unwrap(), false);
    let mut administrator = as_administrator(double);
    wait(run_script(&mut administrator, &script));
    wait(administrator.close()).unwrap();
}

/// What the doctor says is to be done.
fn cures(double: &Double) -> Vec<String> {
    let checks = wait(doctor::snowflake(&as_loader(double))).unwrap();
    checks.into_iter().filter_map(|check| check.fix).collect()
}

#[test]
fn the_loaders_role_is_enough_and_a_missing_grant_is_told_and_mended() {
    let Some(double) = Double::start(&["--privileges"]) else { return };
    let double: &'static Double = Box::leak(Box::new(double));
    set_up(double);
    assert_eq!(cures(double), Vec::<String>::new());
    let server = Server::of(2);
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let home = Home::new();
    let done = Job::new(server.url(), &symbols).days(20).done(&home);
    let mut administrator = as_administrator(double);
    wait(administrator.execute("alter warehouse findata_wh suspend")).unwrap();
    wait(administrator.close()).unwrap();
    let (resumes, before) = (double.requests("resume"), double.log().len());
    let summary = tried(&home, &done, today(), double, as_loader(double)).unwrap();
    assert_eq!(double.requests("resume") - resumes, 1, "one resume a run");
    assert_eq!(summary.warehouse.resumes, 1);
    expect_grammar(double, before);
    same::expect(&home, double, DATABASE);

    let next = today() + Days::new(3);
    let tomorrow = Server::start(Options { symbols: 2, today: next, revision: 1, ..Options::default() });
    let done = Job::new(tomorrow.url(), &symbols).on(next).with(|o| o.full = true).done(&home);
    for (revoked, cure) in [
        ("usage on warehouse findata_wh", "grant usage on warehouse findata_wh"),
        ("usage on stage findata.raw.landing", "grant usage on stage findata.raw.landing"),
        ("insert on all tables in schema findata.raw", "grant insert on all tables in schema findata.raw"),
        ("delete on table findata.staging.prices", "grant delete on table findata.staging.prices"),
        ("usage on schema findata.scratch", "grant usage on schema findata.scratch"),
        (
            "select on view findata.staging.statement_versions",
            "grant select on view findata.staging.statement_versions",
        ),
        (
            "insert on table findata.analytics.fact_market_metrics_history",
            "grant insert on table findata.analytics.fact_market_metrics_history",
        ),
    ] {
        let mut administrator = as_administrator(double);
        wait(administrator.execute(&format!("revoke {revoked} from role findata_loader"))).unwrap();
        let error = tried(&home, &done, next, double, as_loader(double)).unwrap_err();
        assert!(matches!(error, Error::Config(_) | Error::Stop(_)), "{revoked}: {error:?}");
        assert!(
            error.to_string().contains("findata doctor") || error.to_string().contains("USAGE"),
            "{revoked}: {error}"
        );
        let cures = cures(double);
        assert!(
            cures.iter().any(|told| told.starts_with(&format!("{cure} to role findata_loader"))),
            "{revoked}: {cures:?}"
        );
        for cure in cures {
            wait(administrator.execute(cure.split(';').next().unwrap())).unwrap();
        }
        wait(administrator.close()).unwrap();
    }
    tried(&home, &done, next, double, as_loader(double)).unwrap();
    same::expect(&home, double, DATABASE);
}
