//! A single symbol on demand, with a Snowflake that takes 150 ms for every request.

use std::time::Instant;

use findata_pipeline::run::Status;
use findata_tests::{Bundle, Simulator};
use serde_json::json;

use super::started_run;

/// Prints how long it takes until the figures are published: 18 to 20 s with debug functions on an idle machine, of
/// which 9 s are latency. The bound is on round trips, which do not depend on the machine.
#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn one_symbol_needs_few_round_trips() {
    let server = Simulator::with_symbols(2);
    let Some(bundle) = Bundle::start_with(&server, &[], &["--latency", "0.15"]) else {
        return;
    };
    super::set_up_snowflake(&bundle);
    for symbol in ["AAPL", "MSFT"] {
        let begun = Instant::now();
        let run = started_run(&bundle.invoke("fanout", &json!({"symbols": [symbol]})));
        let summary = bundle.summary(&run);
        let used = &summary.warehouse;
        println!(
            "{symbol}: {:.1} s, {} requests, {} statements, {:?}",
            begun.elapsed().as_secs_f64(),
            used.requests,
            used.statements,
            used.by_function
        );
        assert_eq!(summary.status, Status::Complete);
        assert!(used.requests <= 65, "{} requests", used.requests);
    }
}
