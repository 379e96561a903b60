//! The FMP client: its settings, its life cycle and its key. `call` makes single calls, `bulk`
//! downloads bulk files.

mod bulk;
mod call;
mod halt;
mod limited;
mod patience;
#[cfg(test)]
mod tests;

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use super::{
    address,
    breaker::Breakers,
    call_limit::CallLimits,
    call_slots::CallSlots,
    client_stats::ClientStats,
    failure::Failure,
    rate_limit::{CallContext, FmpPlan, Limits, RateLimiter},
    retry_budget::RetryBudget,
    transport::{self, Exchange, Transport},
};
use findata_domain::{Result, clock::SystemClock};
use findata_pipeline::{
    ports::stage::{Stage, memory::MemoryStage},
    run::RunId,
};

pub use bulk::{BULK_PAUSE, BulkAnswer, BulkOutcome, Records};
pub use call::{Answer, MAX_CALL_TIME};

/// The first pause after a call-limit answer that suits FMP, whose limit is per minute.
pub const LIMIT_PAUSE: Duration = Duration::from_secs(1);

/// When an invocation stops calling, so that it can still land and record what it has.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// No call begins after this moment.
    pub begin: Instant,
    /// No answer is awaited after this moment.
    pub wait: Instant,
}

impl Deadline {
    /// The deadline of an invocation that ends at `ends`. It reserves a fifth of the time: the last
    /// minute of five is for calls in flight and for landing.
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
    /// The key. It is sent in a header and nowhere else.
    pub key: SecretString,
    /// The plan of the key.
    pub plan: FmpPlan,
    /// Bytes in 30 days, if they differ from the plan's or the plan's are not known.
    pub bytes: Option<u64>,
    /// The most calls made in one burst; `None` for as many as the plan allows in a minute.
    pub burst: Option<NonZeroU32>,
    /// Most calls in flight.
    pub in_flight: usize,
    /// First pause after FMP reports that the call limit is reached. Each further one is twice
    /// as long, up to thirty times.
    pub limit_pause: Duration,
    /// Interval between two bulk calls with the same key.
    pub bulk_pause: Duration,
}

impl ClientSettings {
    /// The limits of the key.
    pub fn limits(&self) -> Limits {
        self.plan.limits().with(self.bytes, self.burst)
    }

    /// Checks address and key, before anything is created for a run that could not make a call.
    ///
    /// # Errors
    /// As for [`Fmp::new`].
    pub fn check(&self) -> Result<()> {
        address::parse_without(&self.url, self.key.expose_secret().as_bytes())?;
        transport::header(&self.key).map(|_| ())
    }
}

/// Reads the key again from where it is stored.
pub type ReadKey = Box<dyn Fn() -> BoxFuture<'static, Result<SecretString>> + Send + Sync>;

/// A client for one run, or for a Lambda environment that works for many runs in turn.
pub struct Fmp {
    url: String,
    transport: Box<dyn Exchange>,
    /// Has longer timeouts, because bulk files start later and take longer. Created for the first
    /// bulk file.
    bulk_transport: OnceLock<Transport>,
    bulk_pause: Duration,
    key: Mutex<HeaderValue>,
    /// Reads the key again, since it may have been rotated.
    read_key: Option<ReadKey>,
    /// Held by the one caller that reads the key again; the others wait for it.
    key_renewal: tokio::sync::Mutex<()>,
    rate_limiter: RateLimiter,
    call_limits: CallLimits,
    breakers: Breakers,
    retry_budget: RetryBudget,
    slots: CallSlots,
    per_minute: Option<u32>,
    stats: Arc<ClientStats>,
    /// The failure after which no further call is made.
    halted: watch::Sender<Option<Failure>>,
    /// The run that the client works for.
    run: Mutex<Option<RunId>>,
}

impl Fmp {
    /// Creates a client without making a call. Its rate limit is its own until [`Fmp::sharing`]
    /// shares it.
    ///
    /// # Errors
    /// `Config` for an invalid address or key.
    pub fn new(settings: &ClientSettings) -> Result<Self> {
        let url = address::parse_without(&settings.url, settings.key.expose_secret().as_bytes())?;
        let stats = Arc::new(ClientStats::default());
        let transport = Transport::new(url.clone(), Arc::clone(&stats))?;
        Fmp::with_exchange(settings, url.into(), Box::new(transport), stats)
    }

    fn with_exchange(
        settings: &ClientSettings,
        url: String,
        transport: Box<dyn Exchange>,
        stats: Arc<ClientStats>,
    ) -> Result<Self> {
        let limits = settings.limits();
        let key = settings.key.expose_secret().trim();
        let store = Box::new(MemoryStage::default());
        let rate_limiter = RateLimiter::new(limits, key, store, Box::new(SystemClock), Arc::clone(&stats));
        Ok(Fmp {
            url,
            transport,
            bulk_transport: OnceLock::new(),
            bulk_pause: settings.bulk_pause,
            key: Mutex::new(transport::header(&settings.key)?),
            read_key: None,
            key_renewal: tokio::sync::Mutex::new(()),
            rate_limiter,
            call_limits: CallLimits::new(settings.limit_pause),
            breakers: Breakers::default(),
            retry_budget: RetryBudget::default(),
            slots: CallSlots::new(limits.burst.or(limits.per_minute), settings.in_flight),
            per_minute: settings.plan.per_minute(),
            stats,
            halted: watch::Sender::new(None),
            run: Mutex::new(None),
        })
    }

    /// Shares the rate limit with every client that has the same key and stage.
    #[must_use]
    pub fn sharing(mut self, stage: impl Stage + 'static) -> Self {
        self.rate_limiter = self.rate_limiter.with_store(Box::new(stage));
        self
    }

    /// Lets the client read the key again, once for each key that FMP refuses.
    #[must_use]
    pub fn with_key_from(mut self, read_key: ReadKey) -> Self {
        self.read_key = Some(read_key);
        self
    }

    /// Validates a base address.
    ///
    /// # Errors
    /// `Reject` if it is not an address; `Config` if it holds a secret or would expose the key.
    pub fn check_url(url: &str) -> Result<()> {
        address::parse(url).map(|_| ())
    }

    /// Begins an invocation: clears what stopped the previous one, since it may have passed. A call limit that outlasted
    /// our patience is cleared only for another run.
    pub fn begin(&self, context: &CallContext) {
        let same_run = lock(&self.run).replace(context.run.clone()).is_some_and(|run| run == context.run);
        if !same_run {
            self.call_limits.begin();
        }
        self.halted.send_if_modified(|halted| {
            let keep = same_run && matches!(halted, Some(Failure::LimitedKey(_)));
            !keep && halted.take().is_some()
        });
        self.breakers.begin();
        self.retry_budget.begin();
        self.rate_limiter.begin(context);
    }

    /// Ends an invocation: returns unused permits.
    pub async fn finish(&self) {
        self.rate_limiter.finish().await;
    }

    /// The base address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The counters so far.
    pub fn stats(&self) -> &ClientStats {
        &self.stats
    }

    /// Most calls in flight.
    pub fn most_in_flight(&self) -> usize {
        self.slots.most()
    }

    /// Why the calls of this invocation are paced, if they are.
    pub fn pacing(&self) -> Option<String> {
        self.rate_limiter.pacing()
    }

    /// The plan's calls per minute.
    pub fn per_minute(&self) -> Option<u32> {
        self.per_minute
    }

    /// Reads the key again after FMP refused one. Returns whether the client now has a different
    /// key.
    async fn renew_key(&self, refused: &HeaderValue) -> bool {
        let Some(read_key) = &self.read_key else {
            return false;
        };
        let _only_one = self.key_renewal.lock().await;
        if *lock(&self.key) != *refused {
            return true;
        }
        match read_key().await.and_then(|key| transport::header(&key)) {
            Ok(key) if key != *refused => {
                tracing::info!("FMP refused the key; a new one was found and is used instead");
                self.rate_limiter.use_key(key.to_str().unwrap_or_default());
                *lock(&self.key) = key;
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(%error, "FMP refused the key, and reading it again failed");
                false
            }
        }
    }
}

/// The present, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
