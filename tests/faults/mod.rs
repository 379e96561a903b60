//! Fault injection: which faults a run survives, and how it reports the others.

mod breaker;
mod classification;
mod clock_ahead;
mod crashes;
mod damaged_state;
mod empty_answers;
mod invocations;
mod kept_work;
mod large_plans;
mod memory;
mod metrics_on_the_stage;
mod outages;
mod permanent;
mod progress;
mod readers;
mod redelivery;
mod retries;
mod slices;
mod transient;
mod universe;

use std::sync::OnceLock;

use findata_tests::{Content, Home, Job, Simulator};

const SYMBOLS: [&str; 2] = ["AAPL", "NOCAP"];

/// The home and the tables of a fault-free run, created once.
fn fault_free() -> &'static (Home, Content) {
    static FAULT_FREE: OnceLock<(Home, Content)> = OnceLock::new();
    FAULT_FREE.get_or_init(|| {
        let home = Home::new();
        Job::new(Simulator::with_symbols(12).url(), &SYMBOLS).run_ok(&home);
        let content = home.content();
        (home, content)
    })
}

fn assert_fault_free_tables(home: &Home, what: &str) {
    let (fault_free, content) = fault_free();
    if home.content() != *content {
        panic!("{what}: {:?}", home.differences(fault_free));
    }
    let unfinished = "select (select count(*) from ops.changes) + (select count(*) from ops.files where staged <> loaded + unchanged + quarantined)";
    assert_eq!(home.count(unfinished), 0, "{what}");
}
