//! Ctrl-C and SIGTERM.

use findata_tests::{Home, Running, Simulator, findata, wait_until};

use super::{outcome, run};

/// Starts a server that stalls the calls for dividends, and a run that has made all calls and waits
/// only for the dividends.
fn waiting_for_dividends(home: &Home) -> (Simulator, Running) {
    let server = Simulator::with_faults(12, &["stall=30s,dividends"]);
    let running = run(home, &server.url(), &server.symbols().join(",")).start();
    let calls = |endpoint| server.calls_by_endpoint().get(endpoint).copied().unwrap_or_default();
    // Each of the 12 symbols has one call for dividends, and one for the quarters and one for the
    // years of each kind of statement.
    wait_until("all calls", || {
        calls("dividends") == 12 && calls("income-statement") + calls("cash-flow-statement") == 48
    });
    (server, running)
}

/// Sends a signal to a run that waits for dividends, and checks its exit code and message. Returns
/// the number of calls that the server received.
fn stopped_run(home: &Home, signal: &str, code: i32) -> u64 {
    let (server, running) = waiting_for_dividends(home);
    running.signal(signal);
    let output = running.wait();
    let line = output.failed(code).to_owned();
    assert!(line.contains("kept") && line.contains("next run") && line.contains(signal), "{line}");
    assert_eq!(output.stdout, "", "no summary");
    server.calls()
}

#[test]
fn a_stopped_run_keeps_what_it_has_fetched() {
    let (home, whole, server) = (Home::new(), Home::new(), Simulator::with_symbols(12));
    let before = stopped_run(&home, "INT", 130);
    let complete = |home: &Home| {
        let output = run(home, &server.url(), &server.symbols().join(",")).run();
        assert_eq!(outcome(&output), (Some(0), "complete".into()), "{output:#?}");
    };
    complete(&home);
    let after = server.calls();
    complete(&whole);
    let undisturbed = server.calls() - after;
    assert_eq!(before + after, undisturbed + 12, "only calls without an answer were made again");
    let differences = home.differences(&whole);
    assert!(differences.is_empty(), "{differences:?}");
}

#[test]
fn a_run_is_also_stopped_by_sigterm() {
    stopped_run(&Home::new(), "TERM", 143);
}

#[test]
fn a_second_signal_ends_a_run_at_once() {
    let home = Home::new();
    let (_server, running) = waiting_for_dividends(&home);
    running.signal("TERM");
    wait_until("the first signal is confirmed", || running.stderr().contains("stopping"));
    running.signal("INT");
    let output = running.wait();
    let line = output.failed(130);
    assert!(line.contains("ended") && line.contains("lost"), "{line}");
}

#[test]
fn a_signal_ends_a_query_at_once() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    assert_eq!(run(&home, &server.url(), "AAPL").run().code, Some(0));
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let running = findata(&["sql", "select * from range(1000000000000)"]).home(&home).start();
        wait_until("the first rows", || !running.stdout().is_empty());
        running.signal(signal);
        let output = running.wait();
        assert!(output.failed(code).contains("ended by"), "{output:#?}");
    }
}

#[test]
fn a_signal_ends_the_server_as_usual() {
    for signal in ["INT", "TERM"] {
        let server = findata(&["fmp-server", "--symbols", "12"]).no_key().start();
        wait_until("the server prints its address", || server.stdout().contains("/stable"));
        server.signal(signal);
        assert_eq!(server.wait().code, Some(0));
    }
}
