//! The settings of a client, and the deadline of an invocation.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    address,
    rate_limit::{FmpPlan, Limits},
    transport,
};
use findata_domain::{Result, clock::TimeScale};

/// Default for [`ClientSettings::limit_pause`]. It suits FMP, whose call limit is per minute.
pub const LIMIT_PAUSE: Duration = Duration::from_secs(1);

/// When an invocation stops making calls, so that it has time to store the rows it has received.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// After this moment, no call begins.
    pub begin: Instant,
    /// After this moment, the client no longer waits for a response.
    pub wait: Instant,
}

impl Deadline {
    /// The deadline of an invocation that ends at `ends`. In the last fifth of the time that
    /// remains at `now`, no call begins. In the last eighth, the client waits for no response, so
    /// that the invocation has time to store its rows.
    pub fn before(ends: Instant, now: Instant) -> Self {
        let left = ends.saturating_duration_since(now);
        Deadline { begin: ends - left / 5, wait: ends - left / 8 }
    }
}

/// The configuration of a client.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Base address, including `/stable`.
    pub url: String,
    /// The key. The client sends it only in a header.
    pub key: SecretString,
    /// The FMP plan of the key.
    pub plan: FmpPlan,
    /// Bandwidth limit in bytes per 30 days, if it differs from the plan's or the plan has none.
    pub bytes: Option<u64>,
    /// Maximum number of calls made at once; `None` for the plan's calls per minute.
    pub burst: Option<NonZeroU32>,
    /// Maximum number of calls in flight.
    pub in_flight: usize,
    /// First pause after FMP reports that the call limit is reached. Each further pause is twice as
    /// long, up to thirty times the first one.
    pub limit_pause: Duration,
    /// Interval between two bulk calls with the same key.
    pub bulk_pause: Duration,
    /// Divides the timeouts of JSON calls, the pauses between their attempts, and those of breakers.
    pub time_scale: TimeScale,
}

impl ClientSettings {
    /// The limits of the key.
    pub fn limits(&self) -> Limits {
        self.plan.limits().with(self.bytes, self.burst)
    }

    /// Checks the address and the key. Callers use it before they create anything for a run,
    /// because with invalid settings the run could not make a call.
    ///
    /// # Errors
    /// `Config` or `Reject` for an invalid address; `Config` for an invalid key.
    pub fn check(&self) -> Result<()> {
        address::parse_without(&self.url, self.key.expose_secret().as_bytes())?;
        transport::header(&self.key).map(|_| ())
    }
}

/// A function that reads the key from its storage, such as a secret.
pub type ReadKey = Box<dyn Fn() -> BoxFuture<'static, Result<SecretString>> + Send + Sync>;
