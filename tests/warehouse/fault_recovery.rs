//! A whole load and analytics while Snowflake is busy, loses responses, ends sessions and holds
//! locks. The tables are the same, either at once or after the next attempt.

use findata_domain::Error;
use findata_pipeline::ports::warehouse::Warehouse;
use findata_tests::{FakeSnowflake, Home, Job, Simulator, today, wait};

use super::{comparison, contract::set_up, multi_day::try_load_and_compute};

const DATABASE: &str = "faults";

/// Failures from which a retry of the statement recovers: a pattern of the statement, and the
/// failure.
const TRANSIENT: [(&str, &str); 6] = [
    ("copy into incoming", "http=503&times=3"),
    ("^commit", "drop=1&times=2"),
    ("insert into staging", "drop=1&times=3"),
    ("create or replace temporary table new_", "drop=1&times=2"),
    ("insert into analytics", "http=503&times=2"),
    ("delete from ops", "drop=1"),
];

/// Failures that end an attempt: a pattern of the statement, the failure, and part of the error
/// text.
const FATAL: [(&str, &str, &str); 5] = [
    (
        "copy into incoming",
        "code=000630&state=57014&message=Statement reached its statement timeout",
        "timeout",
    ),
    (
        "insert into staging.prices",
        "code=390111&message=Session no longer exists",
        "the session ended",
    ),
    (
        "insert into ops.files",
        "code=000625&state=57014&message=Statement timed out waiting for a lock",
        "lock",
    ),
    (
        "insert into analytics.fact_financials_history",
        "code=000625&state=57014&message=waiting for a lock",
        "lock",
    ),
    (
        "^commit",
        "code=000603&state=XX000&message=SQL execution internal error",
        "internal error",
    ),
];

#[test]
fn a_run_with_every_kind_of_failure_ends_with_the_same_tables() {
    // With this option, the first response to most statements is "not finished yet".
    let Some(fake) = FakeSnowflake::start(&["--async-after", "0.03"]) else {
        return;
    };
    let fake: &'static FakeSnowflake = Box::leak(Box::new(fake));
    let mut warehouse = fake.warehouse(DATABASE);
    wait(set_up(&mut warehouse));
    wait(warehouse.close()).unwrap();
    let server = Simulator::with_symbols(2);
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let home = Home::new();
    let done = Job::new(server.url(), &symbols).days(20).run_ok(&home);

    for (pattern, how, reason_part) in FATAL {
        fake.inject_failure(DATABASE, pattern, how);
        let error = try_load_and_compute(&home, &done, today(), fake, fake.settings(DATABASE)).unwrap_err();
        assert!(
            matches!(&error, Error::Retry { reason, .. } if reason.contains(reason_part)),
            "{pattern}: {error:?}"
        );
    }
    for (pattern, how) in TRANSIENT {
        fake.inject_failure(DATABASE, pattern, how);
    }
    try_load_and_compute(&home, &done, today(), fake, fake.settings(DATABASE)).unwrap();
    comparison::assert_same_tables(&home, fake, DATABASE);
    let rows = |table: &str| format!("select count(*)::varchar from {table}");
    let mut warehouse = fake.warehouse(DATABASE);
    for table in [
        "raw.prices",
        "staging.prices",
        "staging.income_statement",
        "ops.files",
        "ops.tasks",
        "ops.runs",
    ] {
        assert_eq!(wait(warehouse.query(&rows(table))).unwrap(), home.rows(&rows(table)), "{table}");
    }
    wait(warehouse.close()).unwrap();
    let reattached: Vec<_> = fake.log().into_iter().filter(|entry| entry[0] == "attach").collect();
    assert!(!reattached.is_empty(), "no response was lost");
}
