//! Whole runs in a simulated market with every edge-case company.

mod across_days;
mod as_of;
mod corrections;
mod custom_metrics;
mod edge_cases;
mod exact_decimals;
mod identities;
mod incremental;
mod index_membership;
mod invented;
mod lineage;
mod null_reasons;
mod one_period;
mod price_refetch;
mod price_series;
mod quality;
mod quarantined_fields;
mod ranks;
mod replay;
mod slices;
mod statement_versions;
mod suspects;

use std::sync::OnceLock;

use findata_pipeline::{run::Status, summary::Summary};
use findata_tests::{Home, Job, Simulator};

/// The number of symbols: ten ordinary companies, all edge cases, and a few random companies.
const SYMBOLS: usize = 41;
/// Calendar days of prices: more than 252 trading sessions, so that every window has a value for
/// some day.
const DAYS: u64 = 385;

/// The first run of all symbols, made once and only read. A test that continues from it copies the
/// home.
struct FirstRun {
    home: Home,
    summary: Summary,
}

fn symbols() -> Vec<String> {
    findata_fmp_simulator::symbols(SYMBOLS)
}

fn job(server: &Simulator) -> Job {
    let symbols = symbols();
    Job::new(server.url(), &symbols.iter().map(String::as_str).collect::<Vec<_>>()).days(DAYS)
}

fn first_run() -> &'static FirstRun {
    static FIRST: OnceLock<FirstRun> = OnceLock::new();
    FIRST.get_or_init(|| {
        let (server, home) = (Simulator::with_symbols(SYMBOLS), Home::new());
        let summary = job(&server).run_ok(&home);
        FirstRun { home, summary }
    })
}

/// Calls for the calendars of dividends and splits, and for the list of symbol changes.
const MARKET_WIDE: u64 = 3;

#[test]
fn a_first_run_of_every_edge_case_is_complete_and_fills_every_table() {
    let FirstRun { home, summary } = first_run();
    assert_eq!(summary.status, Status::Complete, "{:#?}", summary.failures);
    assert_eq!(summary.symbols, SYMBOLS as u64);
    let tasks = summary.tasks;
    assert_eq!(
        (tasks.done, tasks.failed, tasks.not_in_plan, tasks.skipped_fresh),
        (summary.calls - MARKET_WIDE, 0, 0, 0)
    );
    // Eleven calls per company, one for the index, and one for the share count of NOCAP.
    assert_eq!(summary.calls, SYMBOLS as u64 * 11 + 2 + MARKET_WIDE);
    assert!(summary.calls_per_symbol < 11.2, "{}", summary.calls_per_symbol);
    let content = home.content();
    for (table, counts) in &summary.analytics {
        // Without a metrics file, there are no custom metrics.
        assert_eq!(counts.rows > 0, table != "fact_custom_metrics", "{table}");
        assert_eq!(
            (counts.rows, counts.written, counts.removed),
            (content.rows(table), content.rows(table), 0),
            "{table}"
        );
    }
    assert_eq!(summary.analytics.len(), findata_models::PUBLISHED.len());
    for table in ["dim_company", "fact_daily_prices", "fact_market_metrics"] {
        let companies = home.count(&format!("select count(distinct symbol) from analytics.{table}"));
        assert_eq!(companies, SYMBOLS as i64, "{table}");
    }
    // Every company has reports, except the fund.
    assert_eq!(
        home.count("select count(distinct symbol) from analytics.fact_financials"),
        SYMBOLS as i64 - 1
    );
}

#[test]
fn the_stored_summary_and_the_row_in_ops_equal_the_returned_summary() {
    let FirstRun { home, summary } = first_run();
    let path = home.stage().join(format!("runs/{}/summary.json", summary.run_id));
    let written: Summary = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(
        (written.run_id.clone(), written.status, written.rows),
        (summary.run_id.clone(), summary.status, summary.rows.clone())
    );
    let line = home.lines(
        "select run_id, status, symbols, tasks_planned, tasks_done, tasks_failed, calls, bytes from ops.runs",
    );
    let tasks = summary.tasks;
    assert_eq!(
        line,
        [format!(
            "{}|complete|{}|{}|{}|0|{}|{}",
            summary.run_id, SYMBOLS, tasks.planned, tasks.done, summary.calls, summary.bytes
        )]
    );
}
