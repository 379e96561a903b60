//! `corrections.toml` in the home.

use std::fs;

use findata_tests::{Home, Simulator, findata};

use super::run;

const FAULTY: &str = "[[correction]]
symbol = 'AAPL'
kind = 'value'
column = 'revenu'
value = 1
reason = 'typo'
decided_on = 2026-03-01

[[correction]]
symbol = 'AAPL'
kind = 'share_count'
date = 'soon'
value = 5
decided_on = 2026-03-01
";

const RIGHT: &str = "[[correction]]
symbol = 'AAPL'
kind = 'share_count'
date = 2026-09-14
value = 14_000_000_000
reason = 'cover page of the 10-Q'
decided_on = 2026-09-17
";

#[test]
fn faults_are_listed_with_their_lines_before_a_call() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let path = home.path().join("corrections.toml");
    fs::write(&path, FAULTY).unwrap();
    for output in [
        run(&home, &server.url(), "AAPL").run(),
        findata(&["plan", "--symbols", "AAPL"]).home(&home).url(server.url()).run(),
    ] {
        let error = output.failed(5);
        let faults: Vec<&str> = error.lines().map(str::trim).collect();
        assert!(faults[0].ends_with("corrections.toml has 3 faults:"), "{faults:?}");
        assert!(faults[1].starts_with("line 4: there is no column revenu to correct"), "{faults:?}");
        assert_eq!(
            faults[2..4],
            [
                "line 9: add reason: an entry of this kind needs it",
                "line 12: date must be a date such as 2025-06-30"
            ]
        );
    }
    assert_eq!(server.calls(), 0);
}

#[test]
fn the_summary_and_explain_show_a_correction_and_replay_applies_another() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let path = home.path().join("corrections.toml");
    fs::write(&path, RIGHT).unwrap();
    let request = ["run", "--days", "30", "--symbols", "AAPL"];
    let output = findata(&request).home(&home).url(server.url()).run();
    assert!(
        output.stdout.contains("  corrected 1 correction by the user for 1 company: select"),
        "{}",
        output.stdout
    );
    let explained = findata(&["explain", "AAPL", "market_cap"]).home(&home).run();
    assert!(
        explained
            .stdout
            .contains("14000000000 shares from 2026-09-14 on: corrected by the user: cover page of the 10-Q"),
        "{}",
        explained.stdout
    );
    let shares = "select max(shares_outstanding_used)::bigint from analytics.fact_market_metrics where metric_date = '2026-09-17'";
    assert_eq!(home.count(shares), 14_000_000_000);
    let calls = server.calls();
    fs::write(&path, RIGHT.replace("14_000", "15_000")).unwrap();
    assert_eq!(findata(&["replay"]).home(&home).run().code, Some(0));
    assert_eq!(home.count(shares), 15_000_000_000);
    fs::remove_file(&path).unwrap();
    assert_eq!(findata(&["replay"]).home(&home).run().code, Some(0));
    assert_eq!(home.count("select count(*) from staging.corrections where known_to is null"), 0);
    assert_ne!(home.count(shares), 15_000_000_000);
    assert_eq!(server.calls(), calls);
}
