//! The client of Financial Modeling Prep's `stable` API.

mod answer;
mod body;
mod client;
mod limit;
mod source;
mod tally;

pub use client::{Answer, DEFAULT_URL, Fmp, LIMIT_PAUSE, ReadKey, Settings};
pub use limit::FmpPlan;
pub use source::{SourceKind, claim_source};
pub use tally::Tally;
