//! The FMP client: its settings, its life cycle and its key. `call` makes single calls, `bulk`
//! downloads bulk files.

mod bulk;
mod call;

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::{
    breaker::Breakers,
    call_slots::CallSlots,
    client_stats::ClientStats,
    cooldown::Cooldown,
    failure::Failure,
    rate_limit::{CallContext, FmpPlan, Limits, RateLimiter},
    retry_budget::RetryBudget,
    transport::{self, Transport},
};
use findata_domain::{Result, clock::SystemClock};
use findata_pipeline::ports::stage::{Stage, memory::MemoryStage};

pub use bulk::{BULK_PAUSE, BulkAnswer, BulkOutcome, Records};
pub use call::Answer;

/// The first cooldown that suits FMP, whose limit is per minute.
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
    /// Most calls at once, if fewer than in a minute.
    pub burst: Option<NonZeroU32>,
    /// Most calls in flight.
    pub in_flight: usize,
    /// First cooldown after FMP reports that the call limit is reached. Each further one is twice
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
}

/// Reads the key again from where it is stored.
pub type ReadKey = Box<dyn Fn() -> BoxFuture<'static, Result<SecretString>> + Send + Sync>;

/// A client for one run, or for a Lambda environment that works for many runs in turn.
pub struct Fmp {
    transport: Transport,
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
    cooldown: Cooldown,
    breakers: Breakers,
    retry_budget: RetryBudget,
    slots: CallSlots,
    per_minute: Option<u32>,
    stats: Arc<ClientStats>,
    /// The failure after which no further call is made.
    halted: Mutex<Option<Failure>>,
}

impl Fmp {
    /// Creates a client without making a call. Its rate limit is its own until [`Fmp::sharing`]
    /// shares it.
    ///
    /// # Errors
    /// `Config` for an invalid address or key.
    pub fn new(settings: &ClientSettings) -> Result<Self> {
        let stats = Arc::new(ClientStats::default());
        let transport = Transport::new(&settings.url, Arc::clone(&stats))?;
        let limits = settings.limits();
        let key = settings.key.expose_secret().trim();
        let store = Box::new(MemoryStage::default());
        let rate_limiter = RateLimiter::new(limits, key, store, Box::new(SystemClock), Arc::clone(&stats));
        Ok(Fmp {
            transport,
            bulk_transport: OnceLock::new(),
            bulk_pause: settings.bulk_pause,
            key: Mutex::new(transport::header(&settings.key)?),
            read_key: None,
            key_renewal: tokio::sync::Mutex::new(()),
            rate_limiter,
            cooldown: Cooldown::new(settings.limit_pause),
            breakers: Breakers::default(),
            retry_budget: RetryBudget::default(),
            slots: CallSlots::new(limits.burst.or(limits.per_minute), settings.in_flight),
            per_minute: settings.plan.per_minute(),
            stats,
            halted: Mutex::new(None),
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
    /// `Config` if no client can use it.
    pub fn check_url(url: &str) -> Result<()> {
        transport::base(url).map(|_| ())
    }

    /// Begins an invocation: clears what stopped the previous one, since it may have passed.
    pub fn begin(&self, context: &CallContext) {
        *lock(&self.halted) = None;
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
        self.transport.base()
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

    /// Halts the client after a failure that every other call would share, and tells the other
    /// users of the key if it is theirs too.
    async fn halt_if_needed(&self, failure: &Failure) {
        if failure.ends_run() {
            lock(&self.halted).get_or_insert_with(|| failure.clone());
            if failure.affects_key() {
                self.rate_limiter.stop(failure).await;
            }
        }
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

    /// Replaces a failure by `Unreachable` if no call at all has been answered for some time.
    fn unreachable_or(&self, failure: Failure) -> Failure {
        if self.breakers.nobody_answers(Instant::now()) {
            let url = self.url();
            return Failure::Unreachable(format!(
                "{url} does not answer: {failure}; check the network and --fmp-url"
            ));
        }
        failure
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
