//! Upgrades on the fake Snowflake, whose privileges decide who may change the tables.

use findata_local::setup_sql::{self, Given, Values};
use findata_pipeline::ports::warehouse::Warehouse;
use findata_snowflake::{Settings, Snowflake};
use findata_tests::{Command, FakeSnowflake, Home, Job, Simulator, wait};

use super::changes;
use crate::{
    setup_sql::run_script,
    warehouse::{command::findata_on_the_fake, comparison},
};

const DATABASE: &str = "findata";

fn as_role(fake: &FakeSnowflake, role: &str) -> Snowflake {
    Snowflake::new(Settings { role: role.into(), ..fake.settings(DATABASE) }).unwrap()
}

/// `findata` as the role of the functions.
fn command(arguments: &[&str], fake: &FakeSnowflake) -> Command {
    findata_on_the_fake(arguments, fake, DATABASE)
        .variable("SNOWFLAKE_USER", "findata_service")
        .variable("SNOWFLAKE_ROLE", "findata_loader")
        .variable("SNOWFLAKE_WAREHOUSE", "findata_wh")
        .variable("SNOWFLAKE_SCHEMA", "scratch")
        .variable("SNOWFLAKE_STAGE", "raw.landing")
}

/// Gives the warehouse the tables of a build without versions.
const OLDER: [&str; 5] = [
    "delete from ops.models where file = 'schema_version'",
    "alter table ops.quarantine drop column column_text",
    "drop table ops.filer_changes",
    "create or replace table analytics.fact_growth_rates_history (company_key varchar)",
    "update ops.models set sha256 = 'older' where file = 'tables/fact_growth_rates_history.sql'",
];

#[test]
fn the_owner_upgrades_and_others_get_the_script() {
    let Some(fake) = FakeSnowflake::start(&["--privileges"]) else {
        return;
    };
    let fake: &'static FakeSnowflake = Box::leak(Box::new(fake));
    let given = Given {
        bucket: Some("findata"),
        prefix: Some(DATABASE),
        ..Given::default()
    };
    let setup = setup_sql::setup(&Values::of(&given).unwrap(), false, findata_tests::models());
    let mut administrator = as_role(fake, "accountadmin");
    wait(run_script(&mut administrator, &setup));
    let mut make_older = || {
        wait(async {
            for statement in ["use role findata_deploy"].iter().chain(&OLDER) {
                administrator.execute(statement).await.unwrap_or_else(|e| panic!("{e}\n{statement}"));
            }
        });
    };
    let (server, home) = (Simulator::with_symbols(2), Home::new());
    let symbols = server.symbols();
    Job::new(server.url(), &symbols.iter().map(String::as_str).collect::<Vec<_>>())
        .days(20)
        .run_ok(&home);
    let run = || {
        command(&["run", "--json", "--days", "20", "--quarters", "8", "--years", "6"], fake)
            .url(server.url())
            .option("--symbols", symbols.join(","))
            .run()
    };
    let first = run();
    assert_eq!(first.code, Some(0), "{first:#?}");
    comparison::assert_same_tables(&home, fake, DATABASE);
    let current = command(&["upgrade", "--json"], fake).run().json();
    assert_eq!((&current["stored_version"], changes(&current)), (&2.into(), Vec::new()), "{current}");

    make_older();
    // The run stops before it loads anything.
    let stopped = run().failed(5);
    assert!(stopped.contains("version 1") && stopped.contains("run `findata upgrade`"), "{stopped}");
    let plan = command(&["upgrade", "--plan", "--json"], fake).run().json();
    assert_eq!(
        changes(&plan),
        [
            "add_column ops.quarantine.column_text",
            "create_table ops.filer_changes",
            "recreate_table analytics.fact_growth_rates_history",
        ]
    );
    let printed = command(&["upgrade"], fake).run();
    assert_eq!(printed.code, Some(0), "{printed:#?}");
    assert!(printed.stderr.contains("run the script as their owner"), "{printed:#?}");
    assert!(printed.stdout.contains("use role findata_deploy;"), "{printed:#?}");
    // An interrupted script can be run again.
    let (before, _) = printed.stdout.split_once("begin transaction;").unwrap();
    wait(run_script(&mut as_role(fake, "accountadmin"), before));
    let plan = command(&["upgrade", "--plan", "--json"], fake).run().json();
    assert_eq!(changes(&plan), ["recreate_table analytics.fact_growth_rates_history"]);
    assert_eq!(run().code, Some(5));
    wait(run_script(&mut as_role(fake, "accountadmin"), &printed.stdout));
    let after = run();
    assert_eq!((after.code, &after.json()["calls"]), (Some(0), &0.into()), "{after:#?}");
    comparison::assert_same_tables(&home, fake, DATABASE);

    make_older();
    let applied = command(&["upgrade", "--json"], fake).variable("SNOWFLAKE_ROLE", "accountadmin");
    let applied = applied.variable("SNOWFLAKE_USER", "findata").run();
    assert_eq!((applied.code, &applied.json()["applied"]), (Some(0), &true.into()), "{applied:#?}");
    assert_eq!(run().code, Some(0));
    comparison::assert_same_tables(&home, fake, DATABASE);

    assert!(command(&["upgrade", "--rollback"], fake).run().failed(2).contains("clone the database"));
    let newer = "update ops.models set sha256 = '9' where file = 'schema_version'";
    wait(administrator.execute(newer)).unwrap();
    for arguments in [&["upgrade"][..], &["upgrade", "--plan"]] {
        let error = command(arguments, fake).run().failed(5);
        assert!(error.contains("version 9") && error.contains("up to 2"), "{error}");
    }
    assert!(run().failed(5).contains("version 9"));
    wait(administrator.close()).unwrap();
}
