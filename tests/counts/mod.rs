//! Counts that do not depend on the machine: calls, bytes, statements, files and rows of a small
//! run. A changed count is a changed cost, so every change must be intended.

use std::fmt::Write;

use findata_fmp_simulator::Options;
use findata_pipeline::{run::Status, summary::Summary};
use findata_tests::{Home, Job, Simulator};

/// Runs of 20 ordinary companies with 30 days of prices and 8 quarters: on an empty home, again on
/// the same day, on the next day with the simulator's next revision, and again; then, on the day after, one of them.
///
/// To update the table after an intended change: run the test, check every difference, and copy
/// the second table that it prints. Fewer is better; more needs a reason in the commit message.
const EXPECTED: &str = "
run          calls    bytes  statements  files  staged  loaded  unchanged  figures
first day      222   454700         344      8    2526    2506         20    28646
again            0        0          33      0       0       0          0        0
next day       202   416278         331      8    1770      61       1709       60
again            0        0          33      0       0       0          0        0
one symbol      12    22735         308      7     116       4        112        4
";

const SYMBOLS: usize = 20;

#[test]
fn counts_of_a_small_run_are_as_expected() {
    let home = Home::new();
    let mut found = format!("\n{}\n", EXPECTED.trim().lines().next().unwrap());
    for (day, revision) in [("2026-09-17", 0), ("2026-09-18", 1)] {
        let today = day.parse().unwrap();
        let server = Simulator::start(Options { symbols: SYMBOLS, today, revision, ..Options::default() });
        let symbols = server.symbols();
        let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
        let job = Job::new(server.url(), &symbols).on(today).days(30);
        for name in [if revision == 0 { "first day" } else { "next day" }, "again"] {
            let before = server.calls();
            let summary = job.run_ok(&home);
            assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
            assert_eq!(summary.calls, server.calls() - before, "the summary counts every call");
            let _ = writeln!(found, "{}", line(name, &summary, &home));
        }
    }
    let today = "2026-09-21".parse().unwrap();
    let server = Simulator::start(Options { symbols: SYMBOLS, today, revision: 1, ..Options::default() });
    let summary = Job::new(server.url(), &["AAPL"]).on(today).days(30).run_ok(&home);
    let _ = writeln!(found, "{}", line("one symbol", &summary, &home));
    assert!(found == EXPECTED, "expected:{EXPECTED}\nfound:{found}");
}

fn line(name: &str, summary: &Summary, home: &Home) -> String {
    let run = format!("/{}/", summary.run_id);
    let files = home.keys("landing/").iter().filter(|key| key.contains(&run)).count();
    let rows = |figure: fn(&findata_pipeline::summary::RowCounts) -> u64| -> u64 {
        summary.rows.values().map(figure).sum()
    };
    format!(
        "{name:<10} {:>7} {:>8} {:>11} {files:>6} {:>7} {:>7} {:>10} {:>8}",
        summary.calls,
        summary.bytes,
        summary.warehouse.statements,
        rows(|r| r.staged),
        rows(|r| r.loaded),
        rows(|r| r.unchanged),
        summary.analytics.values().map(|table| table.written + table.removed).sum::<u64>(),
    )
}
