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
    let home = Home::new();
    let output = run(&home, server.url()).run();
    assert_eq!(output.code, Some(3), "{output:#?}");
    assert!(output.stderr.contains("fetch: 1 call failed; the summary says why"), "{output:#?}");
    assert!(
        !output.stderr.contains('\u{1b}') && output.stdout.contains("1 task failed"),
        "{output:#?}"
    );
    let terminal = run(&Home::new(), server.url()).run_on_terminal(80);
    assert!(terminal.stdout.contains("fetch: 1 call failed; the summary says why"), "{terminal:#?}");
    // A retry without calls leaves the failed task for the next run.
    let id = output.stdout.split_whitespace().nth(1).unwrap().to_owned();
    let retry = findata(&["retry", &id, "--max-calls", "0"]).home(&home).url(server.url()).run();
    assert_eq!(retry.code, Some(4), "{retry:#?}");
}

#[test]
fn the_summary_of_a_run_fits() {
    let (server, home) = (findata_tests::Simulator::with_symbols(12), Home::new());
    let run = || {
        findata(&["run", "--symbols", "AAPL,BRK.B,TYPOX", "--days", "30", "--quiet"])
            .home(&home)
            .url(server.url())
    };
    let text = |output: findata_tests::Output, width: usize| {
        super::assert_fits(&output, width);
        assert!(
            output.stdout.contains("TYPOX: unknown symbol") && output.stdout.contains("P/E"),
            "{output:#?}"
        );
        output.stdout
    };
    let narrow = [text(run().run_on_terminal(80), 80), text(run().variable("COLUMNS", "80").run(), 80)];
    let wide = [text(run().run_on_terminal(200), 200), text(run().run(), 200)];
    assert!(
        narrow.iter().all(|text| !text.contains("ROE") && text.contains("\n    not BRK.B)")),
        "{narrow:?}"
    );
    assert!(
        wide.iter().all(|text| text.contains("ROE") && text.contains("(BRK-B, not BRK.B)")),
        "{wide:?}"
    );
}

#[test]
fn a_run_without_failures_does_not_mention_them() {
    let server = findata_tests::Simulator::with_symbols(12);
    let output = run(&Home::new(), server.url()).run();
    assert!(output.code == Some(0) && !output.stderr.contains("failed"), "{output:#?}");
}
