//! The command itself on S3 and the double: what a person with a Snowflake account runs.

use findata_fmp_simulator::Options;
use findata_pipeline::ports::warehouse::Warehouse;
use findata_tests::{Command, Double, Home, Job, Server, ended_json, findata, today, wait};

use super::{contract::set_up, same};

/// `findata` with the double as Snowflake and the S3 beside it.
fn on_the_double(arguments: &[&str], double: &Double, database: &str) -> Command {
    let settings = double.settings(database);
    findata(arguments)
        .option("--today", today().to_string())
        .option("--warehouse", "snowflake")
        .option("--stage", double.place(database))
        .variable("SNOWFLAKE_ACCOUNT", &settings.account)
        .variable("SNOWFLAKE_USER", &settings.user)
        .variable("SNOWFLAKE_PRIVATE_KEY", double.key())
        .variable("SNOWFLAKE_DATABASE", database)
        .variable("SNOWFLAKE_SCHEMA", "public")
        .variable("SNOWFLAKE_STAGE", "public.own")
        .variable("SNOWFLAKE_URL", settings.url.as_deref().unwrap())
        .variable("AWS_ENDPOINT_URL", double.s3())
        .variable("AWS_REGION", "us-east-1")
        .variable("AWS_ACCESS_KEY_ID", "test")
        .variable("AWS_SECRET_ACCESS_KEY", "test")
}

#[test]
fn the_command_fills_snowflake_as_it_fills_duckdb() {
    let Some(double) = Double::shared() else { return };
    let database = "command";
    let mut warehouse = double.warehouse(database);
    wait(set_up(&mut warehouse));
    let stage = format!("create stage public.own url = '{}/'", double.place(database));
    wait(warehouse.execute(&stage)).unwrap();

    let server = Server::of(3);
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let home = Home::new();
    Job::new(server.url(), &symbols).days(30).done(&home);
    let run = || {
        on_the_double(&["run", "--json", "--days", "30"], double, database)
            .url(server.url())
            .option("--symbols", symbols.join(","))
    };
    let ended = run().run();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let summary = ended_json(&ended);
    assert_eq!(summary["warehouse"]["resumes"], 1, "{summary}");
    assert!(summary["warehouse"]["statements"].as_u64().unwrap() > 100, "{summary}");
    assert!(summary["cost"]["snowflake_credits"].as_f64().unwrap() > 0.0, "{summary}");
    assert!(summary["cost"]["s3_puts"].as_u64().unwrap() > 5, "{summary}");
    same::expect(&home, double, database);

    let again = run().run();
    let summary = ended_json(&again);
    assert_eq!((again.code, summary["calls"].as_u64()), (Some(0), Some(0)), "{again:#?}");
    same::expect(&home, double, database);

    let plan = on_the_double(&["plan", "--json", "--days", "30"], double, database).url(server.url());
    let plan = plan.option("--symbols", symbols.join(",")).run();
    assert_eq!(ended_json(&plan)["calls"], 0, "{plan:#?}");
    let shown = on_the_double(&["sql", "select 1"], double, database).run();
    assert_eq!(shown.code, Some(2));
    assert!(shown.stderr.contains("reads DuckDB"), "{}", shown.stderr);
    wait(warehouse.close()).unwrap();
}

#[test]
fn what_is_wrong_with_snowflake_or_s3_is_said_before_a_call() {
    let Some(double) = Double::shared() else { return };
    let server = Server::start(Options { symbols: 3, today: today(), ..Options::default() });
    let run = || on_the_double(&["run", "--symbols", "AAPL"], double, "wrong").url(server.url());
    let calls = server.calls();
    let cases = [
        (
            run().variable("SNOWFLAKE_ACCOUNT", "").variable("SNOWFLAKE_PRIVATE_KEY", ""),
            5,
            "SNOWFLAKE_ACCOUNT is not set",
        ),
        (run().variable("SNOWFLAKE_ROLE", "x'; drop"), 5, "is no role"),
        (run().variable("SNOWFLAKE_URL", "http://example.com"), 5, "must begin with https"),
        (findata(&["run", "--symbols", "A", "--warehouse", "snowflake"]), 2, "--stage s3://"),
        (findata(&["run", "--symbols", "A", "--stage", "s3://bucket/x"]), 2, "--warehouse snowflake"),
        (
            findata(&["run", "--symbols", "A", "--stage", "s3://bucket/it's", "--warehouse", "snowflake"]),
            2,
            "not a valid S3 location",
        ),
        (run().without("AWS_SECRET_ACCESS_KEY").variable("AWS_EC2_METADATA_DISABLED", "true"), 5, "credentials"),
        (run().variable("SNOWFLAKE_PRIVATE_KEY", "no key"), 5, "PKCS#8"),
    ];
    for (command, code, text) in cases {
        let ended = command.run();
        assert_eq!(ended.code, Some(code), "{text}: {ended:#?}");
        assert!(ended.stderr.contains(text), "{text}: {}", ended.stderr);
        assert!(!ended.stderr.contains("PRIVATE KEY--"), "{}", ended.stderr);
    }
    assert_eq!(server.calls(), calls);
}
