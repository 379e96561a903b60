//! One budget for all who call FMP with the same key: processes on a laptop, functions on Lambda, runs side by side.
//!
//! It is an object on the stage, `state/budget/<first 16 digits of the key's SHA-256>.json`, changed by compare-and-swap
//! alone. A plan without a limit has none, and costs no write.
//!
//! # Why no 60 seconds hold a call too many
//!
//! A permit has a moment. The object says which moment is the next that nobody has; a worker takes a lease of `n` permits by
//! moving it `n` steps on, where a step is [`SPAN`] divided by the plan's calls a minute. So of all permits of a key,
//! whoever has them, no two are nearer than a step, and an open interval as long as [`SPAN`] holds at most a minute's calls.
//!
//! A call with a permit of moment `t` is sent between `t` and `t + USE` by its machine's clock, or not at all; it is at
//! FMP at most [`TRAVEL`] later; and the clocks of any two machines differ by at most [`CLOCKS`]. So calls that come to FMP
//! within 60 seconds have moments within an open interval of `60 s + USE + TRAVEL + CLOCKS`, which is [`SPAN`]. ∎
//!
//! With 62 s a span, 60/62 = 96.8 % of the plan's rate can be used. A permit whose time passes is gone: that is how the
//! lease of a worker that was killed expires, and it is all that it costs.
//!
//! # Who gets them
//!
//! Leases follow each other in the order in which they were asked for, so nobody starves. They are the shorter, the
//! further the ones before reach: three seconds for one worker, less than one for each of eight. While a run on demand
//! holds permits of the future, runs of every day take none.

mod bulk;
mod lease;
mod limiter;
mod permit;
mod plan;
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
pub(super) use shared_object::ObjectStore;
use time::Time;

/// How long a permit may be used from its moment on.
const USE: TimeDelta = TimeDelta::milliseconds(500);
/// How much longer one call may be on its way to FMP than another: a new connection, a packet that was lost once.
const TRAVEL: TimeDelta = TimeDelta::milliseconds(1_250);
/// By how much the clocks of two machines may differ. Machines that keep time by NTP are far below it.
const CLOCKS: TimeDelta = TimeDelta::milliseconds(250);
/// In which a minute's calls have their moments: 60 s and the three above.
const SPAN: TimeDelta = TimeDelta::seconds(62);
/// How long before its permits end a worker takes the next ones, so that it never waits for the stage.
const AHEAD: TimeDelta = TimeDelta::milliseconds(1_200);
/// The same of a run of every day, which lets runs on demand go first.
const DAILY_AHEAD: TimeDelta = TimeDelta::milliseconds(600);
