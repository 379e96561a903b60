//! An endpoint that fails whatever it is asked: its breaker opens, and the run goes on without it.

use std::thread;

use findata_shared::run::{Status, Summary};
use findata_tests::{Home, Job, Simulator};

const SYMBOLS: u64 = 40;
/// The failures that open a breaker.
const OPENS: u64 = 10;
/// Calls that probe it while others wait, after one, three and seven seconds; later ones need somebody who asks later. They
/// have five tries at most.
const PROBES: u64 = 3 * 5;

/// Profiles, dividends and splits of every company of a server.
fn run(server: &Simulator, home: &Home) -> Summary {
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let datasets = ["profile", "dividends", "splits"].map(str::to_owned).to_vec();
    Job::new(server.url(), &symbols).with(|o| (o.skip_analytics, o.datasets) = (true, datasets)).run_ok(home)
}

fn check(fault: &str, words: &str) {
    let (server, home) = (Simulator::with_faults(SYMBOLS as usize, &[&format!("{fault}=dividends")]), Home::new());
    let summary = run(&server, &home);
    assert_eq!((summary.status, summary.tasks.failed), (Status::Partial, SYMBOLS), "{fault}: {summary:#?}");
    for failure in &summary.failures {
        assert_eq!(failure.dataset, "dividends", "{fault}");
        assert!(failure.reason.contains(words) && failure.reason.len() < 300, "{fault}: {failure:?}");
    }
    assert!(
        summary.failures.iter().any(|f| f.reason.starts_with("dividends is left alone: ")),
        "{fault}: {summary:#?}"
    );
    // Without a breaker: five tries of each. With it: those that open it, those under way meanwhile, which is one a symbol
    // at most, and what probes it.
    let calls = server.calls_by_endpoint()["dividends"];
    assert!(calls <= OPENS + SYMBOLS + PROBES, "{fault}: {calls}");
    // The next run asks for what is missing, and for nothing else.
    let good = Simulator::with_symbols(SYMBOLS as usize);
    let healed = run(&good, &home);
    assert_eq!((healed.status, good.calls()), (Status::Complete, SYMBOLS), "{fault}: {healed:#?}");
    assert_eq!(good.calls_by_endpoint()["dividends"], SYMBOLS, "{fault}");
}

#[test]
fn an_endpoint_that_is_down_costs_few_calls_and_no_other_dataset() {
    // At once: most of it is waiting.
    thread::scope(|scope| {
        for (fault, words) in [("server-error", "500"), ("truncated", "breaks off"), ("stall", "no answer in time")] {
            scope.spawn(move || check(fault, words));
        }
    });
}

#[test]
fn what_passes_while_calls_wait_at_a_breaker_fails_no_task() {
    // The first tries of forty calls open it; whoever probes has an answer to a further one.
    for times in [1, 2] {
        let fault = format!("unavailable=x{times},dividends");
        let (server, home) = (Simulator::with_faults(SYMBOLS as usize, &[&fault]), Home::new());
        let summary = run(&server, &home);
        assert_eq!(summary.status, Status::Complete, "{fault}: {:?}", summary.failures);
        assert_eq!(server.calls_by_endpoint()["dividends"], (1 + times) * SYMBOLS, "{fault}");
    }
}
