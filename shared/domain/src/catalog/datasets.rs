//! The entries of the dataset catalog.

use chrono::Duration;

use super::{
    BulkFile, ChangeSource, Dataset, Freshness, History, Requests, RowChecks, market, reconciled, statements,
};

/// Defaults for a dataset with one undated row per symbol, which the newest answer replaces.
const SNAPSHOT: Dataset = Dataset {
    name: "",
    endpoint: "",
    requests: Requests::Symbol,
    key: &["symbol"],
    date_column: None,
    history: History::Current,
    columns: &[],
    freshness: Freshness::For(Duration::days(1)),
    complete_answer: false,
    row_limit: None,
    bulk: None,
    change_feed: None,
    empty_if_unknown: false,
    follow_up: false,
    adjusts_prices: false,
    checks: RowChecks::Amounts,
    row_bytes: 0,
    about: "",
};

/// Defaults for the three statements.
const STATEMENT: Dataset = Dataset {
    requests: Requests::Statement,
    key: &["symbol", "period_type", "fiscal_date"],
    date_column: Some("fiscal_date"),
    history: History::Versions,
    freshness: Freshness::For(Duration::hours(6)),
    change_feed: Some(ChangeSource::Filings),
    checks: RowChecks::Statements,
    ..SNAPSHOT
};

/// Defaults for the changes of an index. FMP answers with all of them.
const INDEX_CHANGES: Dataset = Dataset {
    requests: Requests::Market,
    key: &["change_date", "symbol", "removed_symbol"],
    columns: market::INDEX_CHANGES,
    freshness: Freshness::For(Duration::days(7)),
    complete_answer: true,
    row_bytes: 60,
    ..SNAPSHOT
};

/// Every dataset, in the order in which a plan lists them.
pub const CATALOG: &[Dataset] = &[
    Dataset {
        name: "profile",
        endpoint: "profile",
        columns: market::PROFILE,
        bulk: Some(BulkFile { endpoint: "profile-bulk", absent: &[] }),
        change_feed: Some(ChangeSource::Quotes),
        empty_if_unknown: true,
        row_bytes: 1_000,
        about: "Company name, sector, listing, currency, newest price and market cap.",
        ..SNAPSHOT
    },
    Dataset {
        name: "prices",
        endpoint: "historical-price-eod/full",
        requests: Requests::Days,
        key: &["symbol", "price_date"],
        date_column: Some("price_date"),
        columns: market::PRICES,
        freshness: Freshness::UntilNextClose,
        row_limit: Some(5_000),
        bulk: Some(BulkFile {
            endpoint: "eod-bulk",
            absent: &["change", "changePercent", "vwap"],
        }),
        checks: RowChecks::Bars,
        row_bytes: 45,
        about: "Daily bars, split-adjusted as of the day they were fetched.",
        ..SNAPSHOT
    },
    Dataset {
        name: "income_statement",
        endpoint: "income-statement",
        columns: statements::INCOME_STATEMENT,
        bulk: Some(BulkFile { endpoint: "income-statement-bulk", absent: &[] }),
        row_bytes: 260,
        about: "Income statements, annual and quarterly.",
        ..STATEMENT
    },
    Dataset {
        name: "balance_sheet",
        endpoint: "balance-sheet-statement",
        columns: statements::BALANCE_SHEET,
        bulk: Some(BulkFile { endpoint: "balance-sheet-statement-bulk", absent: &[] }),
        row_bytes: 420,
        about: "Balance sheets, annual and quarterly.",
        ..STATEMENT
    },
    Dataset {
        name: "cash_flow",
        endpoint: "cash-flow-statement",
        columns: statements::CASH_FLOW,
        bulk: Some(BulkFile { endpoint: "cash-flow-statement-bulk", absent: &[] }),
        row_bytes: 360,
        about: "Cash-flow statements, annual and quarterly.",
        ..STATEMENT
    },
    Dataset {
        name: "dividends",
        endpoint: "dividends",
        // Two payments on one day differ in amount or frequency, such as a regular and a special dividend.
        key: &["symbol", "ex_date", "dividend", "frequency"],
        date_column: Some("ex_date"),
        columns: market::DIVIDENDS,
        complete_answer: true,
        change_feed: Some(ChangeSource::DividendCalendar),
        adjusts_prices: true,
        checks: RowChecks::Dividends,
        row_bytes: 40,
        about: "Dividends by ex-date, as declared and split-adjusted.",
        ..SNAPSHOT
    },
    Dataset {
        name: "splits",
        endpoint: "splits",
        key: &["symbol", "split_date"],
        date_column: Some("split_date"),
        columns: market::SPLITS,
        complete_answer: true,
        change_feed: Some(ChangeSource::SplitCalendar),
        adjusts_prices: true,
        checks: RowChecks::Splits,
        row_bytes: 150,
        about: "Stock splits.",
        ..SNAPSHOT
    },
    Dataset {
        name: "shares_float",
        endpoint: "shares-float",
        columns: market::SHARES_FLOAT,
        follow_up: true,
        row_bytes: 200,
        about: "Shares outstanding; requested only for a company whose profile has no market cap.",
        ..SNAPSHOT
    },
    Dataset {
        name: "market_caps",
        endpoint: "historical-market-capitalization",
        requests: Requests::Days,
        key: &["symbol", "cap_date"],
        date_column: Some("cap_date"),
        columns: market::MARKET_CAPS,
        freshness: Freshness::UntilNextClose,
        row_limit: Some(5_000),
        row_bytes: 15,
        about: "Market cap of each day: the history with one call per symbol, in plans that include it; later days come \
                from profiles and quotes.",
        ..SNAPSHOT
    },
    Dataset {
        name: "quotes",
        endpoint: "batch-quote",
        requests: Requests::Symbols,
        columns: market::QUOTES,
        freshness: Freshness::UntilNextClose,
        row_bytes: 120,
        about: "The newest price and market cap, a hundred symbols per call; where calls are limited, quotes replace \
                one profile and one price call per symbol.",
        ..SNAPSHOT
    },
    Dataset {
        name: "sp500_constituents",
        endpoint: "sp500-constituent",
        requests: Requests::Market,
        columns: market::CONSTITUENTS,
        complete_answer: true,
        row_bytes: 80,
        about: "Current members of the S&P 500.",
        ..SNAPSHOT
    },
    Dataset {
        name: "sp500_changes",
        endpoint: "historical-sp500-constituent",
        about: "Additions to the S&P 500 and removals from it.",
        ..INDEX_CHANGES
    },
    Dataset {
        name: "nasdaq_constituents",
        endpoint: "nasdaq-constituent",
        requests: Requests::Market,
        columns: market::CONSTITUENTS,
        complete_answer: true,
        row_bytes: 80,
        about: "Current members of the Nasdaq-100; fetched with nasdaq_changes.",
        ..SNAPSHOT
    },
    Dataset {
        name: "nasdaq_changes",
        endpoint: "historical-nasdaq-constituent",
        about: "Additions to the Nasdaq-100 and removals from it; fetched on request only.",
        ..INDEX_CHANGES
    },
    Dataset {
        name: "dowjones_constituents",
        endpoint: "dowjones-constituent",
        requests: Requests::Market,
        columns: market::CONSTITUENTS,
        complete_answer: true,
        row_bytes: 80,
        about: "Current members of the Dow Jones Industrial Average; fetched with dowjones_changes.",
        ..SNAPSHOT
    },
    Dataset {
        name: "dowjones_changes",
        endpoint: "historical-dowjones-constituent",
        about: "Additions to the Dow Jones Industrial Average and removals from it; fetched on request only.",
        ..INDEX_CHANGES
    },
    Dataset {
        name: "ratios_ttm",
        endpoint: "ratios-ttm",
        columns: reconciled::RATIOS_TTM,
        freshness: Freshness::Rotating { on_request: Duration::days(1), days: 90 },
        row_bytes: 1_500,
        about: "FMP's own trailing-twelve-month ratios, for reconciliation; FMP does not date them, so they count as \
                of the day they were fetched.",
        ..SNAPSHOT
    },
    Dataset {
        name: "key_metrics_ttm",
        endpoint: "key-metrics-ttm",
        columns: reconciled::KEY_METRICS_TTM,
        freshness: Freshness::Rotating { on_request: Duration::days(1), days: 90 },
        row_bytes: 1_200,
        about: "FMP's own trailing-twelve-month key metrics, for reconciliation; FMP does not date them, so they count \
                as of the day they were fetched.",
        ..SNAPSHOT
    },
];

/// Company profiles.
pub const PROFILE: &Dataset = named("profile");
/// Daily bars.
pub const PRICES: &Dataset = named("prices");
/// Income statements.
pub const INCOME_STATEMENT: &Dataset = named("income_statement");
/// Balance sheets.
pub const BALANCE_SHEET: &Dataset = named("balance_sheet");
/// Cash-flow statements.
pub const CASH_FLOW: &Dataset = named("cash_flow");
/// Dividends.
pub const DIVIDENDS: &Dataset = named("dividends");
/// Shares outstanding.
pub const SHARES_FLOAT: &Dataset = named("shares_float");
/// Market caps by day.
pub const MARKET_CAPS: &Dataset = named("market_caps");
/// Ratios of the last twelve months, computed by FMP.
pub const RATIOS_TTM: &Dataset = named("ratios_ttm");
/// Key metrics of the last twelve months, computed by FMP.
pub const KEY_METRICS_TTM: &Dataset = named("key_metrics_ttm");
/// Quotes of many symbols per call.
pub const QUOTES: &Dataset = named("quotes");
/// Members of the S&P 500.
pub const SP500_CONSTITUENTS: &Dataset = named("sp500_constituents");
/// Changes of the S&P 500.
pub const SP500_CHANGES: &Dataset = named("sp500_changes");
/// Members of the Nasdaq-100.
pub const NASDAQ_CONSTITUENTS: &Dataset = named("nasdaq_constituents");
/// Changes of the Nasdaq-100.
pub const NASDAQ_CHANGES: &Dataset = named("nasdaq_changes");
/// Members of the Dow Jones Industrial Average.
pub const DOWJONES_CONSTITUENTS: &Dataset = named("dowjones_constituents");
/// Changes of the Dow Jones Industrial Average.
pub const DOWJONES_CHANGES: &Dataset = named("dowjones_changes");

/// Returns the entry with this name. An unknown name is an error at compile time.
const fn named(name: &str) -> &'static Dataset {
    let mut i = 0;
    while i < CATALOG.len() {
        if is_same(CATALOG[i].name.as_bytes(), name.as_bytes()) {
            return &CATALOG[i];
        }
        i += 1;
    }
    panic!("the catalog has no such dataset")
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}
