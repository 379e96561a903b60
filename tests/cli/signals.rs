//! Ctrl-C and SIGTERM.

use std::time::Duration;

use findata_fmp_simulator::Options;
use findata_tests::{Home, Running, Simulator, findata, today, wait_until};

use super::{outcome, run};

/// Batches hold 50 symbols, and this many calls of one are in flight.
const IN_FLIGHT: u64 = 64;

/// A server that takes this long to answer a call.
fn slow_server(latency: u64) -> Simulator {
    Simulator::start(Options {
        symbols: 40,
        today: today(),
        latency: Duration::from_millis(latency),
        ..Options::default()
    })
}

/// Starts a run of all symbols, and waits until the server has received this many calls.
fn fetching(home: &Home, server: &Simulator, calls: u64) -> Running {
    let running = run(home, &server.url(), &server.symbols().join(",")).start();
    wait_until("calls", || server.calls() >= calls);
    running
}

#[test]
fn a_signal_ends_a_run_that_keeps_what_it_has_fetched() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (server, home, whole) = (slow_server(100), Home::new(), Home::new());
        let running = fetching(&home, &server, 150);
        running.signal(signal);
        let output = running.wait();
        let line = output.failed(code).to_owned();
        assert!(line.contains("kept") && line.contains("next run") && line.contains(signal), "{line}");
        assert_eq!(output.stdout, "", "no summary");
        let before = server.calls();
        let next = run(&home, &server.url(), &server.symbols().join(",")).run();
        assert_eq!(outcome(&next), (Some(0), "complete".into()), "{next:#?}");
        let calls = server.calls();
        let quick = Simulator::with_symbols(40);
        assert_eq!(run(&whole, &quick.url(), &quick.symbols().join(",")).run().code, Some(0));
        assert!(before < quick.calls(), "the run was over before the signal");
        assert!(
            calls <= quick.calls() + IN_FLIGHT,
            "{calls} calls, {before} before the signal, {} without one",
            quick.calls()
        );
        let differences = home.differences(&whole);
        assert!(differences.is_empty(), "{differences:?}");
    }
}

#[test]
fn a_second_signal_ends_a_run_at_once() {
    // Longer than any run waits for calls in flight.
    let (server, home) = (slow_server(600_000), Home::new());
    let running = fetching(&home, &server, 10);
    running.signal("TERM");
    wait_until("the first signal is confirmed", || running.stderr().contains("stopping"));
    running.signal("INT");
    let output = running.wait();
    let line = output.failed(130);
    assert!(line.contains("ended") && line.contains("lost"), "{line}");
}

#[test]
fn calls_that_are_not_answered_do_not_delay_the_end_for_long() {
    let (server, home) = (slow_server(600_000), Home::new());
    let running = fetching(&home, &server, 10);
    running.signal("INT");
    assert!(running.wait().failed(130).contains("next run"));
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
