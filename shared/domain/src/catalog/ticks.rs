//! Ticks of market prices, which `functions/stream` lands between two runs.

use super::{
    Column, Dataset, Freshness, History, Requests, RowChecks, column::derived_instant, date, decimal, text,
};

/// The ticks, which no FMP endpoint of the catalog has and no run fetches. Their files have the
/// layout of landing files, so every warehouse loads them like those of a dataset.
pub static PRICE_TICKS: Dataset = Dataset {
    name: "price_ticks",
    endpoint: "",
    requests: Requests::Market,
    key: &["symbol", "exchange_time", "tick_id"],
    date_column: Some("price_date"),
    history: History::Versions,
    columns: COLUMNS,
    freshness: Freshness::UntilNextClose,
    complete_answer: false,
    row_limit: None,
    bulk: None,
    change_feed: None,
    empty_if_unknown: false,
    follow_up: false,
    adjusts_prices: false,
    checks: RowChecks::Amounts,
    row_bytes: 40,
    about: "Trades and prices of the market as they were streamed.",
};

const COLUMNS: &[Column] = &[
    text("shard_id", "").required(),
    text("sequence_number", "").required(),
    text("symbol", "symbol").required(),
    text("tick_id", "id"),
    decimal("price", "price").required(),
    decimal("size", "size"),
    derived_instant("exchange_time", "exchange_time").required(),
    date("price_date", "").required(),
    text("source", "source"),
];
