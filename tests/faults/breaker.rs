//! An endpoint that fails every request: its circuit breaker opens, and the run continues without
//! the endpoint.

use std::thread;

use findata_pipeline::{run::Status, summary::Summary};
use findata_tests::{Home, Job, Simulator};

const SYMBOLS: u64 = 40;
/// The number of consecutive failures that opens a breaker.
const FAILURES_TO_OPEN: u64 = 10;
/// The most calls that probe the endpoint while other calls wait at the breaker: three probes,
/// after one, three and seven seconds, each with up to five attempts. Any later probe needs a new
/// call.
const PROBES: u64 = 3 * 5;

/// Fetches profile, dividends and splits of every symbol of a server.
fn run(server: &Simulator, home: &Home) -> Summary {
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let datasets = ["profile", "dividends", "splits"].map(str::to_owned).to_vec();
    Job::new(server.url(), &symbols)
        .with(|o| (o.skip_analytics, o.datasets) = (true, datasets))
        .run_ok(home)
}

fn check(fault: &str, expected_text: &str) {
    let (server, home) =
        (Simulator::with_faults(SYMBOLS as usize, &[&format!("{fault}=dividends")]), Home::new());
    let summary = run(&server, &home);
    assert_eq!(
        (summary.status, summary.tasks.failed),
        (Status::Partial, SYMBOLS),
        "{fault}: {summary:#?}"
    );
    for failure in &summary.failures {
        assert_eq!(failure.dataset, "dividends", "{fault}");
        assert!(
            failure.reason.contains(expected_text) && failure.reason.len() < 300,
            "{fault}: {failure:?}"
        );
    }
    assert!(
        summary.failures.iter().any(|f| f.reason.starts_with("dividends is suspended: ")),
        "{fault}: {summary:#?}"
    );
    // Without a breaker, each symbol would cost five attempts. With a breaker, the calls are the
    // failures that open it, the calls in flight meanwhile (at most one per symbol), and the
    // probes.
    let calls = server.calls_by_endpoint()["dividends"];
    assert!(calls <= FAILURES_TO_OPEN + SYMBOLS + PROBES, "{fault}: {calls}");
    // The next run fetches only the missing data.
    let good = Simulator::with_symbols(SYMBOLS as usize);
    let healed = run(&good, &home);
    assert_eq!((healed.status, good.calls()), (Status::Complete, SYMBOLS), "{fault}: {healed:#?}");
    assert_eq!(good.calls_by_endpoint()["dividends"], SYMBOLS, "{fault}");
}

#[test]
fn a_broken_endpoint_costs_few_calls_and_affects_no_other_dataset() {
    // In parallel, because each case spends most of its time waiting.
    thread::scope(|scope| {
        for (fault, expected_text) in
            [("server-error", "500"), ("truncated", "is truncated"), ("stall", "no answer in time")]
        {
            scope.spawn(move || check(fault, expected_text));
        }
    });
}

#[test]
fn an_endpoint_that_recovers_while_calls_wait_at_the_breaker_fails_no_task() {
    // The failed first attempts of forty calls open the breaker. A later attempt of a probe
    // succeeds and closes it.
    for times in [1, 2] {
        let fault = format!("unavailable=x{times},dividends");
        let (server, home) = (Simulator::with_faults(SYMBOLS as usize, &[&fault]), Home::new());
        let summary = run(&server, &home);
        assert_eq!(summary.status, Status::Complete, "{fault}: {:?}", summary.failures);
        assert_eq!(server.calls_by_endpoint()["dividends"], (1 + times) * SYMBOLS, "{fault}");
    }
}
