//! The real command with S3 and the fake Snowflake, as the owner of a Snowflake account runs it.

use findata_fmp_simulator::Options;
use findata_pipeline::ports::warehouse::Warehouse;
use findata_tests::{Command, FakeSnowflake, Home, Job, Simulator, findata, today, wait};

use super::{ONE_SECTOR, comparison, contract::set_up};

/// `findata` with the fake as Snowflake and the S3 beside the fake.
pub(crate) fn findata_on_the_fake(arguments: &[&str], fake: &FakeSnowflake, database: &str) -> Command {
    let settings = fake.settings(database);
    findata(arguments)
        .option("--today", today().to_string())
        .option("--warehouse", "snowflake")
        .option("--stage", fake.stage_url(database))
        .variable("SNOWFLAKE_ACCOUNT", &settings.account)
        .variable("SNOWFLAKE_USER", &settings.user)
        .variable("SNOWFLAKE_PRIVATE_KEY", fake.key())
        .variable("SNOWFLAKE_DATABASE", database)
        .variable("SNOWFLAKE_SCHEMA", "public")
        .variable("SNOWFLAKE_STAGE", "public.own")
        .variable("SNOWFLAKE_URL", settings.url.as_deref().unwrap())
        .variable("AWS_ENDPOINT_URL", fake.s3())
        .variable("AWS_REGION", "us-east-1")
        .variable("AWS_ACCESS_KEY_ID", "test")
        .variable("AWS_SECRET_ACCESS_KEY", "test")
}

#[test]
fn the_command_gives_the_same_tables_on_snowflake_as_on_duckdb() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let database = "command";
    let mut warehouse = fake.warehouse(database);
    wait(set_up(&mut warehouse));
    let stage = format!("create stage public.own url = '{}/'", fake.stage_url(database));
    wait(warehouse.execute(&stage)).unwrap();

    let server = Simulator::with_symbols(41);
    let symbols = ONE_SECTOR;
    let home = Home::new();
    Job::new(server.url(), &symbols).days(30).run_ok(&home);
    let run = || {
        findata_on_the_fake(
            &["run", "--json", "--days", "30", "--quarters", "8", "--years", "6"],
            fake,
            database,
        )
        .url(server.url())
        .option("--symbols", symbols.join(","))
    };
    let output = run().run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    let summary = output.json();
    assert_eq!(summary["warehouse"]["resumes"], 1, "{summary}");
    assert!(summary["warehouse"]["statements"].as_u64().unwrap() > 100, "{summary}");
    assert!(summary["cost"]["snowflake_credits"].as_f64().unwrap() > 0.0, "{summary}");
    assert!(summary["cost"]["s3_puts"].as_u64().unwrap() > 5, "{summary}");
    comparison::assert_same_tables(&home, fake, database);
    assert!(home.count("select count(*) from analytics.fact_sector_ranks") > 50);

    let again = run().run();
    let summary = again.json();
    assert_eq!((again.code, summary["calls"].as_u64()), (Some(0), Some(0)), "{again:#?}");
    comparison::assert_same_tables(&home, fake, database);

    // Restores the state that an earlier build left: hashes of raw text, and models in files of
    // other names.
    let raw = "62a1ef67e715316369af39c8a8281ff2803a1c4106b42829f9953405e1db69d3";
    for statement in [
        &format!("update ops.models set sha256 = '{raw}' where file = 'tables/dim_date.sql'"),
        "update ops.models set file = '31_period_inputs.sql' where file = '4_ratios/1_period_inputs.sql'",
        "update analytics.fact_financial_ratios_history set roe = 0",
    ] {
        wait(warehouse.execute(statement)).unwrap();
    }
    let upgraded = run().run();
    assert_eq!(upgraded.json()["calls"], 0, "nothing is fetched again: {upgraded:#?}");
    comparison::assert_same_tables(&home, fake, database);

    let plan = findata_on_the_fake(
        &["plan", "--json", "--days", "30", "--quarters", "8", "--years", "6"],
        fake,
        database,
    )
    .url(server.url());
    let plan = plan.option("--symbols", symbols.join(",")).run();
    assert_eq!(plan.json()["calls"], 0, "{plan:#?}");
    let rejected = findata_on_the_fake(&["sql", "select 1"], fake, database).run();
    assert_eq!(rejected.code, Some(2));
    assert!(rejected.stderr.contains("reads DuckDB"), "{}", rejected.stderr);
    wait(warehouse.close()).unwrap();
}

#[test]
fn snowflake_and_s3_configuration_errors_are_reported_before_any_call() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let server = Simulator::start(Options { symbols: 3, today: today(), ..Options::default() });
    let run = || findata_on_the_fake(&["run", "--symbols", "AAPL"], fake, "wrong").url(server.url());
    let calls = server.calls();
    let cases = [
        (
            run().variable("SNOWFLAKE_ACCOUNT", "").variable("SNOWFLAKE_PRIVATE_KEY", ""),
            5,
            "SNOWFLAKE_ACCOUNT is not set",
        ),
        (run().variable("SNOWFLAKE_ROLE", "x'; drop"), 5, "is not a valid Snowflake role"),
        (run().variable("SNOWFLAKE_URL", "http://example.com"), 5, "must begin with https"),
        (findata(&["run", "--symbols", "A", "--warehouse", "snowflake"]), 2, "--stage s3://"),
        (
            findata(&["run", "--symbols", "A", "--stage", "s3://bucket/x"]),
            2,
            "--warehouse snowflake",
        ),
        (
            findata(&["run", "--symbols", "A", "--stage", "s3://bucket/it's", "--warehouse", "snowflake"]),
            2,
            "not a valid S3 location",
        ),
        (
            run().without("AWS_SECRET_ACCESS_KEY").variable("AWS_EC2_METADATA_DISABLED", "true"),
            5,
            "credentials",
        ),
        (run().variable("SNOWFLAKE_PRIVATE_KEY", "no key"), 5, "PKCS#8"),
    ];
    for (command, code, text) in cases {
        let output = command.run();
        assert_eq!(output.code, Some(code), "{text}: {output:#?}");
        assert!(output.stderr.contains(text), "{text}: {}", output.stderr);
        assert!(!output.stderr.contains("PRIVATE KEY--"), "{}", output.stderr);
    }
    assert_eq!(server.calls(), calls);
}

#[test]
fn a_run_on_s3_that_has_not_ended_may_be_in_progress() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let run = Job::new(server.url(), &["AAPL"]).days(20).run_ok(&home).run_id;
    let key = format!("runs/{run}/plan.json");
    // The fake puts files below this prefix.
    fake.put(&key, std::fs::read(home.stage().join(&key)).unwrap());
    let status = |arguments: &[&str]| {
        let output = findata_on_the_fake(arguments, fake, "some/home")
            .variable("SNOWFLAKE_DATABASE", "x")
            .run();
        assert_eq!(output.code, Some(0), "{output:#?}");
        output
    };
    let json = status(&["status", "--json"]).json();
    let open = json["open_runs"].as_array().unwrap();
    let open = open.iter().find(|open| open["run_id"] == run.as_str()).unwrap();
    assert!(open["in_progress"].is_null(), "{open}");
    let text = status(&["status"]).stdout;
    assert!(
        text.contains(&format!("run {run} has not ended")) && !text.contains("interrupted"),
        "{text}"
    );
}
