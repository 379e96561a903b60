//! The one place that says what a dataset is. Requests, stage keys, raw and staging tables, freshness and
//! the documentation follow from an entry here; adding a dataset is adding an entry.

mod column;
mod market;
mod reconciled;
mod statements;

use chrono::Duration;

pub use column::{Column, DERIVED, Kind};
use column::{boolean, date, decimal, derived_date, derived_instant, derived_text, double, integer, text};

/// One endpoint's rows: one raw table, one staging table, one folder of the stage.
#[derive(Debug)]
pub struct Dataset {
    /// Name of the dataset, of its folder on the stage and of its tables in `raw` and `staging`.
    pub name: &'static str,
    /// Path after `/stable/`.
    pub endpoint: &'static str,
    /// How its requests are made.
    pub requests: Requests,
    /// Natural key: the columns that name a row.
    pub key: &'static [&'static str],
    /// What becomes of an older row with the same key.
    pub history: History,
    /// The typed columns, in the order of the staging table.
    pub columns: &'static [Column],
    /// How long an answer counts as fresh.
    pub freshness: Freshness,
    /// Typical bytes of one row on the wire, gzipped, for the estimate in `plan`.
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

/// How a dataset is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// Once for the whole market: no symbol.
    Market,
    /// Once a symbol.
    Symbol,
    /// Once for many symbols (`symbols=A,B`).
    Symbols,
    /// Once a symbol and cadence (`period=annual|quarter`, `limit=N`).
    Statement,
    /// A symbol's days (`from`, `to`), in windows that cannot reach FMP's cut at 5,000 rows.
    Days,
}

/// What becomes of an older row with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// Every distinct version stays, append-only.
    Versions,
    /// The newest row replaces it.
    Current,
}

/// How long an answer counts as fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// For a fixed time after it was fetched.
    For(Duration),
    /// Until the next close. Only closed sessions are asked for, so a bar is never half a day's.
    UntilNextClose,
    /// For a fixed time where a run asks for it; other runs ask for it in turn: once in so many days, on a day of the
    /// symbol's own, so that a day asks for its share of the universe.
    Rotating {
        /// How long an answer counts as fresh where a run asks.
        asked: Duration,
        /// Days from one turn to the next.
        days: u32,
    },
}

/// Columns that every staging table carries after its own: where a row came from and when it was seen.
pub const LINEAGE: &[(&str, Kind)] = &[
    ("row_hash", Kind::Text),
    ("observed_at", Kind::Instant),
    ("run_id", Kind::Text),
    ("source_file", Kind::Text),
    ("source_row", Kind::Integer),
];

/// Every dataset, in the order in which a plan lists them.
pub const CATALOG: &[Dataset] = &[
    Dataset {
        name: "profile",
        endpoint: "profile",
        requests: Requests::Symbol,
        key: &["symbol"],
        history: History::Current,
        columns: market::PROFILE,
        freshness: Freshness::For(Duration::days(1)),
        row_bytes: 1_000,
        about: "Company name, sector, listing, currency, newest price and market cap.",
    },
    Dataset {
        name: "prices",
        endpoint: "historical-price-eod/full",
        requests: Requests::Days,
        key: &["symbol", "price_date"],
        history: History::Current,
        columns: market::PRICES,
        freshness: Freshness::UntilNextClose,
        row_bytes: 45,
        about: "Daily bars, split-adjusted as of the day of receipt.",
    },
    Dataset {
        name: "income_statement",
        endpoint: "income-statement",
        requests: Requests::Statement,
        key: &["symbol", "period_type", "fiscal_date"],
        history: History::Versions,
        columns: statements::INCOME_STATEMENT,
        freshness: Freshness::For(Duration::hours(6)),
        row_bytes: 260,
        about: "Income statements, annual and quarterly.",
    },
    Dataset {
        name: "balance_sheet",
        endpoint: "balance-sheet-statement",
        requests: Requests::Statement,
        key: &["symbol", "period_type", "fiscal_date"],
        history: History::Versions,
        columns: statements::BALANCE_SHEET,
        freshness: Freshness::For(Duration::hours(6)),
        row_bytes: 420,
        about: "Balance sheets, annual and quarterly.",
    },
    Dataset {
        name: "cash_flow",
        endpoint: "cash-flow-statement",
        requests: Requests::Statement,
        key: &["symbol", "period_type", "fiscal_date"],
        history: History::Versions,
        columns: statements::CASH_FLOW,
        freshness: Freshness::For(Duration::hours(6)),
        row_bytes: 360,
        about: "Cash-flow statements, annual and quarterly.",
    },
    Dataset {
        name: "dividends",
        endpoint: "dividends",
        requests: Requests::Symbol,
        key: &["symbol", "ex_date"],
        history: History::Current,
        columns: market::DIVIDENDS,
        freshness: Freshness::For(Duration::days(1)),
        row_bytes: 40,
        about: "Dividend events by ex-date, as declared and split-adjusted.",
    },
    Dataset {
        name: "splits",
        endpoint: "splits",
        requests: Requests::Symbol,
        key: &["symbol", "split_date"],
        history: History::Current,
        columns: market::SPLITS,
        freshness: Freshness::For(Duration::days(1)),
        row_bytes: 150,
        about: "Split events.",
    },
    Dataset {
        name: "shares_float",
        endpoint: "shares-float",
        requests: Requests::Symbol,
        key: &["symbol"],
        history: History::Current,
        columns: market::SHARES_FLOAT,
        freshness: Freshness::For(Duration::days(1)),
        row_bytes: 200,
        about: "Shares outstanding; asked only where a profile has no market cap.",
    },
    Dataset {
        name: "quotes",
        endpoint: "batch-quote",
        requests: Requests::Symbols,
        key: &["symbol"],
        history: History::Current,
        columns: market::QUOTES,
        freshness: Freshness::UntilNextClose,
        row_bytes: 120,
        about: "The newest price and market cap, a hundred symbols a call; asked where calls are limited, for what a profile and a bar of one's own would tell.",
    },
    Dataset {
        name: "sp500_constituents",
        endpoint: "sp500-constituent",
        requests: Requests::Market,
        key: &["symbol"],
        history: History::Current,
        columns: market::SP500_CONSTITUENTS,
        freshness: Freshness::For(Duration::days(1)),
        row_bytes: 80,
        about: "Today's members of the S&P 500.",
    },
    Dataset {
        name: "ratios_ttm",
        endpoint: "ratios-ttm",
        requests: Requests::Symbol,
        key: &["symbol"],
        history: History::Current,
        columns: reconciled::RATIOS_TTM,
        freshness: Freshness::Rotating { asked: Duration::days(1), days: 90 },
        row_bytes: 1_500,
        about: "FMP's own ratios of the last twelve months, to reconcile with; undated, so of the day they were fetched.",
    },
    Dataset {
        name: "key_metrics_ttm",
        endpoint: "key-metrics-ttm",
        requests: Requests::Symbol,
        key: &["symbol"],
        history: History::Current,
        columns: reconciled::KEY_METRICS_TTM,
        freshness: Freshness::Rotating { asked: Duration::days(1), days: 90 },
        row_bytes: 1_200,
        about: "FMP's own key metrics of the last twelve months, to reconcile with; undated, so of the day they were fetched.",
    },
];

/// The dataset of that name; FMP's endpoint and hyphens for underscores are understood too.
pub fn dataset(name: &str) -> Option<&'static Dataset> {
    let wanted = name.trim().replace('-', "_");
    CATALOG.iter().find(|d| d.name == wanted || d.endpoint.replace('-', "_") == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_keys_are_required_columns() {
        let names: BTreeSet<_> = CATALOG.iter().map(|d| d.name).collect();
        assert_eq!(names.len(), CATALOG.len());
        for dataset in CATALOG {
            let columns: BTreeSet<_> = dataset.columns.iter().map(|c| c.name).collect();
            assert_eq!(columns.len(), dataset.columns.len(), "{}", dataset.name);
            for key in dataset.key {
                assert!(dataset.columns.iter().any(|c| c.name == *key && c.required), "{}.{key}", dataset.name);
            }
            for (name, _) in LINEAGE {
                assert!(!columns.contains(name), "{}.{name}", dataset.name);
            }
        }
    }

    #[test]
    fn statement_lines_join_without_renaming() {
        let header = ["symbol", "fiscal_date", "period_type", "fiscal_year", "reported_currency", "cik", "filing_date"];
        let mut seen = BTreeSet::new();
        for dataset in CATALOG.iter().filter(|d| d.requests == Requests::Statement) {
            for column in dataset.columns.iter().filter(|c| !header.contains(&c.name) && !c.derived()) {
                assert!(seen.insert(column.name), "{} stands twice", column.name);
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
