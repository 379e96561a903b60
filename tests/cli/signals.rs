//! Ctrl-C and SIGTERM.

use findata_tests::{Home, Running, Simulator, findata, wait_until};

use super::{outcome, run};

/// A server that answers every call except those for dividends, and a run that waits for just these.
fn waiting_for_dividends(home: &Home) -> (Simulator, Running) {
    let server = Simulator::with_faults(12, &["stall=30s,dividends"]);
    let running = run(home, &server.url(), &server.symbols().join(",")).start();
    let calls = |endpoint| server.calls_by_endpoint().get(endpoint).copied().unwrap_or_default();
    // Two of income statements for each symbol, quarters and years, and the same of the others.
    wait_until("all calls", || {
        calls("dividends") == 12 && calls("income-statement") + calls("cash-flow-statement") == 48
    });
    (server, running)
}

#[test]
fn a_signal_ends_a_run_that_keeps_what_it_has_fetched() {
    let (whole, quick) = (Home::new(), Simulator::with_symbols(12));
    assert_eq!(run(&whole, &quick.url(), &quick.symbols().join(",")).run().code, Some(0));
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let home = Home::new();
        let (server, running) = waiting_for_dividends(&home);
        running.signal(signal);
        let output = running.wait();
        let line = output.failed(code).to_owned();
        assert!(line.contains("kept") && line.contains("next run") && line.contains(signal), "{line}");
        assert_eq!(output.stdout, "", "no summary");
        assert_eq!(server.calls(), quick.calls(), "no call was repeated");
        let healthy = Simulator::with_symbols(12);
        let next = run(&home, &healthy.url(), &healthy.symbols().join(",")).run();
        assert_eq!(outcome(&next), (Some(0), "complete".into()), "{next:#?}");
        assert_eq!(healthy.calls(), 12, "only the calls that were in flight");
        let differences = home.differences(&whole);
        assert!(differences.is_empty(), "{differences:?}");
    }
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
