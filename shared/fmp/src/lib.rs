//! The client of Financial Modeling Prep's `stable` API.

mod access;
mod body;
mod breaker;
pub mod bulk;
mod bulk_decoder;
mod client;
mod client_stats;
mod cooldown;
mod csv;
mod rate_limit;
mod response;
mod retry_budget;
mod source;
mod transport;

pub use access::FmpAccess;
pub use client::{
    Answer, BULK_PAUSE, BulkAnswer, BulkOutcome, ClientSettings, DEFAULT_URL, Deadline, Fmp, LIMIT_PAUSE, ReadKey,
    Records,
};
pub use client_stats::ClientStats;
pub use csv::Record;
pub use rate_limit::{CallContext, FmpPlan, Limits};
pub use response::is_not_offered;
pub use source::{SourceKind, claim_source};
