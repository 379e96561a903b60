//! The rate limiter: one call budget for everyone who calls FMP with the same key, be it processes
//! on a laptop, Lambda functions or parallel runs.
//!
//! The budget is an object on the stage, `state/budget/<hash>.json`, where the hash is the first 16
//! hex digits of the key's SHA-256. It changes by compare-and-swap only. It records how many calls
//! were granted at each moment of the last minute. A client that needs permits gets them at once
//! while the window has room, and otherwise waits until the oldest grants leave it. A plan without
//! a limit has no such object and costs no write.
//!
//! # Why no 60 seconds contain more calls than the plan allows
//!
//! Let `L` be the plan's calls per minute. What is assumed:
//!
//! - The clocks of two machines differ by at most [`CLOCKS`] (0.25 s).
//! - The travel times of any two calls to FMP differ by at most [`TRAVEL`] (1.5 s).
//!
//! What the code does:
//!
//! 1. **A grant has a moment.** The client reads its clock before it writes the grant. The grant is
//!    recorded under the time that the client read, rounded down to [`BUCKET`] (0.25 s).
//! 2. **A grant has a use-by time.** A call is sent after the client has read its clock and at most
//!    [`USE`] (1 s) later, by the same clock, or not at all.
//! 3. **A grant must fit.** A client writes a grant with moment `T` only if the calls of this grant
//!    and of all grants with moments after `T - SPAN` are at most `L`, where [`SPAN`] is
//!    60 + 0.25 + 1 + 1.5 + 0.25 = 63 s.
//!
//! What follows:
//!
//! - Take any interval of 63 s and the grants whose moments it contains. When the last of them was
//!   written, all the others were recorded, and their moments were less than 63 s before it or
//!   after it. So they were counted, and the grants of the interval have at most `L` calls. It does
//!   not matter in which order machines with different clocks write their grants.
//! - Take two calls that reach FMP less than 60 s apart. They left less than 60 s + `TRAVEL` apart.
//!   Each left at most `USE` after its client had read the clock, so these readings were less than
//!   60 s + `TRAVEL` + `USE` apart in true time. By the clients' clocks that is less than 60 s +
//!   `TRAVEL` + `USE` + `CLOCKS`, and rounded down less than `SPAN`.
//! - So the calls that reach FMP within 60 s have moments within an interval of 63 s, and there are
//!   at most `L` of them. ∎
//!
//! If the stage is so slow that permits would expire while their grant is written, the client
//! records them under a later moment and waits for it before it sends: 1 and 2 hold for that
//! moment. A permit that no call used is subtracted from its grant, which removes no call from the
//! argument. A killed client cannot do that, and so costs at most the permits that it held for one
//! minute.
//!
//! Without other work, clients can use 60/63 = 95 % of the rate of a plan.
//!
//! # Who gets permits
//!
//! - Clients share what is left: each grant is at most the room divided by the number of clients
//!   with grants in the last minute. So nobody starves, and a single client needs few writes.
//! - While an on-demand run makes calls or waits, scheduled runs get a tenth of the limit. While a
//!   scheduled run does, on-demand runs leave it that tenth.
//! - With `--fmp-burst`, a second rule of the same kind holds with fewer calls in a shorter
//!   interval at the same rate. If FMP refuses a burst although the window has room, such a rule
//!   with the calls of one second holds until the next UTC day.

mod bulk;
mod clients;
mod estimate;
mod lease;
mod limiter;
mod permit;
mod plan;
mod refill;
mod request;
mod shared_object;
mod shared_state;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod simulation;
mod stop;
#[cfg(test)]
mod tests;
mod time;
mod window;

use chrono::TimeDelta;

pub use estimate::{Demand, Estimate};
pub use lease::CallContext;
pub(super) use limiter::RateLimiter;
pub(super) use permit::Permit;
pub use plan::{FmpPlan, Limits};
use time::Time;

/// How long a permit may be used.
const USE: TimeDelta = TimeDelta::seconds(1);
/// By how much the travel times of two calls to FMP may differ: a new connection, a packet that was
/// lost once.
const TRAVEL: TimeDelta = TimeDelta::milliseconds(1_500);
/// By how much the clocks of two machines may differ. Machines that use NTP stay far below it.
const CLOCKS: TimeDelta = TimeDelta::milliseconds(250);
/// Grants within this time are recorded together, which bounds the size of the state.
const BUCKET: TimeDelta = TimeDelta::milliseconds(250);
/// The interval that holds the moments of one minute's calls: 60 s plus the four above.
const SPAN: TimeDelta = TimeDelta::seconds(63);
/// How far in the future permits may become valid because the stage is slow.
const MAX_LEAD: TimeDelta = TimeDelta::seconds(10);
