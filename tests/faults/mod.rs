//! What the job survives, by injecting it.

mod deliveries;
mod kills;
mod lasting;
mod passing;

use std::sync::OnceLock;

use findata_tests::{Home, Job, Server};

const SYMBOLS: [&str; 2] = ["AAPL", "NOCAP"];

/// The home of a run without any fault, made once.
fn whole() -> &'static Home {
    static WHOLE: OnceLock<Home> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let home = Home::new();
        Job::new(Server::of(12).url(), &SYMBOLS).done(&home);
        home
    })
}

fn assert_whole(home: &Home, what: &str) {
    let differences = home.differences(whole());
    assert!(differences.is_empty(), "{what}: {differences:?}");
    assert_eq!(home.count("select count(*) from ops.changes"), 0, "{what}");
    assert_eq!(home.count("select count(*) from ops.files where staged <> loaded + unchanged + quarantined"), 0, "{what}");
}
