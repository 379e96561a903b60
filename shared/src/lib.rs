//! The words that findata's functions share, and what stands between them and the outside.
//!
//! One record's way through the modules: a [`run::Request`] names a universe; [`plan`] turns it into tasks
//! of [`catalog`] datasets; [`fmp`] fetches one task's answer and tells FMP's errors apart; [`rows`] makes
//! typed, checked rows of it; [`landing`] writes them to the [`stage`]; [`ledger`] says what is there;
//! [`freshness`] remembers it for the next plan; [`warehouse`] is where it ends.
//!
//! No handler and no embedded engine lives here.

#[cfg(feature = "aws")]
pub mod aws;
pub mod bulk;
pub mod bus;
pub mod calendar;
pub mod catalog;
pub mod clock;
pub mod cost;
pub mod decimal;
pub mod error;
pub mod fmp;
pub mod freshness;
pub mod hash;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod landing;
pub mod ledger;
pub mod lifetimes;
pub mod plan;
pub mod queue;
pub mod rows;
pub mod run;
pub mod stage;
pub mod symbol;
pub mod telemetry;
pub mod warehouse;

pub use error::{Error, Result};
pub use symbol::Symbol;
