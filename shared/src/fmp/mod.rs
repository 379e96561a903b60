//! The client of Financial Modeling Prep's `stable` API.

mod answer;
mod body;
mod breaker;
mod budget;
mod client;
mod csv;
mod gate;
mod intake;
mod retries;
mod source;
mod tally;
mod wire;

pub use answer::is_not_offered;
pub use budget::{FmpPlan, Limits, Work};
pub use client::{
    Answer, BULK_PAUSE, BulkAnswer, Came, DEFAULT_URL, Deadline, Fmp, LIMIT_PAUSE, ReadKey, Records, Settings,
};
pub use csv::Record;
pub use source::{SourceKind, claim_source};
pub use tally::Tally;
