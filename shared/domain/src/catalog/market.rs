//! Columns of the datasets that are not statements.

use super::{Column, boolean, date, decimal, double, integer, text};

/// Columns of `profile`.
pub(super) const PROFILE: &[Column] = &[
    text("symbol", "symbol").required(),
    text("company_name", "companyName"),
    text("cik", "cik"),
    text("isin", "isin"),
    text("cusip", "cusip"),
    text("exchange", "exchange"),
    text("exchange_full_name", "exchangeFullName"),
    text("sector", "sector"),
    text("industry", "industry"),
    text("currency", "currency"),
    text("country", "country"),
    text("website", "website"),
    text("ceo", "ceo"),
    text("full_time_employees", "fullTimeEmployees"),
    date("ipo_date", "ipoDate"),
    decimal("price", "price"),
    decimal("market_cap", "marketCap"),
    double("beta", "beta"),
    decimal("last_dividend", "lastDividend"),
    boolean("is_etf", "isEtf"),
    boolean("is_fund", "isFund"),
    boolean("is_adr", "isAdr"),
    boolean("is_actively_trading", "isActivelyTrading"),
];

/// Columns of `historical-price-eod/full`.
pub(super) const PRICES: &[Column] = &[
    text("symbol", "symbol").required(),
    date("price_date", "date").required(),
    decimal("open_price", "open"),
    decimal("high_price", "high"),
    decimal("low_price", "low"),
    decimal("close_price", "close").required(),
    decimal("volume", "volume"),
    decimal("change_amount", "change"),
    double("change_percent", "changePercent"),
    decimal("vwap", "vwap"),
];

/// Columns of `dividends`.
pub(super) const DIVIDENDS: &[Column] = &[
    text("symbol", "symbol").required(),
    date("ex_date", "date").required(),
    date("record_date", "recordDate"),
    date("payment_date", "paymentDate"),
    date("declaration_date", "declarationDate"),
    decimal("adjusted_dividend", "adjDividend"),
    decimal("dividend", "dividend").required(),
    text("frequency", "frequency"),
];

/// Columns of `splits`.
pub(super) const SPLITS: &[Column] = &[
    text("symbol", "symbol").required(),
    date("split_date", "date").required(),
    decimal("numerator", "numerator").required(),
    decimal("denominator", "denominator").required(),
    text("split_type", "splitType"),
];

/// Columns of `shares-float`.
pub(super) const SHARES_FLOAT: &[Column] = &[
    text("symbol", "symbol").required(),
    text("as_of", "date"),
    double("free_float", "freeFloat"),
    decimal("float_shares", "floatShares"),
    decimal("outstanding_shares", "outstandingShares"),
];

/// Columns of `historical-market-capitalization`.
pub(super) const MARKET_CAPS: &[Column] = &[
    text("symbol", "symbol").required(),
    date("cap_date", "date").required(),
    decimal("market_cap", "marketCap").required(),
];

/// Columns of `batch-quote`.
pub(super) const QUOTES: &[Column] = &[
    text("symbol", "symbol").required(),
    text("company_name", "name"),
    decimal("price", "price"),
    decimal("market_cap", "marketCap"),
    decimal("open_price", "open"),
    decimal("high_price", "dayHigh"),
    decimal("low_price", "dayLow"),
    decimal("previous_close", "previousClose"),
    decimal("volume", "volume"),
    decimal("change_amount", "change"),
    double("change_percent", "changePercentage"),
    text("exchange", "exchange"),
    integer("quoted_at", "timestamp"),
];

/// Columns of `sp500-constituent`, `nasdaq-constituent` and `dowjones-constituent`.
pub(super) const CONSTITUENTS: &[Column] = &[
    text("symbol", "symbol").required(),
    text("company_name", "name"),
    text("sector", "sector"),
    text("sub_sector", "subSector"),
    text("cik", "cik"),
    text("date_first_added", "dateFirstAdded"),
];

/// Columns of `historical-sp500-constituent` and of the same endpoints of other indices, one row per change. Either
/// symbol may be absent. `date` is the day before the change; `dateAdded` is a text such as `July 9, 2025`.
pub(super) const INDEX_CHANGES: &[Column] = &[
    text("symbol", "symbol"),
    date("change_date", "date").required(),
    text("date_added", "dateAdded"),
    text("added_name", "addedSecurity"),
    text("removed_symbol", "removedTicker"),
    text("removed_name", "removedSecurity"),
    text("reason", "reason"),
];
