//! The dataset catalog: the one declaration of every FMP dataset.
//!
//! Requests, keys on the stage, `raw` and `staging` tables, freshness and the data dictionary are derived from an
//! entry here. To add a dataset, add an entry to `datasets.rs`.

mod column;
mod datasets;
mod market;
mod reconciled;
mod statements;

use chrono::Duration;

pub use column::{Column, DERIVED, Kind};
use column::{boolean, date, decimal, derived_date, derived_instant, derived_text, double, integer, text};
pub use datasets::{
    BALANCE_SHEET, CASH_FLOW, CATALOG, DIVIDENDS, INCOME_STATEMENT, KEY_METRICS_TTM, PRICES, PROFILE, QUOTES,
    RATIOS_TTM, SHARES_FLOAT, SP500_CONSTITUENTS,
};

/// The rows of one FMP endpoint: one raw table, one staging table, one folder on the stage.
///
/// Two datasets are equal if their names are.
#[derive(Debug)]
pub struct Dataset {
    /// Name of the dataset, of its folder on the stage and of its tables in `raw` and `staging`.
    pub name: &'static str,
    /// Path after `/stable/`.
    pub endpoint: &'static str,
    /// How requests select rows.
    pub requests: Requests,
    /// Natural key: the columns that identify a row.
    pub key: &'static [&'static str],
    /// Column that dates a row: session, period end, ex-date. `None` for undated rows.
    pub date_column: Option<&'static str>,
    /// What happens to an older row with the same key.
    pub history: History,
    /// The typed columns, in the order of the staging table.
    pub columns: &'static [Column],
    /// How long an answer counts as fresh.
    pub freshness: Freshness,
    /// An answer holds all rows of its symbol (or of the market), so a stored row that it lacks was withdrawn.
    pub complete_answer: bool,
    /// Rows at which FMP silently drops the oldest ones: an answer this long may be incomplete.
    pub row_limit: Option<usize>,
    /// Bulk file with the same rows for all companies.
    pub bulk: Option<BulkFile>,
    /// Where changes are announced, so that an unchanged symbol needs no call.
    pub change_feed: Option<ChangeSource>,
    /// An empty answer means that FMP does not know the symbol.
    pub empty_if_unknown: bool,
    /// Requested only as a consequence of another answer, never planned by default.
    pub follow_up: bool,
    /// Rows are events that change the basis of FMP's price history on their `date_column`.
    pub adjusts_prices: bool,
    /// Plausibility rules for its rows.
    pub checks: RowChecks,
    /// Typical bytes of one row on the wire, gzipped; `plan` estimates traffic with it.
    pub row_bytes: u64,
    /// What it holds, in one sentence.
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
    /// One request per symbol and range of days (`from`, `to`); ranges stay below [`Dataset::row_limit`].
    Days,
}

/// What happens to an older row with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// Every distinct version is kept; the table is append-only.
    Versions,
    /// The newest row replaces it.
    Current,
}

/// How long an answer counts as fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// For a fixed time after it was fetched.
    For(Duration),
    /// Until the next close. Only closed sessions are requested, so a bar never covers half a day.
    UntilNextClose,
    /// Runs that request the dataset explicitly use a fixed time. All other runs fetch it in rotation: every `days`
    /// days, on a day derived from the symbol, so that each day fetches an equal share of the universe.
    Rotating {
        /// How long an answer counts as fresh in a run that requests the dataset.
        on_request: Duration,
        /// Days between two fetches in rotation.
        days: u32,
    },
}

/// A bulk endpoint: one file holds the rows of all companies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkFile {
    /// Path after `/stable/`.
    pub endpoint: &'static str,
    /// Fields that the per-symbol endpoint has and the file lacks: their columns stay NULL.
    pub absent: &'static [&'static str],
}

/// Where changes of a dataset are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeSource {
    /// Quotes and bars carry the fields that change daily; the rest is refetched in rotation.
    Quotes,
    /// FMP's calendar of dividends.
    DividendCalendar,
    /// FMP's calendar of splits.
    SplitCalendar,
    /// SEC filings, and the earnings calendar for companies that file elsewhere.
    Filings,
}

/// The plausibility rules for a dataset's rows. Amounts are range-checked in every dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowChecks {
    /// No further rule.
    Amounts,
    /// Positive prices, high not below low, no negative volume.
    Bars,
    /// Positive numerator and denominator.
    Splits,
    /// No negative dividend.
    Dividends,
    /// A known period label, and the range of statement amounts.
    Statements,
}

/// Columns that every staging table has after its own: where a row came from and when it was fetched.
pub const LINEAGE: &[(&str, Kind)] = &[
    ("row_hash", Kind::Text),
    ("observed_at", Kind::Instant),
    ("run_id", Kind::Text),
    ("source_file", Kind::Text),
    ("source_row", Kind::Integer),
];

/// Finds a dataset by its name or FMP's endpoint; hyphens may replace underscores.
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
                let can_be_key = |c: &Column| c.required || c.kind == Kind::Text;
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
    fn fields_that_need_a_date_or_a_column_have_it() {
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
    fn statement_lines_join_without_renaming() {
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
