//! The basic types of findata: symbols, dates, decimals, datasets and typed rows.
//!
//! This crate does no I/O and requires no async runtime, so every other crate can depend on it.
//!
//! - [`catalog`]: the declarations of all datasets. Requests, tables and landing files are derived
//!   from them.
//! - [`rows`]: converts FMP's JSON to typed, checked rows.
//! - [`symbol`], [`day`], [`decimal`], [`clock`], [`nyse_calendar`], [`hash`], [`sql`]: validated
//!   values and their conversions.
//! - [`error`]: errors, classified by the caller's next step.
//! - [`file_faults`]: faults of the user's files, with their lines.

pub mod catalog;
pub mod clock;
pub mod day;
pub mod decimal;
pub mod error;
pub mod file_faults;
pub mod hash;
pub mod nyse_calendar;
pub mod rows;
pub mod schema_version;
pub mod sql;
pub mod symbol;

pub use error::{Error, Result};
pub use symbol::Symbol;
