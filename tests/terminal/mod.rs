//! The commands that show data to people: every line fits the terminal, no text has escape sequences, and
//! the same content is available as JSON.

mod changes;
mod doctor;
mod plan;
mod progress;
mod screen;
mod show;
mod sql;
mod status;

use std::sync::OnceLock;

use duckdb::Connection;
use findata_tests::{Command, Home, Job, Output, Simulator, findata};

const SYMBOLS: [&str; 8] = ["AAPL", "KO", "JPM", "SPY", "NEGEQ", "HOSTL", "SPLIT", "IPOED"];

/// A company name that would act on a terminal or break a table.
const HOSTILE: &str =
    "Evil \u{1b}[31m| \u{202e}name\nof a company that is too long for one column of any table";

/// The home of one run, with a hostile name and a company with suspect figures.
fn home() -> &'static Home {
    static HOME: OnceLock<Home> = OnceLock::new();
    HOME.get_or_init(|| {
        let (server, home) = (Simulator::with_symbols(41), Home::new());
        Job::new(server.url(), &SYMBOLS).days(500).run_ok(&home);
        let connection = Connection::open(home.warehouse()).unwrap();
        connection
            .execute("update analytics.dim_company set company_name = ? where symbol = 'HOSTL'", [HOSTILE])
            .unwrap();
        let suspect = "set is_suspect = true, suspect_reason = 'unbalanced' where symbol = 'KO'";
        for table in ["fact_market_metrics_history", "fact_financial_ratios_history"] {
            connection.execute_batch(&format!("update analytics.{table} {suspect}")).unwrap();
        }
        home
    })
}

/// `findata` on this home, without a key.
fn command(arguments: &[&str]) -> Command {
    findata(arguments).home(home()).no_key()
}

/// Asserts that the output is for people: exit code 0, no line above the width, no escape sequences.
fn assert_fits(output: &Output, width: usize) {
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:#?}");
    for line in output.stdout.lines() {
        // Every character here is one column wide.
        assert!(line.chars().count() <= width, "{width}: {line}\n{}", output.stdout);
        assert_eq!(line.trim_end(), line, "no spaces at the end");
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
}

/// Runs a command at 80 and 200 columns, with and without a terminal. Returns the outputs at 80 columns on a
/// terminal, and at 200 columns elsewhere.
fn at_all_widths(arguments: &[&str]) -> (String, String) {
    fits_all_widths(&|| command(arguments))
}

fn fits_all_widths(command: &dyn Fn() -> Command) -> (String, String) {
    let mut texts = Vec::new();
    for columns in [80, 200] {
        let terminal = command().run_on_terminal(columns);
        assert_fits(&terminal, columns.into());
        let file = command().variable("COLUMNS", columns.to_string()).run();
        assert_fits(&file, columns.into());
        texts.push((terminal.stdout, file.stdout));
    }
    let (_, wide) = texts.pop().unwrap();
    let (narrow, _) = texts.pop().unwrap();
    let default = command().run();
    assert_eq!(default.stdout, wide, "without a terminal and COLUMNS, 200 columns");
    (narrow, wide)
}
