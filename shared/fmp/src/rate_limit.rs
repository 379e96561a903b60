//! The rate limiter: one call budget per FMP key. All processes on a laptop, all Lambda functions
//! and all parallel runs with the same key share the budget.
//!
//! The budget is an object on the stage, `state/budget/<hash>.json`. The hash is the first 16 hex
//! digits of the key's SHA-256. Clients change the object by compare-and-swap only. It records how
//! many calls were granted at each moment of the last minute. A client that needs permits takes
//! them at once while the window has room. Otherwise the client waits until the oldest grants leave
//! the window. A plan without limits has no such object and costs no writes.
//!
//! # Why no 60 seconds contain more calls than the plan allows
//!
//! Let `L` be the plan's calls per minute. The proof assumes:
//!
//! - The clocks of two machines differ by at most [`CLOCKS`] (0.25 s).
//! - The travel times of two calls to FMP differ by at most [`TRAVEL`] (1.5 s).
//!
//! The code enforces:
//!
//! 1. **A grant has a timestamp.** The client reads its clock before it writes the grant. The
//!    timestamp is that time, rounded down to [`BUCKET`] (0.25 s).
//! 2. **A grant expires.** The client sends the calls of a grant at most [`USE`] (1 s) after that
//!    clock reading, by the same clock. It never sends them later.
//! 3. **A grant must fit.** A client writes a grant with timestamp `T` only if its calls, plus the
//!    calls of all grants with timestamps after `T - SPAN`, are at most `L`. [`SPAN`] is
//!    60 + 0.25 + 1 + 1.5 + 0.25 = 63 s.
//!
//! Proof:
//!
//! - Take all grants with timestamps in an interval of 63 s. When the last of them was written, all
//!   others were recorded. Their timestamps were less than 63 s before the last grant's timestamp,
//!   or after it. So rule 3 counted all of them, and together they have at most `L` calls. The
//!   order in which machines with different clocks write their grants does not matter.
//! - Take two calls that reach FMP less than 60 s apart. They were sent less than 60 s + `TRAVEL`
//!   apart. Each was sent at most `USE` after its client read the clock. So the two clock readings
//!   are less than 60 s + `TRAVEL` + `USE` apart in true time, and less than 60 s + `TRAVEL` +
//!   `USE` + `CLOCKS` apart by the clients' clocks. Rounded down to `BUCKET`, they are less than
//!   `SPAN` apart.
//! - So the calls that reach FMP within 60 s have timestamps within an interval of 63 s. By the
//!   first point, there are at most `L` of them. ∎
//!
//! If the stage is so slow that permits would expire while their grant is written, the client
//! writes a later timestamp and waits until then before it sends the calls. Rules 1 and 2 hold for
//! the later timestamp. A client subtracts the permits that it did not use from their grant. This
//! does not affect the proof, because no call used them. A killed client cannot return its permits,
//! so they count for one minute.
//!
//! Because the window has 63 s instead of 60 s, clients can use at most 60/63 = 95 % of a plan's
//! rate.
//!
//! # Who gets permits
//!
//! - The clients of the last minute share the room in the window. A grant is at most the room
//!   divided by the number of clients, or half of the client's share of the limit if that is more.
//!   So no client starves, and a single client needs few writes.
//! - While an on-demand run makes calls or waits for permits, all scheduled runs together get a
//!   tenth of the limit. While a scheduled run makes calls or waits, on-demand runs leave it that
//!   tenth.
//! - `--fmp-burst` adds a second rule with the same rate, but fewer calls in a shorter interval. If
//!   FMP refuses a burst although the window has room, such a rule with the calls of one second
//!   applies until the next UTC day.

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
mod usage;
mod window;

use chrono::TimeDelta;

pub use estimate::{Demand, Estimate};
pub use lease::CallContext;
pub(super) use limiter::RateLimiter;
pub(super) use permit::Permit;
pub use plan::{FmpPlan, Limits};
use time::Time;
pub use usage::BudgetUsage;

/// How long a permit is valid.
const USE: TimeDelta = TimeDelta::seconds(1);
/// Largest assumed difference between the travel times of two calls to FMP. It covers the setup of
/// a new connection and one lost packet.
const TRAVEL: TimeDelta = TimeDelta::milliseconds(1_500);
/// Largest assumed difference between the clocks of two machines. Machines that use NTP stay far
/// below it.
const CLOCKS: TimeDelta = TimeDelta::milliseconds(250);
/// Resolution of a grant's timestamp. Grants with the same timestamp share a record, which bounds
/// the size of the shared state.
const BUCKET: TimeDelta = TimeDelta::milliseconds(250);
/// Length of the window: 60 s plus [`BUCKET`], [`USE`], [`TRAVEL`] and [`CLOCKS`]. Calls that reach
/// FMP within 60 s have grants whose timestamps are less than `SPAN` apart.
const SPAN: TimeDelta = TimeDelta::seconds(63);
/// Longest delay before new permits become valid. A client sets a delay if the stage is slow.
const MAX_LEAD: TimeDelta = TimeDelta::seconds(10);
