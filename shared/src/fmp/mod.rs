//! The client of Financial Modeling Prep's `stable` API.

mod answer;
mod body;
mod breaker;
mod budget;
mod client;
mod gate;
mod retries;
mod source;
mod tally;
mod wire;

pub use answer::is_not_offered;
pub use budget::{FmpPlan, Limits, Work};
pub use client::{Answer, DEFAULT_URL, Fmp, LIMIT_PAUSE, ReadKey, Settings};
pub use source::{SourceKind, claim_source};
pub use tally::Tally;
