//! The progress of a run.

use findata_tests::{Command, Home, Replay, findata};

/// A run in which one of the calls fails.
fn run(home: &Home, url: impl Into<String>) -> Command {
    findata(&["run", "--symbols", "AAPL", "--days", "30", "--datasets", "profile,dividends"])
        .home(home)
        .url(url)
}

fn server() -> Replay {
    let profile =
        serde_json::json!([{"symbol": "AAPL", "companyName": "Apple", "price": 10, "marketCap": 1000}]);
    Replay::new().answer("profile", "AAPL", "", profile.to_string()).override_endpoint(
        "dividends",
        400,
        "refused",
    )
}

#[test]
fn the_progress_of_a_fetch_counts_failed_calls() {
    let server = server().start();
    let output = run(&Home::new(), server.url()).run();
    assert_eq!(output.code, Some(3), "{output:#?}");
    assert!(output.stderr.contains("fetch: 1 call failed; the summary says why"), "{output:#?}");
    assert!(
        !output.stderr.contains('\u{1b}') && output.stdout.contains("1 task failed"),
        "{output:#?}"
    );
    let terminal = run(&Home::new(), server.url()).run_on_terminal(80);
    assert!(terminal.stdout.contains("fetch: 1 call failed; the summary says why"), "{terminal:#?}");
}

#[test]
fn a_run_without_failures_does_not_mention_them() {
    let server = findata_tests::Simulator::with_symbols(12);
    let output = run(&Home::new(), server.url()).run();
    assert!(output.code == Some(0) && !output.stderr.contains("failed"), "{output:#?}");
}
