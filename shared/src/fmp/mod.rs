//! The client of Financial Modeling Prep's `stable` API.

mod answer;
mod body;
mod client;
mod limit;
mod tally;

pub use client::{Answer, Fmp, Settings, DEFAULT_URL};
pub use limit::FmpPlan;
pub use tally::Tally;
