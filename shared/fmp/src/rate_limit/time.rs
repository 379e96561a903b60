//! The time by which permits have their moments.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

use findata_domain::clock::{Clock, SystemClock};

/// The real one, or that of a simulation.
pub(crate) trait Time: Send + Sync {
    /// Now, as the machine's clock shows it.
    fn now(&self) -> DateTime<Utc>;
    /// Waits.
    fn sleep(&self, time: Duration) -> BoxFuture<'_, ()>;
}

impl Time for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Clock::now(self)
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}
