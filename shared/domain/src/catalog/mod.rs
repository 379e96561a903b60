//! The dataset catalog, which declares every FMP dataset.
//!
//! Requests, keys on the stage, tables in `raw` and `staging`, freshness and the data dictionary
//! are derived from its entries. To add a dataset, add an entry to `datasets.rs`.

mod column;
mod datasets;
mod market;
mod reconciled;
mod statements;
mod ticks;

use chrono::Duration;

pub use column::{Column, DERIVED, FLAGS, Kind, Need};
use column::{boolean, date, decimal, derived_date, derived_instant, derived_text, double, integer, text};
pub use datasets::{
    BALANCE_SHEET, CASH_FLOW, CATALOG, DIVIDENDS, DOWJONES_CHANGES, DOWJONES_CONSTITUENTS, INCOME_STATEMENT,
    KEY_METRICS_TTM, MARKET_CAPS, NASDAQ_CHANGES, NASDAQ_CONSTITUENTS, PRICES, PROFILE, QUOTES, RATIOS_TTM,
    SHARES_FLOAT, SP500_CHANGES, SP500_CONSTITUENTS,
};
pub use ticks::{PRICE_TICKS, TICK_COLUMNS};

/// The rows of one FMP endpoint, stored in one table in `raw`, one table in `staging` and one
/// folder on the stage.
///
/// Two datasets are equal if their names are equal.
#[derive(Debug)]
pub struct Dataset {
    /// Name of the dataset. Its folder on the stage and its tables in `raw` and `staging` have the
    /// same name.
    pub name: &'static str,
    /// Path of the endpoint after `/stable/`.
    pub endpoint: &'static str,
    /// How requests select rows.
    pub requests: Requests,
    /// Natural key: the columns that identify a row.
    pub key: &'static [&'static str],
    /// Column with the date of a row, such as the session, period end or ex-date; `None` for
    /// undated rows.
    pub date_column: Option<&'static str>,
    /// What happens to an older row with the same key as a new row.
    pub history: History,
    /// The typed columns, in the order of the staging table.
    pub columns: &'static [Column],
    /// How long an answer counts as fresh.
    pub freshness: Freshness,
    /// Whether an answer contains all rows of its symbol (or of the market). If so, a stored row
    /// that is missing from a newer answer counts as withdrawn by FMP.
    pub complete_answer: bool,
    /// Maximum number of rows in an answer. FMP omits older rows beyond this number without notice,
    /// so an answer of this length may be incomplete.
    pub row_limit: Option<usize>,
    /// Bulk file that contains the same rows for all companies, if FMP has one.
    pub bulk: Option<BulkFile>,
    /// Source that announces changes of the rows, if there is one. Unchanged symbols then need no
    /// call.
    pub change_feed: Option<ChangeSource>,
    /// Whether an empty answer means that FMP does not know the symbol.
    pub empty_if_unknown: bool,
    /// Whether the dataset is requested only if the answer of another dataset requires it.
    pub follow_up: bool,
    /// Whether the rows are splits or dividends. FMP adjusts its price history for each of them on
    /// the day in `date_column`.
    pub adjusts_prices: bool,
    /// Plausibility checks for the rows.
    pub checks: RowChecks,
    /// Typical size of one row in bytes, gzipped; `plan` uses it to estimate the traffic.
    pub row_bytes: u64,
    /// Description of the dataset in one sentence.
    pub about: &'static str,
}

impl PartialEq for Dataset {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Dataset {}

/// How requests for a dataset select rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// One request for the whole market, without a symbol.
    Market,
    /// One request per symbol.
    Symbol,
    /// One request for many symbols (`symbols=A,B`).
    Symbols,
    /// One request per symbol and cadence (`period=annual|quarter`, `limit=N`).
    Statement,
    /// One request per symbol and range of days (`from`, `to`); a range has fewer days than
    /// [`Dataset::row_limit`].
    Days,
}

/// What happens to an older row with the same key as a new row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// The table keeps every distinct version of a row; it is append-only.
    Versions,
    /// The newest row replaces the older row.
    Current,
}

/// How long an answer counts as fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// For a fixed time after the fetch.
    For(Duration),
    /// Until the next close of the exchange. Only closed sessions are requested, so a bar always
    /// covers a whole session.
    UntilNextClose,
    /// For a fixed time in runs that request the dataset explicitly. Other runs fetch each symbol
    /// once every `days` days. The day is derived from the symbol, which spreads the symbols evenly
    /// over the days.
    Rotating {
        /// How long an answer counts as fresh in a run that requests the dataset.
        on_request: Duration,
        /// Days between two fetches of a symbol in runs that do not request the dataset.
        days: u32,
    },
}

/// A bulk endpoint, whose file contains the rows of all companies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkFile {
    /// Path of the bulk endpoint after `/stable/`.
    pub endpoint: &'static str,
    /// Fields of the per-symbol endpoint that the file lacks; their columns stay NULL.
    pub absent: &'static [&'static str],
}

/// The source that announces changes of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeSource {
    /// Quotes and bars, which contain the fields that change daily. Other fields are refetched on
    /// fixed days that depend on the symbol.
    Quotes,
    /// FMP's calendar of dividends.
    DividendCalendar,
    /// FMP's calendar of splits.
    SplitCalendar,
    /// SEC filings, and the earnings calendar for companies that do not file with the SEC.
    Filings,
}

/// The plausibility checks for a dataset's rows, in addition to the range check of amounts that
/// every dataset has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowChecks {
    /// No check in addition to the range check of amounts.
    Amounts,
    /// Positive prices, high not below low, open and close between low and high, no negative
    /// volume, a day with a session.
    Bars,
    /// Positive numerator and denominator.
    Splits,
    /// No negative dividend.
    Dividends,
    /// A known period label, a period that has ended, at least one amount other than 0, and amounts
    /// within the range for statements.
    Statements,
}

/// Columns at the end of every staging table, which record the source of a row and the time of its
/// fetch.
pub const LINEAGE: &[(&str, Kind)] = &[
    ("row_hash", Kind::Text),
    ("observed_at", Kind::Instant),
    ("run_id", Kind::Text),
    ("source_file", Kind::Text),
    ("source_row", Kind::Integer),
];

/// Finds a dataset by its name or its FMP endpoint. Hyphens and underscores are interchangeable.
pub fn dataset(name: &str) -> Option<&'static Dataset> {
    let wanted = name.trim().replace('-', "_");
    CATALOG.iter().find(|d| d.name == wanted || d.endpoint.replace('-', "_") == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_keys_are_required_columns_or_texts() {
        let names: BTreeSet<_> = CATALOG.iter().map(|d| d.name).collect();
        assert_eq!(names.len(), CATALOG.len());
        for dataset in CATALOG {
            let columns: BTreeSet<_> = dataset.columns.iter().map(|c| c.name).collect();
            assert_eq!(columns.len(), dataset.columns.len(), "{}", dataset.name);
            for key in dataset.key.iter().chain(&dataset.date_column) {
                // Load compares an absent text of a key as an empty one.
                let can_be_key = |c: &Column| c.need == Need::Value || c.kind == Kind::Text;
                assert!(
                    dataset.columns.iter().any(|c| c.name == *key && can_be_key(c)),
                    "{}.{key}",
                    dataset.name
                );
            }
            for (name, _) in LINEAGE {
                assert!(!columns.contains(name), "{}.{name}", dataset.name);
            }
        }
    }

    #[test]
    fn datasets_have_the_date_column_and_the_fields_that_they_refer_to() {
        for dataset in CATALOG {
            let needs_date =
                dataset.adjusts_prices || matches!(dataset.requests, Requests::Statement | Requests::Days);
            assert!(!needs_date || dataset.date_column.is_some(), "{}", dataset.name);
            for absent in dataset.bulk.iter().flat_map(|bulk| bulk.absent) {
                assert!(dataset.columns.iter().any(|c| c.field == *absent), "{}.{absent}", dataset.name);
            }
        }
    }

    #[test]
    fn no_two_statements_have_a_column_of_the_same_name() {
        let header = [
            "symbol",
            "fiscal_date",
            "period_type",
            "fiscal_year",
            "reported_currency",
            "cik",
            "filing_date",
        ];
        let mut seen = BTreeSet::new();
        for dataset in CATALOG.iter().filter(|d| d.requests == Requests::Statement) {
            for column in dataset.columns.iter().filter(|c| !header.contains(&c.name) && !c.derived()) {
                assert!(seen.insert(column.name), "two statements have a column {}", column.name);
            }
        }
    }

    #[test]
    fn a_dataset_is_found_by_its_name_or_its_endpoint() {
        assert_eq!(dataset("cash-flow").map(|d| d.name), Some("cash_flow"));
        assert_eq!(dataset("balance-sheet-statement").map(|d| d.name), Some("balance_sheet"));
        assert!(dataset("ratios").is_none());
    }
}
