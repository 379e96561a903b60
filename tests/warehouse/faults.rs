//! Faults on the way of a statement to Snowflake and back. A comment in the statement makes the
//! fake inject the fault.

use std::time::{Duration, Instant};

use findata_domain::Error;
use findata_pipeline::ports::warehouse::{Statement, Warehouse};
use findata_snowflake::{Settings, Snowflake};
use findata_tests::{FakeSnowflake, wait};
use secrecy::SecretString;

const NEW_TABLE: &str = "create or replace table public.t (n bigint)";

fn rows(warehouse: &mut Snowflake) -> String {
    let rows = wait(warehouse.query("select count(*)::varchar from public.t")).unwrap();
    rows[0][0].clone().unwrap()
}

fn executions(fake: &FakeSnowflake, statement: &str) -> usize {
    let matches =
        |entry: &&serde_json::Value| entry[0] == "query" && entry[2].as_str().unwrap().contains(statement);
    fake.log().iter().filter(matches).count()
}

#[test]
fn a_statement_is_retried_on_a_busy_server_and_applied_once() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let mut warehouse = fake.warehouse("busy");
    wait(warehouse.execute(NEW_TABLE)).unwrap();
    assert_eq!(wait(warehouse.execute("insert into public.t values (1) /*fake:http503=2*/")).unwrap(), 1);
    assert_eq!(executions(fake, "fake:http503=2"), 3);
    assert_eq!(rows(&mut warehouse), "1");
    let error = wait(warehouse.execute("insert into public.t values (2) /*fake:http503=99*/")).unwrap_err();
    assert!(matches!(&error, Error::Retry { reason, .. } if reason.contains("503")), "{error:?}");
}

#[test]
fn a_statement_whose_response_was_lost_is_not_applied_twice() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let mut warehouse = fake.warehouse("lost");
    wait(warehouse.execute(NEW_TABLE)).unwrap();
    assert_eq!(wait(warehouse.execute("insert into public.t values (1) /*fake:drop lost*/")).unwrap(), 1);
    assert_eq!(executions(fake, "fake:drop lost"), 2);
    assert_eq!(rows(&mut warehouse), "1");
}

#[test]
fn chunked_rows_and_unknown_types_are_read() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let mut warehouse = fake.warehouse("chunks");
    // The chunks are plain; gzip files whose responses do not say so; or also encrypted with a key.
    for chunks in ["", "/*fake:gzip*/", "/*fake:gzip*/ /*fake:qrmk*/"] {
        let query = format!(
            "select n::varchar from (select row_number() over (order by null) as n from table(generator(rowcount => 1000))) t \
             order by t.n /*fake:chunks*/ /*fake:rowtype=vector*/ {chunks}"
        );
        let all = wait(warehouse.query(&query)).unwrap();
        let wanted: Vec<_> = (1..=1000).map(|n| vec![Some(n.to_string())]).collect();
        assert_eq!(all, wanted, "{chunks}");
    }
}

#[test]
fn a_passing_client_error_is_retried() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let mut warehouse = fake.warehouse("refused");
    wait(warehouse.execute(NEW_TABLE)).unwrap();
    for status in [400, 403, 405] {
        let insert = format!("insert into public.t values ({status})");
        fake.inject_failure("refused", &format!("values .{status}"), &format!("http={status}&times=2"));
        assert_eq!(wait(warehouse.execute(&insert)).unwrap(), 1, "{status}");
    }
    fake.inject_failure("refused", "values .7", "http=403&times=5");
    let error = wait(warehouse.execute("insert into public.t values (7)")).unwrap_err();
    assert!(matches!(&error, Error::Retry { reason, .. } if reason.contains("403")), "{error:?}");
    assert_eq!(rows(&mut warehouse), "3");
}

#[test]
fn a_redirect_is_followed_only_to_snowflake() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let mut warehouse = fake.warehouse("redirects");
    wait(warehouse.execute(NEW_TABLE)).unwrap();
    for status in [307, 308] {
        fake.inject_failure(
            "redirects",
            "insert into public.t",
            &format!("http={status}&location=same&times=2"),
        );
        assert_eq!(wait(warehouse.execute("insert into public.t values (1)")).unwrap(), 1, "{status}");
    }
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!("http://{}/", elsewhere.local_addr().unwrap());
    fake.inject_failure(
        "redirects",
        "insert into public.t",
        &format!("http=307&location={location}&times=5"),
    );
    let error = wait(warehouse.execute("insert into public.t values (2)")).unwrap_err();
    assert!(matches!(&error, Error::Config(text) if text.contains("307")), "{error:?}");
    assert!(elsewhere.accept().is_err(), "the token was sent to another server");
    fake.inject_failure("redirects", "insert into public.t", "http=307&location=same&times=99");
    assert!(
        wait(warehouse.execute("insert into public.t values (3)")).is_err(),
        "an endless redirect ends"
    );
    fake.clear_failures("redirects");
    assert_eq!(rows(&mut warehouse), "2");
}

#[test]
fn parameters_that_change_results_do_not_depend_on_the_account() {
    let unusual = [
        "ROWS_PER_RESULTSET=2",
        "TIMESTAMP_INPUT_FORMAT=DD.MM.YYYY",
        "TIMESTAMP_NTZ_OUTPUT_FORMAT=YYYY",
        "TIMESTAMP_TYPE_MAPPING=TIMESTAMP_LTZ",
        "MULTI_STATEMENT_COUNT=0",
        "DEFAULT_NULL_ORDERING=FIRST",
    ];
    let options: Vec<&str> = unusual.iter().flat_map(|value| ["--account-parameter", value]).collect();
    let Some(fake) = FakeSnowflake::start(&options) else {
        return;
    };
    let mut warehouse = fake.warehouse("parameters");
    let mut query = |sql: &str| wait(warehouse.query(sql));
    assert_eq!(query("select n::varchar from (values (1), (2), (3)) v(n)").unwrap().len(), 3);
    assert_eq!(
        query("select (timestamp '2024-02-01 21:30:05')::varchar").unwrap(),
        [[Some("2024-02-01 21:30:05.000000".to_owned())]]
    );
    query("create table public.moments (moment timestamp)").unwrap();
    let kind = "select data_type from information_schema.columns where table_name = 'MOMENTS'";
    assert_eq!(query(kind).unwrap(), [[Some("TIMESTAMP_NTZ".to_owned())]]);
    let error = query("select '1'; select '2'").unwrap_err();
    assert!(matches!(&error, Error::Stop(text) if text.contains("000008")), "{error:?}");
    let log = fake.log();
    let login = log.iter().find(|entry| entry[0] == "login").unwrap();
    let pinned = &login[1]["SESSION_PARAMETERS"];
    for (name, value) in [
        ("DEFAULT_NULL_ORDERING", "LAST".into()),
        ("QUOTED_IDENTIFIERS_IGNORE_CASE", false.into()),
        ("TRANSACTION_ABORT_ON_ERROR", false.into()),
        ("CLIENT_VALIDATE_DEFAULT_PARAMETERS", serde_json::Value::Bool(true)),
    ] {
        assert_eq!(pinned[name], value, "{name}");
    }
}

#[test]
fn statements_of_a_batch_run_until_the_first_failure() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let mut warehouse = fake.warehouse("batches");
    wait(warehouse.execute(NEW_TABLE)).unwrap();
    let run = |warehouse: &mut Snowflake, texts: &[&str]| {
        let statements: Vec<_> = texts.iter().map(|sql| Statement { step: "some step", sql }).collect();
        wait(warehouse.execute_all(&statements))
    };
    let insert = "insert into public.t select n from kept -- a comment; with a semicolon";
    let texts = ["create or replace temporary table kept as select 7 as n", insert, "drop table kept"];
    drop(warehouse.take_usage());
    run(&mut warehouse, &texts).unwrap();
    let usage = warehouse.take_usage();
    assert_eq!((usage.statements, usage.requests, usage.log.len()), (3, 1, 3));
    assert!(usage.log.iter().all(|statement| statement.step == "some step" && statement.succeeded));

    // A lost response repeats nothing.
    fake.inject_failure("batches", "values .8", "drop=1");
    run(&mut warehouse, &["insert into public.t values (8)", "insert into public.t values (9)"]).unwrap();
    assert_eq!(rows(&mut warehouse), "3");

    wait(warehouse.execute("begin transaction")).unwrap();
    let texts = ["insert into public.t values (1)", "insert into public.nothing values (1)", "commit"];
    let error = run(&mut warehouse, &texts).unwrap_err();
    assert!(matches!(&error, Error::Stop(text) if text.contains("nothing")), "{error:?}");
    wait(warehouse.execute("rollback")).unwrap();
    assert_eq!(rows(&mut warehouse), "3");

    // A session that may have lost temporary tables of a batch is not replaced.
    let lost = ["create or replace temporary table kept as select 7 as n", "select 1 from public.nothing"];
    run(&mut warehouse, &lost).unwrap_err();
    fake.inject_failure("batches", "insert into public.t", "code=390111&message=Session no longer exists");
    let error = wait(warehouse.execute("insert into public.t values (5)")).unwrap_err();
    assert!(matches!(error, Error::Retry { .. }), "{error:?}");
}

#[test]
fn a_long_running_statement_is_polled_until_it_finishes() {
    let Some(fake) = FakeSnowflake::start(&["--async-after", "0.3"]) else {
        return;
    };
    let mut warehouse = fake.warehouse("long");
    wait(warehouse.execute(NEW_TABLE)).unwrap();
    assert_eq!(wait(warehouse.execute("insert into public.t values (1) /*fake:delay=1.2*/")).unwrap(), 1);
    assert_eq!(executions(&fake, "fake:delay"), 1);
    assert_eq!(rows(&mut warehouse), "1");
}

#[test]
fn a_statement_that_exceeds_its_timeout_is_aborted() {
    let Some(fake) = FakeSnowflake::start(&["--async-after", "0.3"]) else {
        return;
    };
    drop(fake.warehouse("late"));
    let settings = Settings {
        statement_timeout: Duration::from_secs(3),
        ..fake.settings("late")
    };
    let mut warehouse = Snowflake::new(settings).unwrap();
    wait(warehouse.execute(NEW_TABLE)).unwrap();
    let begun = Instant::now();
    let error = wait(warehouse.execute("insert into public.t values (1) /*fake:delay=20*/")).unwrap_err();
    assert!(matches!(error, Error::Retry { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(fake.requests("abort"), 1);
    assert_eq!(rows(&mut warehouse), "0");
}

#[test]
fn an_expired_token_is_renewed_and_the_session_is_kept() {
    let Some(fake) = FakeSnowflake::start(&["--session-ttl", "1"]) else {
        return;
    };
    let mut warehouse = fake.warehouse("old");
    wait(warehouse.execute("create or replace temporary table kept as select 7 as n")).unwrap();
    wait(warehouse.execute(NEW_TABLE)).unwrap();
    wait(warehouse.execute("begin transaction")).unwrap();
    wait(warehouse.execute("insert into public.t values (1)")).unwrap();
    std::thread::sleep(Duration::from_millis(1_200));
    wait(warehouse.execute("insert into public.t select n from kept")).unwrap();
    wait(warehouse.execute("commit")).unwrap();
    assert_eq!(rows(&mut warehouse), "2");
    assert_eq!((fake.requests("login"), fake.requests("renew") > 0), (1, true));
}

#[test]
fn a_lost_session_is_replaced_only_if_it_held_no_state() {
    let Some(fake) = FakeSnowflake::start(&[]) else {
        return;
    };
    let mut warehouse = fake.warehouse("gone");
    wait(warehouse.execute(NEW_TABLE)).unwrap();
    fake.expire_sessions();
    wait(warehouse.execute("insert into public.t values (1)")).unwrap();
    assert_eq!(fake.requests("login"), 2);

    wait(warehouse.execute("begin transaction")).unwrap();
    wait(warehouse.execute("insert into public.t values (2)")).unwrap();
    fake.expire_sessions();
    let error = wait(warehouse.execute("insert into public.t values (3)")).unwrap_err();
    assert!(matches!(error, Error::Retry { .. }), "{error:?}");
    assert_eq!(rows(&mut warehouse), "1");

    wait(warehouse.execute("create or replace temporary table kept as select 7 as n")).unwrap();
    fake.expire_sessions();
    let error = wait(warehouse.execute("insert into public.t select n from kept")).unwrap_err();
    assert!(matches!(error, Error::Retry { .. }), "{error:?}");
    wait(warehouse.close()).unwrap();
}

#[test]
fn one_session_is_opened_on_first_use_and_closed() {
    let Some(fake) = FakeSnowflake::start(&[]) else {
        return;
    };
    let mut warehouse = Snowflake::new(fake.settings("one")).unwrap();
    assert_eq!(fake.requests("login"), 0);
    for n in 0..5 {
        wait(warehouse.query(&format!("select '{n}'"))).unwrap();
    }
    wait(warehouse.close()).unwrap();
    wait(warehouse.close()).unwrap();
    assert_eq!((fake.requests("login"), fake.requests("session")), (1, 1));
}

#[test]
fn a_wrong_key_is_a_configuration_error_and_is_not_echoed() {
    let Some(fake) = FakeSnowflake::shared() else {
        return;
    };
    let Some(other) = FakeSnowflake::start(&[]) else {
        return;
    };
    let stranger = Settings { url: fake.settings("key").url, ..other.settings("key") };
    let error = wait(Snowflake::new(stranger).unwrap().query("select '1'")).unwrap_err();
    let Error::Config(text) = error else { panic!("{error:?}") };
    assert!(text.contains("390144"), "{text}");
    let unreadable = Settings {
        key: SecretString::from("-----BEGIN PRIVATE KEY-----no-pem-but-s3cret"),
        ..fake.settings("key")
    };
    let error = wait(Snowflake::new(unreadable).unwrap().query("select '1'")).unwrap_err();
    let Error::Config(text) = error else { panic!("{error:?}") };
    assert!(!text.contains("s3cret"), "{text}");
}
