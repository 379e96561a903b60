//! The vocabulary of findata: symbols, dates, decimals, datasets and typed rows.
//!
//! Nothing here does I/O or needs an async runtime, so every other crate can depend on it.
//!
//! - [`catalog`]: every dataset, declared once. Requests, tables and landing files follow from it.
//! - [`rows`]: FMP's JSON to typed, checked rows.
//! - [`symbol`], [`day`], [`decimal`], [`clock`], [`nyse_calendar`], [`hash`], [`sql`]: validated values and small rules.
//! - [`error`]: errors, classified by what the caller does next.

pub mod catalog;
pub mod clock;
pub mod day;
pub mod decimal;
pub mod error;
pub mod hash;
pub mod nyse_calendar;
pub mod rows;
pub mod sql;
pub mod symbol;

pub use error::{Error, Result};
pub use symbol::Symbol;
