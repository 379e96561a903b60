//! What the job survives, by injecting it.

mod breaker;
mod classification;
mod crashes;
mod invocations;
mod permanent;
mod redelivery;
mod retries;
mod transient;

use std::sync::OnceLock;

use findata_tests::{Content, Home, Job, Simulator};

const SYMBOLS: [&str; 2] = ["AAPL", "NOCAP"];

/// The home of a run without any fault, made once, and its content.
fn whole() -> &'static (Home, Content) {
    static WHOLE: OnceLock<(Home, Content)> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let home = Home::new();
        Job::new(Simulator::with_symbols(12).url(), &SYMBOLS).run_ok(&home);
        let content = home.content();
        (home, content)
    })
}

fn assert_whole(home: &Home, what: &str) {
    let (whole, content) = whole();
    if home.content() != *content {
        panic!("{what}: {:?}", home.differences(whole));
    }
    let left = "select (select count(*) from ops.changes) + (select count(*) from ops.files where staged <> loaded + unchanged + quarantined)";
    assert_eq!(home.count(left), 0, "{what}");
}
