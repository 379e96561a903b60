//! Faults on the way of a statement to Snowflake and back. A comment in the statement makes the
//! fake inject the fault.

use std::time::{Duration, Instant};

use findata_domain::Error;
use findata_pipeline::ports::warehouse::Warehouse;
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
    let all = wait(warehouse.query(
        "select n::varchar from (select row_number() over (order by null) as n from table(generator(rowcount => 1000))) t \
         order by t.n /*fake:chunks*/ /*fake:rowtype=vector*/",
    ))
    .unwrap();
    let wanted: Vec<_> = (1..=1000).map(|n| vec![Some(n.to_string())]).collect();
    assert_eq!(all, wanted);
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
