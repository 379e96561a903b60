//! The rate limiter: one call budget for everyone who calls FMP with the same key, be it processes
//! on a laptop, Lambda functions or parallel runs.
//!
//! The budget is an object on the stage, `state/budget/<hash>.json`, where the hash is the first 16
//! hex digits of the key's SHA-256. It changes by compare-and-swap only. A plan without a limit has
//! no such object and costs no write.
//!
//! # Why no 60 seconds contain more calls than the plan allows
//!
//! Let `L` be the plan's calls per minute and `step` = [`SPAN`] / `L`, rounded up.
//!
//! 1. Every permit has a moment. The shared object holds the first moment that nobody has taken. A
//!    client leases `n` permits by moving it forward by `n` steps. So the moments of any two
//!    permits of a key, whoever holds them, are at least one step apart, and an open interval of
//!    length [`SPAN`] contains at most `L` of them.
//! 2. A call with a permit of moment `t` is sent between `t` and `t + USE` by its own machine's
//!    clock, or not at all. The travel times of any two calls to FMP differ by at most [`TRAVEL`],
//!    and the clocks of any two machines by at most [`CLOCKS`].
//! 3. So the moments of calls that reach FMP within 60 seconds lie within an open interval of
//!    length `60 s + USE + TRAVEL + CLOCKS`, which is [`SPAN`]. By 1, there are at most `L` of
//!    them. ∎
//!
//! With a span of 62 s, clients can use 60/62 = 96.8 % of the plan's rate. A permit whose time has
//! passed is lost. That is how the lease of a killed client expires, and all that it costs.
//!
//! # Who gets permits
//!
//! Leases follow each other in the order of the requests, so nobody starves. The further the
//! existing leases reach into the future, the shorter is the next one: three seconds for a single
//! client, less than one for each of eight. While an on-demand run holds future permits, scheduled
//! runs get none.

mod bulk;
mod lease;
mod leasing;
mod limiter;
mod permit;
mod plan;
mod request;
mod shared_object;
mod shared_state;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod time;

use chrono::TimeDelta;

pub use lease::CallContext;
pub(super) use limiter::RateLimiter;
pub(super) use permit::Permit;
pub use plan::{FmpPlan, Limits};
use time::Time;

/// How long after its moment a permit may be used.
const USE: TimeDelta = TimeDelta::milliseconds(500);
/// By how much the travel times of two calls to FMP may differ: a new connection, a packet that was
/// lost once.
const TRAVEL: TimeDelta = TimeDelta::milliseconds(1_250);
/// By how much the clocks of two machines may differ. Machines that use NTP stay far below it.
const CLOCKS: TimeDelta = TimeDelta::milliseconds(250);
/// The interval that holds the moments of one minute's calls: 60 s plus the three above.
const SPAN: TimeDelta = TimeDelta::seconds(62);
/// How long before its lease ends a client takes the next one, so that it never waits for the
/// stage.
const AHEAD: TimeDelta = TimeDelta::milliseconds(1_200);
/// The same for a scheduled run, which lets on-demand runs go first.
const DAILY_AHEAD: TimeDelta = TimeDelta::milliseconds(600);
