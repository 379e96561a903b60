//! A client for the `stable` API of Financial Modeling Prep (FMP), with a rate limiter, retries,
//! circuit breakers and bulk files. See the README of this crate.

mod access;
mod address;
mod body;
mod breaker;
pub mod bulk;
mod bulk_decoder;
mod call_limit;
mod call_slots;
mod client;
mod client_stats;
mod csv;
mod failure;
mod rate_limit;
mod redact;
mod response;
mod retry_budget;
mod source;
mod transport;

pub use access::FmpAccess;
pub use address::DEFAULT_URL;
pub use call_slots::{MOST_IN_FLIGHT_IN_FUNCTION, MOST_IN_FLIGHT_ON_LAPTOP};
pub use client::{
    Answer, BULK_PAUSE, BulkAnswer, BulkOutcome, ClientSettings, Deadline, Fmp, LIMIT_PAUSE, MAX_CALL_TIME,
    ReadKey, Records,
};
pub use client_stats::ClientStats;
pub use csv::Record;
pub use rate_limit::{BudgetUsage, CallContext, Demand, Estimate, FmpPlan, Limits};
pub use source::{SourceKind, claim_source};
