//! The clock that determines when permits are valid.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use futures::future::BoxFuture;

use findata_domain::clock::{Clock, SystemClock};

/// The system clock, or the clock of a simulation.
pub(crate) trait Time: Send + Sync {
    /// The current time, by this machine's clock.
    fn now(&self) -> DateTime<Utc>;
    /// Waits for a duration.
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;
}

impl Time for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Clock::now(self)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The beginning of a UTC day.
pub(super) fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}
