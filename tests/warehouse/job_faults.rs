//! A whole load and analytics while Snowflake is busy, loses answers, ends sessions and holds locks: the same tables, at once or by the
//! next try.

use findata_domain::Error;
use findata_pipeline::ports::warehouse::Warehouse;
use findata_tests::{Double, Home, Job, Server, today, wait};

use super::{contract::set_up, days::tried, same};

const DATABASE: &str = "faults";

/// What passes while a statement is sent again.
const PASSING: [(&str, &str); 6] = [
    ("copy into incoming", "http=503&times=3"),
    ("^commit", "drop=1&times=2"),
    ("insert into staging", "drop=1&times=3"),
    ("create or replace temporary table new_", "drop=1&times=2"),
    ("insert into analytics", "http=503&times=2"),
    ("delete from ops", "drop=1"),
];

/// What ends a try: where, how, and what the error says.
const ENDING: [(&str, &str, &str); 5] = [
    ("copy into incoming", "code=000630&state=57014&message=Statement reached its statement timeout", "timeout"),
    ("insert into staging.prices", "code=390111&message=Session no longer exists", "the session ended"),
    ("insert into ops.files", "code=000625&state=57014&message=Statement timed out waiting for a lock", "lock"),
    ("insert into analytics.fact_financials_history", "code=000625&state=57014&message=waiting for a lock", "lock"),
    ("^commit", "code=000603&state=XX000&message=SQL execution internal error", "internal error"),
];

#[test]
fn a_job_through_every_fault_ends_with_the_same_tables() {
    // Most statements are answered "not finished yet" first.
    let Some(double) = Double::start(&["--async-after", "0.03"]) else { return };
    let double: &'static Double = Box::leak(Box::new(double));
    let mut warehouse = double.warehouse(DATABASE);
    wait(set_up(&mut warehouse));
    wait(warehouse.close()).unwrap();
    let server = Server::of(2);
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let home = Home::new();
    let done = Job::new(server.url(), &symbols).days(20).done(&home);

    for (pattern, how, told) in ENDING {
        double.inject(pattern, how);
        let error = tried(&home, &done, today(), double, double.settings(DATABASE)).unwrap_err();
        assert!(matches!(&error, Error::Retry { reason, .. } if reason.contains(told)), "{pattern}: {error:?}");
    }
    for (pattern, how) in PASSING {
        double.inject(pattern, how);
    }
    tried(&home, &done, today(), double, double.settings(DATABASE)).unwrap();
    same::expect(&home, double, DATABASE);
    let rows = |table: &str| format!("select count(*)::varchar from {table}");
    let mut warehouse = double.warehouse(DATABASE);
    for table in ["raw.prices", "staging.prices", "staging.income_statement", "ops.files", "ops.tasks", "ops.runs"] {
        assert_eq!(wait(warehouse.query(&rows(table))).unwrap(), home.rows(&rows(table)), "{table}");
    }
    wait(warehouse.close()).unwrap();
    let asked: Vec<_> = double.log().into_iter().filter(|entry| entry[0] == "attach").collect();
    assert!(!asked.is_empty(), "no answer was lost");
}
