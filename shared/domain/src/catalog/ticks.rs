//! Ticks of market prices, which `functions/stream` lands between two runs. They are not a dataset:
//! no run fetches them.

use super::{Column, column::derived_instant, date, decimal, text};

/// Name of the ticks: of their folder on the stage, of their table in `raw`, and in `ops.files` and
/// `ops.quarantine`.
pub const PRICE_TICKS: &str = "price_ticks";

/// The columns of the rows of their landing files, which have the layout of all landing files. A row
/// with `gap_start` is not a tick: it reports that the ticks up to `exchange_time` may be missing.
pub static TICK_COLUMNS: &[Column] = &[
    text("shard_id", "").required(),
    text("sequence_number", "").required(),
    text("symbol", "symbol"),
    text("tick_id", "id"),
    decimal("price", "price"),
    decimal("size", "size"),
    derived_instant("exchange_time", "exchange_time"),
    date("price_date", ""),
    text("source", "source"),
    derived_instant("gap_start", "gap_start"),
    text("gap_reason", "gap_reason"),
];
