//! The client of Financial Modeling Prep's `stable` API.

mod answer;
mod body;
mod client;
mod limit;
mod tally;

pub use client::{Answer, DEFAULT_URL, Fmp, LIMIT_PAUSE, Settings};
pub use limit::FmpPlan;
pub use tally::Tally;
